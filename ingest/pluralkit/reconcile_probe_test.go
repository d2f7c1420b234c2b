package pluralkit

import (
	"fmt"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// TestProbes: what PluralKit lists nowhere is found by the ids that are known,
// and rows of defaults are nothing.
func TestProbes(t *testing.T) {
	const other = "1150000000000000011"
	for _, c := range []struct {
		name string
		act  func(r *reconciling, m []string) error
		want map[string]Repair
	}{
		{"nothing", func(*reconciling, []string) error { return nil }, map[string]Repair{}},
		{"looked at", func(r *reconciling, _ []string) error { return r.sys.ReadGuild(other) }, map[string]Repair{}},
		{"server tag", func(r *reconciling, _ []string) error {
			return r.sys.EditGuild(other, fakepk.Fields{"tag": "t"})
		}, map[string]Repair{"system_guild": {Missing: 1}}},
		{"server tag changed", func(r *reconciling, _ []string) error {
			return r.sys.EditGuild(guild, fakepk.Fields{"tag": nil})
		}, map[string]Repair{"system_guild": {Wrong: 1}}},
		{"member in server", func(r *reconciling, m []string) error {
			return r.sys.EditMemberGuild(m[1], guild, fakepk.Fields{"keep_proxy": true})
		}, map[string]Repair{"member_guild": {Missing: 1}}},
		{"autoproxy", func(r *reconciling, m []string) error { return r.sys.AutoproxyMember(other, m[2]) },
			map[string]Repair{"autoproxy": {Missing: 1}}},
		{"autoproxy front", func(r *reconciling, _ []string) error { return r.sys.Autoproxy(guild, "front") },
			map[string]Repair{"autoproxy": {Wrong: 1}}},
		{"member gone", func(r *reconciling, m []string) error { return r.sys.DeleteMember(m[0]) },
			map[string]Repair{"member": {Extra: 1}, "group": {Unsaid: 1}, "switch": {Unsaid: 0, Wrong: 1}, "autoproxy": {Wrong: 1}}},
		{"account unlinked", func(r *reconciling, _ []string) error { return r.sys.Unlink("1150000000000000101") },
			map[string]Repair{"account": {Extra: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				m := r.lived()
				r.book.held.Guilds = []string{guild, other}
				w := r.world
				w.Must(r.sys.Link("1150000000000000101"))
				w.Must(r.sys.EditGuild(guild, fakepk.Fields{"tag": "| x"}))
				w.Must(r.sys.EditMemberGuild(m[0], guild, fakepk.Fields{"display_name": "A"}))
				w.Must(r.sys.AutoproxyMember(guild, m[0]))
				r.book.put("account", held(account))
				r.book.put("account", held("1150000000000000101"))
				first := r.look(Full)
				if first.Repairs["system_guild"].Missing+first.Repairs["member_guild"].Missing+first.Repairs["autoproxy"].Missing != 3 {
					t.Errorf("first look: got %s", first)
				}
				w.Must(c.act(r, m))
				checkRepairs(t, r.look(Full), c.want)
				if c.name == "member gone" {
					delete(r.book.entities["member_guild"], m[0]+"/"+guild) // its fold takes them with it
				}
				r.converged(Full)
			})
		})
	}
}

// TestShare: all pairs have their turn, a part each day.
func TestShare(t *testing.T) {
	var pairs []pair
	for i := range 3*maxPairs + 7 {
		pairs = append(pairs, pair{fmt.Sprint(i), guild})
	}
	had := map[pair]bool{}
	now := time.Date(2026, 1, 1, 5, 0, 0, 0, time.UTC)
	for day := range 5 {
		part := share(pairs, now.AddDate(0, 0, day))
		if len(part) != maxPairs {
			t.Errorf("got %d pairs, want %d", len(part), maxPairs)
		}
		for _, p := range part {
			had[p] = true
		}
	}
	if len(had) != len(pairs) {
		t.Errorf("got %d pairs in five days, want all %d", len(had), len(pairs))
	}
}

// TestMessage: one that is not there any more is said to be absent.
func TestMessage(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		m := r.lived()
		id := must[string](t)(r.sys.Proxy(fakepk.Message{Member: m[0], Guild: guild}))
		if gone, err := r.Reconciler.Message(t.Context(), id); gone || err != nil || len(r.book.events) != 0 {
			t.Errorf("got gone %v, %v, %d events, want it there", gone, err, len(r.book.events))
		}
		r.world.Must(r.sys.DeleteMessages(id))
		if gone, err := r.Reconciler.Message(t.Context(), id); gone || err != nil {
			t.Errorf("a moment later: got gone %v, %v, want to wait", gone, err)
		}
		later(time.Minute)
		if gone, err := r.Reconciler.Message(t.Context(), id); !gone || err != nil || len(r.book.events) != 1 || r.book.events[0].Subject != id {
			t.Errorf("got gone %v, %v, %v, want it absent", gone, err, r.book.events)
		}
	})
}

package pluralkit

import (
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// lived has something of everything in the world.
func (r *reconciling) lived() (members []string) {
	r.t.Helper()
	w, s := r.world, r.sys
	members = r.members("Alder", "Briar", "Cedar")
	group, err := s.CreateGroup("Gardeners")
	w.Must(err)
	w.Must(s.AddToGroup(group, members[2], members[0]))
	w.Must(s.EditMember(members[0], fakepk.Fields{"avatar_url": "https://media.discordapp.net/attachments/1/2/a.png?width=4",
		"proxy_tags": []fakepk.ProxyTag{fakepk.Tag("a:", "")}}))
	for _, fronting := range [][]string{{members[1], members[0]}, {}, {members[2]}} {
		later(time.Minute + 234567*time.Nanosecond)
		_, err := s.Switch(fronting...)
		w.Must(err)
	}
	return members
}

// TestFirstLook: from nothing to everything that can be listed, and then
// nothing more.
func TestFirstLook(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		r.lived()
		report := r.look(Lists)
		if total := report.Total(); total.Missing != 9 || report.Emitted != 9 || report.State != StateOK {
			t.Errorf("got %s, want 9 missing: the system, settings, 3 members, a group, 3 switches", report)
		}
		r.book.put("account", held(account))
		r.converged(Lists)
	})
}

// TestRepairs: each thing that changes is said once, alone.
func TestRepairs(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for _, c := range []struct {
		name string
		act  func(r *reconciling, m []string) error
		want map[string]Repair
	}{
		{"nothing", func(*reconciling, []string) error { return nil }, map[string]Repair{}},
		{"system", func(r *reconciling, _ []string) error { return r.sys.Edit(fakepk.Fields{"tag": "| HH"}) },
			map[string]Repair{"system": {Missing: 1}}},
		{"settings", func(r *reconciling, _ []string) error {
			return r.sys.EditSettings(fakepk.Fields{"timezone": "Europe/Oslo"})
		}, map[string]Repair{"settings": {Wrong: 1}}},
		{"what the API does not tell", func(r *reconciling, _ []string) error {
			return r.sys.EditSettings(fakepk.Fields{"card_show_color_hex": true, "name_format": "{name} {tag}"})
		}, map[string]Repair{}},
		{"member", func(r *reconciling, m []string) error { return r.sys.EditMember(m[0], fakepk.Fields{"name": "Ash"}) },
			map[string]Repair{"member": {Wrong: 1}}},
		{"privacy", func(r *reconciling, m []string) error { return r.sys.BulkMemberPrivacy("private", m[0], m[1]) },
			map[string]Repair{"member": {Wrong: 2}}},
		{"short id", func(r *reconciling, m []string) error { _, err := r.sys.RerollMemberHID(m[0]); return err },
			map[string]Repair{"member": {Unsaid: 1}}},
		{"member created", func(r *reconciling, _ []string) error {
			_, err := r.sys.APICreateMember(fakepk.Fields{"name": "Dune"})
			return err
		}, map[string]Repair{"member": {Missing: 1}}},
		{"member deleted", func(r *reconciling, m []string) error { return r.sys.DeleteMember(m[2]) },
			map[string]Repair{"member": {Extra: 1}, "group": {Unsaid: 1}, "switch": {Wrong: 1}}},
		{"group", func(r *reconciling, m []string) error { return r.sys.SetGroupMembers(r.group(), m[1]) },
			map[string]Repair{"group": {Unsaid: 1}}},
		{"group deleted", func(r *reconciling, _ []string) error { return r.sys.DeleteGroup(r.group()) },
			map[string]Repair{"group": {Extra: 1}}},
		{"switch", func(r *reconciling, m []string) error { _, err := r.sys.Switch(m[0], m[2], m[1]); return err },
			map[string]Repair{"switch": {Missing: 1}}},
		{"switch moved", func(r *reconciling, _ []string) error { return r.sys.APIMoveSwitch(r.front(), at) },
			map[string]Repair{"switch": {Wrong: 1}}},
		{"switch in the future", func(r *reconciling, m []string) error {
			_, err := r.sys.APISwitchAt(time.Now().Add(time.Hour*1000), m[0])
			return err
		}, map[string]Repair{"switch": {Missing: 1}}},
		{"switch turned", func(r *reconciling, m []string) error {
			return r.sys.APIEditSwitch(r.coFront(), m[0], m[1])
		}, map[string]Repair{"switch": {Unsaid: 1}}},
		{"switch deleted", func(r *reconciling, _ []string) error { return r.sys.DeleteSwitch(r.coFront()) },
			map[string]Repair{"switch": {Extra: 1}}},
		{"all switches deleted", func(r *reconciling, _ []string) error { return r.sys.DeleteAllSwitches() },
			map[string]Repair{"switch": {Extra: 3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				m := r.lived()
				r.look(Lists)
				r.book.put("account", held(account))
				r.world.Must(c.act(r, m))
				dry, err := r.Reconcile(t.Context(), Lists, true)
				if err != nil {
					t.Fatal(err)
				}
				report := r.look(Lists)
				checkRepairs(t, report, c.want)
				checkRepairs(t, dry, c.want)
				r.converged(Lists)
			})
		})
	}
}

func checkRepairs(t *testing.T, got Report, want map[string]Repair) {
	t.Helper()
	same := len(got.Repairs) == len(want)
	for noun, p := range want {
		same = same && got.Repairs[noun] == p
	}
	if !same {
		t.Errorf("got %+v %v, want %+v", got.Repairs, got.Differences, want)
	}
}

func (r *reconciling) group() string {
	for id := range r.world.Truth(r.sys).Groups {
		return id
	}
	r.t.Fatal("there is no group")
	return ""
}

func (r *reconciling) front() string { return r.world.Truth(r.sys).Front()[0] }

// coFront is the switch with two members.
func (r *reconciling) coFront() string {
	for id, s := range r.world.Truth(r.sys).Switches {
		if len(s.Members) == 2 {
			return id
		}
	}
	r.t.Fatal("nobody fronted together")
	return ""
}

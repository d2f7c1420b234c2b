package projections

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// TestHeld reads back what events and observations left of one system, and
// nothing of another.
func TestHeld(t *testing.T) {
	db := openTest(t, All)
	var batch []schemas.Recorded
	for line := range strings.Lines(`
{"type":"switchlog.system.observed","subject":"sys-1","data":{"asked":"2025-01-01T00:00:00Z","object":{"id":"kfazoe","uuid":"sys-1","name":"Harbour House"}}}
{"type":"me.pluralkit.member.create","subject":"mem-a","data":{"name":"Alder"}}
{"type":"me.pluralkit.member.create","subject":"mem-b","data":{"name":"Briar"}}
{"type":"switchlog.group.observed","subject":"grp-a","data":{"asked":"2025-01-01T00:00:03.5Z","object":{"name":"Gardeners","members":["mem-b","mem-a"]}}}
{"type":"me.pluralkit.autoproxy.update","subject":"","data":{"guild_id":"g3","channel_id":null,"autoproxy_mode":"member","autoproxy_member":"mem-b"}}
{"type":"switchlog.member_guild.observed","subject":"mem-a","data":{"asked":"2025-01-01T00:00:05.5Z","object":{"guild_id":"g2","keep_proxy":true}}}
{"type":"me.pluralkit.message.create","subject":"m1","data":{"timestamp":"2025-01-01T00:00:06Z","id":"m1","original":"o","sender":"s","channel":"c","guild":"g1","system":null,"member":null}}
{"type":"me.pluralkit.account.link","subject":"1150","data":null}
{"type":"me.pluralkit.member.delete","subject":"mem-b","data":null}
{"type":"switchlog.account.absent","subject":"1150","data":{"asked":"2025-01-01T00:00:09.5Z"}}
{"type":"me.pluralkit.member.create","tenant":"sys-2","subject":"mem-z","data":{"name":"Zinnia"}}
`) {
		if line = strings.TrimSpace(line); line != "" {
			batch = append(batch, parseEvent(t, []byte(line), uint64(len(batch)+1)))
		}
	}
	if err := db.Apply(t.Context(), "epoch", batch); err != nil {
		t.Fatal(err)
	}
	h, err := db.Held(t.Context(), "sys-1")
	if err != nil {
		t.Fatal(err)
	}
	if want := (schemas.Position{Epoch: "epoch", Seq: 11, ID: "e11"}); h.Position != want {
		t.Errorf("got position %+v, want %+v", h.Position, want)
	}
	if want := []string{"g1", "g2", "g3"}; !slices.Equal(h.Guilds, want) {
		t.Errorf("got guilds %q, want %q", h.Guilds, want)
	}
	if h.Settings != nil {
		t.Errorf("got settings %+v, want none", h.Settings)
	}
	start := historyTime(0).UnixMicro()
	for name, c := range map[string]struct {
		field string
		got   []schemas.HeldEntity
		want  string // of each: its key, what it is, the field, when in ms
	}{
		"system":        {"name", []schemas.HeldEntity{*h.System}, `sys-1 "Harbour House" 0`},
		"members":       {"name", h.Members, `mem-a "Alder" 2000, mem-b gone final "Briar" 9000`},
		"groups":        {"members", h.Groups, `grp-a ["mem-a"] 3500`},
		"accounts":      {"linked", h.Accounts, `1150 gone false 8000, s null -1735689600000`},
		"member_guilds": {"keep_proxy", h.MemberGuilds, `mem-a g2 true 5500`},
		"system_guilds": {"tag", h.SystemGuilds, ``},
		"autoproxy":     {"autoproxy_member", h.Autoproxy, `sys-1 g3 null 5000`},
	} {
		var all []string
		for _, e := range c.got {
			words := []string{e.ID}
			if e.Guild != "" {
				words = append(words, e.Guild)
				if got := string(e.Object["guild_id"]); got != `"`+e.Guild+`"` {
					t.Errorf("%s: got guild_id %s, want %q", name, got, e.Guild)
				}
			}
			if e.Gone {
				words = append(words, "gone")
			}
			if e.Final {
				words = append(words, "final")
			}
			all = append(all, fmt.Sprint(strings.Join(words, " "), " ", string(e.Object[c.field]), " ", (e.TouchedUS-start)/1000))
		}
		if got := strings.Join(all, ", "); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if got, want := string(h.Members[0].Object["id"]), "null"; got != want {
		t.Errorf("what is not known: got %s, want %s", got, want)
	}
	if none, err := db.Held(t.Context(), "sys-9"); err != nil || none.System != nil || none.Members != nil {
		t.Errorf("of a system never heard of: got %+v, %v", none, err)
	}
}

// TestHeldHasEveryField: what is observed of a thing is held as it was, under
// the same names, so that nothing is seen to differ that does not.
func TestHeldHasEveryField(t *testing.T) {
	for typ, of := range map[string]func(schemas.Held) schemas.Object{
		schemas.SystemObserved:      func(h schemas.Held) schemas.Object { return h.System.Object },
		schemas.SettingsObserved:    func(h schemas.Held) schemas.Object { return h.Settings.Object },
		schemas.MemberObserved:      func(h schemas.Held) schemas.Object { return h.Members[0].Object },
		schemas.GroupObserved:       func(h schemas.Held) schemas.Object { return h.Groups[0].Object },
		schemas.SystemGuildObserved: func(h schemas.Held) schemas.Object { return h.SystemGuilds[0].Object },
		schemas.MemberGuildObserved: func(h schemas.Held) schemas.Object { return h.MemberGuilds[0].Object },
		schemas.AutoproxyObserved:   func(h schemas.Held) schemas.Object { return h.Autoproxy[0].Object },
	} {
		for _, x := range schemas.Examples(typ) {
			var e schemas.Event
			if err := e.UnmarshalJSON(x.Body); err != nil {
				t.Fatal(err)
			}
			var err error
			if e.Route, err = schemas.RouteOf(e); err != nil {
				t.Fatal(err)
			}
			db := openTest(t, All)
			if err := db.Apply(t.Context(), "epoch", []schemas.Recorded{{Event: e, Seq: 1}}); err != nil {
				t.Fatal(err)
			}
			h, err := db.Held(t.Context(), e.Route.Tenant)
			if err != nil {
				t.Fatal(err)
			}
			o, err := schemas.Decode[schemas.Observed](e)
			if err != nil {
				t.Fatal(err)
			}
			held := of(h)
			for name, value := range o.Object {
				if got, want := canonical(t, held[name]), canonical(t, value); got != want && name != "channel_id" {
					t.Errorf("%s %s: %s: got %s, want %s", typ, x.Name, name, got, want)
				}
			}
		}
	}
}

// canonical is JSON with its members sorted and its timestamps as we write
// them.
func canonical(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	if len(raw) == 0 {
		return "absent"
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if s, is := v.(string); is {
		if us, err := schemas.ParseTime(s); err == nil {
			return fmt.Sprint(us)
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestHeldSwitches reads the timeline page by page, over equal timestamps, and
// finds switches that are not in it by their uuids.
func TestHeldSwitches(t *testing.T) {
	db := openFronting(t)
	at := `"timestamp":"2025-11-29T08:00:00Z"`
	applyFronting(t, db, []schemas.Recorded{
		frontingEvent(1, "CREATE_SWITCH", "sys", "s1", `{"id":"s1",`+at+`,"members":["a","b","a"]}`),
		frontingEvent(2, "CREATE_SWITCH", "sys", "s2", `{"id":"s2",`+at+`,"members":[]}`),
		frontingEvent(3, "CREATE_SWITCH", "sys", "s3", `{"id":"s3",`+at+`,"members":["c","b"]}`),
		frontingEvent(4, schemas.SwitchObserved, "sys", "s3", `{"asked":"2026-01-01T00:00:03.5Z","object":{"id":"s3",`+at+`,"members":["b","c","a"]}}`),
		frontingEvent(5, "CREATE_SWITCH", "sys", "s4", `{"id":"s4",`+at+`,"members":["a"]}`),
		frontingEvent(6, "DELETE_SWITCH", "sys", "s4", ``),
		frontingEvent(7, "UPDATE_SWITCH", "sys", "s5", `{"members":["a","b"]}`),
		frontingEvent(8, schemas.SwitchAbsent, "sys", "s6", `{"asked":"2026-01-01T00:00:03.5Z"}`),
		frontingEvent(9, "CREATE_SWITCH", "other", "s9", `{"id":"s9",`+at+`,"members":["z"]}`),
		frontingEvent(10, "DELETE_MEMBER", "sys", "c", ``),
	}, 3)
	show := func(page []schemas.HeldSwitch) string {
		var all []string
		for _, s := range page {
			us := int64(-1)
			if s.TimestampUS != nil {
				us = *s.TimestampUS
			}
			all = append(all, fmt.Sprintf("%s %t %q ordered=%t listed=%t gone=%t final=%t %d", s.ID, us == 1764403200000000, s.Members,
				s.Ordered, s.Listed, s.Gone, s.Final, (s.TouchedUS-frontingEpoch.UnixMicro())/1000))
		}
		return strings.Join(all, "\n")
	}
	var got []schemas.HeldSwitch
	us, id := int64(math.MaxInt64), ""
	for range 5 {
		page, err := db.HeldSwitches(t.Context(), "sys", us, id, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
		us, id = *page[len(page)-1].TimestampUS, page[len(page)-1].ID
	}
	const (
		s1 = `s1 true ["a" "b"] ordered=false listed=true gone=false final=false 1000`
		s2 = `s2 true [] ordered=true listed=true gone=false final=false 2000`
		s3 = `s3 true ["b" "a"] ordered=true listed=true gone=false final=false 3500`
		s4 = `s4 true ["a"] ordered=true listed=false gone=true final=true 6000`
		s5 = `s5 false ["a" "b"] ordered=false listed=false gone=false final=false 7000`
	)
	if got, want := show(got), strings.Join([]string{s3, s2, s1}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	byID, err := db.HeldSwitchesByID(t.Context(), "sys", []string{"s5", "s4", "s2", "s9", "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(byID), strings.Join([]string{s2, s4, s5}, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if absent, err := db.HeldSwitchesByID(t.Context(), "sys", []string{"s6"}); err != nil || len(absent) != 1 || !absent[0].Gone || absent[0].Final || absent[0].Members != nil {
		t.Errorf("never heard of but absent: got %+v, %v", absent, err)
	}
	if _, err := db.HeldSwitchesByID(t.Context(), "sys", make([]string, 1001)); !errors.Is(err, engine.ErrTooLarge) {
		t.Errorf("1,001 at once: got %v, want ErrTooLarge", err)
	}
}

package fakepk

import (
	"fmt"
	"reflect"
	"testing"
)

// TestDiff: sets have no order, rows of defaults are no rows, front order counts, and each difference has a line.
func TestDiff(t *testing.T) {
	a := State{
		GroupMembers: map[string][]string{"g": {"b", "a", "b"}, "empty": {}},
		Guilds:       map[string]Fields{"1": defaultSystemGuild.clone()},
		MemberGuilds: map[string]map[string]Fields{"m": {"1": defaultMemberGuild.clone()}},
		Autoproxy:    map[string]Fields{"1": defaultAutoproxy.clone()},
		Switches:     map[string]Switch{"s": {"2025-01-01T00:00:00Z", nil}},
		Settings:     Fields{"member_limit": 1000},
	}
	b := State{
		GroupMembers: map[string][]string{"g": {"a", "b"}},
		Switches:     map[string]Switch{"s": {"2025-01-01T00:00:00Z", []string{}}},
		Settings:     Fields{"member_limit": 1000.0},
	}
	if got := a.Diff(b); len(got) > 0 {
		t.Errorf("got %v, want no difference", got)
	}
	b.Switches["s"] = Switch{"2025-01-01T00:00:00Z", []string{"b", "a"}}
	b.Settings["timezone"] = nil
	want := []string{"settings.timezone: got (absent), want <nil>", "switches.s.members: got [], want [b a]"}
	if got := a.Diff(b); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	c := State{Switches: map[string]Switch{"s": {"2025-01-01T00:00:00Z", []string{"a", "b"}}}}
	if got := c.Diff(State{Switches: b.Switches}); len(got) != 1 {
		t.Errorf("got %v, want the order to count", got)
	}
}

// A world, what its people do, and the bodies PluralKit would send for it.
func ExampleWorld() {
	w := New(nil, Config{Seed: 1})
	harbour, err := w.CreateSystem("1150000000000000003", Fields{"name": "Harbour House"})
	w.Must(err)
	_, err = harbour.SetWebhook("https://hooks.example.org/pk")
	w.Must(err)
	alder, err := harbour.CreateMember("Alder", nil)
	w.Must(err)
	_, err = harbour.Switch(alder)
	w.Must(err)
	w.Must(harbour.DeleteMember(alder)) // the switch becomes a switch-out, and nothing says so

	var naive Naive
	for _, d := range w.Deliveries() {
		fmt.Println(d.Type)
		w.Must(naive.Apply(d.Body))
	}
	front := w.Truth(harbour).Front()[0]
	fmt.Println(len(naive.State().Switches[front].Members), "believed,", len(w.Truth(harbour).Switches[front].Members), "true")
	// Output:
	// CREATE_MEMBER
	// CREATE_SWITCH
	// DELETE_MEMBER
	// 1 believed, 0 true
}

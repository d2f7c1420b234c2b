package fakepk

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWhatEachActionSends is the table of what PluralKit emits, silence included.
func TestWhatEachActionSends(t *testing.T) {
	proxying := func(mode string) func(x *example) {
		return func(x *example) {
			x.settings(Fields{"proxy_switch": mode})
			x.must2(x.Switch(exBriar))
			x.w.Deliveries()
			x.message(false)
		}
	}
	file := File{System: Fields{"name": "H"}, Config: Fields{"timezone": "UTC"}, Members: []FileMember{{"abc", Fields{"name": "New"}}}}
	for _, c := range []struct {
		name string
		act  func(x *example)
		want string
	}{
		{"create member in bot", func(x *example) { x.newDune(nil) }, "CREATE_MEMBER"},
		{"create member by API", func(x *example) { x.dune(Fields{"name": "Dune"}) }, ""},
		{"create group by API", func(x *example) { x.must2(x.APICreateGroup(Fields{"name": "g"})) }, ""},
		{"delete member", func(x *example) { x.w.Must(x.DeleteMember(exAlder)) }, "DELETE_MEMBER"},
		{"delete group", func(x *example) { x.w.Must(x.DeleteGroup(exGarden)) }, "DELETE_GROUP"},
		{"add to group", func(x *example) { x.w.Must(x.AddToGroup(exGarden, exAlder)) }, ""},
		{"set group members", func(x *example) { x.w.Must(x.SetGroupMembers(exGarden, exAlder)) }, ""},
		{"remove from group", func(x *example) { x.w.Must(x.RemoveFromGroup(exGarden, exAlder)) }, ""},
		{"API switch with timestamp", backdated, "CREATE_SWITCH UPDATE_SWITCH"},
		{"proxied message", func(x *example) { x.message(false) }, "CREATE_MESSAGE"},
		{"proxied message, latch", func(x *example) {
			x.latched().w.Deliveries()
			x.message(false)
		}, "CREATE_MESSAGE UPDATE_AUTOPROXY"},
		{"proxied message, new switch", proxying("new"), "CREATE_MESSAGE CREATE_SWITCH"},
		{"proxied message, added to the switch", proxying("add"), "CREATE_MESSAGE UPDATE_SWITCH"},
		{"proxied message, no switch to add to", func(x *example) {
			x.settings(Fields{"proxy_switch": "add"})
			x.w.Deliveries()
			x.message(false)
		}, "CREATE_MESSAGE CREATE_SWITCH"},
		{"reproxied", func(x *example) {
			x.message(false)
			x.w.Deliveries()
			x.must2(x.Reproxy("1444000000000000005", exBriar))
		}, "CREATE_MESSAGE"},
		{"message deleted", func(x *example) {
			x.message(false)
			x.w.Deliveries()
			x.w.Must(x.DeleteMessages("1444000000000000005"))
		}, ""},
		{"import", func(x *example) { x.importing(file) }, "UPDATE_SYSTEM UPDATE_SETTINGS SUCCESSFUL_IMPORT"},
		{"failed import", func(x *example) {
			if err := x.Import(file, true); !errors.Is(err, ErrImportFailed) {
				x.t.Errorf("got %v, want ErrImportFailed", err)
			}
		}, "UPDATE_SYSTEM UPDATE_SETTINGS"},
		{"bulk privacy", func(x *example) {
			x.w.Must(x.BulkMemberPrivacy("private"))
			x.w.Must(x.BulkGroupPrivacy("private"))
		}, ""},
		{"member autoproxy", func(x *example) { x.alder(Fields{autoproxyEnabled: false}) }, ""},
		{"token and webhook", func(x *example) {
			x.must2(x.RefreshToken())
			x.w.Must(x.ClearWebhook())
			x.must2(x.SetWebhook(exHook))
		}, ""},
		{"hid re-roll", func(x *example) {
			x.must2(x.RerollHID())
			x.must2(x.RerollMemberHID(exAlder))
			x.must2(x.RerollGroupHID(exGarden))
		}, ""},
		{"hid change", func(x *example) {
			x.w.Must(x.ChangeHID("harbor"))
			x.w.Must(x.ChangeMemberHID(exAlder, "alderr"))
			x.w.Must(x.ChangeGroupHID(exGarden, "garden"))
		}, "UPDATE_SYSTEM UPDATE_MEMBER UPDATE_GROUP"},
		{"delete system", func(x *example) { x.w.Must(x.Delete()) }, ""},
		{"DM", func(x *example) { x.w.Must(x.DM(exAccount)) }, "UPDATE_MEMBER_GUILD"},
		{"guild row read", func(x *example) { x.w.Must(x.ReadGuild(exGuild)) }, ""},
		{"without webhook", func(x *example) {
			x.w.Must(x.ClearWebhook())
			x.system(Fields{"tag": "t"})
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExample(t, Config{})
			c.act(x)
			if got := kinds(x.w.Deliveries()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRefusals is what PluralKit does not let its users do.
func TestRefusals(t *testing.T) {
	second := func(_ string, err error) error { return err }
	for _, c := range []struct {
		name string
		act  func(x *example) error
		want error // nil: allowed
	}{
		{"unknown member", func(x *example) error { return x.EditMember(exDune, Fields{"name": "x"}) }, ErrNoMember},
		{"unknown group", func(x *example) error { return x.DeleteGroup(exDune) }, ErrNoGroup},
		{"unknown field", func(x *example) error { return x.EditMember(exAlder, Fields{"nam": "x"}) }, refused(400, 40001, "")},
		{"wrong type", func(x *example) error { return x.EditMember(exAlder, Fields{"name": nil}) }, refused(400, 40001, "")},
		{"long name", func(x *example) error { return x.Edit(Fields{"name": strings.Repeat("x", 101)}) }, refused(400, 40001, "")},
		{"http image", func(x *example) error { return x.Edit(Fields{"banner": "http://x"}) }, refused(400, 40001, "")},
		{"empty edit", func(x *example) error { return x.Edit(nil) }, ErrBadRequest},
		{"hid by edit", func(x *example) error { return x.Edit(Fields{"id": "abcde"}) }, ErrBadRequest},
		{"hid taken", func(x *example) error { return x.ChangeMemberHID(exBriar, "abvenk") }, ErrHIDTaken},
		{"hid of another kind", func(x *example) error { return x.ChangeGroupHID(exGarden, "abvenk") }, nil},
		{"member limit", func(x *example) error {
			x.settings(Fields{"member_limit": 3})
			return second(x.CreateMember("x", nil))
		}, ErrMemberLimit},
		{"group limit", func(x *example) error {
			x.settings(Fields{"group_limit": 1})
			return second(x.APICreateGroup(Fields{"name": "x"}))
		}, ErrGroupLimit},
		{"same front", func(x *example) error { return second(x.switched().Switch(exAlder, exBriar)) }, ErrSameMembers},
		{"same members, other order", func(x *example) error { return second(x.switched().Switch(exBriar, exAlder)) }, nil},
		{"same front by API", func(x *example) error { return second(x.switched().APISwitch(exAlder, exBriar)) }, ErrSameMembers},
		{"same front, in the past", func(x *example) error {
			return second(x.switched().APISwitchAt(when("2025-01-01T00:00:00Z"), exAlder, exBriar))
		}, nil},
		{"duplicate members", func(x *example) error { return second(x.Switch(exAlder, exAlder)) }, ErrDuplicateMembers},
		{"unknown in switch", func(x *example) error { return second(x.Switch(exDune)) }, refused(404, 20003, "")},
		{"timestamp taken", func(x *example) error {
			return second(x.switched().APISwitchAt(when("2025-11-28T17:01:44.271093Z"), exCedar))
		}, ErrTimestampTaken},
		{"timestamp taken but for nanoseconds", func(x *example) error {
			return second(x.switched().APISwitchAt(when("2025-11-28T17:01:44.2710931Z"), exCedar))
		}, nil},
		{"move into the future", func(x *example) error { return x.switched().MoveSwitch(when("2035-01-01T00:00:00Z")) }, ErrMoveOutOfRange},
		{"move into the future by API", func(x *example) error { return x.switched().APIMoveSwitch(exSwitch, when("2035-01-01T00:00:00Z")) }, nil},
		{"move past the one before", func(x *example) error {
			x.must2(x.switched().Switch(exCedar))
			return x.MoveSwitch(when("2025-11-28T17:00:00Z"))
		}, ErrMoveOutOfRange},
		{"move past the one before by API", func(x *example) error {
			id, err := x.switched().Switch(exCedar)
			x.w.Must(err)
			return x.APIMoveSwitch(id, when("2025-11-28T17:00:00Z"))
		}, nil},
		{"no switch", func(x *example) error { return x.DeleteSwitch("") }, ErrNoSwitch},
		{"link twice", func(x *example) error { return x.Link(exAccount) }, ErrAccountTaken},
		{"last account", func(x *example) error { return x.Unlink(exAccount) }, ErrLastAccount},
		{"autoproxy without member", func(x *example) error { return x.APIAutoproxy(exGuild, "member", nil) }, ErrAutoproxyMember},
		{"latch with member", func(x *example) error { return x.APIAutoproxy(exGuild, "latch", new(exAlder)) }, ErrLatchMember},
		{"unlatch without latch", func(x *example) error { return x.Unlatch(exGuild) }, ErrBadRequest},
		{"after deletion", func(x *example) error {
			x.w.Must(x.Delete())
			return x.Edit(Fields{"name": "x"})
		}, ErrSystemDeleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExample(t, Config{})
			before := x.w.Truth(x.System)
			err := c.act(x)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want != nil && c.want != ErrSystemDeleted && len(x.entitiesUnlike(before)) > 0 {
				t.Errorf("got changes by a refused action: %v", x.entitiesUnlike(before))
			}
		})
	}
}

// entitiesUnlike is how members and groups differ from before, which no refused action may change.
func (x *example) entitiesUnlike(before State) []string {
	now := x.w.Truth(x.System)
	return State{Members: now.Members, Groups: now.Groups}.Diff(State{Members: before.Members, Groups: before.Groups})
}

func TestDeleteMemberCascades(t *testing.T) {
	x := newExample(t, Config{}).switched().latched()
	x.w.Must(x.AddToGroup(exGarden, exAlder, exBriar))
	x.alderGuild(Fields{"keep_proxy": true})
	x.message(false)
	x.w.Must(x.DeleteMember(exAlder))
	got := x.w.Truth(x.System)
	if got.Members[exAlder] != nil || !slices.Equal(got.GroupMembers[exGarden], []string{exBriar}) ||
		!slices.Equal(got.Switches[exSwitch].Members, []string{exBriar}) || len(got.MemberGuilds) > 0 ||
		got.Autoproxy[exGuild]["autoproxy_member"] != nil || len(got.Messages) > 0 {
		t.Errorf("got %+v, want no trace of Alder", got)
	}
	_, c := serveAPI(t, x.w, APIConfig{})
	if got := c.get("/messages/1444000000000000005"); !strings.HasSuffix(got, `"system":null,"member":null}`) {
		t.Errorf("got %s, want a message of nobody", got)
	}
	x.w.Must(x.DeleteMember(exBriar))
	if got := x.w.Truth(x.System).Switches[exSwitch].Members; len(got) != 0 {
		t.Errorf("got %v, want a switch that became a switch-out", got)
	}
}

func TestImport(t *testing.T) {
	x := newExample(t, Config{}).switched()
	day := when("2025-01-01T00:00:00Z")
	x.importing(File{
		Members: []FileMember{{"abvenk", Fields{"name": "Renamed"}}, {"qqqqq", Fields{"name": "Briar", "pronouns": "any"}}, {"nnnnn", Fields{"name": "New"}}},
		Groups:  []FileGroup{{"ggggg", Fields{"name": "Gardeners"}, []string{"abvenk", "nnnnn"}}},
		Switches: []FileSwitch{{day, []string{"abvenk"}}, {day.Add(time.Hour), []string{"abvenk"}}, {day, []string{"nnnnn", "qqqqq"}},
			{when("2025-11-28T17:01:44.271093Z"), []string{"nnnnn"}}},
	})
	got := x.w.Truth(x.System)
	if len(got.Members) != 4 || got.Members[exAlder]["name"] != "Renamed" || got.Members[exBriar]["pronouns"] != "any" {
		t.Errorf("got members %v", got.Members)
	}
	if len(got.Groups) != 1 || len(got.GroupMembers[exGarden]) != 2 {
		t.Errorf("got groups %v with %v", got.Groups, got.GroupMembers)
	}
	if len(got.Switches) != 4 || len(got.Switches[exSwitch].Members) != 2 {
		t.Errorf("got switches %v, want four and the old one untouched", got.Switches)
	}
	for id, s := range got.Switches {
		if s.Timestamp == stamp(day) && (len(s.Members) != 2 || s.Members[1] != exBriar) {
			t.Errorf("got %s %v, want the members of the last with that timestamp", id, s)
		}
	}
}

// TestPhantom: the event of a failed write is out, and nothing has changed.
func TestPhantom(t *testing.T) {
	x := newExample(t, Config{})
	before := x.w.Truth(x.System)
	x.w.Deliveries()
	x.w.SetOdds(Odds{WriteFails: 1})
	if err := x.EditMember(exAlder, Fields{"name": "Phantom"}); !errors.Is(err, ErrWriteFailed) {
		t.Errorf("got %v, want ErrWriteFailed", err)
	}
	x.system(Fields{"tag": "t"}) // written first: cannot be a phantom
	if got := kinds(x.w.Deliveries()); got != "UPDATE_MEMBER UPDATE_SYSTEM" {
		t.Errorf("got %s, want both", got)
	}
	if got := x.w.Truth(x.System).Diff(before); len(got) != 1 {
		t.Errorf("got %v, want the tag only", got)
	}
}

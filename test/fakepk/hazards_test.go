package fakepk

import (
	"strings"
	"testing"
)

// A hazard starts from a receiver that knows everything, lets something happen, and shows what a receiver that only
// applies bodies gets wrong.
type hazard struct {
	name  string
	setup func(x *example)
	act   func(x *example)
	odds  Odds
	plan  func(ds []Delivery) []Delivery // how they arrive; nil: as made
	equal bool                           // the receiver drops equal bodies
	wrong string                         // within the difference; "": the receiver is right
}

func reversed(ds []Delivery) []Delivery {
	out := make([]Delivery, len(ds))
	for i, d := range ds {
		out[len(ds)-1-i] = d
	}
	return out
}

func lost([]Delivery) []Delivery { return nil }

var hazards = []hazard{
	{name: "0 none", act: func(x *example) {
		x.alder(Fields{"name": "B", "privacy": Fields{"visibility": "private"}})
		x.system(Fields{"tag": nil})
		x.settings(Fields{"timezone": "Europe/Oslo"})
		x.must2(x.switched().Switch(exCedar))
		x.guild(Fields{"tag": "t"})
		x.alderGuild(Fields{"keep_proxy": true})
		x.w.Must(x.Link(exOther))
		x.latched()
		x.w.Must(x.DeleteGroup(exGarden))
	}},
	{name: "1 receiver down", act: func(x *example) { x.alder(Fields{"name": "B"}) }, plan: lost, wrong: "members." + exAlder + ".name"},
	{name: "2 webhook removed", act: func(x *example) {
		x.w.Must(x.ClearWebhook())
		x.alder(Fields{"name": "B"})
	}, wrong: "name: got Alder, want B"},
	{name: "4 out of order", act: func(x *example) {
		x.alder(Fields{"name": "B"})
		x.alder(Fields{"name": "C"})
	}, plan: reversed, wrong: "name: got B, want C"},
	{name: "5 switch moved before it is created", act: backdated, plan: reversed, wrong: "timestamp: got 2025-11-29T08:15:02.114Z, want 2025-11-29T07:00:00Z"},
	{name: "6 create lost", act: func(x *example) {
		x.newDune(nil)
		x.w.Must(x.EditMember(exDune, Fields{"tts": true}))
	}, plan: func(ds []Delivery) []Delivery { return ds[1:] }, wrong: "members." + exDune + ".name: got (absent), want Dune"},
	{name: "7 resurrection", act: func(x *example) {
		x.w.Must(x.EditMember(exCedar, Fields{"tts": true}))
		x.w.Must(x.DeleteMember(exCedar))
	}, plan: reversed, wrong: "members." + exCedar},
	{name: "8 ghost switch", act: func(x *example) {
		x.switched()
		x.w.Must(x.DeleteAllSwitches())
	}, plan: reversed, wrong: "switches"},
	{name: "9 group membership", act: func(x *example) { x.w.Must(x.AddToGroup(exGarden, exAlder)) }, wrong: "group_members"},
	{name: "10 import", act: func(x *example) {
		x.importing(File{Tupperbox: true, Members: []FileMember{{"zzzzz", Fields{"name": "New"}}}})
	}, wrong: "want map[autoproxy_enabled:true"},
	{name: "11 failed import", act: func(x *example) { _ = x.Import(File{System: Fields{"name": "Phantom"}}, true) }, wrong: "system.name: got Phantom"},
	{name: "12 created by API", act: func(x *example) { x.dune(Fields{"name": "Dune"}) }, wrong: "members." + exDune + ": got (absent)"},
	{name: "13 no hid in create", act: func(x *example) { x.newDune(&Image{URL: "https://x"}) }, wrong: ".avatar_url: got <nil>, want https://cdn.pluralkit.me/"},
	{name: "14 bulk privacy", act: func(x *example) { x.w.Must(x.BulkMemberPrivacy("private")) }, wrong: "visibility: got public, want private"},
	{name: "15 counters", act: func(x *example) { x.message(false) }, wrong: "message_count: got 4182, want 4183"},
	{name: "16 hid re-roll", act: func(x *example) { x.must2(x.RerollMemberHID(exAlder)) }, wrong: ".id: got abvenk"},
	{name: "17 system deleted", act: func(x *example) { x.w.Must(x.Delete()) }, wrong: "gone"},
	{name: "18 member cascade", setup: func(x *example) { x.switched() }, act: func(x *example) { x.w.Must(x.DeleteMember(exAlder)) }, wrong: "switches." + exSwitch + ".members"},
	{name: "19 group cascade", setup: func(x *example) { x.w.Must(x.AddToGroup(exGarden, exAlder)) }, act: func(x *example) { x.w.Must(x.DeleteGroup(exGarden)) }, wrong: "group_members"},
	{name: "20 message deleted", setup: func(x *example) { x.message(false) }, act: func(x *example) { x.w.Must(x.DeleteMessages("1444000000000000005")) }, wrong: "messages"},
	{name: "21 message lost", act: func(x *example) { x.message(false) }, plan: lost, wrong: "messages"},
	{name: "22 front order", act: func(x *example) { x.next(exSwitch).must2(x.Switch(exBriar, exAlder)) }, wrong: "switches." + exSwitch + ".members"},
	{name: "23 nanoseconds", act: func(x *example) {
		x.w.Must(x.switched().APIMoveSwitch(exSwitch, when("2025-11-28T16:45:00.1234567Z")))
	}, wrong: "want 2025-11-28T16:45:00.123456Z"},
	{name: "26 phantom write", act: func(x *example) { _ = x.EditMember(exAlder, Fields{"name": "P"}) }, odds: Odds{WriteFails: 1}, wrong: "name: got P, want Alder"},
	{name: "27 account taken for a member", act: func(x *example) { x.w.Must(x.AccountAutoproxy(exAccount, false)) }, wrong: "accounts." + exAccount + ": got true, want false"},
	{name: "36 A to B to A", act: func(x *example) {
		for _, name := range []string{"A", "B", "A"} {
			x.alder(Fields{"name": name})
		}
	}, equal: true, wrong: "name: got B, want A"},
	{name: "40 replayed body", act: func(x *example) {
		x.alder(Fields{"name": "A"})
		x.alder(Fields{"name": "B"})
	}, plan: func(ds []Delivery) []Delivery { return append(ds, ds[0]) }, wrong: "name: got A, want B"},
}

// TestHazards: the fake can do each of them, and a receiver that does nothing about it is wrong.
func TestHazards(t *testing.T) {
	for _, h := range hazards {
		t.Run(h.name, func(t *testing.T) {
			x := newExample(t, Config{})
			if h.setup != nil {
				h.setup(x)
			}
			x.w.Deliveries()
			n := &Naive{DropEqual: h.equal}
			n.Load(x.w.Truth(x.System))
			x.w.SetOdds(h.odds)
			h.act(x)
			ds := x.w.Deliveries()
			if h.plan != nil {
				ds = h.plan(ds)
			}
			if err := n.ApplyAll(ds); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(n.State().Diff(x.w.Truth(x.System)), "\n")
			if h.wrong == "" && got != "" || !strings.Contains(got, h.wrong) {
				t.Errorf("got difference %q, want one with %q", got, h.wrong)
			}
		})
	}
}

// TestTiesHaveNoFront: two switches on one timestamp (nanoseconds apart when asked for) are both the front.
func TestTiesHaveNoFront(t *testing.T) {
	x := newExample(t, Config{}).switched()
	x.must2(x.APISwitchAt(when("2025-11-28T17:01:44.2710939Z"), exCedar))
	if got := x.w.Truth(x.System).Front(); len(got) != 2 {
		t.Errorf("got %v, want two", got)
	}
}

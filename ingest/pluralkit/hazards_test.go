package pluralkit_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

const (
	here  = "1150000000000000001"
	first = "1150000000000000200"
	other = "1150000000000000101"
)

// A stage is where a hazard plays: a system of which we hold everything.
type stage struct {
	*subject
	m       []string // Alder, Briar, Cedar
	garden  string
	turn    string // a switch: Alder fronts
	report  pluralkit.Report
	message string
	during  func() // once, in the middle of a look
}

func (x *stage) must(err error)                { x.t.Helper(); x.world.Must(err) }
func (x *stage) got(id string, e error) string { x.t.Helper(); x.world.Must(e); return id }

// A hazard is one of the ways in which webhooks alone leave a receiver wrong.
type hazard struct {
	n        int
	name     string
	config   fakepk.Config
	odds     fakepk.Odds
	setup    func(x *stage)
	act      func(x *stage)
	arrivals func(ds []fakepk.Delivery) []fakepk.Delivery // nil: as made
	equal    bool                                         // the naive receiver drops bodies it has seen
	blank    bool                                         // nobody knows anything yet
	middle   bool                                         // it happens in the middle of a look, of which the naive one believes all
	quiet    bool                                         // there is nothing to say
	apart    string                                       // why a naive receiver is not wrong here
	state    pluralkit.State                              // how the source is found; "": ok
	detect   func(x *stage) string                        // what we know of it where it cannot be repaired; "": nothing
}

func lost([]fakepk.Delivery) []fakepk.Delivery { return nil }

func reversed(ds []fakepk.Delivery) []fakepk.Delivery {
	ds = slices.Clone(ds)
	slices.Reverse(ds)
	return ds
}

func called(name string) fakepk.Fields { return fakepk.Fields{"name": name} }

var hazards = []hazard{
	{n: 1, name: "receiver down", act: func(x *stage) { x.must(x.EditMember(x.m[0], called("B"))) }, arrivals: lost},
	{n: 2, name: "webhook removed", act: func(x *stage) {
		x.must(x.ClearWebhook())
		x.must(x.EditMember(x.m[0], called("B")))
	}, state: pluralkit.StateElsewhere},
	{n: 3, name: "token issued anew, all refused", act: func(x *stage) {
		x.got(x.SetWebhook(hook))
		x.must(x.EditMember(x.m[0], called("B")))
	}, arrivals: lost},
	{n: 4, name: "out of order", act: func(x *stage) {
		x.must(x.EditMember(x.m[0], called("B")))
		x.must(x.EditMember(x.m[0], called("C")))
	}, arrivals: reversed},
	{n: 5, name: "switch moved before it is created", act: func(x *stage) {
		x.got(x.APISwitchAt(time.Now().Add(-time.Hour), x.m[1]))
	}, arrivals: reversed},
	{n: 6, name: "create lost", act: func(x *stage) {
		id := x.got(x.CreateMember("Dune", nil))
		x.must(x.EditMember(id, fakepk.Fields{"tts": true}))
	}, arrivals: func(ds []fakepk.Delivery) []fakepk.Delivery { return ds[1:] }},
	{n: 7, name: "resurrection", act: func(x *stage) {
		x.must(x.EditMember(x.m[2], fakepk.Fields{"tts": true}))
		x.must(x.DeleteMember(x.m[2]))
	}, arrivals: reversed},
	{n: 8, name: "ghost switch", act: func(x *stage) {
		x.got(x.Switch(x.m[1]))
		x.must(x.DeleteAllSwitches())
	}, arrivals: reversed},
	{n: 8, name: "switch lost to delete all", act: func(x *stage) {
		x.must(x.DeleteAllSwitches())
		x.got(x.Switch(x.m[1]))
	}, arrivals: reversed},
	{n: 9, name: "group membership", act: func(x *stage) { x.must(x.AddToGroup(x.garden, x.m[1])) }},
	{n: 10, name: "import", act: func(x *stage) {
		x.must(x.Import(fakepk.File{Tupperbox: true, Members: []fakepk.FileMember{{ID: "zzzzz", Fields: called("New")}}}, false))
	}},
	{n: 11, name: "failed import", act: func(x *stage) {
		_ = x.Import(fakepk.File{System: called("Phantom")}, true) // it fails
	}},
	{n: 12, name: "created by API", act: func(x *stage) { x.got(x.APICreateMember(called("Dune"))) }},
	{n: 13, name: "create without short id", act: func(x *stage) { x.got(x.CreateMember("Dune", &fakepk.Image{URL: "https://x"})) }},
	{n: 14, name: "bulk privacy", act: func(x *stage) { x.must(x.BulkMemberPrivacy("private")) }},
	{n: 15, name: "counters", act: func(x *stage) { x.got(x.Proxy(fakepk.Message{Member: x.m[0], Guild: here})) }},
	{n: 16, name: "short id re-rolled", act: func(x *stage) { x.got(x.RerollMemberHID(x.m[0])) }},
	{n: 17, name: "system deleted", act: func(x *stage) { x.must(x.Delete()) }, state: pluralkit.StateDeleted},
	{n: 18, name: "member cascade", act: func(x *stage) { x.must(x.DeleteMember(x.m[0])) }},
	{n: 19, name: "group cascade", act: func(x *stage) { x.must(x.DeleteGroup(x.garden)) }},
	{n: 20, name: "message deleted", setup: func(x *stage) { x.message = x.got(x.Proxy(fakepk.Message{Member: x.m[0], Guild: here})) },
		act: func(x *stage) { x.must(x.DeleteMessages(x.message)) }, detect: func(x *stage) string {
			gone, err := x.Reconciler.Message(x.t.Context(), x.message)
			if err != nil || !gone {
				return ""
			}
			return x.log[len(x.log)-1].Type
		}},
	{n: 21, name: "message lost", act: func(x *stage) { x.got(x.Proxy(fakepk.Message{Member: x.m[0], Guild: here})) }, arrivals: lost,
		detect: func(x *stage) string {
			if x.report.Unheard != 1 {
				return ""
			}
			return "one message was not announced"
		}},
	{n: 22, name: "order in the front", act: func(x *stage) { x.got(x.Switch(x.m[2], x.m[0])) }},
	{n: 23, name: "nanoseconds", act: func(x *stage) {
		x.must(x.APIMoveSwitch(x.turn, time.Now().Add(-time.Hour).Truncate(time.Second).Add(123456700*time.Nanosecond)))
	}},
	{n: 24, name: "ties across pages", act: func(x *stage) {
		file := fakepk.File{Tupperbox: true, Members: []fakepk.FileMember{{ID: "zzzzz", Fields: called("New")}}}
		for i := range 250 {
			file.Switches = append(file.Switches, fakepk.FileSwitch{Timestamp: time.Now().Add(-time.Duration(1+i/7) * time.Hour), Members: []string{"zzzzz"}})
		}
		x.must(x.Import(file, false))
	}},
	{n: 25, name: "front in the future", act: func(x *stage) { x.got(x.APISwitchAt(time.Now().Add(1000*time.Hour), x.m[1])) }, arrivals: lost},
	{n: 26, name: "phantom write", act: func(x *stage) {
		_ = x.EditMember(x.m[0], called("Phantom")) // the write fails
	}, odds: fakepk.Odds{WriteFails: 1}},
	{n: 27, name: "account taken for a member", act: func(x *stage) { x.must(x.AccountAutoproxy(first, false)) }},
	{n: 28, name: "no system in the body", config: fakepk.Config{Old: true}, act: func(x *stage) { x.must(x.AccountAutoproxy(first, false)) }},
	{n: 29, name: "autoproxy by short id", setup: func(x *stage) { x.must(x.EditGuild(here, fakepk.Fields{"tag": "t"})) },
		act: func(x *stage) { x.must(x.AutoproxyMember(here, x.m[1])) }, arrivals: lost},
	{n: 29, name: "autoproxy in front mode", setup: func(x *stage) { x.must(x.AutoproxyMember(here, x.m[1])) },
		act: func(x *stage) { x.must(x.Autoproxy(here, "front")) }, arrivals: lost},
	{n: 30, name: "settings in a server", setup: func(x *stage) { x.must(x.EditGuild(here, fakepk.Fields{"tag": "t"})) },
		act: func(x *stage) {
			x.must(x.EditGuild(here, fakepk.Fields{"tag": nil}))
			x.must(x.EditMemberGuild(x.m[0], here, fakepk.Fields{"keep_proxy": true}))
		}, arrivals: lost},
	{n: 31, name: "account unlinked", setup: func(x *stage) { x.must(x.Link(other)) },
		act: func(x *stage) { x.must(x.Unlink(other)) }, arrivals: lost},
	{n: 32, name: "API token lost", act: func(x *stage) {
		x.got(x.RefreshToken())
		x.must(x.EditMember(x.m[0], called("B")))
	}, arrivals: lost, state: pluralkit.StateUnauthorized, detect: func(x *stage) string {
		if wrong := x.wrong(); len(wrong) != 1 || !strings.Contains(wrong[0], "name: got Alder, want B") {
			return ""
		}
		return "no row changed"
	}},
	{n: 33, name: "edited in the middle of a look", act: func(x *stage) { x.must(x.EditMember(x.m[0], called("B"))) }, middle: true, quiet: true},
	{n: 33, name: "switched in the middle of a look", act: func(x *stage) { x.got(x.Switch(x.m[1])) }, middle: true, quiet: true},
	{n: 35, name: "the API's own spelling", act: func(x *stage) {
		x.must(x.EditMember(x.m[0], fakepk.Fields{"avatar_url": "https://media.discordapp.net/attachments/1/2/a.png?width=4"}))
		x.must(x.EditSettings(fakepk.Fields{"name_format": nil, "card_show_color_hex": true}))
	}, quiet: true, apart: "it is who compares that finds differences without end"},
	{n: 36, name: "A to B to A", act: func(x *stage) {
		for _, name := range []string{"A", "B", "A"} {
			x.must(x.EditMember(x.m[0], called(name)))
		}
	}, equal: true, quiet: true},
	{n: 37, name: "nothing before registration", act: func(*stage) {}, blank: true},
	{n: 38, name: "PINGs at any time", act: func(*stage) {}, arrivals: func([]fakepk.Delivery) []fakepk.Delivery {
		return []fakepk.Delivery{{Body: []byte(`{"type": "PING", "signing_token": "x", "system_id": "y"}`)}}
	}, quiet: true, apart: "it is who needs id and data in every body that fails"},
	{n: 39, name: "secrets", act: func(x *stage) { x.got(x.Proxy(fakepk.Message{Member: x.m[0], Guild: here})) }, detect: func(x *stage) string {
		for _, e := range x.log {
			if strings.Contains(string(e.Data), hook) || strings.Contains(string(e.Data), x.Token()) {
				return ""
			}
		}
		return "none in the log"
	}},
	{n: 40, name: "replayed body", act: func(x *stage) {
		x.must(x.EditMember(x.m[0], called("A")))
		x.must(x.EditMember(x.m[0], called("B")))
	}, arrivals: func(ds []fakepk.Delivery) []fakepk.Delivery { return append(ds, ds[0]) }},
}

// TestHazards goes through the ways in which PluralKit's webhooks diverge from
// what is true. Each first fails for a receiver that believes every body; then
// one reconciliation puts us right, or tells what cannot be. (34, reading right
// after an event, is TestReadTooEarly.)
func TestHazards(t *testing.T) {
	for _, h := range hazards {
		t.Run(h.name, func(t *testing.T) {
			var x *stage
			before := func(route string) {
				if x != nil && x.during != nil && route == "/systems/{ref}/fronters" {
					do := x.during
					x.during = nil
					do()
				}
			}
			inBubble(t, h.config, fakepk.APIConfig{Before: before}, func(l *live) {
				x = l.stage(h)
				naive := &fakepk.Naive{DropEqual: h.equal}
				if !h.blank {
					naive.Load(l.world.Truth(x.System))
				}
				old := naive.State()
				pluralkit.Later(time.Minute)
				l.world.SetOdds(h.odds)
				happen := func() {
					h.act(x)
					ds := l.world.Deliveries()
					if h.arrivals != nil {
						ds = h.arrivals(ds)
					}
					if err := naive.ApplyAll(ds); err != nil {
						l.t.Error(err)
					}
					l.hear(ds, x.Seen)
				}
				if h.middle {
					x.during = happen
				} else {
					happen()
				}
				pluralkit.Later(10 * time.Second)
				report, err := x.Reconcile(l.t.Context(), pluralkit.Full, false)
				x.report = report
				if h.middle {
					naive.Load(old) // its look was older than what happened
				}
				x.outcome(h, naive, err)
			})
		})
	}
}

// stage sets a system up, of which we hold all there is.
func (l *live) stage(h hazard) *stage {
	l.t.Helper()
	x := &stage{subject: l.system(first)}
	for _, name := range []string{"Alder", "Briar", "Cedar"} {
		x.m = append(x.m, x.got(x.CreateMember(name, nil)))
	}
	x.garden = x.got(x.CreateGroup("Gardeners"))
	x.must(x.AddToGroup(x.garden, x.m[0]))
	pluralkit.Later(time.Minute)
	x.turn = x.got(x.Switch(x.m[0]))
	if h.setup != nil {
		h.setup(x)
	}
	ds := l.world.Deliveries()
	if !h.blank {
		l.hear(ds, x.Seen)
		x.reconcile()
	}
	return x
}

// outcome is a line of the table.
func (x *stage) outcome(h hazard, naive *fakepk.Naive, err error) {
	x.t.Helper()
	believed := h.apart
	if diff := naive.State().Diff(x.world.Truth(x.System)); h.apart == "" {
		if len(diff) == 0 && h.detect == nil {
			x.t.Errorf("%d %s: the naive receiver is right: the hazard is not there", h.n, h.name)
			return
		}
		believed = "nothing wrong"
		if len(diff) > 0 {
			believed = diff[0]
		}
	}
	want := h.state
	if want == "" {
		want = pluralkit.StateOK
	}
	if state, _ := x.State(); state != want {
		x.t.Errorf("%d %s: got state %s, want %s (%v)", h.n, h.name, state, want, err)
	}
	became := "converged"
	if h.quiet && x.report.Emitted != 0 {
		x.t.Errorf("%d %s: got %s%v, want nothing said", h.n, h.name, x.report, x.report.Differences)
	}
	if h.detect != nil {
		if became = h.detect(x); became == "" {
			x.t.Errorf("%d %s: not noticed: %s", h.n, h.name, x.report)
		}
	}
	if want == pluralkit.StateOK || want == pluralkit.StateElsewhere || want == pluralkit.StateDeleted {
		x.converged()
	}
	x.t.Logf("%2d %-34s naive: %.100s | ours: %s, %d events", h.n, h.name, believed, became, x.report.Emitted)
}

// TestReadTooEarly is hazard 34: some events are sent before PluralKit has
// written. A look at that very moment sees what was, and must not believe it.
func TestReadTooEarly(t *testing.T) {
	inBubble(t, fakepk.Config{}, fakepk.APIConfig{}, func(l *live) {
		x := l.stage(hazard{})
		looked := make(chan pluralkit.Report, 1)
		l.world.Dispatch(func(d fakepk.Delivery) { // before the write
			l.hear([]fakepk.Delivery{d}, func(schemas.Recorded) {})
			go func() {
				report, err := x.Reconcile(l.t.Context(), pluralkit.Lists, false)
				if err != nil {
					l.t.Error(err)
				}
				looked <- report
			}()
			pluralkit.Later(1500 * time.Millisecond)
		})
		x.must(x.EditMember(x.m[0], called("B")))
		if report := <-looked; report.Emitted != 0 {
			l.t.Errorf("got %s%v, want nothing said", report, report.Differences)
		}
		x.converged()
	})
}

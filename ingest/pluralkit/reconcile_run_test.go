package pluralkit

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// runs runs the reconciler until the test ends, and gives the requests made
// since it was last called, once everything is still.
func (r *reconciling) runs() (requests func() map[string]int) {
	r.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: got %v, want nil when it is stopped", err)
		}
	})
	last := map[string]int{}
	return func() map[string]int {
		synctest.Wait()
		now, since := r.api.Counts(), map[string]int{}
		for route, n := range now {
			if n > last[route] {
				since[route] = n - last[route]
			}
		}
		last = now
		return since
	}
}

func sum(requests map[string]int) (n int) {
	for _, m := range requests {
		n += m
	}
	return n
}

// webhook tells the reconciler of an event that was folded.
func (r *reconciling) webhook(typ, subject string, data any) {
	r.t.Helper()
	b, err := json.Marshal(data)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Seen(schemas.Recorded{Event: schemas.Event{ID: schemas.NewID(), Type: typ, Subject: subject, Time: time.Now(), Data: b,
		Origin: schemas.OriginWebhook, Route: schemas.PluralKitRoute(typ, r.sys.UUID())}})
}

// TestSchedule: a full look at the start, then few requests when it is time,
// and a full one each day.
func TestSchedule(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		r.lived()
		r.book.put("account", held(account))
		later(time.Minute)
		requests := r.runs()
		later(time.Minute)
		if got := requests(); got["/systems/{ref}"] != 2 || got["/systems/{ref}/switches"] == 0 {
			t.Errorf("at the start: got %v, want a full look", got)
		}
		r.world.Must(r.sys.DeleteMember(r.members("Dune")[0]))
		later(20 * time.Minute)
		for n := sum(requests()); n > 6 || n == 0; {
			t.Fatalf("a scheduled look at nothing new: got %d requests, want at most 6", n)
		}
		said := len(r.book.events)
		later(24 * time.Hour)
		got := requests()
		if looks := got["/systems/{ref}/members"]; looks < 24*60/18-2 || looks > 24*60/12+2 || sum(got) > 6*looks+10 {
			t.Errorf("in a day: got %v, want about %d looks of 6 requests, one of them full", got, 24*60/15)
		}
		if len(r.book.events) != said {
			t.Errorf("a quiet day: got %d events, want none", len(r.book.events)-said)
		}
	})
}

// TestOpened: what an event leaves open is looked at a few seconds later, with
// no more requests than that needs.
func TestOpened(t *testing.T) {
	const id = "00000000-0000-4000-8000-0000000000aa"
	many := map[string]any{"name": "a", "privacy": map[string]any{"name_privacy": "public"}}
	for _, c := range []struct {
		name string
		act  func(r *reconciling, m []string)
		want []string // requests, besides the one for the system; nil: not even that
	}{
		{"member created", func(r *reconciling, _ []string) { r.webhook(schemas.PKMemberCreate, id, many) }, []string{"/systems/{ref}/members"}},
		{"a burst", func(r *reconciling, _ []string) {
			for range 10 {
				r.webhook(schemas.PKMemberCreate, id, many)
				r.webhook(schemas.PKGroupCreate, id, many)
				later(time.Second)
			}
		}, []string{"/systems/{ref}/members", "/systems/{ref}/groups"}},
		{"unknown member", func(r *reconciling, _ []string) {
			r.webhook(schemas.PKMemberUpdate, id, map[string]any{"name": "x"})
		}, []string{"/systems/{ref}/members"}},
		{"known member", func(r *reconciling, m []string) {
			r.webhook(schemas.PKMemberUpdate, m[0], map[string]any{"name": "x"})
		}, nil},
		{"conflicting updates", func(r *reconciling, m []string) {
			r.webhook(schemas.PKMemberUpdate, m[0], map[string]any{"name": "x"})
			r.webhook(schemas.PKMemberUpdate, m[0], map[string]any{"name": "y"})
		}, []string{"/systems/{ref}/members"}},
		{"several fields of the system", func(r *reconciling, _ []string) { r.webhook(schemas.PKSystemUpdate, "", many) },
			[]string{"/systems/{ref}/settings"}},
		{"one field of the system", func(r *reconciling, _ []string) {
			r.webhook(schemas.PKSystemUpdate, "", map[string]any{"name": "a"})
		}, nil},
		{"switch of two", func(r *reconciling, m []string) {
			r.webhook(schemas.PKSwitchCreate, r.coFront(), map[string]any{"id": id, "timestamp": "2026-01-01T00:00:00Z", "members": m[:2]})
		}, []string{"/systems/{ref}/switches/{uuid}"}},
		{"switch of one", func(r *reconciling, m []string) {
			r.webhook(schemas.PKSwitchCreate, r.front(), map[string]any{"id": id, "timestamp": "2026-01-01T00:00:00Z", "members": m[:1]})
		}, nil},
		{"switch of somebody unknown", func(r *reconciling, _ []string) {
			r.webhook(schemas.PKSwitchCreate, r.front(), map[string]any{"id": id, "timestamp": "2026-01-01T00:00:00Z", "members": []string{id}})
		}, []string{"/systems/{ref}/members"}},
		{"all switches deleted", func(r *reconciling, _ []string) { r.webhook(schemas.PKSwitchDeleteAll, "", nil) },
			[]string{"/systems/{ref}/members", "/systems/{ref}/fronters", "/systems/{ref}/switches"}},
		{"another system's", func(r *reconciling, _ []string) {
			r.Seen(schemas.Recorded{Event: schemas.Event{Type: schemas.PKMemberCreate, Route: schemas.PluralKitRoute(schemas.PKMemberCreate, id)}})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				r.c.Every, r.c.Daily = 30*24*time.Hour, 30*24*time.Hour
				m := r.lived()
				later(time.Minute)
				requests := r.runs()
				later(time.Minute)
				requests()
				c.act(r, m)
				later(time.Second)
				if got := requests(); len(got) != 0 {
					t.Errorf("at once: got %v, want to wait until PluralKit has written", got)
				}
				later(time.Minute)
				want := map[string]bool{}
				for _, route := range c.want {
					want["/systems/{ref}"], want[route] = true, true
				}
				got := requests()
				for route := range got {
					if !want[route] {
						t.Errorf("got %s, want it not asked for", route)
					}
				}
				if len(got) != len(want) || got["/systems/{ref}"] > 1 {
					t.Errorf("got %v, want %v once", got, want)
				}
			})
		})
	}
}

// TestTriggers: what is asked for is done, and a failure is tried again.
func TestTriggers(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		r.c.Every, r.c.Daily = 30*24*time.Hour, 30*24*time.Hour
		m := r.lived()
		r.book.put("account", held(account))
		requests := r.runs()
		later(time.Minute)
		requests()
		for _, reason := range Reasons {
			r.world.Must(r.sys.EditMember(m[0], fakepk.Fields{"name": string(reason)}))
			later(time.Minute)
			r.Trigger(reason)
			later(10 * time.Second)
			if got := requests(); got["/systems/{ref}/members"] != 1 || (got["/systems/{ref}"] == 2) != (reason != ReasonRefused) {
				t.Errorf("%s: got %v", reason, got)
			}
		}
		r.world.Must(r.sys.ClearWebhook())
		r.Trigger(ReasonRefused)
		later(time.Minute)
		must[string](t)(r.sys.SetWebhook("https://hooks.example.org/in/pluralkit"))
		r.Trigger(ReasonRefused)
		requests()
		later(time.Minute)
		if got := requests(); got["/systems/{ref}"] != 3 { // the lists; then all, as webhooks went elsewhere: with the account
			t.Errorf("after webhooks went elsewhere: got %v, want a full look", got)
		}
		r.world.Must(r.sys.EditMember(m[0], fakepk.Fields{"name": "while away"}))
		r.api.Inject(fakepk.Fault{Kind: fakepk.FaultStatus, Status: 503})
		r.webhook(schemas.PKImportSuccess, "", nil)
		later(10 * time.Minute)
		if s, _ := r.State(); s != StateUnreachable {
			t.Errorf("got state %s, want unreachable", s)
		}
		r.webhook(schemas.PKMemberCreate, m[0], nil)
		r.api.Heal()
		later(time.Hour)
		if s, _ := r.State(); s != StateOK {
			t.Errorf("got state %s, want ok", s)
		}
		r.converged(Full)
	})
}

// TestCoverage: what webhooks brought is held against what had to be found.
func TestCoverage(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		m := r.lived()
		r.look(Lists)
		for range 3 {
			r.webhook(schemas.PKMessageCreate, "1", map[string]any{"member": map[string]any{"uuid": m[0]}})
		}
		for range 4 { // one of them is not told of
			must[string](t)(r.sys.Proxy(fakepk.Message{Member: m[0], Guild: guild}))
		}
		r.world.Must(r.sys.EditMember(m[1], fakepk.Fields{"name": "Bramble"}))
		report := r.look(Lists)
		if report.Heard != 3 || report.Unheard != 1 || report.Coverage() != 0.75 ||
			report.Repairs["member"] != (Repair{Wrong: 1, Unsaid: 1}) {
			t.Errorf("got %s%+v", report, report)
		}
		if sum, last := r.Sum(), r.Last(); sum.Heard != 3 || sum.Total().Missing != 0 || sum.Coverage() != 0.75 || sum.Total().Wrong != 1 || last.Heard != 3 || last.State != StateOK {
			t.Errorf("got the sum %sand the last %s", sum, last)
		}
		const want = "webhooks brought 3 events, 75 % of what changed"
		if got := report.String(); !strings.Contains(got, want) || !strings.Contains(got, "about 1 were not announced") {
			t.Errorf("got %q, want %q in it", got, want)
		}
	})
}

package pluralkit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// told has the notebook hold what is true now of a member, as after a webhook
// that has just been folded.
func (r *reconciling) told(member string) {
	r.t.Helper()
	list := must[[]Member](r.t)(r.client(func(*Config) {}).Members(context.Background()))
	h := schemas.HeldEntity{ID: member, TouchedUS: time.Now().UnixMicro(), Gone: true, Final: true}
	if i := slices.IndexFunc(list, func(m Member) bool { return string(m.UUID) == member }); i >= 0 {
		h.Object, h.Gone, h.Final = tidy(list[i].JSON, schemas.PKMemberObjectFields), false, false
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	r.book.put("member", h)
}

// toldOf is the same of a switch.
func (r *reconciling) toldOf(id string) {
	r.t.Helper()
	s, there := r.world.Truth(r.sys).Switches[id]
	h := schemas.HeldSwitch{ID: id, TouchedUS: time.Now().UnixMicro(), Gone: !there, Final: !there}
	if there {
		us, err := schemas.ParseTime(s.Timestamp)
		if err != nil {
			r.t.Fatal(err)
		}
		h.TimestampUS, h.Members, h.Listed, h.Ordered = &us, s.Members, true, len(s.Members) < 2
	}
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	r.book.switches[id] = h
}

// TestFence: what happens, and is told, after a list was answered and before it
// is compared is never undone. Nothing is said of it, but what no webhook tells.
func TestFence(t *testing.T) {
	for _, c := range []struct {
		name  string
		route string // before its answer
		act   func(r *reconciling, m []string)
	}{
		{"member edited", "/systems/{ref}/groups", func(r *reconciling, m []string) {
			r.world.Must(r.sys.EditMember(m[0], fakepk.Fields{"name": "Ash"}))
			r.told(m[0])
		}},
		{"member created", "/systems/{ref}/groups", func(r *reconciling, _ []string) { r.told(r.members("Dune")[0]) }},
		{"member deleted", "/systems/{ref}/fronters", func(r *reconciling, _ []string) {
			id := r.members("Dune")[0]
			r.world.Must(r.sys.DeleteMember(id))
			r.told(id)
		}},
		{"switch logged", "/systems/{ref}/switches", func(r *reconciling, m []string) {
			r.toldOf(must[string](r.t)(r.sys.Switch(m[0])))
		}},
		{"switch deleted", "/systems/{ref}/switches", func(r *reconciling, _ []string) {
			id := r.front()
			r.world.Must(r.sys.DeleteSwitch(id))
			r.toldOf(id)
		}},
		{"switch moved", "/systems/{ref}/switches", func(r *reconciling, _ []string) {
			id := r.front()
			r.world.Must(r.sys.APIMoveSwitch(id, time.Now().Add(-time.Hour*24*365)))
			r.toldOf(id)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var act func()
			before := func(route string) {
				if do := act; do != nil && route == c.route {
					act = nil
					do()
				}
			}
			reconcileIn(t, fakepk.APIConfig{Before: before}, func(t *testing.T, r *reconciling) {
				m := r.lived()
				r.look(Lists)
				r.book.put("account", held(account))
				done := false
				act = func() { c.act(r, m); done = true }
				report := r.look(Lists)
				if report.Emitted != 0 || len(report.Deferred) != 0 || !done {
					t.Errorf("got %s%v, acted %v, want nothing said", report, report.Differences, done)
				}
				r.converged(Lists)
			})
		})
	}
}

// TestMargin: PluralKit sends before it writes. What was told a moment ago is
// not held against an answer that may be of before; when it turns out that it
// never was written, it is put right.
func TestMargin(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		m := r.lived()
		r.look(Lists)
		r.book.put("account", held(account))
		later(10 * time.Second)
		r.told(m[0])
		r.book.mu.Lock()
		h := r.book.entities["member"][m[0]+"/"]
		h.Object = tidy(h.Object, nil)
		h.Object["name"] = text("Phantom")
		r.book.put("member", h)
		r.book.mu.Unlock()
		later(time.Second)
		began := len(r.book.events)
		report, err := r.Reconcile(t.Context(), Lists, false)
		if err != nil || report.Repairs["member"] != (Repair{Wrong: 1}) {
			t.Fatalf("got %s, %v, want one member repaired", report, err)
		}
		o := must[schemas.Observed](t)(schemas.Decode[schemas.Observed](r.book.events[began]))
		if asked := must[int64](t)(schemas.ParseTime(o.Asked)); asked <= h.TouchedUS {
			t.Errorf("got asked %d, want after the event at %d", asked, h.TouchedUS)
		}
		r.converged(Lists)
	})
}

// TestNeverStill: what is touched all the time is given up for now, and named.
func TestNeverStill(t *testing.T) {
	var touch func()
	before := func(route string) {
		if touch != nil && route == "/systems/{ref}" {
			touch()
		}
	}
	reconcileIn(t, fakepk.APIConfig{Before: before}, func(t *testing.T, r *reconciling) {
		m := r.lived()
		r.look(Lists)
		touch = func() {
			r.book.mu.Lock()
			defer r.book.mu.Unlock()
			r.book.put("member", schemas.HeldEntity{ID: m[0], TouchedUS: time.Now().UnixMicro()})
		}
		report := r.look(Lists)
		if report.Emitted != 0 || !slices.Equal(report.Deferred, []string{"members"}) {
			t.Errorf("got %s%v, want members to be looked at again", report, report.Differences)
		}
		if got := r.api.Counts()["/systems/{ref}/members"]; got != 1+defaultTries {
			t.Errorf("got members asked for %d times, want %d", got, 1+defaultTries)
		}
		touch = nil
		r.look(Lists)
		r.book.put("account", held(account))
		r.converged(Lists)
	})
}

// TestDisputed: a delete is final, whatever a list says later.
func TestDisputed(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		m := r.lived()
		r.look(Lists)
		r.book.put("member", schemas.HeldEntity{ID: m[0], Gone: true, Final: true})
		if report := r.look(Lists); report.Emitted != 0 || report.Disputed != 1 {
			t.Errorf("got %s%v, want one disputed", report, report.Differences)
		}
	})
}

// TestStops: wherever a reconciliation is stopped, what it has said is true,
// and the next one completes it.
func TestStops(t *testing.T) {
	t.Run("append refused", func(t *testing.T) {
		for n := range 6 {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				r.lived()
				r.book.refuse = n
				later(10 * time.Second)
				report, err := r.Reconcile(t.Context(), Full, false)
				if report.Emitted != len(r.book.events) {
					t.Errorf("after %d appends: got %d reported, %d appended", n, report.Emitted, len(r.book.events))
				}
				if refused := errors.Is(err, errNoRoom); refused != (n < 2) {
					t.Errorf("after %d appends: got %v", n, err)
				}
				if s, _ := r.State(); s != StateOK {
					t.Errorf("got state %s, want ok: it is not PluralKit that fails", s)
				}
				r.book.refuse = -1
				r.look(Full)
				r.book.put("account", held(account))
				r.converged(Full)
			})
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		for n := 1; n < 12; n++ {
			var cancel func()
			left := n
			before := func(string) {
				if left--; left == 0 && cancel != nil {
					cancel()
				}
			}
			reconcileIn(t, fakepk.APIConfig{Before: before}, func(t *testing.T, r *reconciling) {
				m := r.lived()
				r.book.put("account", held(account))
				later(10 * time.Second)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				cancel = stop
				_, err := r.Reconcile(ctx, Full, false)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("stopped at request %d: got %v, want cancelled", n, err)
				}
				cancel = nil
				if s, _ := r.State(); s != "" && s != StateOK {
					t.Errorf("stopped at request %d: got state %s, want ok or none", n, s)
				}
				r.world.Must(r.sys.DeleteMember(m[1]))
				again := r.reconciler(func(c *ReconcilerConfig) { c.Known, c.Append = r.book, r.book })
				again.book = r.book
				again.look(Full)
				again.converged(Full)
			})
		}
	})
}

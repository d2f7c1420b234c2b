package pluralkit

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// TestStates: how a source stands is found out, and none of it but the end of
// the system changes what is held.
func TestStates(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(r *reconciling)
		want State
		err  error
		said int
	}{
		{"webhook removed", func(r *reconciling) { r.world.Must(r.sys.ClearWebhook()) }, StateElsewhere, nil, 0},
		{"webhook replaced", func(r *reconciling) {
			_, err := r.sys.SetWebhook("https://elsewhere.example.org/")
			r.world.Must(err)
		}, StateElsewhere, nil, 0},
		{"token renewed", func(r *reconciling) { _, err := r.sys.RefreshToken(); r.world.Must(err) }, StateUnauthorized, ErrUnauthorized, 0},
		{"system deleted", func(r *reconciling) { r.world.Must(r.sys.Delete()) }, StateDeleted, nil, 1},
		{"public view", func(r *reconciling) { r.api.Inject(fakepk.Fault{Kind: fakepk.FaultRedacted}) }, StateAnonymous, ErrAnonymous, 0},
		{"no answer", func(r *reconciling) { r.pipes.transport.CloseIdleConnections(); r.pipes.Close() }, StateUnreachable, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
				var told []State
				r.c.Ours = func(url string) bool { return url == "https://hooks.example.org/in/pluralkit" }
				r.c.Changed = func(s State) { told = append(told, s) }
				r.lived()
				r.look(Full)
				said := len(r.book.events)
				since := time.Now()
				later(time.Hour)
				c.act(r)
				for range 2 {
					_, err := r.Reconcile(t.Context(), Full, false)
					if c.err != nil && !errors.Is(err, c.err) {
						t.Errorf("got %v, want %v", err, c.err)
					}
				}
				state, at := r.State()
				if state != c.want || !at.After(since) || len(told) != 2 || told[1] != c.want {
					t.Errorf("got state %s since %s, told %v, want %s", state, at, told, c.want)
				}
				if got := len(r.book.events) - said; got != c.said {
					t.Errorf("got %d events, want %d", got, c.said)
				}
				want := []State{StateOK, c.want}
				if c.want == StateUnreachable { // nobody has said so
					want = want[:1]
				}
				if !slices.Equal(r.book.states, want) {
					t.Errorf("got events of the source %q, want %q", r.book.states, want)
				}
			})
		})
	}
}

// TestStateIsSaidOnce: each transition is an event, and nothing else is: not a
// look that finds the same, not one that is dry, not the first one after a
// restart, not an outage. What could not be stored is said by the next look.
func TestStateIsSaidOnce(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		ours := func(url string) bool { return url == "https://hooks.example.org/in/pluralkit" }
		r.c.Ours = ours
		expect := func(when string, want ...State) {
			t.Helper()
			if !slices.Equal(r.book.states, want) {
				t.Errorf("%s: got %q, want %q", when, r.book.states, want)
			}
		}
		r.lived()
		must[Report](t)(r.Reconcile(t.Context(), Lists, true))
		expect("a dry run")
		r.look(Lists)
		r.look(Lists)
		expect("linked", StateOK)
		r.world.Must(r.sys.ClearWebhook())
		r.book.refuse = 0
		if _, err := r.Reconcile(t.Context(), Lists, false); !errors.Is(err, errNoRoom) {
			t.Errorf("got %v, want no room", err)
		}
		expect("no room", StateOK)
		r.book.refuse = -1
		r.look(Lists)
		expect("elsewhere", StateOK, StateElsewhere)
		again := r.reconciler(func(c *ReconcilerConfig) { c.Known, c.Append, c.Ours = r.book, r.book, ours })
		again.book = r.book
		again.look(Lists)
		expect("after a restart", StateOK, StateElsewhere)
		r.api.Inject(fakepk.Fault{Kind: fakepk.FaultStatus, Status: 503})
		for range 2 {
			if _, err := again.Reconcile(t.Context(), Lists, false); err == nil {
				t.Error("got no error of an outage")
			}
		}
		r.api.Heal()
		again.look(Lists)
		expect("after an outage", StateOK, StateElsewhere)
		must[string](t)(r.sys.SetWebhook("https://hooks.example.org/in/pluralkit"))
		report := again.look(Lists)
		expect("resumed", StateOK, StateElsewhere, StateOK)
		if report.Emitted != 0 {
			t.Errorf("got %s, want no data to differ", report)
		}
	})
}

// TestTokenOfAnother: an owner's token, and not of this system.
func TestTokenOfAnother(t *testing.T) {
	reconcileIn(t, fakepk.APIConfig{}, func(t *testing.T, r *reconciling) {
		other, err := r.world.CreateSystem("1150000000000000009", nil)
		r.world.Must(err)
		c := r.client(func(c *Config) { c.Token = other.Token(); c.HTTP = &http.Client{Transport: r.pipes.transport} })
		wrong := r.reconciler(func(rc *ReconcilerConfig) { rc.Client = c })
		if _, err := wrong.Reconcile(t.Context(), Full, false); !errors.Is(err, ErrAnonymous) || len(wrong.book.events) != 0 {
			t.Errorf("got %v and %d events, want anonymous and none", err, len(wrong.book.events))
		}
	})
}

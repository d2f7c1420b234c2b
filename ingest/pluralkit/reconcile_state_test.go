package pluralkit

import (
	"errors"
	"net/http"
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
		{"webhook removed", func(r *reconciling) { r.world.Must(r.sys.ClearWebhook()) }, StateDeaf, nil, 0},
		{"webhook replaced", func(r *reconciling) {
			_, err := r.sys.SetWebhook("https://elsewhere.example.org/")
			r.world.Must(err)
		}, StateDeaf, nil, 0},
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
			})
		})
	}
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

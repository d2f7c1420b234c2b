package pluralkit

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// TestReconcilersFollowSources: there is a reconciler for each system that can be
// asked about, as soon as the database has caught up; one whose token is another
// is made anew, and one that cannot be asked about ends.
func TestReconcilersFollowSources(t *testing.T) {
	const first, second = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer api.Close()
	var mu sync.Mutex // guards want
	want := map[string]Asking{}
	r := NewReconcilers(ReconcilersConfig{
		BaseURL: api.URL, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Wanted: func() map[string]Asking {
			mu.Lock()
			defer mu.Unlock()
			return want
		},
	})
	ready, book := make(chan struct{}), newNotebook(t)
	run := ReconcilersRun{
		Ready: ready, Known: book, Append: book,
		Settled:  func(context.Context) error { return nil },
		SetAside: func(context.Context, string, int) ([]schemas.Event, error) { return nil, nil },
		CanStore: func() bool { return true }, Address: func() string { return "" },
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, run) }()

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Refresh(gone); !errors.Is(err, ErrNotReady) {
		t.Errorf("before the database has caught up: got %v, want ErrNotReady", err)
	}
	close(ready)
	now := func(w map[string]Asking) {
		t.Helper()
		mu.Lock()
		want = w
		mu.Unlock()
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	now(map[string]Asking{first: {Token: "one"}})
	before := r.Find(first)
	if before == nil || r.Find(second) != nil || r.UpToOld(first) != 0 {
		t.Errorf("one source: got %v and %v", before, r.Find(second))
	}
	now(map[string]Asking{first: {Token: "another"}, second: {Token: "two", NoWebhook: true}})
	if after := r.Find(first); after == nil || after == before {
		t.Error("another token: got the reconciler of before, want another")
	}
	if r.Find(second) == nil || r.UpToOld(second) == 0 {
		t.Error("a source without a webhook: no reconciler, or its answers are not old")
	}
	now(map[string]Asking{})
	if r.Find(first) != nil || r.Find(second) != nil {
		t.Error("no source: got a reconciler, want none")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

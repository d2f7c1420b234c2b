package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestHeartbeat: a time in which the program did not run is noticed, whether it
// was stopped, killed or asleep; a clock that was set back is none.
func TestHeartbeat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alive")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	begin := func() *heartbeat {
		return newHeartbeat(path, slog.New(slog.DiscardHandler), func() time.Time { return now }, func() {})
	}
	h := begin()
	for _, c := range []struct {
		pass time.Duration
		away bool
	}{{0, false}, {beatEvery, false}, {beatEvery + 20*time.Second, false}, {8 * time.Hour, true}, {beatEvery, false}, {-time.Hour, false}, {beatEvery, false}} {
		now = now.Add(c.pass)
		if got := h.beat(""); got != c.away {
			t.Errorf("after %v: got %t, want %t", c.pass, got, c.away)
		}
	}
	if g := h.away(); g == nil || g.From != "2026-03-01T12:01:20.000000Z" || g.To != "2026-03-01T20:01:20.000000Z" {
		t.Errorf("got the gap %+v", g)
	}
	now = now.Add(10 * time.Second)
	if h = begin(); h.beat("") || h.away() != nil {
		t.Errorf("a quick restart: got the gap %+v, want none", h.away())
	}
	now = now.Add(26 * time.Hour)
	if h = begin(); !h.beat("") || h.away() == nil {
		t.Error("a late restart: got no gap")
	}
	if h = begin(); !h.killed {
		t.Error("after a run that was not stopped: it is not noticed")
	}
	h.beat(beatStopped)
	now = now.Add(time.Hour)
	if h = begin(); h.killed || !h.beat("") {
		t.Error("after a run that was stopped an hour ago: it passes for killed, or its end is not known")
	}
	if err := os.WriteFile(path, []byte("yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h = begin(); h.beat("") {
		t.Error("from a file that cannot be read: got a gap")
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if !h.beat("") {
		t.Error("without a disk: got no gap")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"switchlog/schemas"
)

const (
	beatEvery = 30 * time.Second
	gapFrom   = 3 * beatEvery // between two beats: we did not run meanwhile

	beatStopped = " stopped" // follows the time of the last beat of a run that was stopped
)

// heartbeat notices the times in which this program did not run: before it was
// started, and while the machine slept. PluralKit sends everything once, so
// what was sent then has to be asked for.
//
// It writes down every half minute that it is there, and at the end that it was
// stopped: a run before this one that did not write that was killed. The clock is
// that of the wall: the one that Go measures with stands still while the machine
// sleeps.
type heartbeat struct {
	path string
	log  *slog.Logger
	now  func() time.Time
	back func() // is told that a gap has ended, but for the one before the start

	killed bool // the run before this one was not stopped

	mu   sync.Mutex // guards what follows
	last time.Time  // beat; zero: there was none before the first start
	gap  gap        // the last one
	bad  bool       // the last beat could not be written down
}

// gap is a time in which we did not run, give or take half a minute.
type gap struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// length is how long it was, for people.
func (g gap) length() string {
	from, err := time.Parse(time.RFC3339Nano, g.From)
	to, err2 := time.Parse(time.RFC3339Nano, g.To)
	if errors.Join(err, err2) != nil {
		return "some time"
	}
	return to.Sub(from).Round(time.Second).String()
}

// newHeartbeat reads when the last beat was. A file that cannot be read says
// nothing; it is only for telling.
func newHeartbeat(path string, log *slog.Logger, now func() time.Time, back func()) *heartbeat {
	h := &heartbeat{path: path, log: log, now: now, back: back}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return h
	}
	if err == nil {
		at, stopped := strings.CutSuffix(strings.TrimSpace(string(b)), beatStopped)
		h.killed = !stopped
		h.last, err = time.Parse(time.RFC3339Nano, at)
	}
	if err != nil {
		log.Warn("it cannot be told for how long the server was away", "err", err)
	}
	return h
}

// run beats until ctx ends.
func (h *heartbeat) run(ctx context.Context) error {
	h.beat("")
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			h.beat(beatStopped)
			return nil
		case <-t.C:
			if h.beat("") {
				h.back()
			}
		}
	}
}

// beat notes that we are here, or with beatStopped that we were, and reports
// whether we were away before.
func (h *heartbeat) beat(ends string) (away bool) {
	now := h.now().UTC().Round(0) // less the reading that stands still
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.last
	h.last = now
	if !last.IsZero() && now.Sub(last) >= gapFrom {
		away = true
		h.gap = gap{From: schemas.FormatTime(last), To: schemas.FormatTime(now)}
		h.log.Warn("the server was away: what PluralKit sent meanwhile is asked for, of systems with an API token",
			"from", h.gap.From, "for", now.Sub(last).Round(time.Second))
	}
	err := writeFile(h.path, fmt.Appendln(nil, schemas.FormatTime(now)+ends))
	if err != nil && !h.bad {
		h.log.Warn("it cannot be written down that the server is here", "err", err)
	}
	h.bad = err != nil
	return away
}

// away is the last time we were away; nil: never, as far as is known.
func (h *heartbeat) away() *gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gap == (gap{}) {
		return nil
	}
	g := h.gap
	return &g
}

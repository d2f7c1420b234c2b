package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"switchlog/schemas"
)

// fakeLog is a log in memory, strict: it fails the test when a position comes
// twice, out of order, with a gap, or before the forwarder is sure of it.
type fakeLog struct {
	t testing.TB

	mu      sync.Mutex
	epoch   string
	stored  []stored
	last    map[string]uint64 // by spool
	doubt   bool              // an Append failed and Recover was not called since
	faults  []fault           // of the next Appends, in order
	away    bool              // nothing answers
	damaged bool
	asked   int           // calls of Recover
	batches int           // calls of Append
	limit   int           // bytes of an event; 0: any
	changed chan struct{} // closed and replaced at each change
}

type stored struct {
	spool string
	schemas.Spooled
}

// fault is how an Append fails: after so many events were stored.
type fault struct{ after int }

const all = 1 << 30

var errAway = errors.New("nobody answers")

func newLog(t testing.TB) *fakeLog {
	return &fakeLog{t: t, last: map[string]uint64{}, doubt: true, changed: make(chan struct{})}
}

func (l *fakeLog) Recover(_ context.Context, spool string, a schemas.Anchor) (schemas.Anchor, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.change()
	l.asked++
	if l.away {
		return schemas.Anchor{}, 0, errAway
	}
	if a.Epoch == "" && l.epoch == "" {
		l.epoch = "first"
	}
	if l.damaged || a.Epoch != "" && a.Epoch != l.epoch || a.Seq > uint64(len(l.stored)) ||
		a.Seq > 0 && l.stored[a.Seq-1].ID != a.ID || a.Count != a.Seq {
		return schemas.Anchor{}, 0, fmt.Errorf("%w: anchor %+v, log %s with %d", schemas.ErrLogDamaged, a, l.epoch, len(l.stored))
	}
	l.doubt = false
	delivered := uint64(0)
	for _, m := range l.stored[a.Seq:] {
		if m.spool == spool {
			delivered = m.Pos
		}
	}
	return l.anchor(), delivered, nil
}

func (l *fakeLog) Append(_ context.Context, spool string, batch []schemas.Spooled) (schemas.Anchor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.change()
	l.batches++
	if l.doubt {
		l.t.Errorf("Append in doubt: got a batch from position %d, want Recover first", batch[0].Pos)
	}
	if l.away || l.damaged {
		l.doubt = true
		return schemas.Anchor{}, errAway
	}
	upTo, err := len(batch), error(nil)
	if len(l.faults) > 0 {
		upTo, err = min(upTo, l.faults[0].after), errors.New("no answer came")
		l.faults, l.doubt = l.faults[1:], true
	}
	for _, m := range batch[:upTo] {
		if l.limit > 0 && size(m.Message) > l.limit {
			l.t.Errorf("the log was sent %d bytes, limit %d", size(m.Message), l.limit)
		}
		if want := l.last[spool] + 1; l.limit == 0 && m.Pos != want && l.last[spool] != 0 {
			l.t.Errorf("the log was sent position %d, want %d", m.Pos, want)
		}
		l.last[spool] = m.Pos
		l.stored = append(l.stored, stored{spool, m})
	}
	if err != nil {
		return schemas.Anchor{}, err
	}
	return l.anchor(), nil
}

func (l *fakeLog) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

func (l *fakeLog) anchor() schemas.Anchor {
	n := uint64(len(l.stored))
	a := schemas.Anchor{Epoch: l.epoch, Seq: n, Count: n}
	if n > 0 {
		a.ID = l.stored[n-1].ID
	}
	return a
}

func (l *fakeLog) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// set changes how the log behaves.
func (l *fakeLog) set(f func(*fakeLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l)
	l.change()
}

// wait returns when ok holds.
func (l *fakeLog) wait(ok func(*fakeLog) bool) {
	l.t.Helper()
	for {
		l.mu.Lock()
		done, changed := ok(l), l.changed
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-l.t.Context().Done():
			l.t.Fatal("the log never got there")
		}
	}
}

// ids are the IDs of the events in the log, in order.
func (l *fakeLog) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, len(l.stored))
	for i, m := range l.stored {
		e, err := schemas.ParseMessage(m.Message)
		if err != nil {
			l.t.Errorf("position %d: %v", m.Pos, err)
		}
		ids[i] = e.ID
	}
	return ids
}

// holds waits until the log has as many events as want and compares.
func (l *fakeLog) holds(want ...string) {
	l.t.Helper()
	l.wait(func(l *fakeLog) bool { return len(l.stored) >= len(want) })
	if got := l.ids(); !slices.Equal(got, want) {
		l.t.Fatalf("the log holds\n%v, want\n%v", got, want)
	}
}

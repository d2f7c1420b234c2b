package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// memorySink is a sink that keeps ids. It fails the test when it is given
// what does not follow its position.
type memorySink struct {
	tb testing.TB

	mu      sync.Mutex
	pos     schemas.Position
	events  []schemas.Recorded
	batches []int
	fail    func(batch []schemas.Recorded) (before, after error)
	changed chan struct{} // has a token after each Apply
	gaps    bool          // erased sequences may be missing
}

func newSink(tb testing.TB) *memorySink {
	return &memorySink{tb: tb, changed: make(chan struct{}, 1)}
}

func (s *memorySink) Position(context.Context) (schemas.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pos, nil
}

func (s *memorySink) Apply(_ context.Context, epoch string, batch []schemas.Recorded) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer signal(s.changed)
	var after error
	if s.fail != nil {
		var before error
		if before, after = s.fail(batch); before != nil {
			return before
		}
	}
	for _, e := range batch {
		if e.Seq <= s.pos.Seq || !s.gaps && e.Seq != s.pos.Seq+1 {
			s.tb.Errorf("got seq %d after %d", e.Seq, s.pos.Seq)
		}
		s.pos = schemas.Position{Epoch: epoch, Seq: e.Seq, ID: e.ID}
		s.events = append(s.events, e)
	}
	s.batches = append(s.batches, len(batch))
	return after
}

func (s *memorySink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.events))
	for i, e := range s.events {
		ids[i] = e.ID
	}
	return ids
}

// until waits until the sink is at seq.
func (s *memorySink) until(seq uint64) {
	s.tb.Helper()
	late := time.After(time.Minute) // a lost request alone takes LogConfig.Timeout to notice
	for {
		p, _ := s.Position(context.Background())
		if p.Seq >= seq {
			return
		}
		select {
		case <-s.changed:
		case <-late:
			s.tb.Fatalf("the sink is at %d, not at %d", p.Seq, seq)
		}
	}
}

func newTestLoop(l *Log, s Sink) *Loop { return NewLoop(LoopConfig{Log: l, Sink: s}) }

func TestLoopAppliesAllInOrder(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 2500)
	sink := newSink(t)
	registry := prometheus.NewPedanticRegistry()
	loop := NewLoop(LoopConfig{Log: l, Sink: sink, Metrics: registry})
	stop := runInBackground(t, loop.Run)
	<-loop.CaughtUp()
	sink.until(2500)
	mustAppend(t, l, 2501, 3) // and what comes live
	sink.until(2503)
	stop()
	if got := sink.ids(); !slices.Equal(got, wantIDs(1, 2503)) {
		t.Errorf("got %d events, want 2503 in order, each once", len(got))
	}
	if most := slices.Max(sink.batches); most > batchEventsFar {
		t.Errorf("got a batch of %d", most)
	}
	s := loop.Status()
	if s.Position != 2503 || s.Last != 2503 || s.Lag() != 0 || s.LagTime(time.Now()) != 0 || !s.CaughtUp || s.Err != nil {
		t.Errorf("got %+v", s)
	}
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range gathered {
		if m := f.GetMetric()[0]; m.GetGauge() != nil {
			got[f.GetName()] = m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{"lag_events": 0, "lag_seconds": 0} {
		if v, there := got["switchlog_projection_"+name]; !there || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
}

// Law 6: how the log is cut into batches, and how often the loop starts again,
// changes nothing.
func TestLaw6CutsAndRestartsChangeNothing(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 700)
	sink := newSink(t)
	for seq := 100; seq <= 700; seq += 100 {
		loop := newTestLoop(l, sink)
		stop := runInBackground(t, loop.Run)
		sink.until(uint64(seq))
		stop()
	}
	if got := sink.ids(); !slices.Equal(got, wantIDs(1, 700)) {
		t.Errorf("got %d events, want 700 in order, each once", len(got))
	}
}

// Law 4, seen from the loop: an Apply that failed, and one that worked though
// it said it failed, both end with each event applied once.
func TestLaw4ApplyFailsOrOnlySaysSo(t *testing.T) {
	boom := errors.New("disk full")
	for name, fail := range map[string]func(n int) (before, after error){
		"did not happen":  func(n int) (error, error) { return map[bool]error{true: boom}[n < 2], nil },
		"happened anyway": func(n int) (error, error) { return nil, map[bool]error{true: boom}[n < 2] },
	} {
		t.Run(name, func(t *testing.T) {
			_, l, _ := freshLog(t)
			mustAppend(t, l, 1, 50)
			sink := newSink(t)
			n := 0
			sink.fail = func([]schemas.Recorded) (error, error) { n++; return fail(n - 1) }
			loop := newTestLoop(l, sink)
			stop := runInBackground(t, loop.Run)
			sink.until(50)
			mustAppend(t, l, 51, 1)
			sink.until(51)
			stop()
			if got := sink.ids(); !slices.Equal(got, wantIDs(1, 51)) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLoopSurvivesAServerRestart(t *testing.T) {
	s, l, a := freshLog(t)
	sink := newSink(t)
	applied := make(chan struct{}, 1)
	loop := NewLoop(LoopConfig{Log: l, Sink: sink, Applied: func() { signal(applied) }})
	runInBackground(t, loop.Run)
	next := 1
	for range 5 {
		for i := 0; i < 3; i++ {
			now, err := l.Append(t.Context(), "spool", spooled(t, next, 40))
			if err != nil {
				break
			}
			a, next = now, next+40
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		for {
			now, delivered, err := l.Recover(t.Context(), "spool", a)
			if err == nil {
				a, next = now, max(next, int(delivered)+1)
				break
			}
		}
	}
	sink.until(uint64(next - 1))
	<-applied
	if got := sink.ids(); !slices.Equal(got, wantIDs(1, next-1)) {
		t.Errorf("got %d events, want %d in order, each once", len(got), next-1)
	}
}

func TestLoopHandsOnFaults(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 1)
	bad := []schemas.Spooled{{Message: schemas.Message{Subject: schemas.LogEvents + ".a.b.c.d", ID: "bad", Body: []byte("nonsense")}, Pos: 2}}
	if _, err := l.Append(t.Context(), "spool", bad); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, 3, 1)
	sink := newSink(t)
	loop := newTestLoop(l, sink)
	stop := runInBackground(t, loop.Run)
	sink.until(3)
	stop()
	if sink.events[1].Fault == nil || sink.events[0].Fault != nil || sink.events[2].Fault != nil {
		t.Errorf("got %+v", sink.events)
	}
	// A position that stands on a fault is as good as any.
	sink.pos = schemas.Position{Epoch: sink.pos.Epoch, Seq: 2, ID: sink.events[1].ID}
	stop = runInBackground(t, newTestLoop(l, sink).Run)
	sink.until(3)
	stop()
}

func TestLoopStopsWhereOnlyAPersonCanHelp(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, l *Log, s *memorySink)
		want error
	}{
		"another epoch": {func(_ *testing.T, _ *Log, s *memorySink) { s.pos.Epoch = "x" }, ErrPositionMismatch},
		"another event": {func(_ *testing.T, _ *Log, s *memorySink) { s.pos.ID = "x" }, ErrPositionMismatch},
		"beyond the end": {func(_ *testing.T, _ *Log, s *memorySink) { s.pos.Seq = 99 },
			schemas.ErrLogDamaged},
		"event gone":      {func(t *testing.T, l *Log, _ *memorySink) { deleteMsg(t, l, 5) }, schemas.ErrLogDamaged},
		"gap ahead":       {func(t *testing.T, l *Log, _ *memorySink) { deleteMsg(t, l, 7) }, schemas.ErrLogDamaged},
		"next event gone": {func(t *testing.T, l *Log, _ *memorySink) { deleteMsg(t, l, 6) }, schemas.ErrLogDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			_, l, a := freshLog(t)
			mustAppend(t, l, 1, 10)
			sink := newSink(t)
			sink.pos = schemas.Position{Epoch: a.Epoch, Seq: 5, ID: "event-5"}
			sink.gaps = true
			c.harm(t, l, sink)
			err := newTestLoop(l, sink).Run(t.Context())
			if !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), "hint:") {
				t.Errorf("got %v, want %v with a hint", err, c.want)
			}
		})
	}
}

func TestLoopStopsWhenTheStreamIsDeleted(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 3)
	loop := newTestLoop(l, newSink(t))
	done := make(chan error, 1)
	go func() { done <- loop.Run(t.Context()) }()
	<-loop.CaughtUp()
	deleteStream(t, l, schemas.StreamEvents)
	if err := <-done; !errors.Is(err, schemas.ErrLogDamaged) {
		t.Errorf("got %v, want %v", err, schemas.ErrLogDamaged)
	}
}

func TestLoopStepsOverErasedEvents(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 10)
	if err := l.Erase(t.Context(), []uint64{1, 4, 5, 10}); err != nil {
		t.Fatal(err)
	}
	sink := newSink(t)
	sink.gaps = true
	loop := newTestLoop(l, sink)
	stop := runInBackground(t, loop.Run)
	sink.until(9)
	mustAppend(t, l, 11, 1)
	sink.until(11)
	<-loop.CaughtUp()
	stop()
	var got []uint64
	for _, e := range sink.events {
		got = append(got, e.Seq)
	}
	if want := []uint64{2, 3, 6, 7, 8, 9, 11}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// While somebody holds the loop nothing is applied; and it goes on from
// wherever the sink is then.
func TestHold(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 100)
	sink := newSink(t)
	loop := newTestLoop(l, sink)
	stop := runInBackground(t, loop.Run)
	sink.until(100)
	err := loop.Hold(t.Context(), func(ctx context.Context) error {
		mustAppend(t, l, 101, 10)
		sink.mu.Lock()
		defer sink.mu.Unlock()
		if sink.pos.Seq != 100 {
			t.Errorf("applied up to %d while held", sink.pos.Seq)
		}
		// The rebuilt sink is behind.
		sink.pos = schemas.Position{Epoch: sink.pos.Epoch, Seq: 40, ID: "event-40"}
		sink.events = sink.events[:40]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sink.until(110)
	stop()
	if got := sink.ids(); !slices.Equal(got, wantIDs(1, 110)) {
		t.Errorf("got %d events, want 110 in order", len(got))
	}
	// It is free again, and whoever gives up waiting gets nothing.
	ctx, cancel := context.WithCancel(t.Context())
	err = loop.Hold(ctx, func(context.Context) error {
		cancel()
		return loop.Hold(ctx, func(context.Context) error {
			t.Error("two hold it at once")
			return nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestQueueIsBounded(t *testing.T) {
	q := newQueue(3, 100)
	put := func(bytes int) error {
		ctx, cancel := context.WithCancel(t.Context())
		if bytes < 0 { // must not fit
			cancel()
			bytes = -bytes
		}
		defer cancel()
		return q.put(ctx, item{bytes: bytes})
	}
	take := func(max, maxBytes int) int {
		items, err := q.take(t.Context(), nil, max, maxBytes)
		if err != nil {
			t.Fatal(err)
		}
		return len(items)
	}
	check := func(got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	check(put(1000), nil) // larger than all: alone
	check(put(-1), context.Canceled)
	check(take(10, 10), 1)
	check(put(40), nil)
	check(put(40), nil)
	check(put(-40), context.Canceled) // bytes
	check(put(1), nil)
	check(put(-1), context.Canceled) // count
	check(take(10, 50), 1)
	check(take(1, 50), 1)
	check(take(10, 50), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.take(ctx, nil, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// A batch of the log is folded as one, also when the reader hands it over event
// by event; what was announced and does not come is not waited for.
func TestQueueWaitsForWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10, 100)
		took := make(chan int)
		take := func() {
			items, err := q.take(t.Context(), nil, 10, 100)
			if err != nil {
				t.Error(err)
			}
			took <- len(items)
		}
		put := func(more bool) {
			if err := q.put(t.Context(), item{bytes: 1, more: more}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		go take()
		put(true)
		put(true)
		put(false)
		if got := <-took; got != 3 {
			t.Errorf("got %d events, want the 3 that follow one another", got)
		}
		go take()
		began := time.Now()
		put(true)
		if got := <-took; got != 1 || time.Since(began) != gatherFor {
			t.Errorf("got %d events after %v, want 1 after %v", got, time.Since(began), gatherFor)
		}
	})
}

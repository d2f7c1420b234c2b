package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// running is a spool with its writer, and its forwarder if there is a log.
type running struct {
	*Spool
	t    testing.TB
	disk *disk
	stop context.CancelFunc
	done sync.WaitGroup
}

// start opens the spool and runs it until the test ends.
func start(t testing.TB, cfg Config, log Log) *running {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: got %v, want a spool", err)
	}
	return run(t, s, log)
}

// run runs an open spool. log may be nil: nothing is forwarded.
func run(t testing.TB, s *Spool, log Log) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Spool: s, t: t, disk: newDisk(s.file), stop: stop}
	r.done.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
	if log != nil {
		r.done.Go(func() {
			if err := s.Forward(ctx, log); err != nil {
				t.Errorf("Forward: got %v, want nil", err)
			}
		})
	}
	t.Cleanup(r.close)
	return r
}

func (r *running) close() {
	if r.stop == nil {
		return
	}
	r.stop()
	r.done.Wait()
	r.stop = nil
	if err := r.Close(); err != nil {
		r.t.Errorf("Close: got %v, want nil", err)
	}
}

// crash ends everything without writing down what is only in memory.
func (r *running) crash() {
	r.stop()
	r.done.Wait()
	r.stop = nil
	if err := r.release(); err != nil {
		r.t.Errorf("release: got %v, want nil", err)
	}
}

func (r *running) mustAppend(want int, events ...schemas.Event) {
	r.t.Helper()
	if fresh, err := r.Append(context.Background(), events...); err != nil || fresh != want {
		r.t.Fatalf("Append: got %d fresh, %v, want %d", fresh, err, want)
	}
}

func temp(t testing.TB) Config {
	return Config{Path: filepath.Join(t.TempDir(), "spool.db")}
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestForwardsInOrder(t *testing.T) {
	log := newLog(t)
	cfg := temp(t)
	s := start(t, cfg, log)
	s.mustAppend(1, event("a"))
	s.mustAppend(2, event("b"), event("c"))
	log.holds("a", "b", "c")
	s.close()

	s = start(t, cfg, log)
	s.mustAppend(1, event("d"))
	log.holds("a", "b", "c", "d")
	s.close()
	s = start(t, cfg, nil)
	if got := s.State(); got.Depth != 0 || got.Bytes != 0 || !got.Oldest.IsZero() || got.Anchor.Seq != 4 {
		t.Errorf("state: got %+v, want nothing waiting and an anchor at 4", got)
	}
}

// Events that come one after the other go into the log by batches.
func TestBatchesBeginApart(t *testing.T) {
	log := newLog(t)
	s := start(t, temp(t), log)
	began := time.Now()
	const events = 100
	for i := range events {
		s.mustAppend(1, event(fmt.Sprint(i)))
	}
	log.wait(func(l *fakeLog) bool { return len(l.stored) == events })
	may := 1 + int(time.Since(began)/batchEvery)
	s.close()
	if log.batches > may {
		t.Errorf("got %d batches, want at most %d in that time", log.batches, may)
	}
}

func TestOrderOfEachCallerIsKept(t *testing.T) {
	const callers, each = 16, 50
	log := newLog(t)
	s := start(t, temp(t), log)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for n := range each {
				if fresh, err := s.Append(t.Context(), event(fmt.Sprintf("%d-%d", c, n))); fresh != 1 || err != nil {
					t.Errorf("Append: got %d, %v, want 1", fresh, err)
				}
			}
		})
	}
	all.Wait()
	log.wait(func(l *fakeLog) bool { return len(l.stored) >= callers*each })
	next := map[string]int{}
	for _, id := range log.ids() {
		caller, n, _ := strings.Cut(id, "-")
		if want := fmt.Sprint(next[caller]); n != want {
			t.Fatalf("caller %s: got event %s, want %s", caller, n, want)
		}
		next[caller]++
	}
}

func TestRepeatsAreDroppedWhileTheyMayCome(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	cfg := temp(t)
	cfg.Now = c.Now
	log := newLog(t)
	s := start(t, cfg, log)
	repeated := func(id string) schemas.Event {
		e := event(id)
		e.Repeats = time.Hour
		return e
	}
	s.mustAppend(1, repeated("a"))
	s.mustAppend(0, repeated("a"))
	s.mustAppend(1, repeated("a"), repeated("b"), repeated("b"))
	s.mustAppend(2, event("x"), event("x"), event("y")) // within a call, even without Repeats
	c.add(59 * time.Minute)
	s.close()
	s = start(t, cfg, log)
	s.mustAppend(0, repeated("a"), repeated("b"))
	c.add(time.Minute)
	s.mustAppend(1, repeated("a"))
	other := repeated("a") // the same id of another sender
	other.Route.Tenant = "u2"
	s.mustAppend(1, other)
	log.holds("a", "b", "x", "y", "a", "a")
}

func TestExpiredIDsArePruned(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	cfg := temp(t)
	cfg.Now = c.Now
	s := start(t, cfg, nil)
	for n := range 2000 {
		e := event(fmt.Sprint(n))
		e.Repeats = time.Minute
		s.mustAppend(1, e)
		c.add(time.Second) // 60 are alive at any time
	}
	var rows int
	if err := s.reader.db.QueryRow(`SELECT count(*) FROM ids`).Scan(&rows); err != nil || rows > 61 {
		t.Errorf("IDs in the file: got %d rows, %v, want at most 61", rows, err)
	}
	if s.close(); len(s.file.ids.keys) > 61 {
		t.Errorf("IDs in memory: got %d, want at most 61", len(s.file.ids.keys))
	}
}

func TestStampsRise(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 500)}
	cfg := temp(t)
	cfg.Now = c.Now
	log := newLog(t)
	given := event("given")
	given.Time = time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)

	s := start(t, cfg, log)
	s.mustAppend(3, event("a"), event("b"), given)
	c.add(-time.Hour)
	s.mustAppend(1, event("c"))
	s.close()
	s = start(t, cfg, log)
	s.mustAppend(1, event("d"))
	c.add(2 * time.Hour)
	s.mustAppend(1, event("e"))
	log.holds("a", "b", "given", "c", "d", "e")

	base := time.Unix(1_700_000_000, 0).UTC()
	want := []time.Time{base, base.Add(1000), given.Time, base.Add(2000), base.Add(3000), base.Add(time.Hour)}
	var got []time.Time
	for _, m := range log.stored {
		e, err := schemas.ParseMessage(m.Message)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Time)
	}
	if !slices.Equal(got, want) {
		t.Errorf("stamps: got\n%v, want\n%v", got, want)
	}
}

func TestOneBadCallDoesNotHarmTheOthers(t *testing.T) {
	large, control, nameless, wide, odd := event("large"), event("a\r\nb"), event(""), event("wide"), event("odd")
	large.Data = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	wide.Route.Tenant = strings.Repeat("t", 2000)
	odd.Extensions = map[string]any{"odd": make(chan int)}
	bad := []schemas.Event{large, control, nameless, wide, odd}

	log := newLog(t)
	s, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup // all in one batch: the writer is not running yet
	for i, e := range bad {
		calls.Go(func() {
			if _, err := s.Append(t.Context(), event(fmt.Sprint("with bad ", i)), e); !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("bad event %d: got %v, want ErrInvalid", i, err)
			}
		})
	}
	calls.Go(func() {
		if fresh, err := s.Append(t.Context(), event("good")); fresh != 1 || err != nil {
			t.Errorf("good event: got %d, %v, want 1", fresh, err)
		}
	})
	r := run(t, s, log)
	calls.Wait()
	r.mustAppend(1, event("after"))
	log.holds("good", "after")
	if _, err := r.Append(t.Context(), make([]schemas.Event, maxCall+1)...); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("too many at once: got %v, want ErrInvalid", err)
	}
}

func TestQueueIsBounded(t *testing.T) {
	s, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	s.queue = make(chan *request, 1)
	ctx, giveUp := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := s.Append(ctx, event("gives up")); gone <- err }()
	for len(s.queue) == 0 {
		runtime.Gosched()
	}
	if _, err := s.Append(t.Context(), event("b")); !errors.Is(err, ErrBusy) {
		t.Errorf("queue full: got %v, want ErrBusy", err)
	}
	giveUp()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("gave up: got %v, want context.Canceled", err)
	}
	log := newLog(t)
	r := run(t, s, log)
	for { // the one that gave up stands in the queue until the writer comes by
		if _, err := r.Append(t.Context(), event("c")); err == nil {
			break
		}
	}
	log.holds("c")
	if got := s.queuedBytes.Load(); got != 0 {
		t.Errorf("bytes in the queue: got %d, want 0", got)
	}
	s.queuedBytes.Store(maxQueueBytes)
	if _, err := r.Append(t.Context(), event("d")); !errors.Is(err, ErrBusy) {
		t.Errorf("queue full of bytes: got %v, want ErrBusy", err)
	}
	s.queuedBytes.Store(0)
}

// TestQueueCountsAllOfAnEvent: what a sender decides the length of counts,
// wherever in the event it stands.
func TestQueueCountsAllOfAnEvent(t *testing.T) {
	const long = 1 << 20
	text := strings.Repeat("x", long)
	for name, e := range map[string]schemas.Event{
		"data": {Data: []byte(text)}, "binary": {Binary: []byte(text)}, "extension": {Extensions: map[string]any{"x": text}},
		"name of an extension": {Extensions: map[string]any{text: true}}, "id": {ID: text}, "source": {Source: text}, "type": {Type: text},
		"subject": {Subject: text}, "dataschema": {DataSchema: text}, "datacontenttype": {DataContentType: text},
	} {
		if got := queuedSize(&e); got < long {
			t.Errorf("%s: counted as %d bytes, want %d at least", name, got, long)
		}
	}
	spool, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, spool, newLog(t))
	var events []schemas.Event
	for i := range 17 {
		e := event(fmt.Sprint("large", i))
		e.Data, e.Binary = nil, []byte(text[:700<<10])
		e.Extensions = map[string]any{"x": text[:100<<10]}
		events = append(events, e)
	}
	if _, err := s.Append(t.Context(), events...); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("17 MiB in one call: got %v, want ErrInvalid", err)
	}
}

func TestStopAnswersWhoWaits(t *testing.T) {
	s, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() { _, err := s.Append(context.Background(), event("a")); answer <- err }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if err := <-answer; !errors.Is(err, ErrStopped) {
		t.Errorf("waiting when Run ended: got %v, want ErrStopped", err)
	}
	if err := s.Run(t.Context()); err == nil {
		t.Error("Run again: got nil, want an error")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	if _, err := s.Append(t.Context(), event("b")); !errors.Is(err, ErrStopped) {
		t.Errorf("after Close: got %v, want ErrStopped", err)
	}
}

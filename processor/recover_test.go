package processor

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// A log that is not what the anchor says is refused, and nothing is created
// or changed.
func TestRecover(t *testing.T) {
	for name, c := range map[string]struct {
		harm    func(t *testing.T, l *Log, a *schemas.Anchor)
		damaged bool
		last    uint64 // where the log ends, if it is accepted
	}{
		"as it was":       {func(*testing.T, *Log, *schemas.Anchor) {}, false, 10},
		"longer":          {func(t *testing.T, l *Log, _ *schemas.Anchor) { mustAppend(t, l, 11, 30) }, false, 40},
		"adopted":         {func(_ *testing.T, _ *Log, a *schemas.Anchor) { *a = schemas.Anchor{} }, false, 10},
		"events gone":     {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteStream(t, l, "EVENTS") }, true, 0},
		"changes gone":    {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteStream(t, l, "CHANGES") }, true, 0},
		"fronters gone":   {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteStream(t, l, "KV_FRONTERS") }, true, 0},
		"shorter":         {func(_ *testing.T, _ *Log, a *schemas.Anchor) { a.Seq, a.Count = 11, 11 }, true, 0},
		"another epoch":   {func(_ *testing.T, _ *Log, a *schemas.Anchor) { a.Epoch = "x" }, true, 0},
		"another id":      {func(_ *testing.T, _ *Log, a *schemas.Anchor) { a.ID = "x" }, true, 0},
		"gap":             {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteMsg(t, l, 5) }, true, 0},
		"first gone":      {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteMsg(t, l, 1) }, true, 0},
		"anchor gone":     {func(t *testing.T, l *Log, _ *schemas.Anchor) { deleteMsg(t, l, 10) }, true, 0},
		"fewer than ever": {func(_ *testing.T, _ *Log, a *schemas.Anchor) { a.Count = 11 }, false, 10},
		"replaced": {func(t *testing.T, l *Log, _ *schemas.Anchor) {
			for _, name := range []string{"EVENTS", "CHANGES", "KV_FRONTERS"} {
				deleteStream(t, l, name)
			}
			mustRecover(t, l, schemas.Anchor{})
			mustAppend(t, l, 1, 10)
		}, true, 0},
		"erased": {func(t *testing.T, l *Log, _ *schemas.Anchor) {
			if err := l.Erase(t.Context(), []uint64{1, 5, 10}); err != nil {
				t.Fatal(err)
			}
		}, false, 10},
		"erased, and a gap": {func(t *testing.T, l *Log, _ *schemas.Anchor) {
			if err := l.Erase(t.Context(), []uint64{1, 5}); err != nil {
				t.Fatal(err)
			}
			deleteMsg(t, l, 7)
		}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, l, _ := freshLog(t)
			a := mustAppend(t, l, 1, 10)
			c.harm(t, l, &a)
			now, delivered, err := l.Recover(t.Context(), "spool", a)
			if c.damaged {
				if !errors.Is(err, schemas.ErrLogDamaged) || !strings.Contains(err.Error(), "hint:") {
					t.Fatalf("got %v, want %v with a hint", err, schemas.ErrLogDamaged)
				}
				// Refused again: the first look created nothing.
				if _, _, err := l.Recover(t.Context(), "spool", a); !errors.Is(err, schemas.ErrLogDamaged) {
					t.Errorf("second time: got %v", err)
				}
				return
			}
			if err != nil || now.Seq != c.last {
				t.Fatalf("got %+v, %v; want the end at %d", now, err, c.last)
			}
			want := uint64(0)
			if a.Seq < c.last {
				want = c.last
			}
			if delivered != want {
				t.Errorf("delivered: got %d, want %d", delivered, want)
			}
			if again := mustRecover(t, l, now); again != now {
				t.Errorf("again: got %+v, want %+v", again, now)
			}
		})
	}
}

func TestRecoverFirstTimeGoesOnWhereItWasKilled(t *testing.T) {
	for _, gone := range [][]string{{"EVENTS"}, {"CHANGES"}, {"KV_FRONTERS"}, {"EVENTS", "KV_FRONTERS"}} {
		_, l, _ := freshLog(t)
		for _, name := range gone {
			deleteStream(t, l, name)
		}
		mustRecover(t, l, schemas.Anchor{})
		if now := mustAppend(t, l, 1, 30); now.Seq != 30 {
			t.Errorf("%v: got %+v", gone, now)
		}
	}
}

func TestRecoverRefusesStreamsThatDropEvents(t *testing.T) {
	_, l, a := freshLog(t)
	s, err := l.js.Stream(t.Context(), schemas.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	good := s.CachedInfo().Config
	for name, change := range map[string]func(){
		"age":        func() { good.MaxAge = time.Hour },
		"count":      func() { good.MaxMsgs = 10 },
		"republish":  func() { good.RePublish = nil },
		"duplicates": func() { good.Duplicates = time.Second },
	} {
		kept := good
		change()
		if _, err := l.js.UpdateStream(t.Context(), good); err != nil {
			t.Fatal(err)
		}
		good = kept
		if _, _, err := l.Recover(t.Context(), "spool", a); err == nil || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%s: got %v, want a refusal with a hint", name, err)
		}
		if _, err := l.js.UpdateStream(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	mustRecover(t, l, a)
}

// Law 1, with the server gone in the middle: whatever an Append that failed
// did, Recover knows, and in the end each is there once, in order.
func TestLaw1ServerRestartsWhileAppending(t *testing.T) {
	s, l, a := freshLog(t)
	const total = 3000
	restarted := make(chan error, 1)
	go func() {
		var err error
		for range 4 {
			if err == nil {
				err = s.Restart(t.Context())
			}
		}
		restarted <- err
	}()
	next, failed := 1, 0
	for n := 1; next <= total; n = n%150 + 37 {
		now, err := l.Append(t.Context(), "spool", spooled(t, next, min(n, total-next+1)))
		if err == nil {
			a, next = now, next+min(n, total-next+1)
			continue
		}
		failed++
		for {
			now, delivered, err := l.Recover(t.Context(), "spool", a)
			if errors.Is(err, schemas.ErrLogDamaged) {
				t.Fatal(err)
			}
			if err == nil {
				a, next = now, max(next, int(delivered)+1)
				break
			}
		}
	}
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	ids, _ := stored(t, l, ReadOptions{})
	if !slices.Equal(ids, wantIDs(1, total)) {
		t.Errorf("got %d events, want %d in order, each once (%d appends failed)", len(ids), total, failed)
	}
	t.Logf("%d appends failed", failed)
}

// Whatever was appended before a reconnect is looked at again before more is.
func TestAppendAfterAReconnectNeedsRecover(t *testing.T) {
	s, l, _ := freshLog(t)
	a := mustAppend(t, l, 1, 3)
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), "spool", spooled(t, 4, 1)); err == nil {
		t.Fatal("appended to a server nobody has looked at")
	}
	for {
		now, delivered, err := l.Recover(t.Context(), "spool", schemas.Anchor{Epoch: a.Epoch})
		if err != nil {
			continue // not connected yet
		}
		if now != a || delivered != 3 {
			t.Errorf("got %+v, %d; want %+v, 3", now, delivered, a)
		}
		break
	}
	if now := mustAppend(t, l, 4, 1); now.Seq != 4 {
		t.Errorf("got %+v", now)
	}
}

// The disk fails, then is well again: the stream is frozen until Run restarts
// the server, and nothing acknowledged is lost.
func TestServerRunMendsAFrozenStream(t *testing.T) {
	c := testConfig(t)
	s := startServer(t, c)
	l := newLog(t, connect(t, s))
	a := mustRecover(t, l, schemas.Anchor{})
	mustAppend(t, l, 1, 30)
	dir := filepath.Join(c.StoreDir, "jetstream", appName, "streams", schemas.StreamEvents)
	away := filepath.Join(c.StoreDir, "msgs")
	if err := os.Rename(filepath.Join(dir, "msgs"), away); err != nil {
		t.Fatal(err)
	}
	// The block that is open goes on; the next one cannot be made.
	next := 31
	for s.Health() == nil {
		batch := spooled(t, next, 100)
		for i := range batch {
			batch[i].Body = append(batch[i].Body[:len(batch[i].Body)-1], (`,"x":"` + strings.Repeat("x", 20_000) + `"}`)...)
		}
		now, err := l.Append(t.Context(), "spool", batch)
		if err != nil {
			break
		}
		a, next = now, next+100
		if next > 10_000 {
			t.Fatal("the stream does not freeze")
		}
	}
	if err := s.Health(); err == nil {
		t.Fatal("a frozen stream, and the server says that it is well")
	}
	if err := os.Rename(away, filepath.Join(dir, "msgs")); err != nil {
		t.Fatal(err)
	}
	runInBackground(t, s.Run)
	for s.Health() != nil {
		runtime.Gosched() // Run mends it in its own time
	}
	var delivered uint64
	for {
		_, d, err := l.Recover(t.Context(), "spool", a)
		if errors.Is(err, schemas.ErrLogDamaged) {
			t.Fatal(err)
		}
		if err == nil {
			delivered = d
			break
		}
	}
	next = max(next, int(delivered)+1)
	mustAppend(t, l, next, 100)
	ids, _ := stored(t, l, ReadOptions{})
	if !slices.Equal(ids, wantIDs(1, next+99)) {
		t.Errorf("got %d events, want %d in order", len(ids), next+99)
	}
}

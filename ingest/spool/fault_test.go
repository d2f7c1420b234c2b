package spool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// errDisk is what SQLite says when the disk fails.
var errDisk error = sqlite3.Error{Code: sqlite3.ErrIoErr}

// disk stands between a spool and its file, and can be changed at any time.
type disk struct {
	mu             sync.Mutex
	commit, reopen func(func() error) error // nil: as it is
}

func newDisk(f *file) *disk {
	d := &disk{}
	f.commit = func(do func() error) error { return d.do(&d.commit, do) }
	f.reopen = func(do func() error) error { return d.do(&d.reopen, do) }
	return d
}

func (d *disk) do(how *func(func() error) error, do func() error) error {
	d.mu.Lock()
	f := *how
	d.mu.Unlock()
	if f == nil {
		return do()
	}
	return f(do)
}

func (d *disk) commits(f func(func() error) error) { d.mu.Lock(); d.commit = f; d.mu.Unlock() }
func (d *disk) reopens(f func(func() error) error) { d.mu.Lock(); d.reopen = f; d.mu.Unlock() }

// failOnce fails once, before or after it was done.
func failOnce(done bool) func(func() error) error {
	var failed atomic.Bool
	return func(do func() error) error {
		switch {
		case failed.Swap(true):
			return do()
		case done:
			return errors.Join(do(), errDisk)
		}
		return errDisk
	}
}

func TestCommitFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		done bool // the commit was done all the same
		want error
	}{
		{"and was not done", false, ErrFull},
		{"but was done", true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, log := temp(t), newLog(t)
			r := start(t, cfg, nil)
			r.disk.commits(failOnce(tt.done))
			want := []string{"b"}
			e := event("a")
			e.Repeats = time.Hour
			if _, err := r.Append(t.Context(), e); !errors.Is(err, tt.want) {
				t.Errorf("Append: got %v, want %v", err, tt.want)
			}
			if tt.done {
				want = []string{"a", "b"}
				r.mustAppend(0, e) // its ID was stored with it
			}
			r.mustAppend(1, event("b"))
			r.crash()
			start(t, cfg, log)
			log.holds(want...)
		})
	}
}

// The disk fails in the commit, and again when we look at what it did.
func TestCommitFailsAndCannotBeLookedAt(t *testing.T) {
	for _, done := range []bool{false, true} {
		t.Run(fmt.Sprint("done ", done), func(t *testing.T) {
			log := newLog(t)
			r := start(t, temp(t), log)
			r.disk.commits(failOnce(done))
			r.disk.reopens(failOnce(false))
			e := event("a")
			e.Repeats = time.Hour
			if _, err := r.Append(t.Context(), e); err == nil {
				t.Error("Append: got nil, want an error")
			}
			if got := r.State().StoreError; got == nil {
				t.Error("StoreError: got none, want one")
			}
			if done { // as documented: there all the same, and the ID tells
				r.mustAppend(0, e)
			} else {
				r.mustAppend(1, e)
			}
			r.mustAppend(1, event("b"))
			log.holds("a", "b")
			if got := r.State().StoreError; got != nil {
				t.Errorf("StoreError: got %s, want none", got)
			}
		})
	}
}

func TestLogFails(t *testing.T) {
	for _, after := range []int{0, 1, 2, all} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			log := newLog(t)
			log.faults = []fault{{after}, {after}, {0}}
			s := start(t, temp(t), log)
			s.mustAppend(3, event("a"), event("b"), event("c"))
			s.mustAppend(2, event("d"), event("e"))
			log.holds("a", "b", "c", "d", "e")
		})
	}
}

// The log has taken a batch and the spool cannot note it: it is not sent
// again, neither by this process nor by the next.
func TestDeleteFails(t *testing.T) {
	dir := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		s := start(t, dir, log)
		s.mustAppend(1, event("a"))
		synctest.Wait()
		s.disk.commits(func(func() error) error { return errDisk })
		time.Sleep(time.Minute) // of the bubble
		if got := s.State(); got.Depth != 0 || got.Bytes == 0 {
			t.Errorf("state: got %+v, want nothing to forward, but bytes in the file", got)
		}
		s.crash()
		s = start(t, dir, log)
		s.mustAppend(1, event("b"))
		log.holds("a", "b")
		time.Sleep(time.Second)
		if got := s.State(); got.Bytes != 0 {
			t.Errorf("bytes: got %d, want 0: deleting works again", got.Bytes)
		}
		s.close()
	})
}

func TestLogIsAwayForHours(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		log.away = true
		s := start(t, cfg, log)
		s.mustAppend(1, event("a"))
		time.Sleep(3 * time.Hour)
		state := s.State()
		if state.Depth != 1 || state.ForwardError == "" || state.LogDamaged || time.Since(state.Oldest) < 3*time.Hour {
			t.Errorf("state: got %+v, want one waiting for three hours", state)
		}
		if low, high := 3*3600/5, 3*3600*2/5+20; log.asked < low || log.asked > high {
			t.Errorf("asked %d times, want %d to %d", log.asked, low, high)
		}
		log.set(func(l *fakeLog) { l.away = false })
		log.holds("a")
		synctest.Wait()
		if state := s.State(); state.ForwardError != "" || state.Depth != 0 {
			t.Errorf("state: got %+v, want nothing wrong", state)
		}
		s.close()
	})
}

func TestLogIsDamaged(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		s := start(t, cfg, log)
		s.mustAppend(1, event("a"))
		log.holds("a")
		synctest.Wait()
		s.close()
		kept := log.stored
		log.set(func(l *fakeLog) { l.stored, l.epoch, l.doubt = nil, "second", true })

		s = start(t, cfg, log)
		s.mustAppend(1, event("b")) // still accepted
		time.Sleep(time.Hour)
		if got := s.State(); !got.LogDamaged || got.Depth != 1 || got.Anchor.Seq != 1 {
			t.Errorf("state: got %+v, want damaged, one waiting, the anchor as it was", got)
		}
		if len(log.stored) != 0 {
			t.Errorf("the damaged log was sent %v, want nothing", log.ids())
		}
		log.set(func(l *fakeLog) { l.stored, l.epoch = kept, "first" })
		log.holds("a", "b")
		synctest.Wait()
		if got := s.State(); got.LogDamaged {
			t.Errorf("state: got %+v, want sound", got)
		}
		s.close()
	})
}

// A log that was put back is seen to be sound though nothing waits.
func TestDamageEndsWithNothingWaiting(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		log.damaged = true
		s := start(t, cfg, log)
		synctest.Wait()
		if got := s.State(); !got.LogDamaged {
			t.Errorf("state: got %+v, want damaged", got)
		}
		log.set(func(l *fakeLog) { l.damaged = false })
		time.Sleep(time.Minute)
		if got := s.State(); got.LogDamaged || got.ForwardError != "" {
			t.Errorf("state: got %+v, want sound", got)
		}
		s.close()
	})
}

// A log in whose place another stands is noticed though nothing waits.
func TestDamageIsSeenWithNothingWaiting(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		s := start(t, cfg, log)
		s.mustAppend(1, event("a"))
		log.holds("a")
		log.set(func(l *fakeLog) { l.damaged = true })
		time.Sleep(lookEvery + time.Second)
		if got := s.State(); !got.LogDamaged {
			t.Errorf("state: got %+v, want damaged", got)
		}
		s.close()
	})
}

// max_page_count is SQLite's own disk full.
func TestDiskFull(t *testing.T) {
	s, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		if err := s.file.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Error(err)
		}
	}
	const pages = 60
	limit(pages)
	log := newLog(t)
	log.away = true
	r := run(t, s, log)
	r.disk.reopens(func(do func() error) error {
		err := do()
		limit(pages) // is of the connection
		return err
	})
	var want []string
	for n := 0; ; n++ {
		e := event(fmt.Sprint(n))
		e.Data = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
		if _, err := r.Append(t.Context(), e); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Errorf("full: got %v, want ErrFull", err)
			}
			break
		}
		want = append(want, e.ID)
	}
	if len(want) < 5 || len(want) > 30 {
		t.Errorf("accepted %d events of three pages, want as many as fit in %d", len(want), pages)
	}
	log.set(func(l *fakeLog) { l.away = false })
	log.holds(want...)
	for { // room again as soon as rows are deleted
		if _, err := r.Append(t.Context(), event("after")); err == nil {
			break
		}
	}
	log.holds(append(want, "after")...)
}

func TestReserveOfTheDisk(t *testing.T) {
	s, err := Open(temp(t))
	if err != nil {
		t.Fatal(err)
	}
	var free, total atomic.Uint64
	s.diskFree = func(string) (uint64, uint64, error) { return free.Load(), total.Load(), nil }
	r := run(t, s, nil)
	for i, tt := range []struct {
		free, total uint64
		want        error
	}{
		{64<<20 - 1, 1 << 40, ErrFull},
		{64 << 20, 1 << 40, nil},
		{5<<20 - 1, 100 << 20, ErrFull},
		{5 << 20, 100 << 20, nil},
	} {
		free.Store(tt.free)
		total.Store(tt.total)
		if _, err := r.Append(t.Context(), event(fmt.Sprint(i))); !errors.Is(err, tt.want) {
			t.Errorf("%d of %d free: got %v, want %v", tt.free, tt.total, err, tt.want)
		}
	}
	// That there is room again is known before anybody tries.
	free.Store(0)
	if _, err := r.Append(t.Context(), event("x")); !errors.Is(err, ErrFull) || r.State().StoreError == nil {
		t.Errorf("got %v and %+v, want ErrFull", err, r.State())
	}
	free.Store(total.Load())
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); r.State().StoreError != nil; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("got %s a minute later, want none", r.State().StoreError)
		}
	}
}

func TestMaxWaiting(t *testing.T) {
	cfg, log := temp(t), newLog(t)
	cfg.MaxWaiting = 2000
	s := start(t, cfg, nil)
	for i := 0; ; i++ {
		if _, err := s.Append(t.Context(), event(fmt.Sprint(i))); err != nil {
			if !errors.Is(err, ErrFull) || i == 0 || s.State().Bytes > cfg.MaxWaiting || s.State().StoreError == nil {
				t.Errorf("event %d: got %v with %+v, want ErrFull at %d bytes", i, err, s.State(), cfg.MaxWaiting)
			}
			break
		}
	}
	s.close()
	s = start(t, cfg, log)
	for {
		if _, err := s.Append(t.Context(), event("after")); err == nil {
			break
		}
	}
}

// An older copy of the file is put back: what it holds was delivered, what is
// accepted afterwards is not taken for that.
func TestOlderCopyPutBack(t *testing.T) {
	cfg, log := temp(t), newLog(t)
	s := start(t, cfg, nil)
	s.mustAppend(1, event("a"))
	s.close()
	old := copyOf(t, cfg.Path)
	s = start(t, cfg, log)
	id := s.State().ID
	s.mustAppend(2, event("b"), event("c"))
	log.holds("a", "b", "c")
	s.close()

	cfg.Path = old
	log.set(func(l *fakeLog) { l.doubt = true })
	s = start(t, cfg, nil)
	s.mustAppend(1, event("d")) // before anyone asked the log
	s.close()
	s = start(t, cfg, nil)
	s.crash()
	opened, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	opened.openedAt = 1 // as it was when the copy was first opened
	s = run(t, opened, log)
	s.mustAppend(1, event("e"))
	log.holds("a", "b", "c", "d", "e")
	if got := s.State().ID; got == id {
		t.Errorf("spool id: got %s, want a new one", got)
	}
}

// stuckLog takes a batch and does not answer.
type stuckLog struct{ *fakeLog }

func (l stuckLog) Append(ctx context.Context, _ string, _ []schemas.Spooled) (schemas.Anchor, error) {
	<-ctx.Done()
	return schemas.Anchor{}, ctx.Err()
}

// A batch on its way when the end comes may be finished, but not for ever.
func TestStopDoesNotWaitForEver(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		s := start(t, cfg, stuckLog{newLog(t)})
		s.mustAppend(1, event("a"))
		synctest.Wait()
		began := time.Now()
		s.close()
		if got := time.Since(began); got != finishForward {
			t.Errorf("stopping: got %v, want %v", got, finishForward)
		}
	})
}

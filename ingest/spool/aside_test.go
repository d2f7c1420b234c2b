package spool

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"switchlog/schemas"
)

// large is an event of about n bytes.
func large(id string, n int) schemas.Event {
	e := event(id)
	e.Data = fmt.Appendf(nil, `{"description":"%s"}`, bytes.Repeat([]byte("x"), n))
	return e
}

// An event larger than the log's server takes does not stand in front of the
// others, is not lost over a crash, and goes on when the server takes more.
func TestTooLargeStandsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, log := temp(t), newLog(t)
		log.limit = 64 << 10
		r := start(t, cfg, log)
		r.mustAppend(1, event("a"))
		r.mustAppend(2, large("b", 100<<10), event("c"))
		r.mustAppend(1, large("d", 200<<10))
		r.mustAppend(1, event("e"))
		log.holds("a", "c", "e")
		synctest.Wait()
		if s := r.State(); s.Aside != 2 || s.Depth != 0 || s.ForwardError != "" || s.AsideLargest < 200<<10 || s.Limit != 64<<10 {
			t.Errorf("got %+v, want 2 events aside and nothing that waits", s)
		}
		r.crash()
		log.set(func(l *fakeLog) { l.limit = 150 << 10 }) // enough for one of the two
		r = start(t, cfg, log)
		log.holds("a", "c", "e", "b")
		r.mustAppend(1, event("f"))
		log.holds("a", "c", "e", "b", "f")
		synctest.Wait()
		if s := r.State(); s.Aside != 1 || s.Depth != 0 {
			t.Errorf("got %+v, want 1 event aside", s)
		}
		log.set(func(l *fakeLog) { l.limit = 1 << 20 }) // noticed while it runs
		log.holds("a", "c", "e", "b", "f", "d")
		r.close()
		again, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s := again.State(); s.Aside != 0 || s.Depth != 0 {
			t.Errorf("got %+v, want nothing aside", s)
		}
		if err := again.release(); err != nil {
			t.Error(err)
		}
	})
}

// However the writes of it fail, and wherever it is killed, an event is set aside
// once and taken back once.
func TestSettingAsideFails(t *testing.T) {
	for _, done := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg, log := temp(t), newLog(t)
			log.limit = 64 << 10
			log.away = true
			r := start(t, cfg, log)
			r.mustAppend(3, event("a"), large("b", 100<<10), event("c"))
			r.disk.commits(failOnce(done))
			log.set(func(l *fakeLog) { l.away = false })
			log.holds("a", "c")
			r.disk.commits(failOnce(done))
			log.set(func(l *fakeLog) { l.limit = 1 << 20 })
			log.holds("a", "c", "b")
			synctest.Wait()
			if s := r.State(); s.Aside != 0 || s.Depth != 0 {
				t.Errorf("got %+v, want nothing aside", s)
			}
			r.close()
		})
	}
}

// When much stands aside already, an event that the log's server would not take
// is refused with the server's limit.
func TestAsideIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		log.limit = 64 << 10
		r := start(t, temp(t), log)
		n := 0
		for ; r.State().AsideBytes < maxAsideBytes; n++ {
			r.mustAppend(1, large(fmt.Sprint("big", n), 1000<<10))
			if err := r.Drained(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n > 100 {
				t.Fatal("no bound")
			}
		}
		if _, err := r.Append(t.Context(), large("more", 100<<10)); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
		r.mustAppend(1, event("small"))
		log.holds("small")
		log.set(func(l *fakeLog) { l.limit = 1 << 20 })
		log.wait(func(l *fakeLog) bool { return len(l.stored) == n+1 })
		if ids := log.ids(); !slices.Contains(ids, "big0") || ids[0] != "small" {
			t.Errorf("got %v", ids)
		}
		r.close()
	})
}

// A bit that flips while an event stands aside is noticed, and stops no other.
func TestFlippedBitAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, log := temp(t), newLog(t)
		log.limit = 64 << 10
		r := start(t, cfg, log)
		r.mustAppend(1, large("a", 100<<10))
		r.mustAppend(1, large("b", 100<<10))
		synctest.Wait()
		r.close()
		flip(t, cfg.Path, `"id":"a"`)
		log.set(func(l *fakeLog) { l.limit = 1 << 20 })
		r = start(t, cfg, log)
		log.holds("b")
		r.mustAppend(1, event("c"))
		log.holds("b", "c")
		synctest.Wait()
		if s := r.State(); s.Aside != 1 || s.AsideDamaged != 1 || s.Depth != 0 {
			t.Errorf("got %+v, want 1 event aside, damaged", s)
		}
		r.close()
	})
}

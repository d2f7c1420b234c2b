package spool

import (
	"fmt"
	"testing"
	"time"

	"switchlog/schemas"
)

// The clock jumps, ahead and back, while the spool runs and between runs:
// stamps rise strictly, and an ID is remembered for as long as the clock that
// is then says, neither shorter nor for ever.
func TestClockJumps(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	cfg := temp(t)
	cfg.Now = c.Now
	log := newLog(t)
	s := start(t, cfg, log)
	total := 0
	remember := func(id string, fresh int) {
		t.Helper()
		e := event(id)
		e.Repeats = time.Hour
		s.mustAppend(fresh, e)
		total += fresh
	}
	was := forgetStep
	defer func() { forgetStep = was }()
	forgetStep = 10
	for n := range 25 { // more than two transactions forget
		remember(fmt.Sprint(n), 1)
	}
	const year = 365 * 24 * time.Hour
	c.add(year)
	remember("ahead", 1)
	c.add(-year)
	remember("back", 1)
	remember("another", 1)
	remember("back", 0)
	s.close()
	s = start(t, cfg, log)
	remember("back", 0)
	remember("ahead", 0)
	c.add(-24 * time.Hour)
	remember("back", 0)
	remember("a day before", 1)
	s.close()
	s = start(t, cfg, log)
	remember("a day before", 0)
	c.add(time.Hour + time.Second)
	remember("a day before", 1) // its hour is over
	c.add(24 * time.Hour)
	remember("back", 1)
	s.close()
	s = start(t, cfg, log)
	remember("back", 0)
	log.wait(func(l *fakeLog) bool { return len(l.stored) == total })
	var last time.Time
	for _, m := range log.stored {
		e, err := schemas.ParseMessage(m.Message)
		if err != nil {
			t.Fatal(err)
		}
		if !e.Time.After(last) {
			t.Errorf("position %d: got %v after %v, want stamps that rise", m.Pos, e.Time, last)
		}
		last = e.Time
	}
}

package spool

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"switchlog/schemas"
)

// FuzzCutMessage: what a row gives are messages that make the same row, or it
// is an error; and size is what a message takes.
func FuzzCutMessage(f *testing.F) {
	f.Add(appendMessage(appendMessage(nil, schemas.Message{Subject: "s", ID: "i", Body: []byte("{}")}, 0), schemas.Message{}, 1))
	f.Add(appendMessage(nil, schemas.Message{Subject: "s", Body: bytes.Repeat([]byte("x"), 300)}, 0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, row []byte) {
		var again []byte
		rest := row
		for pos := uint64(0); len(rest) > 0; pos++ {
			m, after, err := cutMessage(rest, pos)
			if err != nil {
				return
			}
			if got := len(appendMessage(nil, m, pos)); got != size(m) {
				t.Errorf("a message takes %d bytes, size says %d", got, size(m))
			}
			again, rest = appendMessage(again, m, pos), after
		}
		// A length may have been written longer than it needs to be.
		if !bytes.Equal(again, row) && len(again) >= len(row) {
			t.Errorf("%x came back as %x", row, again)
		}
	})
}

// A row that was delivered in part is sent on from there, over a restart too,
// and goes when all of it is in the log.
func TestRowDeliveredInPart(t *testing.T) {
	cfg := temp(t)
	log := newLog(t)
	s := start(t, cfg, nil)
	events := make([]schemas.Event, 2*maxForward+5)
	var want []string
	for i := range events {
		want = append(want, fmt.Sprint(i))
		events[i] = event(want[i])
	}
	s.mustAppend(len(events), events...)
	s.close()
	log.faults = []fault{{after: 700}}
	s = start(t, cfg, log)
	log.wait(func(l *fakeLog) bool { return len(l.stored) >= 700 })
	s.mustAppend(1, event("after"))
	s.crash()
	s = start(t, cfg, log)
	log.holds(append(want, "after")...)
	s.close()
	if s.file.at.row != 0 || s.file.at.bytes != 0 {
		t.Errorf("state: got %+v, want no row and no bytes", s.file.at)
	}
}

// Law 10: of too many IDs those go that would be over first.
func TestRememberedIDsAreBounded(t *testing.T) {
	was := maxRemembered
	defer func() { maxRemembered = was }()
	maxRemembered = 10
	s := start(t, temp(t), nil)
	remember := func(id string, d time.Duration, fresh int) {
		t.Helper()
		e := event(id)
		e.Repeats = d
		s.mustAppend(fresh, e)
	}
	remember("short", time.Minute, 1)
	for i := range 10 {
		remember(fmt.Sprint(i), time.Hour, 1)
	}
	remember("one more", time.Hour, 1)
	remember("short", time.Minute, 1) // forgotten
	remember("9", time.Hour, 0)
}

package spool

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchlog/schemas"
)

// Whatever bit of a row changes, no other event comes out than went in.
func TestEveryBitIsHeld(t *testing.T) {
	messages := []schemas.Message{
		{Subject: "log.events.a", ID: "one", Body: []byte(`{"n":1}`)},
		{Subject: "log.events.b", ID: "two", Body: bytes.Repeat([]byte("x"), 200)},
		{Subject: "log.events.a", ID: "three", Body: []byte(`{"n":3}`)},
	}
	var row []byte
	for i, m := range messages {
		row = appendMessage(row, m, uint64(i+7))
	}
	for bit := range len(row) * 8 {
		flipped := bytes.Clone(row)
		flipped[bit/8] ^= 1 << (bit % 8)
		batch, _, err := take(nil, maxForwardBytes, flipped, 7, 7)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "(hint: ") {
			t.Errorf("bit %d: got %v, want ErrDamaged and a hint", bit, err)
		}
		for i, got := range batch {
			if got.Pos != uint64(i+7) || fmt.Sprint(got.Message) != fmt.Sprint(messages[i]) {
				t.Errorf("bit %d: got %v, want %v", bit, got, messages[i])
			}
		}
	}
	if _, _, err := take(nil, maxForwardBytes, row, 8, 8); err == nil {
		t.Error("a row at another position: got nil, want an error")
	}
	if batch, _, err := take(nil, maxForwardBytes, row, 7, 7); err != nil || len(batch) != 3 {
		t.Errorf("the row as it was: got %d events, %v, want 3", len(batch), err)
	}
}

// flip changes a bit of what follows text in the file.
func flip(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(text))
	if at < 0 {
		t.Fatalf("%q is not in %s", text, path)
	}
	b[at+len(text)] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// marked is an event with a text to find it by.
func marked(id string) schemas.Event {
	e := event(id)
	e.Data = []byte(`{"mark":"` + id + `-mark-x"}`)
	return e
}

// A bit that flips while events wait: what is before it goes into the log,
// nothing behind it does, and events are accepted. With the bit put right, all
// arrive.
func TestFlippedBitStopsForwarding(t *testing.T) {
	cfg := temp(t)
	s := start(t, cfg, nil)
	s.mustAppend(1, marked("a"))
	s.mustAppend(3, marked("b"), marked("c"), marked("d"))
	s.mustAppend(1, marked("e"))
	s.close()
	flip(t, cfg.Path, "c-mark-")
	if n, err := Verify(cfg.Path); n != 2 || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "position 3:") {
		t.Errorf("Verify: got %d, %v, want 2, and that position 3 is damaged", n, err)
	}
	var stored []stored
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		s := start(t, cfg, log)
		log.holds("a", "b")
		time.Sleep(time.Hour)
		s.mustAppend(1, marked("f"))
		time.Sleep(time.Hour)
		log.holds("a", "b")
		got := s.State()
		if !got.Damaged || got.LogDamaged || got.Depth != 4 || !strings.Contains(got.ForwardError, "position 3:") {
			t.Errorf("state: got %+v, want damage at position 3, 4 waiting", got)
		}
		s.close()
		stored = log.stored
	})
	flip(t, cfg.Path, "c-mark-")
	log := newLog(t)
	log.epoch, log.stored = "first", stored
	s = start(t, cfg, log)
	log.holds("a", "b", "c", "d", "e", "f")
	s.close()
	if n, err := Verify(cfg.Path); n != 0 || err != nil {
		t.Errorf("Verify: got %d, %v, want 0, nil", n, err)
	}
}

// What was delivered is not needed any more, whatever has become of it.
func TestFlippedBitOfWhatIsDelivered(t *testing.T) {
	cfg := temp(t)
	s := start(t, cfg, nil)
	s.mustAppend(3, marked("a"), marked("b"), marked("c"))
	s.close()
	flip(t, cfg.Path, "a-mark-")
	db, err := sql.Open("sqlite3", cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`UPDATE state SET delivered = 1`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	log := newLog(t)
	start(t, cfg, log)
	log.holds("b", "c")
}

// A file of format 2 is converted, with what waits in it.
func TestConvert(t *testing.T) {
	for _, waiting := range []int{0, 1, 2500} {
		t.Run(fmt.Sprint(waiting), func(t *testing.T) {
			cfg := temp(t)
			s := start(t, cfg, nil)
			var want []string
			for n := range waiting {
				want = append(want, fmt.Sprint(n))
			}
			for ids := want; len(ids) > 0; {
				n := min(len(ids), 1000)
				var events []schemas.Event
				for _, id := range ids[:n] {
					events = append(events, event(id))
				}
				s.mustAppend(n, events...)
				ids = ids[n:]
			}
			s.close()
			before := s.State()
			toFormat2(t, cfg.Path)
			log := newLog(t)
			s = start(t, cfg, nil)
			after := s.State()
			before.Oldest = after.Oldest // of a running spool it is the clock
			if after != before {
				t.Errorf("state: got %+v, want %+v", after, before)
			}
			s.close()
			s = start(t, cfg, log) // it is not converted twice
			s.mustAppend(1, event("after"))
			log.holds(append(want, "after")...)
		})
	}
}

// toFormat2 makes the file what format 2 was.
func toFormat2(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for last := uint64(0); ; {
		var events uint64
		var body, old []byte
		err := db.QueryRow(`SELECT last, events, body FROM waiting WHERE last > ? ORDER BY last`, last).Scan(&last, &events, &body)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for pos := last - events + 1; len(body) > 0; pos++ {
			before := body
			if _, body, err = cutMessage(body, pos); err != nil {
				t.Fatal(err)
			}
			old = append(old, before[:len(before)-len(body)-checksumBytes]...)
		}
		if _, err := db.Exec(`UPDATE waiting SET body = ? WHERE last = ?`, old, last); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`PRAGMA user_version = 2`); err != nil {
		t.Fatal(err)
	}
}

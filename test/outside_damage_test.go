package test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestLogDamagedOutside swaps the store of the NATS server outside for an older
// copy, then for an empty one, while switchlog runs: neither is taken for the
// log. Webhooks are taken meanwhile, nothing is created or cut, also after
// another start; with the right store back all arrive.
func TestLogDamagedOutside(t *testing.T) {
	t.Parallel() // it waits more than it works
	o := startOutside(t)
	s := start(t, t.TempDir(), "--nats", o.url())
	s.fill()
	older, right := filepath.Join(t.TempDir(), "older"), filepath.Join(t.TempDir(), "right")
	o.kill()
	if err := os.CopyFS(older, os.DirFS(o.dir)); err != nil {
		t.Fatal(err)
	}
	o.start()
	for range 5 {
		if got := s.post(switchBody(uuid.NewString(), time.Now())); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
	}
	for _, c := range []struct {
		name, copy string
	}{
		{"older", older},
		{"empty", ""},
	} {
		before := len(Check(s))
		o.kill()
		if err := os.Rename(o.dir, right); err != nil {
			t.Fatal(err)
		}
		var err error
		if c.copy != "" {
			err = os.CopyFS(o.dir, os.DirFS(c.copy))
		} else {
			err = os.Mkdir(o.dir, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		o.start()
		await(t, "word of the "+c.name+" log", func() bool {
			_, _, body := s.get("/readyz")
			return strings.Contains(string(body), "the log is not the one we know")
		})
		checkDamaged(t, s, before-5)
		out, _, code := s.try("", "doctor")
		if code != 1 || !strings.Contains(out, "the log is not the one we know") || !strings.Contains(out, "put a good copy") || !strings.Contains(out, "store directory of a NATS server elsewhere") {
			t.Errorf("%s: doctor: exit code %d; said: %s; want what is wrong and what to do", c.name, code, out)
		}
		s.stop()
		s.start() // it is not forgotten either
		await(t, "word of the "+c.name+" log after a start", func() bool {
			_, _, body := s.get("/readyz")
			return strings.Contains(string(body), "the log is not the one we know")
		})
		checkDamaged(t, s, before-5)
		o.kill()
		if err := os.RemoveAll(o.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(right, o.dir); err != nil {
			t.Fatal(err)
		}
		o.start()
		s.ready() // without a restart
		if log := Check(s); len(log) != before+6 {
			t.Errorf("%s: log: got %d events with the right store back, want %d", c.name, len(log), before+6)
		}
	}
}

// TestFlippedBitInSpool flips a bit of an event that waits for a log that is
// away: what is before it arrives, it never does, those behind it wait, and
// webhooks are taken. With the bit put right all arrive.
func TestFlippedBitInSpool(t *testing.T) {
	t.Parallel() // it waits more than it works
	o := startOutside(t)
	s := start(t, t.TempDir(), "--nats", o.url())
	s.addPluralKit()
	before := s.settled()
	o.kill()
	post := func() string {
		t.Helper()
		id := uuid.NewString()
		if got := s.post(switchBody(id, time.Now())); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
		return id
	}
	post()
	id := post()
	post()
	s.stop()
	path := filepath.Join(s.dir, "spool.db")
	flipIn(`"id":"`+id[:8])(t, path)
	s.wantFinding("spool", "problem", "the disk has changed them", "put a good copy of the spool's file back")
	o.start()
	s.start()
	await(t, "word of the damage", func() bool {
		status, _, body := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), "an event that waits in the spool is damaged")
	})
	post()
	s.wantFinding("server", "problem", "the disk has changed them", "put a good copy of the spool's file back")
	if log := s.stream("EVENTS"); uint64(len(log)) != before+1 {
		t.Errorf("log: got %d events, want %d: those before the damage", len(log), before+1)
	}
	s.stop()
	flipIn(`"id":"`+id[:8])(t, path)
	s.start()
	s.ready()
	if log := Check(s); uint64(len(log)) != before+4 {
		t.Errorf("log: got %d events with the bit put right, want %d", len(log), before+4)
	}
}

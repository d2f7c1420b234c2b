package test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestDamage changes the files of a server that is off, as a bad disk does: one
// bit, a part cut off, a file gone. Whatever it is, the next start says so, or
// the next verify does; nothing is begun anew in silence, and a webhook is taken
// all the same.
func TestDamage(t *testing.T) {
	t.Parallel() // it waits more than it works
	const (
		gone = "put a good copy of the directory nats/ back"
		wal  = "-" // what its WAL holds decides what is true then: TestDatabaseLost, TestRebuild
	)
	for _, c := range []struct {
		name   string
		file   string
		damage func(t *testing.T, path string)
		says   [2]string // after a clean stop, after a kill; empty: it came back from the log
	}{
		{"a bit of an event", block, flipIn(`"members":["0b6c2a9e`), [2]string{"is there and cannot be read", gone}},
		{"a bit of a record's length", block, flipLength, [2]string{gone, gone}},
		{"a block cut short", block, cut(0.6), [2]string{gone, gone}},
		{"a block gone", block, remove, [2]string{gone, gone}},
		{"the log's description gone", "nats/jetstream/APP/streams/EVENTS/meta.inf", remove, [2]string{gone, gone}},
		{"the log gone", "nats/jetstream/APP/streams/EVENTS", remove, [2]string{gone, gone}},
		{"bits of the database", "projections.db", flipAll("0b6c2a9e-55d1"), [2]string{"rows differ from a replay", wal}},
		{"the database cut short", "projections.db", cut(0.6), [2]string{"", wal}},
		{"the database empty", "projections.db", cut(0), [2]string{"", ""}},
	} {
		for i, how := range []string{"clean stop", "kill"} {
			if c.says[i] == wal {
				continue
			}
			t.Run(c.name+" after a "+how, func(t *testing.T) {
				s := start(t, t.TempDir())
				s.addPluralKit()
				l := startLoad(t, s, 4)
				await(t, "load", func() bool { return l.accepted() >= 200 })
				l.stop()
				s.settled()
				if how == "kill" {
					s.kill()
				} else {
					s.stop()
				}
				c.damage(t, filepath.Join(s.dir, c.file))
				s.start()
				for range 3 {
					if got := s.post(switchBody(uuid.NewString(), time.Now())); got != http.StatusOK {
						t.Errorf("a webhook meanwhile: got %d, want 200", got)
					}
				}
				if c.says[i] == "" {
					s.ready()
					Check(s)
					return
				}
				status, _, body := s.get("/readyz")
				said := string(body)
				if status == http.StatusOK {
					_, said, _ = s.try("", "verify")
				}
				if !strings.Contains(said, c.says[i]) {
					t.Errorf("ready: %d; said: %s; want %q in it", status, said, c.says[i])
				}
				if c.file == "projections.db" {
					return // wrong, but whole: only a replay can tell
				}
				out, _, code := s.try("", "doctor")
				if code != 1 || !strings.Contains(out, c.says[i]) && !strings.Contains(out, "→ stop switchlog, "+gone) {
					t.Errorf("doctor: exit code %d; said: %s; want what is wrong with the log", code, out)
				}
			})
		}
	}
}

// flipIn flips a bit behind the middle one of the places where the file has
// text.
func flipIn(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		b := readFile(t, path)
		n := bytes.Count(b, []byte(text))
		if n == 0 {
			t.Fatalf("%s is not in %s", text, path)
		}
		at := 0
		for range n/2 + 1 {
			at += bytes.Index(b[at:], []byte(text)) + len(text)
		}
		b[at] ^= 1
		writeFile(t, path, string(b))
	}
}

// flipAll flips a bit in the last letter of text wherever the file has it.
func flipAll(text string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		flipped := text[:len(text)-1] + string(text[len(text)-1]^4)
		writeFile(t, path, strings.ReplaceAll(string(readFile(t, path)), text, flipped))
	}
}

// flipLength flips a bit in the length of a record in the middle of a block:
// 22 bytes before its subject (length 4, sequence 8, time 8, length of the
// subject 2).
func flipLength(t *testing.T, path string) {
	t.Helper()
	b := readFile(t, path)
	at := len(b) / 2
	at += bytes.Index(b[at:], []byte("log.events.")) - 22
	b[at] ^= 4
	writeFile(t, path, string(b))
}

// cut leaves the first part of the file.
func cut(part float64) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		b := readFile(t, path)
		writeFile(t, path, string(b[:int(part*float64(len(b)))]))
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

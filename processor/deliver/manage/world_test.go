package manage_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const testSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"

// fakeLog keeps what is appended, and drops repeats as the spool does. It
// fails the test when it is handed something that is no event.
type fakeLog struct {
	t      testing.TB
	mu     sync.Mutex
	events []schemas.Event
	seen   map[string]bool
	err    error        // nothing is stored, and this is returned
	before func()       // called first
	after  func() error // called when all is stored; its error is returned
}

func newLog(t testing.TB) *fakeLog { return &fakeLog{t: t, seen: map[string]bool{}} }

func (l *fakeLog) Append(ctx context.Context, events ...schemas.Event) (fresh int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.before != nil {
		l.before()
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if l.err != nil {
		return 0, l.err
	}
	if len(events) == 0 {
		l.t.Error("Append of no events")
	}
	for _, e := range events {
		if err := e.Validate(); err != nil {
			l.t.Errorf("Append of what is no event: %v", err)
		}
		if e.ID == "" || e.Route.Source == "" || e.Route.Tenant == "" || e.Route.Noun == "" || e.Route.Verb == "" {
			l.t.Errorf("Append of an event without id or route: %+v", e)
		}
		if l.seen[e.MsgID()] {
			if e.Repeats == 0 {
				l.t.Errorf("id %s twice, but it never repeats", e.ID)
			}
			continue
		}
		l.seen[e.MsgID()] = true
		l.events = append(l.events, e)
		fresh++
	}
	if l.after != nil {
		return fresh, l.after()
	}
	return fresh, nil
}

func (l *fakeLog) all() []schemas.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]schemas.Event(nil), l.events...)
}

var errDiskFull = errors.New("disk full")

// clock is a clock the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// output is where a test's log lines go.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// world is a registry, and a log that it appends to.
type world struct {
	dir   string
	clock *clock
	lines *output
	log   *fakeLog
	reg   *registry.Registry
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), clock: newClock(), lines: &output{}, log: newLog(t)}
	var err error
	w.reg, err = registry.Open(t.Context(), registry.Config{
		Path: filepath.Join(w.dir, "secrets.db"), KeyPath: filepath.Join(w.dir, "secret.key"), Now: w.clock.Now,
		Log: slog.New(slog.NewTextHandler(w.lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, w.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.reg.Close() })
	return w
}

// replied is an answer that was read whole.
type replied struct {
	status int
	header http.Header
	body   string
}

// nowhere reports a secret that is in secrets.db, its journal, the log lines
// or an event.
func (b *world) nowhere(t testing.TB, secrets ...string) {
	t.Helper()
	places := map[string]string{"log lines": b.lines.String()}
	for _, e := range b.log.all() {
		m, err := e.Message()
		if err != nil {
			t.Fatal(err)
		}
		places["event "+e.ID] = m.Subject + m.ID + string(m.Body)
	}
	files, err := filepath.Glob(filepath.Join(b.dir, "secrets.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of secrets.db (%v)", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		places[file] = string(raw)
	}
	for place, text := range places {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s holds a secret", place)
			}
		}
	}
}

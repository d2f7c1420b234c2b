package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// TestStop: SIGTERM ends the server with 0 in bounded time, whoever still
// hangs on it, and it starts where it was.
func TestStop(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.fill()
	var lines strings.Builder // more than the kernel's buffers hold, for a replay nobody reads
	for i := range 150 {
		line := event(t, fmt.Sprint("long-", i), time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC))
		fmt.Fprintln(&lines, strings.Replace(line, `"members":[]`, `"members":[],"x":"`+strings.Repeat("x", 60_000)+`"`, 1))
	}
	s.cli(lines.String(), "import", "-")
	last := s.settled()
	token := s.token()

	stream := s.changes("")
	stream.read()
	for range 20 {
		s.dial()
		c := s.dial()
		if _, err := fmt.Fprint(c, "POST /in/pluralkit HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.Private+"/api/admin/replay", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	unread, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Body.Close()
	nc := s.admin()
	type sourceSeen struct {
		Accepted  uint64 `json:"accepted"`
		LastEvent string `json:"last_event"`
		LastPing  string `json:"last_ping"`
	}
	seenOf := func() sourceSeen {
		t.Helper()
		var list []sourceSeen
		if err := json.Unmarshal([]byte(s.cli("", "source", "list", "--json")), &list); err != nil || len(list) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return list[0]
	}
	seen := seenOf()
	if seen.Accepted == 0 || seen.LastEvent == "" || seen.LastPing == "" {
		t.Errorf("of the source is known: %+v", seen)
	}
	endpoints := filepath.Join(s.dir, "endpoints.json")
	checkModes(t, s.dir)
	secondServer(t, s)
	s.stop()
	if _, err := os.Stat(endpoints); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("endpoints.json after a clean stop: got %v, want it gone", err)
	}
	if _, errOut, code := s.try("", "status"); code != 1 || !strings.Contains(errOut, "no server runs") {
		t.Errorf("status without a server: got exit code %d, %s", code, errOut)
	}
	nc.Close()
	stream.cancel()
	if strings.Contains(s.out.String(), "not stopped cleanly") {
		t.Error("it says that it was not stopped cleanly, at its first start")
	}

	s.args = append(s.args, "--log-format", "json")
	before := len(s.out.String())
	s.start()
	said := s.out.String()[before:]
	for line := range strings.Lines(said) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil || strings.Contains(line, "not stopped cleanly") {
			t.Errorf("with JSON logs, after a clean stop, it says %q: %v", line, err)
		}
	}
	for _, listener := range []string{`"listener":"public","url":"http://`, `"listener":"private","url":"http://`, `"listener":"nats","url":"nats://`} {
		if !strings.Contains(said, listener) {
			t.Errorf("got %s, want %s in it", said, listener)
		}
	}
	s.ready()
	if now := seenOf(); now != seen {
		t.Errorf("of the source is known after a restart: %+v, before: %+v", now, seen)
	}
	if now := s.settled(); now != last {
		t.Errorf("log: got %d events after a restart, want %d", now, last)
	}
	if s.token() != token {
		t.Error("the admin token is another one after a restart")
	}
	if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
		t.Errorf("the source is forgotten: got %d, want 200", got)
	}
	checkModes(t, s.dir)
	if log := Check(s); uint64(len(log)) != last+1 {
		t.Errorf("log: got %d events, want %d", len(log), last+1)
	}
}

// checkModes: what is kept is its owner's alone.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // a temporary file
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		// Below nats/ JetStream chooses the modes; nobody else gets there.
		inside := strings.Contains(path, string(filepath.Separator)+"nats"+string(filepath.Separator))
		if path != dir && !inside && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, want nothing for others", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// secondServer: one data directory, one server; the first is not disturbed.
func secondServer(t *testing.T, s *server) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(s.dir, "endpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	_, errOut, code := runIn(t, t.TempDir(), nil, "serve", "--data", s.dir, "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(errOut, "another") || !strings.Contains(errOut, "(hint: ") {
		t.Errorf("a second server: got exit code %d, %s, want 1, and that another runs", code, errOut)
	}
	if after, err := os.ReadFile(filepath.Join(s.dir, "endpoints.json")); err != nil || string(after) != string(before) {
		t.Errorf("a second server: endpoints.json: got %s, %v, want %s", after, err, before)
	}
}

// TestDataDirectory: a directory that is not there is made, for its owner
// alone; modes of the whole are kept small.
func TestDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := start(t, dir)
	s.ready()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: got %v, %v, want mode 0700", dir, info.Mode(), err)
	}
	checkModes(t, dir)
	var e struct{ PID int }
	b, err := os.ReadFile(filepath.Join(dir, "endpoints.json"))
	if err := errors.Join(err, json.Unmarshal(b, &e)); err != nil || e.PID != s.cmd.Process.Pid {
		t.Errorf("endpoints.json: got %s, %v, want pid %d", b, err, s.cmd.Process.Pid)
	}
	Check(s)
}

// TestDatabaseLost: without its file the database comes back the same, and
// nothing is published a second time.
func TestDatabaseLost(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.fill()
	log := Check(s)
	want, changes := dump(t, s, log), bodies(s.stream("CHANGES"))
	for range rounds(2, 20) {
		s.stop()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(s.dir, "projections.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		s.start()
		s.ready()
		compareTables(t, dump(t, s, Check(s)), want)
		if now := bodies(s.stream("CHANGES")); now != changes {
			t.Errorf("changes: got %d, want %d as before", strings.Count(now, "\n"), strings.Count(changes, "\n"))
		}
	}
	// And it goes on.
	if got := s.post(samples(t)["02-update_system-cleared"]); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	Check(s)
}

// TestLogDamaged: a log that is gone, or older than what is known of it, is
// never taken for a new one. Webhooks are taken meanwhile, and arrive once the
// right log is back.
func TestLogDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, nats, older string){
		"gone": func(*testing.T, string, string) {},
		"older": func(t *testing.T, nats, older string) {
			if err := os.CopyFS(nats, os.DirFS(older)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir())
			s.fill()
			s.stop()
			nats, older, right := filepath.Join(s.dir, "nats"), filepath.Join(t.TempDir(), "older"), filepath.Join(t.TempDir(), "right")
			if err := os.CopyFS(older, os.DirFS(nats)); err != nil {
				t.Fatal(err)
			}
			s.start()
			for range 5 {
				if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
					t.Fatalf("got %d, want 200", got)
				}
			}
			before := len(Check(s))
			s.stop()
			if err := os.Rename(nats, right); err != nil {
				t.Fatal(err)
			}
			damage(t, nats, older)
			s.start()
			checkDamaged(t, s, before-5)
			s.stop()
			s.start() // it is not forgotten either
			checkDamaged(t, s, before-5)
			s.kill()

			if err := os.RemoveAll(nats); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(right, nats); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.ready()
			if log := Check(s); len(log) != before+6 {
				t.Errorf("log: got %d events with the right log back, want %d", len(log), before+6)
			}
		})
	}
}

// checkDamaged wants a server that says what is wrong, takes three events, and
// leaves the log alone: not there, or with so many events.
func checkDamaged(t *testing.T, s *server, events int) {
	t.Helper()
	for range 3 {
		if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
			t.Errorf("a webhook meanwhile: got %d, want 200", got)
		}
	}
	status, _, body := s.get("/readyz")
	if status != 503 || !strings.Contains(string(body), "the log is not the one we know") || !strings.Contains(string(body), "(hint: ") {
		t.Errorf("readyz: got %d %s, want 503 and what is wrong", status, body)
	}
	out, _, code := s.try("", "status")
	if code != 1 || !strings.Contains(out, "NOT READY") || !strings.Contains(out, "the log is not the one we know") {
		t.Errorf("status: got exit code %d, %s; want 1 and what is wrong", code, out)
	}
	if status, _, _ := s.get("/healthz"); status != 200 {
		t.Errorf("healthz: got %d, want 200: it lives", status)
	}
	js, err := jetstream.New(s.admin())
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(t.Context(), "EVENTS")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := st.CachedInfo().State.Msgs; got != uint64(events) {
		t.Errorf("the damaged log: got %d events, want %d: it was written to", got, events)
	}
}

package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	testToken  = "example-token-not-a-real-secret" // of all bodies in testdata
	testSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
)

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

// webhooks are the events that did not come from the registry.
func (l *fakeLog) webhooks() []schemas.Event {
	var events []schemas.Event
	for _, e := range l.all() {
		if e.Route.Source != schemas.SelfSource {
			events = append(events, e)
		}
	}
	return events
}

func (l *fakeLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
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

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
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

func (o *output) logger() *slog.Logger { return slog.New(slog.NewTextHandler(o, nil)) }

// bench is everything of this package, wired together.
type bench struct {
	dir   string
	clock *clock
	lines *output
	log   *fakeLog
	reg   *registry.Registry
	edge  *httptest.Server
	admin *httptest.Server
}

func newBench(t testing.TB, c EdgeConfig) *bench {
	t.Helper()
	return newBenchIn(t, t.TempDir(), newClock(), registry.Config{}, c)
}

// newBenchIn is newBench in a directory, with what r says besides paths.
func newBenchIn(t testing.TB, dir string, now *clock, r registry.Config, c EdgeConfig) *bench {
	t.Helper()
	b := &bench{dir: dir, clock: now, lines: &output{}, log: newLog(t)}
	config := registryConfig(dir, now, b.lines)
	config.LogKnows, config.Whose = r.LogKnows, r.Whose
	var err error
	if b.reg, err = registry.Open(t.Context(), config, b.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.reg.Close() })
	c.Now, c.Log = b.clock.Now, slog.New(slog.NewTextHandler(b.lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.edge = httptest.NewServer(NewEdge(c, b.reg, b.log))
	t.Cleanup(b.edge.Close)
	b.admin = httptest.NewServer(registry.NewHandler(b.reg))
	t.Cleanup(b.admin.Close)
	return b
}

func openRegistry(t testing.TB, dir string, c *clock, lines *output, log Appender) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), registryConfig(dir, c, lines), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func registryConfig(dir string, c *clock, lines *output) registry.Config {
	return registry.Config{
		Kinds: Kinds,
		Path:  filepath.Join(dir, "secrets.db"), KeyPath: filepath.Join(dir, "secret.key"), SeenPath: filepath.Join(dir, "seen.json"),
		PublicURL: "https://hooks.example.org/", Now: c.Now,
		Log: slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// addUnsaid adds a PluralKit source that does not say whose it is, beside any others: as a log of an
// earlier version has it. Its event comes from another node with the same key.
func (b *bench) addUnsaid(t testing.TB, name, token string) {
	t.Helper()
	dir := t.TempDir()
	key, err := os.ReadFile(filepath.Join(b.dir, "secret.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "secret.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	log := newLog(t)
	other := openRegistry(t, dir, b.clock, b.lines, log)
	if _, err := other.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: name, Secrets: map[string]string{"token": token}}); err != nil {
		t.Fatal(err)
	}
	if err := b.reg.Merge(t.Context(), log.all()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Append(t.Context(), log.all()...); err != nil {
		t.Fatal(err)
	}
}

// secretsDB is the file of a registry, beside the registry's own connection.
func secretsDB(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "secrets.db")+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// count is how many rows of secrets.db there are.
func count(t testing.TB, dir, rows string) (n int) {
	t.Helper()
	if err := secretsDB(t, dir).QueryRowContext(context.Background(), "SELECT count(*) FROM "+rows).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func secretsIn(t testing.TB, dir string) int { return count(t, dir, "secrets") }
func eventsIn(t testing.TB, dir string) int  { return count(t, dir, "events") }

// markedIn is how many events are not known to be in the log.
func markedIn(t testing.TB, dir string) int { return count(t, dir, "events WHERE spooled = 0") }

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// byToken is the PluralKit source with that token; nil: there is none.
func byToken(r *registry.Registry, token string) *registry.Entry {
	return r.FindByToken("pluralkit", sha256.Sum256([]byte(token)))
}

// add adds the PluralKit source that testdata is from.
func (b *bench) add(t testing.TB) {
	t.Helper()
	_, err := b.reg.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: "home",
		Settings: map[string]string{"system": testSystem}, Secrets: map[string]string{"token": testToken}})
	if err != nil {
		t.Fatal(err)
	}
}

// postTo posts an empty JSON object and returns the status.
func (b *bench) postTo(t testing.TB, path string) int {
	t.Helper()
	resp, err := http.Post(b.edge.URL+path, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// post sends a body to PluralKit's path and checks what holds for every
// answer: an error is a short JSON object, a success is empty.
func (b *bench) post(t testing.TB, body string) int {
	t.Helper()
	resp, err := http.Post(b.edge.URL+"/in/pluralkit", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	checkAnswer(t, resp)
	return resp.StatusCode
}

func checkAnswer(t testing.TB, resp *http.Response) {
	t.Helper()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		if len(got) != 0 {
			t.Errorf("success with body %q, want none", got)
		}
	case len(got) > 200 || !bytes.HasPrefix(got, []byte(`{"error":"`)) || !validJSON(got):
		t.Errorf("status %d with body %q, want a short {\"error\":…}", resp.StatusCode, got)
	case resp.Header.Get("Content-Type") != "application/json":
		t.Errorf("status %d with Content-Type %q, want application/json", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
}

// command calls the private API and gives status and body.
func (b *bench) command(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.admin.URL+"/api/admin/sources"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(got))
}

// replied is an answer that was read whole.
type replied struct {
	status int
	header http.Header
	body   string
}

// send sends a request to the public listener and checks what holds for every
// error: it is a short JSON object.
func (b *bench) send(t testing.TB, method, path string, header http.Header, body string) replied {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.edge.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		checkAnswer(t, resp)
		return replied{resp.StatusCode, resp.Header, ""}
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return replied{resp.StatusCode, resp.Header, string(got)}
}

// addSource adds a source of any kind.
func (b *bench) addSource(t testing.TB, n registry.NewSource) registry.Added {
	t.Helper()
	added, err := b.reg.Add(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// nowhere reports a secret that is in secrets.db, its journal, the log lines
// or an event.
func (b *bench) nowhere(t testing.TB, secrets ...string) {
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

// samples are the files of a folder in testdata, by name.
func samples(t testing.TB, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + folder + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples of %s (%v)", len(files), folder, err)
	}
	all := map[string]string{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = string(raw)
	}
	return all
}

// golden holds got against a file in testdata; -update rewrites it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

package test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"switchlog/test/mix"
)

// fill lets the sample system in and sends all samples, in the order of their
// names, less those that are refused.
func (s *server) fill() {
	s.t.Helper()
	s.addPluralKit()
	all := samples(s.t)
	for _, name := range sortedKeys(all) {
		if got := s.post(all[name]); got != 200 && got != 401 {
			s.t.Fatalf("%s: got %d", name, got)
		}
	}
	s.ready()
	s.settled()
}

// bodies are what a replay of these messages is, line by line.
func bodies(log []stored) string {
	var b strings.Builder
	for _, m := range log {
		b.Write(m.Body)
		b.WriteByte('\n')
	}
	return b.String()
}

// TestReplay: what is replayed equals the log byte for byte, wherever it goes,
// and the bounds and filters take exactly what they say.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.fill()
	log := Check(s)
	pick := func(want func(i int, typ, tenant string) bool) []stored {
		var some []stored
		for i, m := range log {
			var e struct{ Type string }
			if err := json.Unmarshal(m.Body, &e); err != nil {
				t.Fatal(err)
			}
			if want(i, e.Type, strings.Split(m.Subject, ".")[3]) {
				some = append(some, m)
			}
		}
		return some
	}
	last := fmt.Sprint(len(log))
	middle := storedAt(t, s, 30)
	for _, c := range []struct {
		name string
		args []string
		want []stored
	}{
		{"all", nil, log},
		{"out -", []string{"--out", "-"}, log},
		{"type", []string{"--type", "me.pluralkit.switch.*"}, pick(func(_ int, typ, _ string) bool { return strings.HasPrefix(typ, "me.pluralkit.switch.") })},
		{"type from both ends", []string{"--type", "*.create"}, pick(func(_ int, typ, _ string) bool { return strings.HasSuffix(typ, ".create") })},
		{"type of none", []string{"--type", "com.example.none"}, nil},
		{"tenant", []string{"--tenant", sampleSystem}, pick(func(_ int, _, tenant string) bool { return tenant == sampleSystem })},
		{"from seq", []string{"--from", "40"}, log[39:]},
		{"to seq", []string{"--to", "40"}, log[:40]},
		{"one", []string{"--from", "40", "--to", "40"}, log[39:40]},
		{"last", []string{"--from", last}, log[len(log)-1:]},
		{"beyond the end", []string{"--from", "100000"}, nil},
		{"to beyond the end", []string{"--to", "100000"}, log},
		{"from above to", []string{"--from", "10", "--to", "9"}, nil},
		{"from time", []string{"--from", middle}, log[29:]},
		{"to time", []string{"--to", middle}, log[:29]},
		{"times of before", []string{"--to", "2001-01-01T00:00:00Z"}, nil},
		{"from a time to come", []string{"--from", "2999-01-01"}, nil},
		{"to a time to come", []string{"--to", "2999-01-01"}, log},
		{"from duration", []string{"--from", "1h"}, log},
		{"to duration", []string{"--to", "1h"}, nil},
		{"all at once", []string{"--from", "20", "--to", "60", "--type", "*.member.*", "--tenant", sampleSystem},
			pick(func(i int, typ, tenant string) bool {
				return i >= 19 && i < 60 && strings.Contains(typ, ".member.") && tenant == sampleSystem
			})},
	} {
		if got := s.cli("", append([]string{"replay"}, c.args...)...); got != bodies(c.want) {
			t.Errorf("%s: got %d events, want %d\ngot\n%s\nwant\n%s", c.name, strings.Count(got, "\n"), len(c.want), tail(got, 600), tail(bodies(c.want), 600))
		}
	}

	file := filepath.Join(t.TempDir(), "events.ndjson")
	if out := s.cli("", "replay", "--out", file); out != "" {
		t.Errorf("--out FILE: standard output: got %q, want nothing", out)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != bodies(log) {
		t.Errorf("--out FILE: got %d bytes, %v, want the log", len(b), err)
	}
	replayToNATS(t, s, log)
	replayToHTTP(t, s, log)
	for _, args := range [][]string{
		{"--speed", "fast"}, {"--speed", "-1x"}, {"--out", "nats:"}, {"--out", "nats:log.events.pluralkit.x.switch.create"},
		{"--out", "nats:events.x"}, {"--out", "nats:a.>"}, {"--bogus"}, {"extra"}, {"--from", "tomorrow"}, {"--to", "-5"},
	} {
		if _, errOut, code := s.try("", append([]string{"replay"}, args...)...); code != 2 || errOut == "" {
			t.Errorf("replay %v: got exit code %d, %q, want 2 and why", args, code, errOut)
		}
	}
	if _, errOut, code := s.try("", "replay", "--out", filepath.Join(t.TempDir(), "no", "such")); code != 1 || errOut == "" {
		t.Errorf("replay into a folder there is not: got exit code %d, %q, want 1 and why", code, errOut)
	}
	if now := Check(s); len(now) != len(log) {
		t.Errorf("log: got %d events after the replays, want %d as before", len(now), len(log))
	}
}

// storedAt is when the log stored a message, which is what times bound.
func storedAt(t *testing.T, s *server, seq uint64) string {
	t.Helper()
	return s.message("EVENTS", seq).Time.UTC().Format(time.RFC3339Nano)
}

func replayToNATS(t *testing.T, s *server, log []stored) {
	t.Helper()
	nc := s.admin()
	sub, err := nc.SubscribeSync("replay.mine")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	s.cli("", "replay", "--out", "nats:replay.mine")
	for i, want := range log {
		m, err := sub.NextMsg(startWithin)
		if err != nil {
			t.Fatalf("--out nats: message %d: %v", i+1, err)
		}
		if !bytes.Equal(m.Data, want.Body) || m.Header.Get("Content-Type") != "application/cloudevents+json" {
			t.Errorf("--out nats: message %d: got %s %s\nwant %s", i+1, m.Header, m.Data, want.Body)
		}
	}
	if n, _, err := sub.Pending(); err != nil || n > 0 {
		t.Errorf("--out nats: %d messages too many, %v", n, err)
	}
}

// receiver is a strict receiver of CloudEvents: it takes each in its turn, and
// refuses from the given one on.
type receiver struct {
	t        *testing.T
	refuseAt int // 0: never

	mu  sync.Mutex // guards what follows
	got [][]byte
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil || req.Method != "POST" || req.URL.Path != "/in" || req.ContentLength != int64(len(body)) ||
		req.Header.Get("Content-Type") != "application/cloudevents+json" || req.Header.Get("Authorization") != "" {
		r.t.Errorf("--out http: got %s %s %v, %v", req.Method, req.URL, req.Header, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuseAt > 0 && len(r.got)+1 >= r.refuseAt {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	r.got = append(r.got, body)
	w.WriteHeader(http.StatusAccepted)
}

func replayToHTTP(t *testing.T, s *server, log []stored) {
	t.Helper()
	whole := &receiver{t: t}
	to := httptest.NewServer(whole)
	defer to.Close()
	s.cli("", "replay", "--out", to.URL+"/in")
	if got := string(bytes.Join(whole.got, []byte("\n"))) + "\n"; got != bodies(log) {
		t.Errorf("--out http: got %d events, want %d, the same ones", len(whole.got), len(log))
	}
	half := &receiver{t: t, refuseAt: 10}
	refuses := httptest.NewServer(half)
	defer refuses.Close()
	_, errOut, code := s.try("", "replay", "--out", refuses.URL+"/in")
	if code != 1 || !strings.Contains(errOut, "418") || !strings.Contains(errOut, "(hint: ") || len(half.got) != 9 {
		t.Errorf("--out http to one that refuses: got exit code %d after %d events: %s, want 1, 9 and a hint", code, len(half.got), errOut)
	}
}

// TestReplaySpeed: 1x keeps the pauses there were, max does not.
func TestReplaySpeed(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	var lines strings.Builder
	for i := range 3 {
		fmt.Fprintln(&lines, event(t, fmt.Sprint("speed-", i), time.Date(2026, 1, 1, 0, 0, 0, i*400_000_000, time.UTC)))
	}
	s.cli(lines.String(), "import", "-")
	s.settled()
	begun := time.Now()
	want := s.cli("", "replay")
	fast := time.Since(begun)
	begun = time.Now()
	got := s.cli("", "replay", "--speed", "1x")
	if slow := time.Since(begun); slow < 800*time.Millisecond {
		t.Errorf("1x: took %v, want at least 800ms", slow)
	}
	if got != want {
		t.Errorf("1x: got %s\nwant %s", got, want)
	}
	t.Logf("max took %v", fast)
	Check(s)
}

// event is a CREATE_SWITCH as a line of a file.
func event(t *testing.T, id string, at time.Time) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": id, "source": "https://api.pluralkit.me/v2/systems/" + sampleSystem,
		"type": "me.pluralkit.switch.create", "subject": uuid.NewString(), "time": at.Format(time.RFC3339Nano),
		"data": map[string]any{"timestamp": at.Format(time.RFC3339Nano), "members": []string{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestImport: the file of a replay, taken into a fresh server, gives the same
// tables; once more changes nothing.
func TestImport(t *testing.T) {
	t.Parallel()
	from := start(t, t.TempDir())
	from.fill()
	if got := from.post([]byte(`{"type":"UPDATE_MEMBER","signing_token":"` + sampleToken + `","system_id":"` + sampleSystem + `","id":"x","data":7}`)); got != 200 {
		t.Errorf("an event to set aside: got %d, want 200", got)
	}
	log := Check(from)
	file := filepath.Join(t.TempDir(), "events.ndjson")
	from.cli("", "replay", "--out", file)

	to := start(t, t.TempDir())
	ours := len(log) - 1 // less the registry's source.added, which is about the other server
	if got, want := to.cli("", "import", file), fmt.Sprintf("%d events read: %d new, 0 already known\n", len(log), ours); got != want {
		t.Errorf("import: got %q, want %q", got, want)
	}
	to.ready()
	copied := Check(to)
	if bodies(copied) != bodies(log[1:]) {
		t.Errorf("the log after an import: got %d events, want the same bytes of %d", len(copied), ours)
	}
	compareTables(t, dump(t, to, copied), dump(t, from, log))

	again := to.cli("", "import", file, "--json")
	if want := fmt.Sprintf(`"known": %d`, ours); !strings.Contains(again, want) || !strings.Contains(again, `"new": 0`) {
		t.Errorf("import again: got %s, want %s", again, want)
	}
	from.cli("", "import", file)
	for name, s := range map[string]*server{"the new server": to, "the old server": from} {
		want := copied
		if s == from {
			want = log
		}
		if now := Check(s); bodies(now) != bodies(want) {
			t.Errorf("%s: log: got %d events after a second import, want %d as before", name, len(now), len(want))
		}
	}
	// Across a restart, too: what the spool remembers is not what counts.
	to.stop()
	to.start()
	to.ready()
	to.cli("", "import", file)
	if now := Check(to); len(now) != ours {
		t.Errorf("log: got %d events after a restart and another import, want %d", len(now), ours)
	}
	importFaults(t, to, ours)
}

// importFaults imports a file with faults: each line that is wrong is told, the
// others are taken, and the exit code is 1.
func importFaults(t *testing.T, s *server, before int) {
	t.Helper()
	good := func(id string) string { return event(t, id, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)) }
	file := filepath.Join(t.TempDir(), "bad.ndjson")
	lines := []string{
		good("good-1"),
		"no JSON",
		"",
		`{"specversion":"1.0"}`,
		strings.Replace(good("bad-1"), "me.pluralkit.switch.create", "com.example.unheard", 1),
		strings.Replace(good("bad-2"), "https://api.pluralkit.me/v2/systems/", "https://example.org/", 1),
		strings.Replace(good("bad-3"), `"1.0"`, `"0.3"`, 1),
		good(strings.Repeat("x", 1025)),
		strings.Replace(good("bad-4"), "me.pluralkit.switch.create", "switchlog.front.changed", 1),
		good("good-2") + "\r",
		good("good-1"),
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := s.try("", "import", file)
	if code != 1 || !strings.Contains(out, "10 events read: 2 new, 1 already known") {
		t.Errorf("import of a bad file: got exit code %d, %q, want 1, 2 new, 1 known", code, out)
	}
	for _, line := range []int{2, 4, 5, 6, 7, 8, 9} {
		if !strings.Contains(errOut, fmt.Sprintf("line %d: ", line)) {
			t.Errorf("import of a bad file: line %d is not told: %s", line, errOut)
		}
	}
	for _, line := range []int{1, 3, 10, 11} {
		if strings.Contains(errOut, fmt.Sprintf("line %d: ", line)) {
			t.Errorf("import of a bad file: line %d is refused: %s", line, errOut)
		}
	}
	if _, errOut, code := s.try("", "import", filepath.Join(t.TempDir(), "none")); code != 1 || errOut == "" {
		t.Errorf("import of no file: got exit code %d, %q, want 1 and why", code, errOut)
	}
	if now := Check(s); len(now) != before+2 {
		t.Errorf("log: got %d events, want %d", len(now), before+2)
	}
}

// dump gives every table of the database but for what is this server's own:
// the epoch of its log. A sequence is replaced by the event that has it,
// since the other log begins with other events of the registry.
func dump(t *testing.T, s *server, log []stored) map[string][]string {
	t.Helper()
	db := s.database()
	id := func(seq string) string {
		var n int
		if _, err := fmt.Sscan(seq, &n); err != nil || n < 1 || n > len(log) {
			t.Fatalf("sequence %q is not in the log of %d", seq, len(log))
		}
		return log[n-1].MsgID
	}
	tables := map[string][]string{}
	for _, table := range rows(t, db, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'") {
		columns := rows(t, db, fmt.Sprintf("SELECT name FROM pragma_table_info('%s') WHERE name <> 'epoch'", table))
		for i, c := range columns {
			columns[i] = fmt.Sprintf("quote(%q)", c)
			if c == "seq" {
				columns[i] = "seq" // last, below
			}
		}
		at := slices.Index(columns, "seq")
		if at >= 0 {
			columns = append(slices.Delete(columns, at, at+1), "seq")
		}
		all := rows(t, db, fmt.Sprintf("SELECT %s FROM %q", strings.Join(columns, " || '|' || "), table))
		if at >= 0 {
			for i, line := range all {
				cut := strings.LastIndexByte(line, '|')
				all[i] = line[:cut+1] + id(line[cut+1:])
			}
		}
		slices.Sort(all)
		tables[table] = all
	}
	return tables
}

// compareTables wants the same tables with the same rows, and many of both.
func compareTables(t *testing.T, got, want map[string][]string) {
	t.Helper()
	filled := 0
	for _, table := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(sortedKeys(got), sortedKeys(want))))) {
		if !slices.Equal(got[table], want[table]) {
			t.Errorf("table %s: got\n%s\nwant\n%s", table, strings.Join(got[table], "\n"), strings.Join(want[table], "\n"))
		}
		filled += cmp.Compare(len(got[table]), 0)
	}
	if filled < 10 {
		t.Errorf("only %d tables have rows: the comparison says little", filled)
	}
}

// message reads one stored message.
func (s *server) message(stream string, seq uint64) *nats.RawStreamMsg {
	s.t.Helper()
	js, err := s.admin().JetStream()
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), startWithin)
	defer cancel()
	m, err := js.GetMsg(stream, seq, nats.Context(ctx))
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// TestImportWaits: an import of many events is not done long before the database
// has them.
func TestImportWaits(t *testing.T) {
	t.Parallel()
	const ahead = 4000 // as ingest has it
	var lines bytes.Buffer
	m := mix.New(1, 20)
	for range 2*ahead + 1 {
		line, err := m.Next().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, t.TempDir())
	s.cli("", "import", file)
	var st struct {
		Projection struct{ Position uint64 }
	}
	if _, _, body := s.get("/api/admin/status"); json.Unmarshal(body, &st) != nil || st.Projection.Position < ahead {
		t.Errorf("the database is at %d when the import of %d is done, want at least %d", st.Projection.Position, 2*ahead+1, ahead)
	}
	s.settled()
}

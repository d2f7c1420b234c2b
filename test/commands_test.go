package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestCommands: what a person asks in the shell, answered as documented.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.fill()
	log := s.stream("EVENTS")

	if out := s.cli("", "sql", "SELECT name, pronouns FROM systems"); !regexp.MustCompile(`(?m)^Harbour House +they/them$`).MatchString(out) {
		t.Errorf("sql: got %s", out)
	}
	var objects []map[string]any
	out := s.cli("", "sql", "--json", "SELECT uuid, listed FROM switches ORDER BY uuid LIMIT 2")
	if err := json.Unmarshal([]byte(out), &objects); err != nil || len(objects) != 2 || objects[0]["uuid"] == "" {
		t.Errorf("sql --json: got %s, %v, want two objects", out, err)
	}
	sqlReadsOnly(t, s)

	var front struct {
		System string `json:"system_uuid"`
	}
	out = s.cli("", "query", "fronters")
	if err := json.Unmarshal([]byte(out), &front); err != nil || front.System != sampleSystem {
		t.Errorf("query fronters: got %s, %v", out, err)
	}
	if out := s.cli("", "query"); !strings.Contains(out, "fronters") || !strings.Contains(out, "timeline") {
		t.Errorf("query: got %s, want the list of queries", out)
	}
	for _, args := range [][]string{{"query", "fronters", "tenant=nosuch"}, {"replay", "--tenant", "nosuch"}, {"tail", "--tenant", "nosuch"}} {
		if _, errOut, code := s.try("", args...); code != 1 || !strings.Contains(errOut, `there is no tenant "nosuch"`) {
			t.Errorf("%v: got exit code %d, %q, want 1 and that there is no such tenant", args, code, errOut)
		}
	}
	for _, args := range [][]string{{"query", "switches", "limit=-1"}, {"query", "fronters", "at=yesterday"}, {"replay", "--from", "garbage"}} {
		if _, errOut, code := s.try("", args...); code != 2 || errOut == "" {
			t.Errorf("%v: got exit code %d, %q, want 2", args, code, errOut)
		}
	}
	explains(t, s, log)

	out = s.cli("", "schema", "show", "me.pluralkit.switch.create")
	if !json.Valid([]byte(out)) || !strings.Contains(out, "urn:switchlog:schema:me.pluralkit.switch.create:1") {
		t.Errorf("schema show: got %s", out)
	}
	if out := s.cli("", "schema", "list"); !strings.Contains(out, "me.pluralkit.switch.create") || !strings.Contains(out, "CREATE_SWITCH") {
		t.Errorf("schema list: got %s", out)
	}
	dir := filepath.Join(t.TempDir(), "schemas")
	s.cli("", "schema", "export", dir)
	if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
		t.Errorf("schema export: got %d files, %v", len(files), err)
	}
	for _, args := range [][]string{
		{"version", "--json"}, {"status", "--json"}, {"source", "list", "--json"}, {"schema", "list", "--json"}, {"query", "switches"},
		{"explain", "systems", sampleSystem, "--json"}, {"sql", "--json", "SELECT 1"}, {"access", "show", "admin", "--json"},
		{"source", "show", "pluralkit", sampleSystem, "--json"}, {"source", "test", sampleSystem, "--json"},
	} {
		if out := s.cli("", args...); !json.Valid([]byte(out)) {
			t.Errorf("%v: got %s, want JSON", args, out)
		}
	}
	Check(s)
}

// sqlReadsOnly: no statement changes anything, reaches other files, or can be
// used to wait for ever.
func sqlReadsOnly(t *testing.T, s *server) {
	t.Helper()
	before := s.cli("", "sql", "SELECT * FROM members ORDER BY uuid")
	other := filepath.Join(t.TempDir(), "other.db")
	for _, statement := range []string{
		"INSERT INTO members (uuid, system_uuid) VALUES ('x', 'y')", "UPDATE members SET name = 'x'", "DELETE FROM members",
		"DROP TABLE members", "CREATE TABLE x (y)", "CREATE TEMP TABLE x (y)", "ALTER TABLE members RENAME TO m",
		"ATTACH '" + other + "' AS o", "DETACH main", "VACUUM", "VACUUM INTO '" + other + "'", "REINDEX", "ANALYZE",
		"PRAGMA journal_mode = DELETE", "PRAGMA user_version = 7", "PRAGMA query_only = 0", "PRAGMA wal_checkpoint(TRUNCATE)",
		"BEGIN", "COMMIT", "SAVEPOINT x", "SELECT 1; DELETE FROM members", "WITH x AS (SELECT 1) DELETE FROM members",
		"SELECT writefile('" + other + "', 'x')", "SELECT readfile('/etc/passwd')", "SELECT load_extension('x')", "", "/* */", "SELEC",
		"SELECT * FROM none", "EXPLAIN DELETE FROM members; DELETE FROM members",
	} {
		_, errOut, code := s.try("", "sql", statement)
		if code != 1 || errOut == "" || strings.Contains(errOut, "panic") {
			t.Errorf("sql %q: got exit code %d, %q, want 1 and why", statement, code, errOut)
		}
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sql wrote a file: %v", err)
	}
	if after := s.cli("", "sql", "SELECT * FROM members ORDER BY uuid"); after != before {
		t.Errorf("sql changed the members: got %s\nwant %s", after, before)
	}
	begun := time.Now()
	_, errOut, code := s.try("", "sql", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n")
	if code != 0 || !strings.Contains(errOut, "only the first 10000 rows") {
		t.Errorf("sql without end: got exit code %d, %q after %v, want the first 10000 rows", code, errOut, time.Since(begun))
	}
}

// explains: the causes of a row are the events about it, in order.
func explains(t *testing.T, s *server, log []stored) {
	t.Helper()
	var got struct {
		Events []struct {
			Seq   uint64
			Event json.RawMessage
		}
	}
	out := s.cli("", "explain", "systems", sampleSystem, "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Events) == 0 {
		t.Fatalf("explain: got %s, %v", out, err)
	}
	var last uint64
	for _, e := range got.Events {
		var compact bytes.Buffer // --json indents
		if err := json.Compact(&compact, e.Event); err != nil {
			t.Fatal(err)
		}
		if e.Seq <= last || e.Seq > uint64(len(log)) || !bytes.Equal(compact.Bytes(), log[e.Seq-1].Body) {
			t.Errorf("explain: at %d: got %s, want the event of the log", e.Seq, compact.Bytes())
		}
		last = e.Seq
	}
	if out := s.cli("", "explain", "systems", sampleSystem); strings.Count(out, "\n") != len(got.Events) {
		t.Errorf("explain: got %s, want %d lines", out, len(got.Events))
	}
	if out := s.cli("", "explain", "members", "none"); !strings.Contains(out, "no event made a row none") {
		t.Errorf("explain of no row: got %s", out)
	}
}

// runIn runs the program in dir with these variables of the environment.
func runIn(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(append(os.Environ(), gorace), env...), &out, &errOut
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), errOut.String(), code
}

// TestExitCodes: 0 ok, 1 failed, 2 wrongly called, and always a sentence.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want int
	}{
		{nil, 0}, {[]string{"--help"}, 0}, {[]string{"help", "replay"}, 0}, {[]string{"source"}, 0}, {[]string{"version"}, 0},
		{[]string{"completion", "bash"}, 0}, {[]string{"schema", "list"}, 0}, {[]string{"schema", "show", "event"}, 0},
		{[]string{"status"}, 1}, {[]string{"sql", "SELECT 1"}, 1}, {[]string{"replay"}, 1}, {[]string{"schema", "show", "none"}, 1},
		{[]string{"status", "--server", "http://127.0.0.1:1"}, 1}, {[]string{"import", "none"}, 1},
		{[]string{"bogus"}, 2}, {[]string{"--bogus"}, 2}, {[]string{"source", "bogus"}, 2}, {[]string{"schema", "bogus"}, 2},
		{[]string{"access", "bogus"}, 2}, {[]string{"status", "extra"}, 2}, {[]string{"sql"}, 2}, {[]string{"explain", "members"}, 2},
		{[]string{"import"}, 2}, {[]string{"serve", "--bogus"}, 2}, {[]string{"serve", "extra"}, 2}, {[]string{"serve", "--debug=maybe"}, 2},
		{[]string{"serve", "--listen", "nowhere"}, 2}, {[]string{"serve", "--nats", "http://x"}, 2}, {[]string{"serve", "--log-format", "xml"}, 2},
		{[]string{"serve", "--public-url", "example.org"}, 2}, {[]string{"source", "add"}, 2}, {[]string{"source", "add", "pluralkit"}, 2},
		{[]string{"source", "remove", "pluralkit"}, 2},
	} {
		out, errOut, code := runIn(t, dir, nil, c.args...)
		if code != c.want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", c.args, code, c.want, out, errOut)
		}
		if code == 0 && (out == "" || errOut != "") || code != 0 && (out != "" || !strings.HasPrefix(errOut, "switchlog: ")) {
			t.Errorf("%v: got %q on standard output, %q on standard error", c.args, tail(out, 300), errOut)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("commands left %v behind, %v", entries, err)
	}
}

// TestHelp: every command says what it is for and what it takes.
func TestHelp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var walk func(args []string)
	commands := 0
	walk = func(args []string) {
		out, _, code := runIn(t, dir, nil, append(args, "--help")...)
		if code != 0 || !strings.Contains(out, "Usage:\n  switchlog") || len(strings.SplitN(out, "\n", 2)[0]) < 5 {
			t.Errorf("%v --help: exit code %d: %s", args, code, out)
		}
		commands++
		_, list, found := strings.Cut(out, "Available Commands:\n")
		if !found {
			return
		}
		for _, line := range strings.Split(list, "\n") {
			name := regexp.MustCompile(`^  ([a-z-]+) +\S`).FindStringSubmatch(line)
			if name == nil {
				return
			}
			walk(append(args[:len(args):len(args)], name[1]))
		}
	}
	walk(nil)
	if commands < 20 {
		t.Errorf("got %d commands, want at least 20", commands)
	}
}

// TestSettings: flags win over the environment, that over the file; what is
// not a setting is an error that names it.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        []string
		args       []string
		says       string
	}{
		{"unknown flag", "", nil, []string{"--lisen", "x"}, "--lisen"},
		{"unknown variable", "", []string{"SWITCHLOG_LISEN=x"}, nil, "SWITCHLOG_LISEN"},
		{"unknown key", "lisen: x\n", nil, nil, `"lisen"`},
		{"a flag of other commands as key", "server: x\n", nil, nil, `"server"`},
		{"no YAML", "listen: [\n", nil, nil, "switchlog.yaml"},
		{"a list", "listen: [a, b]\n", nil, nil, "listen"},
		{"wrong value in the file", "debug: maybe\n", nil, nil, "debug"},
		{"wrong value in the environment", "", []string{"SWITCHLOG_DEBUG=maybe"}, nil, "SWITCHLOG_DEBUG"},
		{"file", "listen: from-file\n", nil, nil, "from-file"},
		{"environment over file", "listen: from-file\n", []string{"SWITCHLOG_LISTEN=from-env"}, nil, "from-env"},
		{"flag over both", "listen: from-file\n", []string{"SWITCHLOG_LISTEN=from-env"}, []string{"--listen", "from-flag"}, "from-flag"},
		{"unknown role", "", nil, []string{"--roles", "ingest,dance"}, `"dance"`},
		{"no role", "", []string{"SWITCHLOG_ROLES="}, nil, "SWITCHLOG_ROLES"},
		{"answers without a database", "roles: ingest,query\n", nil, nil, "process"},
		{"a network that is none", "deliver-allow: 10.0.0.0/8,home\n", nil, nil, "--deliver-allow"},
		{"two words", "", []string{"SWITCHLOG_PRIVATE_LISTEN=from-env"}, nil, "from-env"},
	} {
		dir := t.TempDir()
		if c.file != "" {
			if err := os.WriteFile(filepath.Join(dir, "switchlog.yaml"), []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, errOut, code := runIn(t, dir, c.env, append([]string{"serve"}, c.args...)...)
		if code != 2 || !strings.Contains(errOut, c.says) {
			t.Errorf("%s: got exit code %d, %q, want 2 and %s", c.name, code, errOut, c.says)
		}
		if _, err := os.Stat(filepath.Join(dir, "switchlog-data")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a wrong start made the data directory", c.name)
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unsafe"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest"
)

// hostileName is a name as somebody might choose it: it sets a terminal's title,
// colours, goes back on the line, turns the direction of reading, and hides.
const hostileName = "n\x1b]0;t\x07\x1b[7777mx\x00\rR\b\u009b31m\u202e\u2066\u200e\u200b\ufeff\x7fz"

// withoutControls is what is left of it where control characters are refused.
var withoutControls = strings.Map(func(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}, hostileName)

// ownCodes are what the program itself writes for a terminal: colours, a bar in
// place of the last one, a cleared screen.
var ownCodes = regexp.MustCompile(`\x1b\[(0|1|2|3[123])m|\r\x1b\[K|\x1b\[H\x1b\[2J|\r\n`)

// screen is a terminal: what is written to tty arrives in seen.
type screen struct {
	tty *os.File
	mu  sync.Mutex // guards seen
	all bytes.Buffer
}

func openScreen(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	control := func(request uintptr, value unsafe.Pointer) {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(value)); errno != 0 {
			t.Fatal(errno)
		}
	}
	var unlocked, number int32
	size := [4]uint16{24, 80}
	control(syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	control(syscall.TIOCGPTN, unsafe.Pointer(&number))
	control(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	s := &screen{}
	if s.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			s.mu.Lock()
			s.all.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return // the terminal is closed
			}
		}
	}()
	t.Cleanup(func() { s.tty.Close(); <-read })
	return s
}

// mark ends what a command wrote; no command writes it.
const mark = "#end of the command#"

// take gives what was written since the last take.
func (s *screen) take(t *testing.T) string {
	t.Helper()
	if _, err := io.WriteString(s.tty, mark); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		s.mu.Lock()
		out, _, done := strings.Cut(s.all.String(), mark)
		if done {
			s.all.Reset()
		}
		s.mu.Unlock()
		if done {
			return out
		}
		<-time.After(time.Millisecond)
	}
	t.Fatal("the terminal shows nothing")
	return ""
}

// walked is a server full of hostile names, and a terminal to look at it.
type walked struct {
	*screen
	data     string
	at       Endpoints
	webhook  string // its id
	delivery string
}

// command runs a command at the terminal and gives what the terminal was sent.
func (w *walked) command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run(ctx, append(append([]string{"switchlog"}, args...), "--data", w.data), nil, strings.NewReader(stdin), w.tty, w.tty)
	return w.take(t)
}

// startWalked starts a server and fills it.
func startWalked(t *testing.T) *walked {
	t.Helper()
	w := &walked{screen: openScreen(t), data: filepath.Join(t.TempDir(), "data")}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var log lockedBuffer
	ended := make(chan int, 1)
	provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { // PluralKit and a receiver, both hostile
		rw.Header().Set("X-Odd", "a\x80b")
		rw.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(rw, `{"message":%s,"code":0}`, jsonText(hostileName))
	}))
	go func() {
		ended <- run(ctx, []string{"switchlog", "serve", "--data", w.data, "--listen", "127.0.0.1:0", "--private-listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0",
			"--deliver-allow", "127.0.0.0/8", "--pluralkit-api", provider.URL, "--log-format", "json"}, nil, strings.NewReader(""), &log, &log)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("serve: exit code %d: %s", code, log.String())
		}
		provider.Close()
		http.DefaultClient.CloseIdleConnections()
		for line := range strings.Lines(log.String()) {
			if line = strings.TrimSuffix(line, "\n"); terminal.Plain(line) != line || !json.Valid([]byte(line)) {
				t.Errorf("a line of the log: %q", line)
			}
		}
	})
	for deadline := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(w.data, fileEndpoints)); err == nil && json.Unmarshal(b, &w.at) == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not start: %s", log.String())
		}
	}
	w.fill(t, provider.URL)
	return w
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const (
	walkSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	walkMember = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	walkToken  = "walk+token/of+64+characters/as+PluralKit/makes/them/no+secret+xy"
)

// post sends what a sender sends.
func (w *walked) post(t *testing.T, path, token, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.at.Public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", token)
	if strings.Contains(path, "cloudevents") {
		req.Header.Set("Content-Type", "application/cloudevents+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: got %d", path, body, resp.StatusCode)
	}
}

// fill sends hostile names in every place where a sender may put one.
func (w *walked) fill(t *testing.T, receiver string) {
	t.Helper()
	for _, c := range []struct{ stdin, args string }{
		{walkToken, "source add pluralkit --token-file - --system " + walkSystem},
		{"Bearer abcdefghijklmnop", "source add token walk --token-file -"},
		{"abcdefghijklmnopq", "source add cloudevents walk --token-file -"},
		{"", "webhook add standard --owner-only --event front.changed --event member.changed --url " + receiver + "/hook --name NAME"},
	} {
		args := strings.Fields(c.args)
		if last := len(args) - 1; args[last] == "NAME" {
			args[last] = withoutControls
		}
		if out := w.command(t, c.stdin+"\n", args...); strings.Contains(out, "switchlog: ") {
			t.Fatalf("%s: %q", c.args, out)
		}
	}
	name := jsonText(hostileName)
	pk := func(typ, id, data string) {
		w.post(t, "/in/pluralkit", "", fmt.Sprintf(`{"type":%q,"signing_token":%q,"system_id":%q,"id":%s,"data":%s}`, typ, walkToken, walkSystem, id, data))
	}
	pk("UPDATE_SYSTEM", "null", `{"name":`+name+`,"description":`+name+`,"tag":`+name+`}`)
	pk("CREATE_MEMBER", `"`+walkMember+`"`, `{"name":`+name+`}`)
	pk("UPDATE_MEMBER", `"`+walkMember+`"`, `{"display_name":`+name+`,"pronouns":`+name+`,"color":`+name+`}`)
	pk("CREATE_GROUP", `"3d1f7c52-1b0e-4c7e-9a55-2f6b8c01d7aa"`, `{"name":`+name+`}`)
	pk("CREATE_SWITCH", `"2d1f7c52-1b0e-4c7e-9a55-2f6b8c01d7ab"`, `{"id":"2d1f7c52-1b0e-4c7e-9a55-2f6b8c01d7ab","timestamp":"2026-03-01T12:00:00Z","members":["`+walkMember+`"]}`)
	pk("HOSTILE_THING", "null", `{`+name+`:`+name+`}`)
	pk("CREATE_SWITCH", "null", `{"id":`+name+`}`) // set aside
	w.post(t, "/in/token/walk", "Bearer abcdefghijklmnop", `{"type":`+name+`,"id":`+name+`}`)
	plain := jsonText(withoutControls)
	w.post(t, "/in/cloudevents/walk", "Bearer abcdefghijklmnopq", `{"specversion":"1.0","id":`+plain+`,"source":"/walk","type":`+plain+`,"subject":`+plain+`,"data":`+name+`}`)
	for deadline := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) { // until all is folded and the first delivery was tried
		out := w.command(t, "", "sql", "SELECT d.webhook || ' ' || d.id AS x FROM deliveries d WHERE d.attempts > 0 LIMIT 1", "--json")
		var rows []struct{ X string }
		if json.Unmarshal([]byte(strings.ReplaceAll(out, "\r\n", "\n")), &rows) == nil && len(rows) == 1 {
			w.webhook, w.delivery, _ = strings.Cut(rows[0].X, " ")
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no delivery was tried: %q", out)
		}
	}
}

// lockedBuffer collects the output of a server.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clean wants nothing on the terminal that it would obey, but what the program
// itself writes for it.
func clean(t *testing.T, what, out string) {
	t.Helper()
	if rest := strings.ReplaceAll(ownCodes.ReplaceAllString(out, "\n"), "\t", " "); terminal.PlainLines(rest) != rest {
		t.Errorf("%s: the terminal got %q", what, out)
	}
}

// TestEveryCommandShowsNamesPlain walks over all commands, at a terminal, on a
// server where every name is hostile: nothing that a terminal would obey reaches
// it, as text, as a table, as JSON or as CSV, in an answer or in an error. A
// command that is not in the table fails: say how it is called.
func TestEveryCommandShowsNamesPlain(t *testing.T) {
	t.Chdir(t.TempDir())
	w := startWalked(t)
	file := filepath.Join(t.TempDir(), "events.ndjson")
	writeTestFile(t, file, `{"specversion":"1.0","id":`+jsonText(hostileName)+`,"type":`+jsonText(hostileName)+"}\n"+hostileName+"\n")
	calls := map[string][]string{ // by command: arguments, one call a line
		"access": {""}, "access add": {"walker --tenant " + walkSystem, "walker --tenant nobody"}, "access list": {""}, "access show": {"walker", "nobody"}, "access revoke": {"walker --yes"},
		"bench": {""}, "bench latency": {"--switches 0"},
		"completion": {""}, "completion bash": {"--help"}, "completion zsh": {"--help"}, "completion fish": {"--help"}, "completion powershell": {"--help"},
		"config": {""}, "config print": {"", "--words \u202e"}, "config check": {"", "--allow-host \u202e/"},
		"doctor": {"--quick"}, "explain": {"members " + walkMember, "systems " + walkSystem, "members none"}, "export": {"", "--tenant nobody", "--format ics", "--format pluralkit", filepath.Join(t.TempDir(), "export.json")}, "front": {"", "--at 2026-03-01T12:30:00Z"},
		"help": {"", "nosuch"}, "import": {file}, "link": {""}, "link pluralkit": {"--said 400"}, "nats-config": {""}, "open": {""},
		"query": {"", "front", "fronters", "members", "history/member/" + walkMember, "messages", "stats", "timeline"}, "rebuild": {""}, "reconcile": {"", "--dry-run"},
		"replay": {"", "--tenant " + walkSystem}, "schema": {""}, "schema list": {""}, "schema show": {"me.pluralkit.switch.create"}, "schema export": {filepath.Join(t.TempDir(), "schemas")},
		"serve": {""}, "source": {""}, "source add": {""}, "source list": {""}, "source show": {"pluralkit", "token walk"}, "source rotate": {"token walk --token-file -"}, "source test": {"token walk"}, "source remove": {"token nosuch --yes"},
		"sql": {"SELECT\u00a0*\u00a0FROM\u00a0members"}, "status": {""}, "tail": nil, "verify": {""}, "version": {""},
		"webhook": {""}, "webhook list": {""}, "webhook show": {w.webhook}, "webhook events": {""}, "webhook deliveries": {w.webhook}, "webhook test": {w.webhook}, "webhook add": {"standard --url http://127.0.0.1:1/x --name y --event front.changed"},
		"webhook update": {w.webhook + " --ordered"}, "webhook rotate": {w.webhook}, "webhook retry": {w.webhook + " " + w.delivery}, "webhook replay": {w.webhook + " --from 1 --yes"}, "webhook remove": {"nosuch --yes"},
	}
	for _, k := range ingest.Kinds {
		calls["source add "+k.Name] = []string{"walk-" + k.Name}
	}
	said := 0
	walk := func(path string, call string) {
		args := strings.Fields(path)
		for _, a := range strings.FieldsFunc(call, func(r rune) bool { return r == ' ' }) {
			args = append(args, strings.ReplaceAll(a, "\u00a0", " "))
		}
		out := w.command(t, "Bearer zyxwvutsrqponmlk\n", args...)
		if strings.Contains(out, "\ufffd") || strings.Contains(out, `\u001b`) {
			said++
		}
		clean(t, strings.Join(args, " "), out)
	}
	for _, cmd := range allCommands(newRoot("switchlog", nil)) {
		path := strings.TrimPrefix(cmd.CommandPath(), "switchlog")
		path = strings.TrimSpace(path)
		rows, known := calls[path]
		if !known && path != "" {
			t.Errorf("%s is in no row of the table (hint: say how it is called)", path)
		}
		for _, row := range rows {
			walk(path, row)
			for _, form := range []string{"--json", "--format=csv"} {
				if flag := strings.TrimLeft(strings.TrimSuffix(form, "=csv"), "-"); cmd.Flags().Lookup(flag) != nil {
					walk(path, row+" "+form)
				}
			}
		}
		walk(path, strings.NewReplacer("\x00", "", " ", "").Replace(hostileName)) // as an argument, too
	}
	w.tables(t)
	w.live(t)
	if said < 20 {
		t.Errorf("only %d answers had a hostile name in them: the world is too tame", said)
	}
}

// tables looks at every table and view of the database.
func (w *walked) tables(t *testing.T) {
	t.Helper()
	out := w.command(t, "", "sql", "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')", "--json")
	var tables []struct{ Name string }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(out, "\r\n", "\n")), &tables); err != nil || len(tables) < 20 {
		t.Fatalf("%q: %v", out, err)
	}
	for _, table := range tables {
		for _, form := range []string{"table", "csv", "json"} {
			clean(t, table.Name, w.command(t, "", "sql", "SELECT * FROM \""+table.Name+"\"", "--format", form))
		}
	}
}

// live looks at what the terminal shows of events as they happen.
func (w *walked) live(t *testing.T) {
	t.Helper()
	shown := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
			w.mu.Lock()
			out := w.all.String()
			w.mu.Unlock()
			if strings.Contains(out, what) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("tail shows no %s: %q", what, out)
			}
		}
	}
	for i, form := range []string{"--all", "--json"} {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			run(ctx, []string{"switchlog", "tail", form, "--data", w.data}, nil, strings.NewReader(""), w.tty, w.tty)
		}()
		shown("waiting for events")
		body := fmt.Sprintf(`{"type":"UPDATE_MEMBER","signing_token":%q,"system_id":%q,"id":%q,"data":{"pronouns":%s}}`, walkToken, walkSystem, walkMember, jsonText(fmt.Sprint(hostileName, i)))
		w.post(t, "/in/pluralkit", "", body)
		shown([]string{"\ufffd", `\u202e`}[i])
		stop()
		<-ended
		clean(t, "tail "+form, w.take(t))
	}
}

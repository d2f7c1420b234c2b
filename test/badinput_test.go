package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// reply is an answer of the public listener.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send sends any request to the public listener.
func (s *server) send(method, path string, body io.Reader) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.Public+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := wire.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, b}
}

// checkRefusal wants the documented status, and a short JSON object that says
// one thing and nothing of our insides.
func checkRefusal(t *testing.T, name string, s *server, got reply, want int) {
	t.Helper()
	if got.status != want {
		t.Errorf("%s: got %d %s, want %d", name, got.status, got.body, want)
	}
	var e map[string]string
	if err := json.Unmarshal(got.body, &e); err != nil || len(e) != 1 || e["error"] == "" || len(got.body) > 200 {
		t.Errorf("%s: body: got %q, want a short {\"error\":\"…\"}", name, got.body)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: Content-Type: got %q, want application/json", name, ct)
	}
	for _, inside := range []string{s.dir, sampleToken, sampleSystem, ".go", "sql", "nats", "spool", "json:", "invalid character", "runtime", "0x"} {
		if strings.Contains(strings.ToLower(string(got.body)), strings.ToLower(inside)) {
			t.Errorf("%s: body: got %s, want nothing about %q", name, got.body, inside)
		}
	}
}

// badBody is a body that is refused, and how.
type badBody struct {
	name string
	want int
	body string
}

// badBodies are bodies that nobody may get stored.
func badBodies() []badBody {
	good := string(switchBody(uuid.NewString(), time.Now()))
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	other := "0" + sampleSystem[1:]
	return []badBody{
		{"nothing", 401, ""},
		{"no JSON", 401, "hello"},
		{"an array", 401, "[" + good + "]"},
		{"empty object", 401, "{}"},
		{"wrong token", 401, swap(sampleToken, strings.ToUpper(sampleToken))},
		{"token of another length", 401, swap(sampleToken, sampleToken+"x")},
		{"start of the token", 401, swap(sampleToken, sampleToken[:10])},
		{"empty token", 401, swap(sampleToken, "")},
		{"null token", 401, swap(`"`+sampleToken+`"`, "null")},
		{"token of a wrong type", 401, swap(`"`+sampleToken+`"`, `["`+sampleToken+`"]`)},
		{"token twice, differing", 401, swap(`"system_id"`, `"signing_token":"x","system_id"`)},
		{"token inside data only", 401, `{"type":"PING","data":{"signing_token":"` + sampleToken + `"}}`},
		{"system that is not the token's", 401, swap(sampleSystem, other)},
		{"system that is none", 401, swap(`"`+sampleSystem+`"`, `"*"`)},
		{"system of a wrong type", 401, swap(`"`+sampleSystem+`"`, `7`)},
		{"broken off after the token", 400, good[:len(good)-20]},
		{"something after the object", 400, good + "x"},
		{"two objects", 400, good + good},
		{"no type", 400, swap(`"type":"CREATE_SWITCH",`, "")},
		{"type that is no text", 400, swap(`"CREATE_SWITCH"`, "{}")},
		{"deep", 400, swap(`"members":[`, `"members":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`,"m":[`)},
		{"300 KiB", 413, swap(`"members":[`, `"x":"`+strings.Repeat("x", 300<<10)+`","members":[`)},
		{"300 KiB of nothing", 413, strings.Repeat(" ", 300<<10)},
	}
}

// TestBadInput: whoever is not let in, or says what cannot be understood, gets
// the documented answer; nothing of it is stored, and good requests between
// are not harmed.
func TestBadInput(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	before := s.settled()
	for _, c := range badBodies() {
		checkRefusal(t, c.name, s, s.send("POST", "/in/pluralkit", strings.NewReader(c.body)), c.want)
		// And again without saying how long it is.
		chunked := io.MultiReader(strings.NewReader(c.body))
		checkRefusal(t, c.name+", chunked", s, s.send("POST", "/in/pluralkit", chunked), c.want)
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		got := s.send(method, "/in/pluralkit", nil)
		checkRefusal(t, method, s, got, 405)
		if allow := got.header.Get("Allow"); allow != "POST" {
			t.Errorf("%s: Allow: got %q, want POST", method, allow)
		}
	}
	// The public listener serves nothing else, whoever asks.
	for _, path := range []string{"/", "/in", "/in/", "/in/pluralkit/x", "/in/pluralkit/x/", "/in/pluralkit/..", "/in/./pluralkit",
		"/metrics", "/readyz", "/api/admin/status", "/api/v1/openapi.json", "/debug/pprof/", "/v2/systems/@me", "/ui/"} {
		for _, method := range []string{"GET", "POST"} {
			checkRefusal(t, method+" "+path, s, s.send(method, path, bytes.NewReader(switchBody(uuid.NewString(), time.Now()))), 404)
		}
	}
	if now := s.settled(); now != before {
		t.Errorf("log: got %d events, want %d as before: something refused was stored", now, before)
	}
	// One address, however many slashes people put into it.
	for _, path := range []string{"/in/pluralkit", "/in/pluralkit/", "//in/pluralkit", "/in//pluralkit//"} {
		ping := fmt.Sprintf(`{"type":"PING","signing_token":%q,"system_id":%q}`, sampleToken, sampleSystem)
		if got := s.send("POST", path, strings.NewReader(ping)); got.status != 200 || len(got.body) != 0 {
			t.Errorf("POST %s: got %d %s, want 200", path, got.status, got.body)
		}
	}
	if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
		t.Errorf("a good request afterwards: got %d, want 200", got)
	}
	if log := Check(s); uint64(len(log)) != before+1 {
		t.Errorf("log: got %d events, want %d", len(log), before+1)
	}
}

// TestSetAside: a verified event of a known type whose data breaks the type's
// shape is answered 200 and kept in the log; the tables go on without it, and
// it can be seen what was set aside and why. A type never heard of is kept, too.
func TestSetAside(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	member := uuid.NewString()
	envelope := func(typ, id, data string) []byte {
		return fmt.Appendf(nil, `{"type":%q,"signing_token":%q,"system_id":%q,"id":%q,"data":%s}`, typ, sampleToken, sampleSystem, id, data)
	}
	post := func(body []byte) {
		t.Helper()
		if got := s.post(body); got != 200 {
			t.Errorf("got %d, want 200: %s", got, body)
		}
	}
	wrong := [][]byte{
		envelope("CREATE_SWITCH", uuid.NewString(), `{"timestamp":"2025-01-01T00:00:00Z","members":17}`),
		envelope("CREATE_SWITCH", uuid.NewString(), `{"timestamp":"yesterday","members":[]}`),
		envelope("UPDATE_MEMBER", member, `{"name":5}`),
		envelope("UPDATE_MEMBER", member, `"text"`),
		envelope("UPDATE_SYSTEM", sampleSystem, `[]`),
	}
	post(envelope("CREATE_MEMBER", member, `{"name":"Iris"}`))
	for _, body := range wrong {
		post(body)
	}
	post(fmt.Appendf(nil, `{"type":"BREW_TEA","signing_token":%q,"system_id":%q,"id":null,"data":{"sugar":2}}`, sampleToken, sampleSystem))
	post(envelope("UPDATE_MEMBER", member, `{"pronouns":"they/them"}`))
	log := Check(s)

	db := s.database()
	got := rows(t, db, "SELECT type, reason <> '' FROM skipped ORDER BY seq")
	want := []string{"me.pluralkit.switch.create|1", "me.pluralkit.switch.create|1", "me.pluralkit.member.update|1",
		"me.pluralkit.member.update|1", "me.pluralkit.system.update|1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("skipped: got %v, want %v", rows(t, db, "SELECT type, reason FROM skipped ORDER BY seq"), want)
	}
	if got := rows(t, db, "SELECT name, pronouns FROM members"); fmt.Sprint(got) != "[Iris|they/them]" {
		t.Errorf("members: got %v, want the two good events applied", got)
	}
	if got := rows(t, db, "SELECT count(*) FROM switches"); got[0] != "0" {
		t.Errorf("switches: got %v, want 0", got)
	}
	if out := s.cli("", "status"); !strings.Contains(out, "5 events set aside") {
		t.Errorf("status: got %s\nwant it to say that 5 events are set aside", out)
	}
	if last := log[len(log)-2]; !strings.HasSuffix(last.Subject, ".unknown.receive") || !bytes.Contains(last.Body, []byte(`"pktype":"BREW_TEA"`)) {
		t.Errorf("a type never heard of: got %s %s", last.Subject, last.Body)
	}
}

// dial opens a connection to the public listener.
func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(s.Public, "http://"), 30*time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// cutOff is how long a client that says nothing more may hold a connection.
const cutOff = 20 * time.Second

// awaitEnd waits until the server closes the connection and gives what it
// answered.
func awaitEnd(c net.Conn) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(cutOff)); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("still open after %v", cutOff)
	}
	return string(b), nil // a reset is an end, too
}

// TestStalled: clients that stop in the middle, or drip, are cut off in
// bounded time and disturb nobody.
func TestStalled(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	before := s.settled()
	body := string(switchBody(uuid.NewString(), time.Now()))
	head := func(length int) string {
		return fmt.Sprintf("POST /in/pluralkit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length)
	}
	var wg sync.WaitGroup
	stall := func(name, text, wantAnswer string, drip bool) {
		c := s.dial()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		if drip {
			wg.Go(func() { // a byte now and then; the error is the cut-off
				tick := time.NewTicker(300 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						if _, err := io.WriteString(c, " "); err != nil {
							return
						}
					}
				}
			})
		}
		wg.Go(func() {
			defer close(stop)
			got, err := awaitEnd(c)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !strings.HasPrefix(got, wantAnswer) {
				t.Errorf("%s: got %q, want %q", name, got, wantAnswer)
			}
		})
	}
	for range rounds(10, 200) {
		stall("half a body", head(len(body))+body[:len(body)/2], "HTTP/1.1 408", false)
		stall("half of a large body", head(200<<10)+body[:len(body)/2], "HTTP/1.1 408", false)
		stall("a body that drips", head(len(body)+1000)+body, "", true)
		stall("half a header", "POST /in/pluralkit HTTP/1.1\r\nHost:", "", false)
		stall("a header that drips", "POST /in/pluralkit HTTP/1.1\r\nX: ", "", true)
	}
	for range 50 {
		begun := time.Now()
		if got := s.post(switchBody(uuid.NewString(), begun)); got != 200 {
			t.Errorf("a good request meanwhile: got %d, want 200", got)
		}
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("a good request meanwhile took %v", d)
		}
	}
	wg.Wait()
	if log := Check(s); uint64(len(log)) != before+50 {
		t.Errorf("log: got %d events, want the %d good ones", len(log), before+50)
	}
}

// TestIdleConnections: thousands of connections that say nothing, and a flood
// of large bodies of strangers, keep no good request from its 200, and cost
// bounded memory.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	before := s.settled()
	begin := s.memory()
	idle := make([]net.Conn, rounds(3000, 4000))
	for i := range idle {
		idle[i] = s.dial()
	}
	good := 0
	post := func() {
		t.Helper()
		begun := time.Now()
		if got := s.post(switchBody(uuid.NewString(), begun)); got != 200 {
			t.Errorf("a good request: got %d, want 200", got)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("a good request took %v", d)
		}
		good++
	}
	for range 20 {
		post()
	}
	var flood sync.WaitGroup
	garbage := bytes.Repeat([]byte("x"), 250<<10)
	for range 16 {
		flood.Go(func() {
			for range rounds(20, 1000) {
				if status, err := postTo(s.Public+"/in/pluralkit", garbage); err != nil || status != 401 && status != 503 {
					t.Errorf("a stranger's large body: got %d, %v, want 401", status, err)
				}
			}
		})
	}
	for range 20 {
		post()
	}
	flood.Wait()
	// The race detector makes memory several times as large; what this finds
	// is memory that grows with each connection's or body's greatest size.
	// Without it, the long variant needs 131 MiB more.
	most := rounds(400, 1200) << 20
	if end := s.memory(); end > begin+most {
		t.Errorf("memory: got %d MiB after %d MiB, want at most %d MiB more", end>>20, begin>>20, most>>20)
	} else {
		t.Logf("memory: %d MiB, before %d MiB", end>>20, begin>>20)
	}
	for _, c := range idle {
		if _, err := awaitEnd(c); err != nil {
			t.Fatalf("an idle connection: %v", err)
		}
	}
	post()
	if log := Check(s); len(log) != int(before)+good {
		t.Errorf("log: got %d events, want %d", len(log), int(before)+good)
	}
}

// memory is the highest resident memory of the process so far, in bytes.
func (s *server) memory() int { return s.statusOf("VmHWM") }

// statusOf is a size the kernel tells of the process, in bytes.
func (s *server) statusOf(what string) int {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var kib int
		if _, err := fmt.Sscanf(lines.Text(), what+": %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	s.t.Fatalf("no %s in %s", what, b)
	return 0
}

package test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// credentials are what `access add --json` answers.
type credentials struct {
	Name        string `json:"name"`
	Tenant      string `json:"tenant"`
	URL         string `json:"nats_url"`
	User        string `json:"nats_user"`
	Password    string `json:"nats_password"`
	InboxPrefix string `json:"nats_inbox_prefix"`
	Token       string `json:"http_token"`
}

// addReader adds a reader, whose secrets Check wants nowhere.
func (s *server) addReader(name string, args ...string) credentials {
	s.t.Helper()
	stdout, stderr, code := s.quietly("", append([]string{"access", "add", name, "--json"}, args...)...)
	if code != 0 {
		s.t.Fatalf("access add %s: exit code %d: %s", name, code, stderr)
	}
	var c credentials
	if err := json.Unmarshal([]byte(stdout), &c); err != nil {
		s.t.Fatal(err)
	}
	s.secret(c.Password)
	s.secret(c.Token)
	return c
}

// connect connects to NATS as a reader; refused receives what the server refuses.
func (c credentials) connect(t *testing.T, url string) (nc *nats.Conn, refused chan error, closed chan struct{}) {
	t.Helper()
	refused, closed = make(chan error, 64), make(chan struct{})
	nc, err := nats.Connect(url, nats.UserInfo(c.User, c.Password), nats.CustomInboxPrefix(c.InboxPrefix), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, refused, closed
}

// as asks the private listener with a token.
func (s *server) as(token, path string) (status int, body string) {
	s.t.Helper()
	status, answer := s.ask("GET", s.Private+path, http.Header{"Authorization": {"Bearer " + token}}, "")
	return status, string(answer)
}

// otherToken is the signing token of the other system.
const otherToken = "another-example-token-not-a-real-secret"

const otherSystem = "9a1d7c64-5b2e-4f3a-8c70-1e6b9d2f4a55"

// startTwoTenants starts a server with two systems, each of which has a switch.
func startTwoTenants(t *testing.T) *server {
	t.Helper()
	s := start(t, t.TempDir())
	s.addPluralKit()
	token := s.secret(otherToken)
	s.cli(token, "source", "add", "pluralkit", "other", "--token-file", "-", "--system", otherSystem)
	if got := s.post(switchBody(uuid.NewString(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))); got != 200 {
		t.Fatalf("POST: got %d, want 200", got)
	}
	if got := s.postWith(token, otherSystem); got != 200 {
		t.Fatalf("POST of the other system: got %d, want 200", got)
	}
	s.settled()
	return s
}

// A reader sees its tenant alone, over HTTP and NATS, until it is revoked: then its token is refused,
// and its connection and its stream of changes end at once.
func TestReaders(t *testing.T) {
	s := startTwoTenants(t)
	a := s.addReader("bob", "--tenant", sampleSystem)
	if a.Tenant != sampleSystem || a.Name != "bob" {
		t.Errorf("access add: got %+v", a)
	}
	of := "/api/v1/pluralkit/"
	for path, want := range map[string]int{
		of + sampleSystem + "/fronters": 200, of + "@me/fronters": 200,
		of + otherSystem + "/fronters": 404, of + uuid.NewString() + "/fronters": 404,
		"/api/admin/status": 401, "/api/admin/access": 401,
	} {
		if got, body := s.as(a.Token, path); got != want {
			t.Errorf("%s: got %d %s, want %d", path, got, body, want)
		}
	}

	nc, refused, closed := a.connect(t, s.NATS)
	live := make(chan *nats.Msg, 16)
	if _, err := nc.ChanSubscribe("events.pluralkit."+sampleSystem+".>", live); err != nil {
		t.Fatal(err)
	}
	m, err := nc.Request("switchlog.query.pluralkit."+sampleSystem+".fronters", nil, 10*time.Second)
	if err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("query: %v %v", err, m)
	}
	if got := s.post(switchBody(uuid.NewString(), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))); got != 200 {
		t.Fatalf("POST: got %d, want 200", got)
	}
	select {
	case <-live:
	case <-time.After(startWithin):
		t.Fatal("no live event")
	}
	for _, subject := range []string{"events.pluralkit." + otherSystem + ".>", "events.>", "changes.>", "_INBOX.>", "$SYS.>", "log.>", ">"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refused:
			if !strings.Contains(err.Error(), "ermissions") {
				t.Errorf("%s: %v", subject, err)
			}
		case <-time.After(startWithin):
			t.Errorf("subscription to %s was not refused", subject)
		}
	}

	status, answer := s.ask("POST", s.Private+"/api/webhooks", http.Header{"Authorization": {"Bearer " + a.Token}, "Content-Type": {"application/json"}},
		`{"url":"https://hooks.example.org/bob","events":["front.changed"]}`)
	if status != 201 {
		t.Errorf("a webhook of the reader's: got %d %s, want 201", status, answer)
	}
	stream := s.streamAs(a.Token, sampleSystem)
	stdout, _, code := s.try("", "access", "list", "--json")
	if code != 0 || !strings.Contains(stdout, `"bob"`) || strings.Contains(stdout, a.Token) || strings.Contains(stdout, "password") {
		t.Errorf("access list: %d %s", code, stdout)
	}
	s.cli("", "access", "revoke", "bob", "--yes")
	endsSoon(t, "the connection of a revoked reader to end", closed)
	endsSoon(t, "the stream of a revoked reader to end", stream)
	if got, _ := s.as(a.Token, of+sampleSystem+"/fronters"); got != 401 {
		t.Errorf("the token of a revoked reader: got %d, want 401", got)
	}
	if nc, err := nats.Connect(s.NATS, nats.UserInfo(a.User, a.Password)); err == nil {
		nc.Close()
		t.Error("a revoked reader connects")
	}
	checkWho(s, map[string]string{
		"switchlog.source.added pluralkit/other": "admin", "switchlog.reader.added bob": "admin", "switchlog.reader.revoked bob": "admin",
		"switchlog.subscription.created": "bob", "switchlog.subscription.updated": "",
	})
	Check(s)
}

// checkWho wants the log to say who gave commands: by type, and subject where one is given.
func checkWho(s *server, want map[string]string) {
	s.t.Helper()
	s.settled()
	got := map[string]string{}
	for _, m := range s.stream("EVENTS") {
		var e struct {
			Type, Subject string
			Data          struct{ By string }
		}
		if err := json.Unmarshal(m.Body, &e); err != nil {
			s.t.Fatal(err)
		}
		got[e.Type], got[e.Type+" "+e.Subject] = e.Data.By, e.Data.By
	}
	for what, who := range want {
		if by, there := got[what]; !there || by != who {
			s.t.Errorf("%s: there is one: %v, by %q, want by %q", what, there, by, who)
		}
	}
}

// endsSoon wants something to end at once.
func endsSoon(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Errorf("waited 5 s for %s", what)
	}
}

// streamAs opens a stream of changes; the channel is closed when it ends.
func (s *server) streamAs(token, tenant string) <-chan struct{} {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Private+"/api/v1/pluralkit/"+tenant+"/changes", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != 200 {
		s.t.Fatalf("stream: got %d, want 200", res.StatusCode)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body) // it ends with an error, or without: both are ends
	}()
	return ended
}

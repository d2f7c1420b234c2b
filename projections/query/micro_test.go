package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// memoryLog is a log of events of several tenants, stored a second apart.
type memoryLog struct {
	events []schemas.Recorded
	begun  chan struct{} // if set: Replay says so, and waits for ctx
	rogue  bool          // hands over what it should not
	pad    int           // bytes of data of each event
}

var logEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newLog has n events, those with odd sequences of tenant A.
func newLog(n int) *memoryLog {
	l := &memoryLog{}
	for seq := 1; seq <= n; seq++ {
		tenant, verb := tenantA, "create"
		if seq%2 == 0 {
			tenant = tenantB
		}
		if seq%3 == 0 {
			verb = "update"
		}
		l.events = append(l.events, schemas.Recorded{Seq: uint64(seq), Event: schemas.Event{
			ID: fmt.Sprint("e", seq), Source: schemas.PluralKitSystemURL + tenant, Type: "me.pluralkit.switch." + verb,
			Time: logEpoch.Add(time.Duration(seq) * time.Second), Route: schemas.Route{Source: "pluralkit", Tenant: tenant, Noun: "switch", Verb: verb},
		}})
	}
	return l
}

func (l *memoryLog) Replay(ctx context.Context, source, tenant string, from, to uint64, fn func(schemas.Recorded, schemas.Message) error) error {
	if l.begun != nil {
		l.begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	for _, e := range l.events {
		of := e.Route.Source == source && e.Route.Tenant == tenant
		if e.Seq < from || to != 0 && e.Seq > to || !of && !l.rogue {
			continue
		}
		if l.pad > 0 {
			e.Data = []byte(`"` + strings.Repeat("x", l.pad) + `"`)
		}
		m, err := e.Message()
		if err != nil {
			return err
		}
		if err := fn(e, m); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLog) SeqAt(_ context.Context, t time.Time) (uint64, error) {
	for _, e := range l.events {
		if !e.Time.Before(t) {
			return e.Seq, nil
		}
	}
	return uint64(len(l.events)) + 1, nil
}

// serveBoth starts both doors; stop ends the NATS one and gives its error.
func serveBoth(t *testing.T, log *memoryLog, change func(*Config)) (f *fixture, stop func() error) {
	t.Helper()
	f = serve(t, nil)
	c := f.config()
	c.Log = log
	if change != nil {
		change(&c)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- serveNATS(ctx, c, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return f, stop
}

func request(t *testing.T, nc *nats.Conn, subject, body string) *nats.Msg {
	t.Helper()
	m, err := nc.Request(subject, []byte(body), 10*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return m
}

func TestServiceQueries(t *testing.T) {
	f, _ := serveBoth(t, newLog(0), nil)
	a := connect(t, f.nats, "a")
	of := "switchlog.query.pluralkit." + tenantA + "."
	http := Root + "pluralkit/" + tenantA + "/"
	for _, tc := range []struct{ query, body, path string }{
		{"members", ``, "members"},
		{"members", `{}`, "members"},
		{"member", `{"ref":"abcde"}`, "members/abcde"},
		{"switches", `{"limit":3,"all":false,"before":null,"wait_for":7}`, "switches?limit=3&all=false"},
	} {
		got, want := request(t, a, of+tc.query, tc.body), f.get(t, http+tc.path, tokenA)
		if string(got.Data) != want.body || got.Header.Get("Switchlog-Position") != "7" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s %v, want %s", tc.query, tc.body, got.Data, got.Header, want.body)
		}
	}
	for _, tc := range []struct{ subject, body, code, says string }{
		{of + "member", `{"ref":"nobody"}`, "404", "not found"},
		{of + "nothing", ``, "404", "not found"},
		{of + "*", ``, "404", "not found"},
		{"switchlog.query.nothing." + tenantA + ".members", ``, "404", "not found"},
		{of + "member", ``, "400", "parameter ref is missing"},
		{of + "members", `{"tenant":"` + tenantB + `"}`, "400", `unknown parameter "tenant"`},
		{of + "members", `[]`, "400", "JSON object"},
		{of + "members", `{"limit":`, "400", "JSON object"},
		{of + "members", `{} {}`, "400", "follows"},
		{of + "switches", `{"limit":{}}`, "400", `parameter "limit"`},
		{of + "switches", `{"limit":"many"}`, "400", "parameter limit: want a whole number"},
		{of + "switches", `{"x":"` + strings.Repeat("x", maxRequestBytes) + `"}`, "400", "over"},
		{"switchlog.query.*." + tenantA + ".members", ``, "400", "no token"},
		{"switchlog.query.=70luralkit." + tenantA + ".members", ``, "400", "no token"},
		{"switchlog.query.=." + tenantA + ".members", ``, "400", "must be given"},
	} {
		got := request(t, a, tc.subject, tc.body)
		if got.Header.Get("Nats-Service-Error-Code") != tc.code || !strings.Contains(got.Header.Get("Nats-Service-Error"), tc.says) || len(got.Data) != 0 {
			t.Errorf("%s %.60s: %v, want %s …%s…", tc.subject, tc.body, got.Header, tc.code, tc.says)
		}
	}
	for tenant := range f.store.tenants() {
		if tenant != tenantA {
			t.Errorf("asked about %q", tenant)
		}
	}
}

// TestServiceTenants: as the user of a tenant, another tenant's subjects cannot
// be asked, and no answer goes anywhere but to an inbox (P7).
func TestServiceTenants(t *testing.T) {
	var log lockedBuffer
	registry := prometheus.NewRegistry()
	f, _ := serveBoth(t, newLog(10), func(c *Config) {
		c.Logger, c.Metrics = slog.New(slog.NewTextHandler(&log, nil)), registry
	})
	a := connect(t, f.nats, "a")
	everything, err := f.admin.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.admin.Flush(); err != nil {
		t.Fatal(err)
	}
	of := "switchlog.query.pluralkit." + tenantA + ".members"
	// nats-server refuses a client's message whose reply is a subject of JetStream ($JS.…, up to 2.15.2 only
	// $JS.ACK.…), so that it never comes to the service. All other replies are for the service to refuse.
	const ofTheServer = "$JS.API.STREAM.DELETE.CHANGES"
	replies := []string{"events.pluralkit." + tenantB + ".switch.create", "changes.pluralkit." + tenantB + ".front", "_INBOX_b.x", "_INBOX_nobody.x", "_INBOX.victim", "log.events.x", "_INBOX", "_INBOX.", "inbox.x", of}
	for _, reply := range append([]string{ofTheServer}, replies...) {
		if err := a.PublishRequest(of, reply, nil); err != nil {
			t.Fatal(err)
		}
		if err := a.PublishRequest("switchlog.replay.pluralkit."+tenantA, reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{"switchlog.query.pluralkit." + tenantB + ".members", "switchlog.query.pluralkit.*.members", "switchlog.replay.pluralkit." + tenantB, "$SRV.PING"} {
		if err := a.PublishRequest(subject, "_INBOX_a.x", nil); err != nil {
			t.Fatal(err)
		}
	}
	request(t, a, of, ``)
	request(t, a, "switchlog.replay.pluralkit."+tenantA, `{"to":0}`)
	eventually(t, "every reply is refused", func() bool {
		return counts(t, registry)["switchlog_query_requests_total 400 none"] == float64(2*len(replies))
	})
	if n := strings.Count(log.String(), "no inbox"); n != 1 {
		t.Errorf("%d lines in the log, want 1: %s", n, log.String())
	}
	for {
		m, err := everything.NextMsg(50 * time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		answer := m.Header.Get("Switchlog-Position") != "" || m.Header.Get("Nats-Sequence") != "" || m.Header.Get("Nats-Service-Error") != ""
		if answer && !strings.HasPrefix(m.Subject, "_INBOX_a.") || strings.Contains(m.Subject, tenantB) && m.Reply != "" {
			t.Errorf("on %s: %v %s", m.Subject, m.Header, m.Data)
		}
	}
	if _, err := f.js.Stream(t.Context(), schemas.StreamChanges); err != nil {
		t.Errorf("the stream: %v", err)
	}
}

// replayed asks for a replay and gives the sequences, and the message at the end.
func replayed(t *testing.T, nc *nats.Conn, tenant, body string) (seqs []string, end *nats.Msg) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest("switchlog.replay.pluralkit."+tenant, inbox, []byte(body)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("after %v: %v", seqs, err)
		}
		if len(m.Data) == 0 {
			return seqs, m
		}
		var e schemas.Event
		if err := e.UnmarshalJSON(m.Data); err != nil || e.Source != schemas.PluralKitSystemURL+tenant {
			t.Fatalf("%s: %v", m.Data, err)
		}
		seq := m.Header.Get("Nats-Sequence")
		if m.Header.Get("Content-Type") != schemas.ContentType || m.Header.Get("Nats-Msg-Id") != "pluralkit/"+tenant+"/e"+seq || e.ID != "e"+seq {
			t.Errorf("seq %s: headers %v", seq, m.Header)
		}
		seqs = append(seqs, seq)
	}
}

func TestReplay(t *testing.T) {
	f, _ := serveBoth(t, newLog(12), nil)
	a, b := connect(t, f.nats, "a"), connect(t, f.nats, "b")
	at := func(seq int) string {
		return strconv.Quote(schemas.FormatTime(logEpoch.Add(time.Duration(seq) * time.Second)))
	}
	for _, tc := range []struct{ body, want string }{
		{``, "1 3 5 7 9 11"},
		{`{"from":null,"to":null,"type":""}`, "1 3 5 7 9 11"},
		{`{"from":4,"to":9}`, "5 7 9"},
		{`{"from":"4","to":"9"}`, "5 7 9"},
		{`{"from":` + at(4) + `,"to":` + at(9) + `}`, "5 7"}, // a time is the end before which
		{`{"from":"36500d"}`, "1 3 5 7 9 11"},
		{`{"to":"36500d"}`, ""},
		{`{"to":0}`, ""},
		{`{"from":9,"to":4}`, ""},
		{`{"from":100}`, ""},
		{`{"type":"*.update"}`, "3 9"},
		{`{"type":"me.pluralkit.switch.create","from":6}`, "7 11"},
		{`{"type":"x*"}`, ""},
		{`{"limit":6}`, "1 3 5 7 9 11"},
		{`{"limit":null}`, "1 3 5 7 9 11"},
	} {
		seqs, end := replayed(t, a, tenantA, tc.body)
		last := "0"
		if len(seqs) > 0 {
			last = seqs[len(seqs)-1]
		}
		if got := strings.Join(seqs, " "); got != tc.want || end.Header.Get("Nats-Service-Error") != "" ||
			end.Header.Get("Switchlog-Count") != fmt.Sprint(len(seqs)) || end.Header.Get("Switchlog-Last-Sequence") != last || end.Header.Get("Switchlog-Next") != "" {
			t.Errorf("%s: %s, end %v, want %s", tc.body, got, end.Header, tc.want)
		}
	}
	if seqs, _ := replayed(t, b, tenantB, ``); strings.Join(seqs, " ") != "2 4 6 8 10 12" {
		t.Errorf("tenant b: %v", seqs)
	}
	for body, says := range map[string]string{
		`{"from":"yesterday"}`: `from: "yesterday": want a sequence number`, `{"to":1.5}`: "to: ", `{"to":{}}`: "to: ", `{"until":3}`: `unknown member "until"`,
		`{"limit":0}`: "limit: ", `{"limit":-1}`: "limit: ", `{"limit":"many"}`: "limit: ",
		`{"type":3}`: "JSON object", `x`: "JSON object", `{"type":"` + strings.Repeat("x", 300) + `"}`: "type: over",
	} {
		if _, end := replayed(t, a, tenantA, body); end.Header.Get("Nats-Service-Error-Code") != "400" || !strings.Contains(end.Header.Get("Nats-Service-Error"), says) {
			t.Errorf("%s: %v, want 400 …%s…", body, end.Header, says)
		}
	}
	if m := request(t, f.admin, "switchlog.replay.pluralkit.*", ``); m.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("a wildcard as tenant: %v, want 400", m.Header)
	}
}

// TestReplayLarge: more than is flushed at once.
func TestReplayLarge(t *testing.T) {
	f, _ := serveBoth(t, newLog(4*flushEvents), nil)
	if seqs, end := replayed(t, connect(t, f.nats, "a"), tenantA, ``); len(seqs) != 2*flushEvents || end.Header.Get("Switchlog-Count") != fmt.Sprint(len(seqs)) {
		t.Errorf("%d events, end %v, want %d", len(seqs), end.Header, 2*flushEvents)
	}
}

// TestReplayHoldsTheLogToTheTenant: even if the log handed over another
// tenant's event, it would not be sent (P7).
func TestReplayHoldsTheLogToTheTenant(t *testing.T) {
	log := newLog(4)
	log.rogue = true
	f, _ := serveBoth(t, log, nil)
	seqs, end := replayed(t, connect(t, f.nats, "a"), tenantA, ``)
	if len(seqs) != 1 || end.Header.Get("Nats-Service-Error-Code") != "500" || end.Header.Get("Nats-Service-Error") != "internal error" {
		t.Errorf("%v, %v, want the first alone and an internal error", seqs, end.Header)
	}
}

func TestReplayLimits(t *testing.T) {
	log := newLog(2)
	log.begun = make(chan struct{})
	f, stop := serveBoth(t, log, func(c *Config) { c.MaxReplays, c.MaxTenantReplays = 3, 2 })
	ends := make(chan *nats.Msg, 10)
	ask := func(tenant string) {
		inbox := f.admin.NewInbox()
		if _, err := f.admin.Subscribe(inbox, func(m *nats.Msg) { ends <- m }); err != nil {
			t.Fatal(err)
		}
		if err := f.admin.PublishRequest("switchlog.replay.pluralkit."+tenant, inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	code := func() string { return (<-ends).Header.Get("Nats-Service-Error-Code") }
	for range 2 {
		ask(tenantA)
		<-log.begun
	}
	if ask(tenantA); code() != "429" {
		t.Error("a third of one tenant, want 429")
	}
	ask(tenantB)
	<-log.begun
	if ask(tenantB); code() != "503" {
		t.Error("a fourth of all, want 503")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if got := code(); got != "503" {
			t.Errorf("when the service stops: %s, want 503", got)
		}
	}
}

func TestReplayTimeLimit(t *testing.T) {
	log := newLog(2)
	log.begun = make(chan struct{}, 1)
	f, _ := serveBoth(t, log, func(c *Config) { c.ReplayTimeout = time.Millisecond })
	if _, end := replayed(t, connect(t, f.nats, "a"), tenantA, ``); end.Header.Get("Nats-Service-Error-Code") != "504" {
		t.Errorf("%v, want 504", end.Header)
	}
}

// TestServiceEndsWithItsConnection: a door that nobody can reach is an error.
func TestServiceEndsWithItsConnection(t *testing.T) {
	f := serve(t, nil)
	c := f.config()
	c.Conn = connect(t, f.nats, "admin")
	err := serveNATS(t.Context(), c, c.Conn.Close)
	if err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got %v, want that the connection was closed", err)
	}
	if err := ServeNATS(t.Context(), c); err == nil {
		t.Error("on a closed connection: no error")
	}
}

// FuzzReplayRequest: any bytes are a span or the caller's fault.
func FuzzReplayRequest(f *testing.F) {
	for _, seed := range []string{``, `{"from":1,"to":"2h","type":"*.create"}`, `{"from":"2026-01-01"}`, `{"from":-1}`, `{"to":[]}`, `{"from":"\ud800"}`, `null`, ` `, `{"FROM":3}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, err := parseReplay(body, logEpoch)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", body, err)
		}
		if err == nil && (want.from.Seq > 1<<63 || want.to.Seq > 1<<63) {
			t.Errorf("%q: %+v", body, want)
		}
		if err == nil && len(bytes.TrimSpace(body)) > 0 && !json.Valid(body) {
			t.Errorf("%q is no JSON and was read", body)
		}
	})
}

// FuzzSubject: source and tenant come back exactly as they were made tokens.
func FuzzSubject(f *testing.F) {
	f.Add("switchlog.query.pluralkit." + tenantA + ".members")
	f.Add("switchlog.replay.*.>")
	f.Add("switchlog.query.=2E.=.x")
	f.Fuzz(func(t *testing.T, subject string) {
		if strings.Count(subject, ".") < 3 {
			return // the service is not subscribed to it
		}
		source, tenant, err := whose(subject)
		if err != nil {
			return
		}
		part := strings.Split(subject, ".")
		if schemas.Token(source) != part[2] || schemas.Token(tenant) != part[3] {
			t.Errorf("%q: %q, %q", subject, source, tenant)
		}
	})
}

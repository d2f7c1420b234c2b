package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// subscription is a plain client's.
type subscription struct {
	*nats.Subscription
	t    *testing.T
	last uint64
}

func subscribe(t *testing.T, nc *nats.Conn, subject string) *subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return &subscription{Subscription: sub, t: t}
}

// next is the next message. It must be a CloudEvent in structured mode, with
// the sequence of the stream and the one before it on its subject.
func (s *subscription) next() (*nats.Msg, cloudevents.Event) {
	s.t.Helper()
	m, err := s.NextMsg(startWithin)
	if err != nil {
		s.t.Fatalf("%s: %v", s.Subject, err)
	}
	var e cloudevents.Event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		s.t.Fatalf("%s: %v: %s", m.Subject, err, m.Data)
	}
	if err := e.Validate(); err != nil {
		s.t.Errorf("%s: %v", m.Subject, err)
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil || seq <= s.last {
		s.t.Errorf("%s: Nats-Sequence: got %q after %d", m.Subject, m.Header.Get("Nats-Sequence"), s.last)
	}
	if before, err := strconv.ParseUint(m.Header.Get("Nats-Last-Sequence"), 10, 64); err != nil || before >= seq {
		s.t.Errorf("%s: Nats-Last-Sequence: got %q at %d", m.Subject, m.Header.Get("Nats-Last-Sequence"), seq)
	}
	if got := m.Header.Get("Content-Type"); got != "application/cloudevents+json" {
		s.t.Errorf("%s: Content-Type: got %q", m.Subject, got)
	}
	s.last = seq
	return m, e
}

// TestSubscribe: a plain NATS client hears every event and every change right
// after it was posted, finds who fronts in the bucket, and asks the service.
func TestSubscribe(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	s.settled()
	nc := s.admin()
	events, changes := subscribe(t, nc, "events.>"), subscribe(t, nc, "changes.>")
	member, last := uuid.NewString(), ""
	create := fmt.Appendf(nil, `{"type":"CREATE_MEMBER","signing_token":%q,"system_id":%q,"id":%q,"data":{"name":"Iris"}}`, sampleToken, sampleSystem, member)
	if got := s.post(create); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	if m, e := events.next(); m.Subject != "events.pluralkit."+sampleSystem+".member.create" || e.Subject() != member {
		t.Errorf("got %s of %s, want the member", m.Subject, e.Subject())
	}
	begun := time.Now()
	for i := range 10 {
		id := uuid.NewString()
		body := bytes.Replace(switchBody(id, time.Now()), []byte("0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"), []byte(member), 1)
		if i%2 == 1 {
			body = bytes.Replace(body, []byte(`["`+member+`"]`), []byte("[]"), 1)
		}
		if got := s.post(body); got != 200 {
			t.Fatalf("got %d, want 200", got)
		}
		m, e := events.next()
		if m.Subject != "events.pluralkit."+sampleSystem+".switch.create" || e.Subject() != id {
			t.Errorf("event %d: got %s of %s, want the switch %s", i, m.Subject, e.Subject(), id)
		}
		if want := "pluralkit/" + sampleSystem + "/" + e.ID(); m.Header.Get("Nats-Msg-Id") != want {
			t.Errorf("event %d: Nats-Msg-Id: got %q, want %q", i, m.Header.Get("Nats-Msg-Id"), want)
		}
		c, ce := changes.next()
		for strings.HasSuffix(c.Subject, ".member") { // of the member's creation
			c, ce = changes.next()
		}
		var change schemas.Change
		var front schemas.Front
		if err := json.Unmarshal(ce.Data(), &change); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(change.After, &front); err != nil {
			t.Fatal(err)
		}
		if c.Subject != "changes.pluralkit."+sampleSystem+".front" || ce.Type() != "switchlog.front.changed" || change.Cause != e.ID() || change.CauseSeq != events.last {
			t.Errorf("change %d: got %s %s, cause %s at %d, want the front, by %s at %d", i, c.Subject, ce.Type(), change.Cause, change.CauseSeq, e.ID(), events.last)
		}
		if front.Switch != id || i%2 == 0 && (len(front.Members) != 1 || *front.Members[0].Name != "Iris") || i%2 == 1 && len(front.Members) != 0 {
			t.Errorf("change %d: after: got %s, want Iris to front in %s, or nobody", i, change.After, id)
		}
		last = id
	}
	t.Logf("10 events and their changes in %v", time.Since(begun))
	checkBucket(t, s, nc, last)
	checkService(t, s, nc)
	checkAnonymous(t, s)
	Check(s)
}

// checkBucket wants the given switch as the tenant's entry in FRONTERS.
func checkBucket(t *testing.T, s *server, nc *nats.Conn, last string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(t.Context(), "FRONTERS")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the entry of the bucket FRONTERS", func() bool {
		entry, err := bucket.Get(t.Context(), sampleSystem)
		var front schemas.Front
		return err == nil && json.Unmarshal(entry.Value(), &front) == nil && front.Switch == last && front.System == sampleSystem
	})
	if keys, err := bucket.Keys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("FRONTERS: got keys %v, %v, want the tenant's alone", keys, err)
	}
}

// checkService asks the service over NATS: a query, a replay, and what there
// is not.
func checkService(t *testing.T, s *server, nc *nats.Conn) {
	t.Helper()
	answer, err := nc.Request("switchlog.query.pluralkit."+sampleSystem+".fronters", []byte("{}"), startWithin)
	if err != nil {
		t.Fatal(err)
	}
	_, _, overHTTP := s.get("/api/v1/pluralkit/" + sampleSystem + "/fronters")
	if !bytes.Equal(bytes.TrimSpace(answer.Data), bytes.TrimSpace(overHTTP)) || answer.Header.Get("Nats-Service-Error-Code") != "" {
		t.Errorf("query over NATS: got %s %v\nwant %s as over HTTP", answer.Data, answer.Header, overHTTP)
	}
	for _, subject := range []string{"query.pluralkit." + sampleSystem + ".none", "query.none." + sampleSystem + ".fronters"} {
		if answer, err := nc.Request("switchlog."+subject, nil, startWithin); err != nil || answer.Header.Get("Nats-Service-Error-Code") != "404" {
			t.Errorf("%s: got %v, %v, want 404", subject, answer, err)
		}
	}
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	ask := &nats.Msg{Subject: "switchlog.replay.pluralkit." + sampleSystem, Reply: inbox, Data: []byte(`{"type":"*.switch.*"}`)}
	if err := nc.PublishMsg(ask); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		m, err := sub.NextMsg(startWithin)
		if err != nil {
			t.Fatalf("replay over NATS: after %d: %v", len(got), err)
		}
		if len(m.Data) == 0 {
			if n := m.Header.Get("Switchlog-Count"); n != fmt.Sprint(len(got)) || m.Header.Get("Nats-Service-Error-Code") != "" {
				t.Errorf("replay over NATS: end: got %v after %d events", m.Header, len(got))
			}
			break
		}
		got = append(got, string(m.Data))
	}
	if want := s.cli("", "replay", "--tenant", sampleSystem, "--type", "*.switch.*"); strings.Join(got, "\n")+"\n" != want {
		t.Errorf("replay over NATS: got %d events, want those of the command: %s", len(got), want)
	}
}

// checkAnonymous: without the right password nobody gets in.
func checkAnonymous(t *testing.T, s *server) {
	t.Helper()
	for name, option := range map[string]nats.Option{
		"nobody": nil, "a wrong password": nats.UserInfo("admin", "x"), "no password": nats.UserInfo("admin", ""),
		"another user": nats.UserInfo("sys", ""), "a token": nats.Token(s.token()),
	} {
		options := []nats.Option{nats.Timeout(startWithin)}
		if option != nil {
			options = append(options, option)
		}
		nc, err := nats.Connect(s.NATS, options...)
		if err == nil {
			nc.Close()
			t.Errorf("NATS lets %s in", name)
		}
	}
	res, err := wire.Get(s.Private + "/api/v1/pluralkit/" + sampleSystem + "/fronters")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != 401 {
		t.Errorf("HTTP without a token: got %d, %v, want 401", res.StatusCode, err)
	}
}

// stream of changes as an EventSource reads it.
type sse struct {
	cancel context.CancelFunc
	lines  *bufio.Scanner
	close  func() error
}

// changes opens the stream of changes; lastID empty: from now on.
func (s *server) changes(lastID string) *sse {
	s.t.Helper()
	return s.changesAs(s.token(), lastID)
}

// changesAs is changes with a reader's token.
func (s *server) changesAs(token, lastID string) *sse {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), startWithin)
	req, err := http.NewRequestWithContext(ctx, "GET", s.Private+"/api/v1/pluralkit/"+sampleSystem+"/changes", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := new(http.Client).Do(req) // no timeout: it is a stream; ctx bounds it
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("changes: got %s, %s", res.Status, res.Header)
	}
	return &sse{cancel: cancel, lines: bufio.NewScanner(res.Body), close: res.Body.Close}
}

// read reads until a change, or the end (then data is empty), and gives the
// last id seen.
func (e *sse) read() (id, data string) {
	for e.lines.Scan() {
		line := e.lines.Text()
		switch {
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case strings.HasPrefix(line, "data: "):
			data = line[6:]
		case line == "" && (data != "" || id != ""):
			return id, data
		}
	}
	return id, ""
}

func (e *sse) end(t *testing.T) {
	t.Helper()
	e.cancel()
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

// TestChangesOverRestart: a client of the stream of changes that comes back
// with Last-Event-ID, also after the server was stopped or killed, gets every
// change once.
func TestChangesOverRestart(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	c := s.changes("")
	lastID, data := c.read()
	if lastID == "" || data != "" {
		t.Fatalf("first: got id %q, %q, want an id alone", lastID, data)
	}
	var sent, got []string
	post := func(n int) {
		for range n {
			id := uuid.NewString()
			body := switchBody(id, time.Now())
			if len(sent)%2 == 1 { // else the same would front as before, which is no change
				body = bytes.Replace(body, []byte(`["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"]`), []byte("[]"), 1)
			}
			if status := s.post(body); status != 200 {
				t.Fatalf("got %d, want 200", status)
			}
			sent = append(sent, id)
		}
	}
	read := func(n int) {
		for range n {
			id, data := c.read()
			var e struct{ Data struct{ After schemas.Front } }
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatalf("change %s after %d: %v: %q", id, len(got), err, data)
			}
			lastID = id
			got = append(got, e.Data.After.Switch)
		}
	}
	for round := range rounds(3, 50) {
		post(5)
		read(3)
		if round%2 == 0 {
			s.stop() // with the stream open
		} else {
			s.kill()
		}
		c.end(t)
		s.start()
		post(4) // while nobody listens
		c = s.changes(lastID)
		if id, data := c.read(); id != lastID || data != "" {
			t.Fatalf("resumed: got id %s, %q, want %s alone", id, data, lastID)
		}
		read(6)
	}
	c.end(t)
	if strings.Join(got, " ") != strings.Join(sent, " ") {
		t.Errorf("changes: got %v\nwant %v", got, sent)
	}
	if status, _, body := s.get("/api/v1/pluralkit/" + sampleSystem + "/changes?last_event_id=1000000"); status != 400 {
		t.Errorf("an id of the future: got %d %s, want 400", status, body)
	}
	Check(s)
}

// TestWaitFor: who has just posted, reads what came of it.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	seq := s.settled()
	path := "/api/v1/pluralkit/" + sampleSystem + "/fronters"
	for range 20 {
		id := uuid.NewString()
		if status := s.post(switchBody(id, time.Now())); status != 200 {
			t.Fatalf("got %d, want 200", status)
		}
		seq++
		status, header, body := s.get(fmt.Sprint(path, "?wait_for=", seq))
		at, err := strconv.ParseUint(header.Get("Switchlog-Position"), 10, 64)
		if status != 200 || err != nil || at < seq || !bytes.Contains(body, []byte(id)) {
			t.Fatalf("wait_for=%d: got %d at %q, %s, want the switch %s", seq, status, header.Get("Switchlog-Position"), body, id)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { // what never comes is answered in bounded time, and holds nobody up
		if status, _, body := s.get(fmt.Sprint(path, "?wait_for=", seq+1000)); status != 504 {
			t.Errorf("wait_for what never comes: got %d %s, want 504", status, body)
		}
	})
	if status, _, _ := s.get(path); status != 200 {
		t.Errorf("meanwhile: got %d, want 200", status)
	}
	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if status, _, body := s.get(path + "?wait_for=" + bad); status != 400 {
			t.Errorf("wait_for=%s: got %d %s, want 400", bad, status, body)
		}
	}
	wg.Wait()
	Check(s)
}

// showsSwitch reads lines until both the switch and, if it changes the front, the change were there.
func showsSwitch(lines *bufio.Scanner, id string, changes bool) bool {
	logged, fronts := false, !changes
	for (!logged || !fronts) && lines.Scan() {
		line := lines.Text()
		logged = logged || strings.Contains(line, "switch logged: "+alder) && strings.Contains(line, "me.pluralkit.switch.create") && strings.Contains(line, id)
		fronts = fronts || strings.Contains(line, alder+" now fronts")
	}
	return logged && fronts
}

// TestTail: the command shows each event once it is there, and what it changed.
func TestTail(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	s.settled()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "tail", "--type", "*", "--data", s.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	waiting := &logBuffer{}
	cmd.Stderr = waiting
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "tail", func() bool { return strings.Contains(waiting.String(), "waiting for events") })
	lines := bufio.NewScanner(stdout)
	for i := range 3 {
		id := uuid.NewString()
		for _, body := range [][]byte{samples(t)["02-update_system-fields"], switchBody(id, time.Now())} {
			if status := s.post(body); status != 200 {
				t.Fatalf("got %d, want 200", status)
			}
		}
		if !showsSwitch(lines, id, i == 0) {
			t.Fatalf("tail %d: want the switch %s in words, and after the first who fronts now", i, id)
		}
	}
	cancel()
	if err := cmd.Wait(); err != nil && ctx.Err() == nil || cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("tail, interrupted: got %v, exit code %d, want 0: %s", err, cmd.ProcessState.ExitCode(), waiting)
	}
	Check(s)
}

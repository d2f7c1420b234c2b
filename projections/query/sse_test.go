package query

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

const changesOfA = Root + "pluralkit/" + tenantA + "/changes"

// sseClient reads a stream of changes as a browser does.
type sseClient struct {
	resp   *http.Response
	lines  *bufio.Scanner
	lastID string
	cancel context.CancelFunc
}

// sseEvent is one event; empty but for comments if a heartbeat came.
type sseEvent struct{ id, typ, data, comment string }

// listen opens a stream. lastID may be empty.
func (f *fixture) listen(tb testing.TB, path, token, lastID string) *sseClient {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.http.URL+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	c := &sseClient{resp: resp, lines: bufio.NewScanner(resp.Body), lastID: lastID, cancel: cancel}
	c.lines.Buffer(nil, 1<<20)
	tb.Cleanup(c.close)
	if resp.StatusCode == http.StatusOK {
		if first, ok := c.next(); !ok || first.id == "" || first.typ != "" {
			tb.Fatalf("first: %+v, %v, want an id alone", first, ok)
		}
	}
	return c
}

func (c *sseClient) close() {
	c.cancel()
	_ = c.resp.Body.Close()
}

// next reads up to the next empty line; false: the stream has ended.
func (c *sseClient) next() (sseEvent, bool) {
	var e sseEvent
	for c.lines.Scan() {
		line := c.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			e.id, c.lastID = value, value
		case "event":
			e.typ = value
		case "data":
			e.data += value
		case "":
			if line == "" {
				return e, true
			}
			e.comment = value
		}
	}
	return e, false
}

// TestChangesResume: killed at random events and taken up again, a stream has
// everything once, in order, and of its tenant alone.
func TestChangesResume(t *testing.T) {
	f := serve(t, nil)
	const n = 120
	go func() { // both tenants' changes, interleaved
		for i := 1; i <= n; i++ {
			f.changed(t, tenantB, i, 1)
			f.changed(t, tenantA, i, 1)
		}
	}()
	random := rand.New(rand.NewPCG(1, 2))
	var got []string
	lastID := "0"
	for len(got) < n {
		c := f.listen(t, changesOfA, tokenA, lastID)
		for range 1 + random.IntN(20) {
			e, ok := c.next()
			if !ok {
				t.Fatalf("ended after %d", len(got))
			}
			var ce schemas.Event
			if err := ce.UnmarshalJSON([]byte(e.data)); err != nil || e.typ != ce.Type || e.typ != schemas.FrontChanged {
				t.Fatalf("%+v: %v", e, err)
			}
			if ce.Source != schemas.PluralKitSystemURL+tenantA {
				t.Fatalf("an event of %s", ce.Source)
			}
			if got = append(got, ce.ID); len(got) == n {
				break
			}
		}
		lastID = c.lastID
		c.close() // what was sent behind it is lost with the connection
	}
	for i, id := range got {
		if want := fmt.Sprintf("front.%s.a-%d", tenantA, i+1); id != want {
			t.Fatalf("change %d: %s, want %s", i, id, want)
		}
	}
	eventually(t, "all streams are closed", func() bool { return f.h.streams.inUse() == 0 })
}

func (s *shares) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// TestChangesFromNow: without an id a stream begins now, and one that ended
// before its first change still resumes without a gap.
func TestChangesFromNow(t *testing.T) {
	f := serve(t, nil)
	f.changed(t, tenantA, 1, 3)
	c := f.listen(t, changesOfA, tokenA, "")
	if c.lastID != "3" {
		t.Fatalf("first id %s, want 3", c.lastID)
	}
	c.close()
	f.changed(t, tenantA, 4, 1)
	for _, path := range []string{changesOfA, changesOfA + "?last_event_id=1"} { // the header goes first
		c = f.listen(t, path, tokenA, c.lastID)
		if e, ok := c.next(); !ok || e.id != "4" {
			t.Errorf("%s: got %+v, want id 4", path, e)
		}
		c.close()
		c.lastID = "3"
	}
	c = f.listen(t, changesOfA+"?last_event_id=2", tokenA, "")
	if e, _ := c.next(); e.id != "3" {
		t.Errorf("got %+v, want id 3", e)
	}
}

func TestChangesRefusals(t *testing.T) {
	f := serve(t, func(c *Config) { c.MaxStreams, c.MaxReaderStreams = 3, 2 })
	f.changed(t, tenantA, 1, 2)
	for _, id := range []string{"3", "-1", "x", "", "18446744073709551616", "1.0"} {
		if got := f.get(t, changesOfA+"?last_event_id="+id, tokenA); got.code != 400 {
			t.Errorf("id %q: %d, want 400", id, got.code)
		}
	}
	f.listen(t, changesOfA, tokenA, "")
	second := f.listen(t, changesOfA, tokenA, "2")
	if got := f.get(t, changesOfA, tokenA); got.code != 429 || got.header.Get("Retry-After") == "" {
		t.Errorf("third of one reader: %d, want 429 with Retry-After", got.code)
	}
	f.listen(t, changesOfA, adminToken, "0")
	if got := f.get(t, strings.Replace(changesOfA, tenantA, tenantB, 1), tokenB); got.code != 503 {
		t.Errorf("fourth of all: %d, want 503", got.code)
	}
	second.close()
	eventually(t, "the place is free again", func() bool { return f.h.streams.inUse() == 2 })
	f.listen(t, changesOfA, tokenA, "")
	if err := f.js.DeleteStream(t.Context(), schemas.StreamChanges); err != nil {
		t.Fatal(err)
	}
	if got := f.get(t, changesOfA, tokenB); got.code != 404 {
		t.Errorf("another tenant's: %d, want 404", got.code)
	}
	if got := f.get(t, strings.Replace(changesOfA, tenantA, tenantB, 1), tokenB); got.code != 503 {
		t.Errorf("all places taken: %d, want 503", got.code)
	}
}

func TestChangesHeartbeatAndEnd(t *testing.T) {
	done := make(chan struct{})
	f := serve(t, func(c *Config) { c.Done = done })
	f.h.sse.heartbeat = time.Millisecond
	c := f.listen(t, changesOfA, tokenA, "")
	if e, ok := c.next(); !ok || e.comment != "heartbeat" {
		t.Errorf("got %+v, %v, want a heartbeat", e, ok)
	}
	close(done)
	for more := true; more; {
		_, more = c.next()
	}
	eventually(t, "the stream is closed", func() bool { return f.h.streams.inUse() == 0 })
}

// TestSlowClient: a client that does not read is let go, and meanwhile another
// gets everything.
func TestSlowClient(t *testing.T) {
	f := serve(t, nil)
	f.h.sse.write = 100 * time.Millisecond
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET %s?last_event_id=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", changesOfA, tokenA)
	eventually(t, "the stream is open", func() bool { return f.h.streams.inUse() == 1 })

	subject := schemas.Route{Source: "pluralkit", Tenant: tenantA, Noun: "front"}.ChangeSubject()
	body := []byte(`{"specversion":"1.0","id":"big","source":"urn:x","type":"switchlog.front.changed","data":"` + strings.Repeat("x", 500_000) + `"}`)
	const n = 24 // 12 MB: more than the sockets hold
	for range n {
		if _, err := f.js.Publish(t.Context(), subject, body); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the slow client is let go", func() bool { return f.h.streams.inUse() == 0 })

	c := f.listen(t, changesOfA, tokenA, "0")
	for i := range n {
		if e, ok := c.next(); !ok || e.id != fmt.Sprint(i+1) {
			t.Fatalf("another client: %s, %v, want id %d", e.id, ok, i+1)
		}
	}
}

// TestChangesSurviveRestart: the NATS server goes and comes back, and its
// consumers with it are gone; the stream goes on without a gap.
func TestChangesSurviveRestart(t *testing.T) {
	f := serve(t, nil)
	c := f.listen(t, changesOfA, tokenA, "")
	f.changed(t, tenantA, 1, 2)
	var ids []string
	read := func(n int) {
		for range n {
			e, ok := c.next()
			if !ok {
				t.Fatalf("ended after %v", ids)
			}
			if e.id != "" {
				ids = append(ids, e.id)
			}
		}
	}
	read(2)
	port := f.nats.Addr().(*net.TCPAddr).Port
	dir := strings.TrimSuffix(f.nats.JetStreamConfig().StoreDir, "/jetstream")
	f.nats.Shutdown()
	f.nats.WaitForShutdown()
	startNATS(t, dir, port)
	eventually(t, "connected again", func() bool { return f.admin.Stats().Reconnects == 1 })
	eventually(t, "the stream is back", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := f.js.Stream(ctx, schemas.StreamChanges)
		return err == nil
	})
	f.changed(t, tenantA, 3, 2)
	read(2)
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}

// TestNoEventIsPassedOver: what is no event in CHANGES does not end a stream.
func TestNoEventIsPassedOver(t *testing.T) {
	f := serve(t, nil)
	subject := schemas.Route{Source: "pluralkit", Tenant: tenantA, Noun: "front"}.ChangeSubject()
	if _, err := f.js.Publish(t.Context(), subject, []byte("no event")); err != nil {
		t.Fatal(err)
	}
	f.changed(t, tenantA, 2, 1)
	c := f.listen(t, changesOfA, tokenA, "0")
	if e, ok := c.next(); !ok || e.id != "2" {
		t.Errorf("got %+v, %v, want id 2", e, ok)
	}
}

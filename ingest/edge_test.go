package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const update1 = `{"type":"UPDATE_SYSTEM","signing_token":"` + testToken + `","system_id":"` + testSystem + `","id":null,"data":{"name":"a"}}`

// filled is update1 with a member that makes it size bytes long.
func filled(size int) string {
	return strings.Replace(update1, `"a"}`, `"`+strings.Repeat("a", size-len(update1)+1)+`"}`, 1)
}

func TestLaw1SuccessOnlyWhenStored(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	b.log.fail(errDiskFull)
	resp, err := http.Post(b.edge.URL+"/in/pluralkit", "application/json", strings.NewReader(update1))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, resp)
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("store failed: status %d, Retry-After %q; want 503 with one", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	b.log.fail(nil)
	if got := b.post(t, update1); got != 200 {
		t.Errorf("store works again: status %d, want 200", got)
	}
	if got := len(b.log.webhooks()); got != 1 {
		t.Errorf("%d events stored, want 1", got)
	}
}

// The sender hangs up while the event is being stored: it is stored, since
// PluralKit will not send it again.
func TestLaw1HangingUpDoesNotStop(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	requests := make(chan context.Context, 1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Context()
		b.edge.Config.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	entered, gone := make(chan struct{}), make(chan struct{})
	b.log.before = func() { close(entered); <-gone }
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, front.URL+"/in/pluralkit", strings.NewReader(update1))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; err == nil {
		t.Fatal("the request ended without error, want a cancelled one")
	}
	<-(<-requests).Done() // the server has seen it
	close(gone)
	front.Close() // waits for the handler
	if got := len(b.log.webhooks()); got != 1 {
		t.Errorf("%d events stored, want 1", got)
	}
}

func TestEdgeAnswers(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		allow              string
	}{
		{"POST", "/in/pluralkit", update1, 200, ""},
		{"POST", "/in/pluralkit", "", 401, ""},
		{"POST", "/in/pluralkit", filled(256 << 10), 200, ""},
		{"POST", "/in/pluralkit", filled(256<<10 + 1), 413, ""},
		{"POST", "/in/pluralkit", filled(300 << 10), 413, ""},
		{"POST", "/in/pluralkit", strings.Repeat("x", 300<<10), 413, ""},
		{"GET", "/in/pluralkit", "", 405, "POST"},
		{"HEAD", "/in/pluralkit", "", 405, "POST"},
		{"PUT", "/in/pluralkit", update1, 405, "POST"},
		{"OPTIONS", "/in/pluralkit", "", 405, "POST"},
		{"POST", "/in/pluralkit/", update1, 200, ""},
		{"POST", "/in//pluralkit", update1, 200, ""},
		{"POST", "//in/pluralkit//", update1, 200, ""},
		{"POST", "/in/pluralkit/?a=b", update1, 200, ""},
		{"GET", "/in/pluralkit/", "", 405, "POST"},
		{"GET", "/healthz/", "", 200, ""},
		{"POST", "/in/pluralkit/x/", update1, 404, ""},
		{"POST", "/in/pluralkit%2f", update1, 404, ""},
		{"POST", "/in/pluralkit/./", update1, 404, ""},
		{"POST", "/in/./pluralkit", update1, 404, ""},
		{"POST", "/in/pluralkit/../pluralkit", update1, 404, ""},
		{"POST", "/in/nothing/x", update1, 404, ""},
		{"GET", "/", "", 404, ""},
		{"GET", "/metrics", "", 404, ""},
		{"GET", "/api/admin/sources", "", 404, ""},
		{"GET", "/healthz", "", 200, ""},
		{"HEAD", "/healthz", "", 200, ""},
		{"POST", "/healthz", "", 405, "GET, HEAD"},
	} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = strings.NewReader(c.body)
			if chunked {
				body = io.MultiReader(body) // hides the length
			}
			req, err := http.NewRequestWithContext(t.Context(), c.method, b.edge.URL+c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
			if err != nil {
				t.Fatalf("%s %s: %v", c.method, c.path, err)
			}
			if c.method != "HEAD" {
				checkAnswer(t, resp)
			}
			resp.Body.Close()
			if got := resp.StatusCode; got != c.status {
				t.Errorf("%s %s %d bytes chunked=%t: status %d, want %d", c.method, c.path, len(c.body), chunked, got, c.status)
			}
			if got := resp.Header.Get("Allow"); got != c.allow {
				t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, got, c.allow)
			}
		}
	}
}

// Half a body and then silence: the connection is given up, and it never was
// more than one.
func TestEdgeSlowBody(t *testing.T) {
	b := newBench(t, EdgeConfig{BodyTimeout: 50 * time.Millisecond})
	b.add(t)
	for _, head := range []string{"Content-Length: 300", "Content-Length: 100000", "Transfer-Encoding: chunked"} {
		conn, err := net.Dial("tcp", b.edge.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /in/pluralkit HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n{\"type\":", head)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn) // ends when the server closes
		if err != nil {
			t.Errorf("%s: the server did not hang up: %v", head, err)
		}
		conn.Close()
		want := "HTTP/1.1 408 "
		if strings.HasPrefix(head, "Transfer") {
			want = "HTTP/1.1 4" // what was sent is no chunk
		}
		if !strings.HasPrefix(string(got), want) {
			t.Errorf("%s: answer %q, want %s…", head, got, want)
		}
	}
}

func TestEdgeThousandAtOnce(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 200}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	statuses := make(chan int, 1000)
	for i := range 1000 {
		wg.Go(func() {
			body := strings.Replace(update1, `"a"`, fmt.Sprintf(`"%d"`, i), 1)
			resp, err := client.Post(b.edge.URL+"/in/pluralkit", "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	wg.Wait()
	close(statuses)
	for status := range statuses {
		if status != 200 {
			t.Errorf("status %d, want 200", status)
		}
	}
	different := map[string]bool{}
	for _, e := range b.log.webhooks() {
		different[string(e.Data)] = true
	}
	if len(different) != 1000 {
		t.Errorf("%d different events stored, want 1000", len(different))
	}
}

// One request of a source may wait: the second verified one is 429, while one
// that is not verified stays 401.
func TestLaw10Busy(t *testing.T) {
	b := newBench(t, EdgeConfig{MaxWaiting: 1})
	b.add(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	b.log.before = func() { close(entered); <-leave }
	first := make(chan int)
	go func() { first <- b.post(t, update1) }()
	<-entered
	resp, err := http.Post(b.edge.URL+"/in/pluralkit", "application/json", strings.NewReader(update1))
	if err != nil {
		t.Fatal(err)
	}
	checkAnswer(t, resp)
	resp.Body.Close()
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode != 429 || err != nil || after < 1 {
		t.Errorf("verified, no room: status %d, Retry-After %q, want 429 and how many seconds to wait", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if got := b.post(t, strings.Replace(update1, testToken, "wrong", 1)); got != 401 {
		t.Errorf("not verified, no room: status %d, want 401", got)
	}
	close(leave)
	if got := <-first; got != 200 {
		t.Errorf("the first: status %d, want 200", got)
	}
}

// Large bodies share MaxLargeBytes: one that finds no room in its time is
// told to come again, and small ones pass by.
func TestLaw10LargeBodies(t *testing.T) {
	e := NewEdge(EdgeConfig{MaxLargeBytes: 257 << 10, BodyTimeout: time.Hour}, nil, nil).(*edge)
	read := func(ctx context.Context, size int64, body io.Reader) error {
		r := httptest.NewRequestWithContext(ctx, "POST", "/", body)
		r.ContentLength = size
		_, release, err := e.readBody(httptest.NewRecorder(), r)
		if err == nil {
			release()
		}
		return err
	}
	zeros := func(size int64) io.Reader { return io.LimitReader(zeroReader{}, size) }
	stall, sender := io.Pipe()
	first := make(chan error)
	go func() { first <- read(t.Context(), 256<<10, stall) }()
	if _, err := sender.Write([]byte("{")); err != nil { // it is read: the first has its share
		t.Fatal(err)
	}
	if err := read(t.Context(), smallBodyBytes, zeros(smallBodyBytes)); err != nil {
		t.Errorf("small body: %v", err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if err := read(short, 256<<10, zeros(256<<10)); !errors.Is(err, errCrowded) {
		t.Errorf("large body: %v, want %v", err, errCrowded)
	}
	if err := read(short, -1, zeros(9)); !errors.Is(err, errCrowded) {
		t.Errorf("body of unknown size: %v, want %v", err, errCrowded)
	}
	waits := make(chan error)
	go func() { waits <- read(t.Context(), 256<<10, zeros(256<<10)) }()
	sender.Close()
	if err := <-first; !errors.Is(err, errBroken) {
		t.Errorf("half a body: %v, want %v", err, errBroken)
	}
	if err := <-waits; err != nil {
		t.Errorf("large body that waited: %v", err)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

// A panic is a 500, and what it says, which may be anything, is not logged. The
// provider is asked for what the request said, as for all that is lost.
func TestEdgePanic(t *testing.T) {
	watch := &watched{}
	b := newBench(t, EdgeConfig{Watch: watch})
	b.add(t)
	b.log.before = func() { panic("secret of the body") }
	if got := b.post(t, update1); got != 500 {
		t.Errorf("status %d, want 500", got)
	}
	if strings.Contains(b.lines.String(), "secret of the body") || !strings.Contains(b.lines.String(), "panic: string") {
		t.Errorf("log lines: %s", b.lines)
	}
	if told := watch.take(); !slices.Equal(told, []string{"missed"}) {
		t.Errorf("told: %q, want that it was missed", told)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	b := newBench(t, EdgeConfig{Registerer: reg})
	b.add(t)
	for name, body := range bodies(t) {
		if strings.HasPrefix(name, "01") || strings.HasPrefix(name, "15-create_message") {
			b.post(t, body)
		}
	}
	b.post(t, "")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	at := float64(b.clock.Now().Unix())
	for key, want := range map[string]float64{
		"switchlog_ingest_requests_total pluralkit accepted":      1,
		"switchlog_ingest_requests_total pluralkit repeat":        1,
		"switchlog_ingest_requests_total pluralkit ping":          2,
		"switchlog_ingest_requests_total pluralkit unauthorized":  2,
		"switchlog_ingest_pings_total pluralkit":                  2,
		"switchlog_ingest_seconds pluralkit":                      6,
		"switchlog_ingest_last_event_timestamp_seconds pluralkit": at,
		"switchlog_ingest_last_ping_timestamp_seconds pluralkit":  at,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

// A source added without a system learns it from the first verified request
// that says it. A request before that which does not say it is refused: its event would be under the
// name of the source for ever. Of two such sources (an earlier version let them be added) the second cannot
// take the first one's system, and is shown with what helps.
func TestLearn(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	other := "00000000-0d4e-4c1b-9a6e-2b8d5f90c311"
	for name, token := range map[string]string{"first": testToken, "second": "another-example-token"} {
		b.addUnsaid(t, name, token)
	}
	steps := []struct {
		name, body string
		status     int
		tenant     string // of the event; empty: none
	}{
		{"null system", strings.Replace(update1, `"`+testSystem+`"`, "null", 1), 503, ""},
		{"no uuid", strings.Replace(update1, testSystem, "home", 1), 401, ""},
		{"broken", update1[:len(update1)-1], 400, ""},
		{"says it", strings.Replace(update1, testSystem, strings.ToUpper(testSystem), 1), 200, testSystem},
		{"null system again", strings.Replace(update1, `"`+testSystem+`"`, "null", 1), 200, testSystem},
		{"another system", strings.Replace(update1, testSystem, other, 1), 401, ""},
		{"another source, same system", strings.Replace(update1, testToken, "another-example-token", 1), 401, ""},
		{"another source, its own", strings.NewReplacer(testToken, "another-example-token", testSystem, other).Replace(update1), 200, other},
	}
	for _, c := range steps {
		before := len(b.log.webhooks())
		if c.name == "another source, its own" {
			s, err := b.reg.Source("pluralkit", "second")
			if err != nil || !strings.Contains(s.Conflict, "source pluralkit first has") || !strings.Contains(s.Conflict, "(hint: ") {
				t.Errorf("conflict %q, %v; want whose the system is, and what helps", s.Conflict, err)
			}
		}
		if got := b.post(t, c.body); got != c.status {
			t.Errorf("%s: status %d, want %d", c.name, got, c.status)
		}
		tenant := ""
		for _, e := range b.log.webhooks()[before:] {
			tenant = e.Route.Tenant
		}
		if tenant != c.tenant {
			t.Errorf("%s: tenant %q, want %q", c.name, tenant, c.tenant)
		}
	}
	if s, err := b.reg.Source("pluralkit", "second"); err != nil || s.Conflict != "" {
		t.Errorf("a source that has learned: conflict %q, %v; want none", s.Conflict, err)
	}
	learned := 0
	for _, e := range b.log.all() {
		if e.Type == schemas.SourceLearned {
			learned++
		}
	}
	if learned != 2 {
		t.Errorf("%d learned events, want 2", learned)
	}
}

// A source cannot learn while nothing can be stored.
func TestLearnFails(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	if _, err := b.reg.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Secrets: map[string]string{"token": testToken}}); err != nil {
		t.Fatal(err)
	}
	b.log.fail(errDiskFull)
	if got := b.post(t, update1); got != 503 {
		t.Errorf("status %d, want 503", got)
	}
	b.log.fail(nil)
	if got := b.post(t, update1); got != 200 {
		t.Errorf("status %d, want 200", got)
	}
	if got := b.log.webhooks()[0].Route.Tenant; got != testSystem {
		t.Errorf("tenant %s, want %s", got, testSystem)
	}
}

func TestEdgeWithoutSources(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	if got := b.post(t, update1); got != 401 {
		t.Errorf("status %d, want 401", got)
	}
}

// TestTransferEncodingClosesTheConnection: what stands behind a body of which two
// headers say two lengths is never read as a request.
func TestTransferEncodingClosesTheConnection(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	ping := `{"type":"PING","signing_token":"` + testToken + `"}`
	smuggled := "POST /in/pluralkit HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(len(ping)) + "\r\n\r\n" + ping
	for _, head := range []string{
		"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n",
	} {
		c, err := net.Dial("tcp", strings.TrimPrefix(b.edge.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_, err = fmt.Fprintf(c, "POST /in/pluralkit HTTP/1.1\r\nHost: x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n%s", head, len(ping), ping, smuggled)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c) // until it is closed
		if err != nil || strings.Count(string(got), "HTTP/1.1 200") != 1 || strings.Count(string(got), "HTTP/1.1") != 1 || !strings.Contains(string(got), "Connection: close") {
			t.Errorf("%q: got %q, %v, want one 200 and the end", head, got, err)
		}
	}
}

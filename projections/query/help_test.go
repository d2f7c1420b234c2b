package query

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenantA = "aaaaaaaa-0b0c-4d5e-9a62-0f7f3a6d1a55"
	tenantB = "bbbbbbbb-0b0c-4d5e-9a62-0f7f3a6d1a55"

	adminToken, tokenA, tokenB = "admin-token", "token-of-a", "token-of-b"
)

var testProjections = []engine.Projection{{
	Name: "members", Source: "pluralkit",
	Queries: []engine.Query{
		{Name: "members", Path: "members", Doc: "All members."},
		{Name: "member", Path: "members/{ref}", Doc: "One member.", One: true,
			Params: []engine.Param{{Name: "ref", Doc: "Its uuid."}}},
		{Name: "switches", Path: "switches", Doc: "The switches.", Params: []engine.Param{
			{Name: "before", Kind: schemas.Time, Doc: "Only before then."},
			{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many."},
			{Name: "all", Kind: schemas.Bool, Default: "true", Doc: "Deleted ones too."}}},
	},
}, {
	Name: "botghost", Source: "botghost",
	Queries: []engine.Query{{Name: "triggers", Path: "triggers", Doc: "What was triggered."}},
}}

// memoryStore answers with what it was asked, so that a test sees it.
type memoryStore struct {
	answer func(ctx context.Context, name string) (engine.Answer, error) // nil: see Ask

	mu    sync.Mutex
	asked []map[string]string // params, with source and query
	pos   uint64
	moved chan struct{}
}

func newStore() *memoryStore { return &memoryStore{pos: 7, moved: make(chan struct{})} }

func (s *memoryStore) Ask(ctx context.Context, source, name string, params map[string]string) (engine.Answer, error) {
	s.mu.Lock()
	echo := map[string]string{"source": source, "query": name}
	for k, v := range params {
		echo[k] = v
	}
	s.asked = append(s.asked, echo)
	a := engine.Answer{Found: params["ref"] != "nobody", Position: schemas.Position{Seq: s.pos}}
	s.mu.Unlock()
	if s.answer != nil {
		return s.answer(ctx, name)
	}
	if params["limit"] == "many" {
		return a, fmt.Errorf("parameter limit: %w: want a whole number", schemas.ErrInvalid)
	}
	if a.Found {
		a.Body, _ = json.Marshal(echo)
	}
	return a, nil
}

func (s *memoryStore) Wait(ctx context.Context, seq uint64) error {
	for {
		s.mu.Lock()
		reached, moved := s.pos >= seq, s.moved
		s.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *memoryStore) move(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pos = seq
	close(s.moved)
	s.moved = make(chan struct{})
}

// tenants lists whose data was asked for.
func (s *memoryStore) tenants() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for _, params := range s.asked {
		all[params["tenant"]]++
	}
	return all
}

// startNATS runs a server with the users admin, a and b; the latter may do
// what a reader of their tenant may.
func startNATS(tb testing.TB, dir string, port int) *server.Server {
	tb.Helper()
	reader := func(name, tenant string) *server.User {
		return &server.User{Username: name, Password: name, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{"switchlog.query.*." + tenant + ".*", "switchlog.replay.*." + tenant}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_" + name + ".>"}},
		}}
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true, MaxPending: 8 << 20, // of what a reader does not take
		Users: []*server.User{{Username: "admin", Password: "admin"}, reader("a", tenantA), reader("b", tenantB)},
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the NATS server does not listen")
	}
	return s
}

func connect(tb testing.TB, s *server.Server, user string) *nats.Conn {
	tb.Helper()
	prefix := "_INBOX_" + user
	if user == "admin" {
		prefix = "_INBOX"
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, user), nats.CustomInboxPrefix(prefix),
		nats.ReconnectWait(20*time.Millisecond), nats.MaxReconnects(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

// fixture is both doors on a real server, before a store in memory.
type fixture struct {
	nats  *server.Server
	admin *nats.Conn
	js    jetstream.JetStream
	store *memoryStore
	http  *httptest.Server
	h     *handler
}

// serve starts the HTTP door. change may be nil.
func serve(tb testing.TB, change func(*Config)) *fixture {
	tb.Helper()
	f := &fixture{nats: startNATS(tb, tb.TempDir(), server.RANDOM_PORT), store: newStore()}
	f.admin = connect(tb, f.nats, "admin")
	var err error
	if f.js, err = jetstream.New(f.admin); err != nil {
		tb.Fatal(err)
	}
	if _, err = f.js.CreateStream(tb.Context(), jetstream.StreamConfig{Name: schemas.StreamChanges, Subjects: []string{schemas.LogChanges + ".>"}}); err != nil {
		tb.Fatal(err)
	}
	c := f.config()
	if change != nil {
		change(&c)
	}
	f.h = NewHandler(c).(*handler)
	f.http = httptest.NewServer(f.h)
	tb.Cleanup(func() {
		f.http.CloseClientConnections()
		f.http.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return f
}

func (f *fixture) config() Config {
	return Config{Store: f.store, Conn: f.admin, Projections: testProjections, Authorize: Authorizer(testReader), Inbox: testInbox}
}

func testReader(hash [sha256.Size]byte) (Reader, bool) {
	reader, ok := map[[sha256.Size]byte]Reader{
		sha256.Sum256([]byte(adminToken)): {Name: "admin", Admin: true},
		sha256.Sum256([]byte(tokenA)):     {Name: "a", Tenant: tenantA},
		sha256.Sum256([]byte(tokenB)):     {Name: "b", Tenant: tenantB},
	}[hash]
	return reader, ok
}

// testInbox gives whose inbox a prefix is.
func testInbox(prefix string) (Reader, bool) {
	reader, ok := map[string]Reader{
		"_INBOX":   {Name: "admin", Admin: true},
		"_INBOX_a": {Name: "a", Tenant: tenantA},
		"_INBOX_b": {Name: "b", Tenant: tenantB},
	}[prefix]
	return reader, ok
}

type answered struct {
	code   int
	header http.Header
	body   string
}

// do makes a request with a token; the path is sent as it is.
func (f *fixture) do(tb testing.TB, method, path, token string) answered {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second) // a stream where there should be none
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, f.http.URL+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(body)}
}

func (f *fixture) get(tb testing.TB, path, token string) answered {
	tb.Helper()
	return f.do(tb, http.MethodGet, path, token)
}

// changed stores n changes of a tenant, numbered from first.
func (f *fixture) changed(tb testing.TB, tenant string, first, n int) {
	tb.Helper()
	for i := range n {
		cause := schemas.Recorded{Seq: uint64(first + i), Event: schemas.Event{
			ID: fmt.Sprintf("%s-%d", tenant[:1], first+i), Source: schemas.PluralKitSystemURL + tenant,
			Route: schemas.Route{Source: "pluralkit", Tenant: tenant},
		}}
		e, err := schemas.NewChange(schemas.FrontChanged, "front", tenant, cause, nil, nil)
		if err != nil {
			tb.Fatal(err)
		}
		body, err := e.MarshalJSON()
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := f.js.Publish(tb.Context(), e.Route.ChangeSubject(), body); err != nil {
			tb.Fatal(err)
		}
	}
}

// eventually waits for something that another goroutine does; it fails the
// test after ten seconds.
func eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("not in ten seconds: %s", what)
		}
	}
}

// lockedBuffer is a log that a test may read meanwhile.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

package pluralkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"switchlog/test/fakepk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "1150000000000000003"
	guild   = "1150000000000000001"
)

// A setting is a world, PluralKit's API over it and a client with the token of
// the one system in it.
type setting struct {
	t     *testing.T
	world *fakepk.World
	sys   *fakepk.System
	api   *fakepk.API
	log   *bytes.Buffer // what all clients have logged
	slog  *slog.Logger
	pipes *pipes
	*Client
}

// strictly is what a client of ours must never break.
var strictly = fakepk.Strict{RequireMe: true}

// bubble runs f where time passes only while everybody waits: rate limits,
// back-offs and timeouts are the real ones, and take no time. There HTTP goes
// over pipes, since a socket is outside; sockets_test.go has those.
func bubble(t *testing.T, c fakepk.APIConfig, f func(*testing.T, *setting)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := fakepk.New(t, fakepk.Config{})
		sys, err := w.CreateSystem(account, fakepk.Fields{"name": "Harbour House"})
		w.Must(err)
		if c.Strict == (fakepk.Strict{}) {
			c.Strict = strictly
		}
		f(t, newSetting(t, w, sys, c))
	})
}

// newSetting serves a world to a client with the token of sys, and checks in
// the end that the token was never logged.
func newSetting(t *testing.T, w *fakepk.World, sys *fakepk.System, c fakepk.APIConfig) *setting {
	s := &setting{t: t, world: w, sys: sys, api: fakepk.NewAPI(t, w, c), log: &bytes.Buffer{}}
	s.slog = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.pipes = servePipes(t, s.api)
	s.Client = s.client(func(*Config) {})
	t.Cleanup(func() {
		if strings.Contains(s.log.String(), sys.Token()) {
			t.Errorf("got the token in the log: %s", s.log)
		}
	})
	return s
}

// client is another one of the same token.
func (s *setting) client(change func(*Config)) *Client {
	s.t.Helper()
	c := Config{BaseURL: "http://localhost", Token: s.sys.Token(), UserAgent: "switchlog-test/1",
		HTTP: &http.Client{Transport: s.pipes.transport},
		Log:  s.slog}
	change(&c)
	client, err := NewClient(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// members makes members with those names and gives their uuids.
func (s *setting) members(names ...string) []string {
	s.t.Helper()
	var ids []string
	for _, n := range names {
		id, err := s.sys.CreateMember(n, nil)
		s.world.Must(err)
		ids = append(ids, id)
	}
	return ids
}

// history imports n switches at each of the times.
func (s *setting) history(n int, at ...time.Time) {
	s.t.Helper()
	var file fakepk.File
	for _, t := range at {
		for range n {
			file.Switches = append(file.Switches, fakepk.FileSwitch{Timestamp: t})
		}
	}
	s.world.Must(s.sys.Import(file, false))
}

// pipes is a listener of connections that never leave the process.
type pipes struct {
	conns     chan net.Conn
	closed    chan struct{}
	once      sync.Once
	transport *http.Transport
}

func servePipes(t *testing.T, h http.Handler) *pipes {
	p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	p.transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case p.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.closed:
			return nil, errors.New("connection refused")
		}
	}}
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(p) }()
	t.Cleanup(func() {
		p.transport.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

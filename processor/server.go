package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// shutdownWithin bounds the stop of a server. A clean one takes milliseconds;
// one with millions of subjects has to write its index.
const shutdownWithin = 10 * time.Second

// healthEvery is how often Run looks whether JetStream still takes writes.
const healthEvery = time.Second

// ServerConfig is what a deployment decides about the server inside us;
// the rest is in nats.conf.
type ServerConfig struct {
	StoreDir      string // JetStream keeps its files in {StoreDir}/jetstream; made with mode 0700
	Listen        string // host:port; port 0: a free one; empty: as nats.conf says
	AdminPassword string // of the user admin, who owns the account APP
	SysPassword   string // of the user sys, who watches the server
	Users         []User // readers
	Logger        *slog.Logger
}

// Server is a NATS server with JetStream inside this process.
type Server struct {
	config ServerConfig
	log    *slog.Logger

	mu      sync.Mutex     // held for the whole of a start, stop or reload
	current *server.Server // nil: stopped
	failed  error          // why it did not start, if it did not
	stopped bool           // for good
	gaveUp  []string       // streams that are on the disk and could not be read back

	changing atomic.Bool // a start or a stop has mu: it may take long

	conn    sync.RWMutex   // guards serving and url, so that connecting never waits for a restart
	serving *server.Server // what InProcessConn connects to; nil: nothing
	url     string
}

// StartServer starts the server and waits until its streams are read back,
// which takes about half a second for each gigabyte after an unclean stop.
func StartServer(c ServerConfig) (*Server, error) {
	if c.StoreDir == "" {
		return nil, errors.New("nats server: no store directory") // the server would take the temporary one
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(c.StoreDir, server.JetStreamStoreDir), 0o700); err != nil {
		return nil, fmt.Errorf("nats server: store directory: %w", err)
	}
	s := &Server{config: c, log: c.Logger}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// start starts a server on the configuration. Caller holds mu.
func (s *Server) start() error {
	opts, err := s.config.options()
	if err != nil {
		return err
	}
	streams, err := keep(s.config.StoreDir)
	if err != nil {
		s.log.Warn("nats server: the streams have no second name now; should the server not be able to read one, it removes it", "err", err)
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("nats server: %w", err)
	}
	logger := &natsLogger{log: s.log}
	ns.SetLoggerV2(logger, false, false, false)
	ns.Start()
	err = logger.fatal()
	switch {
	case err != nil:
	case !ns.JetStreamEnabled():
		err = errors.New("JetStream is not enabled")
	case !ns.ReadyForConnections(shutdownWithin):
		err = errors.New("it does not listen")
	default:
		err = s.hold(ns, streams)
	}
	if err != nil {
		stop(context.Background(), ns)
		return fmt.Errorf("nats server: start: %w (hint: is the address %s free, is there room on the disk of %s, and may switchlog write there?)",
			err, net.JoinHostPort(opts.Host, fmt.Sprint(opts.Port)), opts.StoreDir)
	}
	if addr, ok := ns.Addr().(*net.TCPAddr); ok {
		// A free port, once picked, is kept: clients come back to it.
		s.config.Listen = net.JoinHostPort(opts.Host, fmt.Sprint(addr.Port))
	}
	s.current = ns
	s.conn.Lock()
	s.url = "nats://" + s.config.Listen
	s.conn.Unlock()
	s.serve(ns)
	return nil
}

func (s *Server) serve(ns *server.Server) {
	s.conn.Lock()
	s.serving = ns
	s.conn.Unlock()
}

// ClientURL is the address for NATS clients, e.g. nats://127.0.0.1:4222. It
// stays the same over a restart.
func (s *Server) ClientURL() string {
	s.conn.RLock()
	defer s.conn.RUnlock()
	return s.url
}

// InProcessConn connects to the server that runs now, so that a *nats.Conn
// made with nats.InProcessServer(s) finds its way back after a restart.
// Authentication applies as for any connection.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.conn.RLock()
	ns := s.serving
	s.conn.RUnlock()
	if ns == nil {
		return nil, errors.New("nats server: not running")
	}
	return ns.InProcessConn()
}

// SetUsers replaces the readers, without a restart. Connections of users
// who are gone, or who may do less, are closed.
func (s *Server) SetUsers(users []User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.config
	c.Users = users
	opts, err := c.options()
	if err != nil {
		return err
	}
	if s.current != nil {
		if err := s.current.ReloadOptions(opts); err != nil {
			return fmt.Errorf("nats server: reload users: %w", err)
		}
	}
	s.config.Users = users
	return nil
}

// Health reports whether JetStream takes writes. After a write error (the disk
// is full, say) a stream refuses everything until the server starts again.
// While it is being started or stopped, which may take half a minute, it says so
// and does not wait.
func (s *Server) Health() error {
	for !s.mu.TryLock() {
		if s.changing.Load() {
			return errors.New("nats server: it is being started (hint: events are taken meanwhile; look again in a moment)")
		}
		runtime.Gosched()
	}
	defer s.mu.Unlock()
	if s.current == nil {
		return cmp.Or(s.failed, errors.New("nats server: not running (hint: it is being started; look again in a moment)"))
	}
	if !s.current.JetStreamEnabled() {
		return errors.New("nats server: JetStream has been switched off (hint: is the disk full?)")
	}
	if len(s.gaveUp) > 0 {
		return fmt.Errorf("nats server: it cannot read the streams %q, whose files are there as they were; it is tried again (hint: look at the disk, dmesg tells what it refuses; if it stays so, %s)", s.gaveUp, restore)
	}
	if h := s.current.Healthz(&server.HealthzOptions{}); h.Error != "" {
		return fmt.Errorf("nats server: %s (hint: is the disk full?)", h.Error)
	}
	return nil
}

// Run watches the server's health and restarts it in place while it is ill,
// waiting longer from one attempt to the next. It returns when ctx ends;
// Shutdown is the caller's.
func (s *Server) Run(ctx context.Context) error {
	wait := healthEvery
	for {
		if !sleep(ctx, wait) {
			return nil
		}
		ill := s.Health()
		if ill == nil {
			wait = healthEvery
			continue
		}
		s.log.Error("nats server is ill; restarting it", "err", ill)
		if err := s.Restart(ctx); err != nil {
			s.log.Error("nats server", "err", err)
		}
		wait = min(2*wait, 30*time.Second)
	}
}

// Restart stops the server and starts it again on the same directory and
// port. Connections are lost and come back by themselves. If it does not
// start, InProcessConn fails until a later Restart succeeds.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changing.Store(true)
	defer s.changing.Store(false)
	if s.stopped {
		return errors.New("nats server: has been shut down")
	}
	if err := s.halt(ctx); err != nil {
		return err
	}
	s.failed = s.start()
	return s.failed
}

// Shutdown stops the server for good, in ten seconds at most. What is
// acknowledged is on the disk, so a stop that takes too long loses nothing.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changing.Store(true)
	defer s.changing.Store(false)
	s.stopped = true
	return s.halt(ctx)
}

// halt stops the current server, if any. Caller holds mu.
func (s *Server) halt(ctx context.Context) error {
	if s.current == nil {
		return nil
	}
	s.serve(nil)
	if err := stop(ctx, s.current); err != nil {
		return err // still running: two servers must not share a directory
	}
	s.current = nil
	return nil
}

func stop(ctx context.Context, ns *server.Server) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownWithin)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		ns.Shutdown()
		ns.WaitForShutdown()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("nats server: stop: %w", ctx.Err())
	}
}

// natsLogger passes the server's lines on, and remembers its last words: the
// server believes that Fatalf does not return.
type natsLogger struct {
	log *slog.Logger

	mu   sync.Mutex
	died error
}

func (l *natsLogger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}

func (l *natsLogger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.died = fmt.Errorf(format, v...)
	l.log.Error("nats server: " + l.died.Error())
}

func (l *natsLogger) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats server: "+fmt.Sprintf(format, v...))
}

// What the server calls a notice is of interest to us when something is wrong.
func (l *natsLogger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *natsLogger) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l *natsLogger) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *natsLogger) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }

func (l *natsLogger) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") {
		return // ours are random, and in no file of the server
	}
	if indexLine.MatchString(format) {
		l.say(slog.LevelDebug, format, v)
		return
	}
	l.say(slog.LevelWarn, format, v)
}

// indexLine is a line about the index of a stream, as it is after every kill: it
// is older than the stream, and the server makes it anew from the messages. Whether
// messages are missing is another question, which Recover answers.
var indexLine = regexp.MustCompile(`^Filestore \[[^\]]*\] (Stream state |Recovering stream state from index errored)`)

// sleep waits for d, or until ctx ends and then says false.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

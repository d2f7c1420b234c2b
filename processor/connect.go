package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// ConnectConfig says how to reach the log's server.
type ConnectConfig struct {
	URL      string  // of an outside server; unused when Server is set
	Server   *Server // the one inside this process
	User     string  // empty: admin
	Password string
	Name     string        // shown in the server's lists, e.g. "switchlog projections"
	Options  []nats.Option // TLS, credentials and the like, for an outside server
	Logger   *slog.Logger

	// Failed is told each time why the server was not reached; nil: it was. The
	// words are for an operator. It must not block. May be nil.
	Failed func(error)
}

// Connect opens a connection that comes back by itself, for as long as it is
// not closed. An outside server need not be there yet.
//
// While there is no connection, publishing fails at once: nothing waits in a
// buffer to be sent behind our back later, when it would come too late (see
// Log.Append).
func Connect(c ConnectConfig) (*nats.Conn, error) {
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if c.User == "" {
		c.User = adminUser
	}
	failed := c.reporter(log)
	opts := []nats.Option{
		nats.Name(c.Name),
		nats.UserInfo(c.User, c.Password),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.RetryOnFailedConnect(c.Server == nil),
		nats.IgnoreAuthErrorAbort(),
		nats.Timeout(5 * time.Second),
		nats.PingInterval(10 * time.Second), // a server that froze is noticed in 30 s at most
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("nats: disconnected", "err", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { failed(err) }),
		nats.ConnectHandler(func(*nats.Conn) { failed(nil) }),
		nats.ReconnectHandler(func(*nats.Conn) {
			failed(nil)
			log.Info("nats: connected again")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrConnectionClosed) {
				log.Warn("nats", "err", err)
			}
		}),
	}
	if c.Server != nil {
		opts = append(opts, nats.InProcessServer(c.Server))
	}
	nc, err := nats.Connect(c.URL, append(opts, c.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("nats: connect: %w (hint: is the server running, and is the password of user %s right?)", err, c.User)
	}
	return nc, nil
}

// reporter tells c.Failed of each failure to reach the server, and logs one when it is
// another than the last: there is an attempt each 100 ms.
func (c ConnectConfig) reporter(log *slog.Logger) func(error) {
	var mu sync.Mutex // guards last
	last := ""
	return func(err error) {
		if err != nil {
			err = c.unreached(err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			last = ""
		case err.Error() != last:
			last = err.Error()
			log.Error("nats: not connected; it is tried again", "err", err)
		}
		if c.Failed != nil {
			c.Failed(err)
		}
	}
}

// unreached says in words why the server was not reached, and what to do.
func (c ConnectConfig) unreached(err error) error {
	at := c.URL
	if c.Server != nil {
		at = "inside this process"
	}
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrAccountAuthExpired), strings.Contains(strings.ToLower(err.Error()), "authorization"):
		return fmt.Errorf("the NATS server %s refuses user %q or the password (hint: compare them with the server's configuration; switchlog takes them from --nats-creds-file, or the URL of --nats)", at, c.User)
	case errors.Is(err, nats.ErrNoServers), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody answers at the NATS server's address %s: %w (hint: is it running, and is --nats right?)", at, err)
	}
	return fmt.Errorf("the NATS server %s is not reached: %w (hint: is it running, and is --nats right?)", at, err)
}

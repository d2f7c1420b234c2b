package processor

import (
	"errors"
	"fmt"
	"log/slog"
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
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("nats: connected again") }),
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

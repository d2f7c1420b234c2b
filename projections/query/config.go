package query

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"switchlog/projections"
	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Store answers queries; *projections.DB does.
type Store interface {
	// Ask answers a query of a source; the parameter tenant says whose. Errors
	// wrap projections.ErrUnknownQuery, or schemas.ErrInvalid with a sentence
	// for whoever asked.
	Ask(ctx context.Context, source, name string, params map[string]string) (engine.Answer, error)

	// Wait returns when the log is folded up to seq, or with ctx's error.
	Wait(ctx context.Context, seq uint64) error
}

// Public answers as others than the owner may see it; *projections.DB does.
type Public interface {
	// AskPublic is as Store.Ask. What others may not see is not found.
	AskPublic(ctx context.Context, source, name string, params map[string]string) (engine.Answer, error)

	// PublicChange is a change as others may see it; some is false if that is nothing.
	PublicChange(ctx context.Context, e schemas.Event) (public schemas.Event, some bool, err error)
}

// Log is the log as a replay needs it.
type Log interface {
	// Replay hands the events of one tenant to fn in order, those with
	// sequences from `from` up to and including `to` (0: the last there is
	// now). An error of fn ends it and is returned.
	Replay(ctx context.Context, source, tenant string, from, to uint64, fn func(schemas.Recorded, schemas.Message) error) error

	// SeqAt is the first sequence stored at or after t, or the one the next
	// event will get.
	SeqAt(ctx context.Context, t time.Time) (uint64, error)
}

// Tenants are those there are.
type Tenants interface {
	// Knows reports whether a tenant of a kind of source has a source here, or an
	// event in the log. An error: it cannot be found out now.
	Knows(ctx context.Context, source, tenant string) (bool, error)

	// Only is the tenant of a kind of source if there is exactly one.
	Only(source string) (tenant string, ok bool)

	// Resolve is the tenant that a person means: by its name, as the log has it, or by a name that
	// stands for it, as PluralKit's short ids do. What stands for nobody is given back.
	Resolve(ctx context.Context, source, text string) (tenant string, err error)

	// List is those of a kind of source whose names come after a name, sorted, at most limit.
	List(ctx context.Context, source, after string, limit int) ([]Tenant, error)
}

// Tenant is one of a list.
type Tenant struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id,omitempty"` // that may stand for it in a path: PluralKit's short id
}

// Me stands for the reader's own tenant in a path, or for the only one there is.
const Me = "@me"

// ErrUnauthorized says that a request has no token, or none that is good.
var ErrUnauthorized = errors.New("unauthorized")

// Config is what both doors need. Of the fields without a default NewHandler
// needs Store, Conn and Authorize, ServeNATS Store, Log and Conn.
type Config struct {
	Store       Store
	Public      Public // for readers of what is public; nil: there is nothing for them
	Log         Log
	Tenants     Tenants                             // nil: every tenant is known
	Conn        *nats.Conn                          // with the right to read CHANGES and to answer
	Projections []engine.Projection                 // nil: projections.All
	Authorize   func(*http.Request) (Reader, error) // who asks; ErrUnauthorized: nobody we know

	// Inbox gives the reader who receives below an inbox prefix (its first token, "_INBOX_name"),
	// for ServeNATS; nil: nobody, so nobody is answered.
	Inbox func(prefix string) (Reader, bool)

	Done <-chan struct{} // closed when the server is about to stop: streams end, which http.Server.Shutdown would wait for

	Timeout          time.Duration // for an answer, and before that for the position to be waited for; 10 s
	ReplayTimeout    time.Duration // for a whole replay; 10 min
	MaxQueries       int           // asked at once at one door; 256
	MaxWaits         int           // that wait for a position at once at one door; 256
	MaxStreams       int           // of changes, open at once; 256
	MaxReaderStreams int           // of changes, of one reader; 16
	MaxReplays       int           // at once; 8
	MaxTenantReplays int           // of one tenant at once; 2

	Logger  *slog.Logger          // nil: discard
	Metrics prometheus.Registerer // nil: metrics are not registered
}

func (c Config) withDefaults() Config {
	if c.Projections == nil {
		c.Projections = projections.All
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.ReplayTimeout = orDefault(c.ReplayTimeout, 10*time.Minute)
	c.MaxQueries = orDefault(c.MaxQueries, 256)
	c.MaxWaits = orDefault(c.MaxWaits, 256)
	c.MaxStreams = orDefault(c.MaxStreams, 256)
	c.MaxReaderStreams = orDefault(c.MaxReaderStreams, 16)
	c.MaxReplays = orDefault(c.MaxReplays, 8)
	c.MaxTenantReplays = orDefault(c.MaxTenantReplays, 2)
	return c
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

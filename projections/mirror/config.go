package mirror

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Store lends what is known; *projections.DB does.
type Store interface {
	// View lends fn a connection that can only read. All that fn reads is true
	// at the position it is given.
	View(ctx context.Context, fn func(tx *engine.Tx, at schemas.Position) error) error
}

// Reader is somebody who has a token.
type Reader struct {
	Tenant string // uuid of the system it owns; empty: the operator, who owns all of them
	Public bool   // it owns none: it sees what all may see
}

// Config of the mirror. Store must be there.
type Config struct {
	Store Store

	// Authorize finds whose token it is; false if it is nobody's. Nil: it is
	// always nobody's.
	Authorize func(token string) (Reader, bool)

	// Private refuses who has no token that is known (401). PluralKit shows them what is public.
	Private bool
	// NoCORS leaves it to who is in front of the mirror which pages may read it. PluralKit lets all.
	NoCORS bool

	Timeout     time.Duration    // for an answer; 0: 10 s
	MaxRequests int              // answered at once; more are 503; 0: 256
	Now         func() time.Time // nil: time.Now

	Logger  *slog.Logger          // nil: discard
	Metrics prometheus.Registerer // nil: metrics are not registered
}

func (c Config) withDefaults() Config {
	if c.Authorize == nil {
		c.Authorize = func(string) (Reader, bool) { return Reader{}, false }
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.MaxRequests == 0 {
		c.MaxRequests = 256
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// viewer is who asks.
type viewer struct {
	known bool   // has a token of somebody's who owns something
	let   bool   // has a token of anybody's
	owns  string // uuid of the system it owns; empty and known: all of them
}

// owner reports whether the viewer sees what is private to a system.
func (v viewer) owner(system string) bool { return v.known && (v.owns == "" || v.owns == system) }

// viewer finds out who asks. PluralKit's clients send the bare token; others
// are used to saying Bearer. An unknown token is nobody's, as at PluralKit.
func (c *Config) viewer(authorization []string) viewer {
	if len(authorization) != 1 {
		return viewer{}
	}
	token := strings.Trim(authorization[0], " ")
	if scheme, bearer, two := strings.Cut(token, " "); two && strings.EqualFold(scheme, "Bearer") {
		token = strings.Trim(bearer, " ")
	}
	if token == "" {
		return viewer{}
	}
	reader, ok := c.Authorize(token)
	if reader.Public {
		return viewer{let: ok}
	}
	return viewer{known: ok, let: ok, owns: reader.Tenant}
}

package ui

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// Store answers the named queries of PluralKit's projections.
type Store interface {
	// Ask answers a query about a system as JSON; params are those of the
	// query without the tenant. Found is false when the query is for one thing
	// and there is none.
	Ask(ctx context.Context, system, query string, params map[string]string) (body json.RawMessage, found bool, err error)
}

// Reader is somebody who may see pages.
type Reader struct {
	Name     string
	System   string // the uuid of the only system it may see; empty: all
	Public   bool   // it sees the public page and the overlay alone
	Operator bool   // it also sees how the server is
}

// System is one that a reader may see.
type System struct {
	UUID string
	Name string // empty: it has none
}

// Config is what the dashboard needs. All fields without a default are needed.
type Config struct {
	Store Store

	// Reader finds the reader of a token by the token's SHA-256. It is asked at
	// each request, and now and then while a stream is open.
	Reader func(hash [32]byte) (Reader, bool)

	// Systems are those there are, by name; at most limit.
	Systems func(ctx context.Context, limit int) ([]System, error)

	// Local reports whether a request comes from this machine. Only from
	// there a token may be typed in: elsewhere it would cross the network readable.
	Local func(*http.Request) bool

	// Events are the events of a system before a sequence (0: the newest),
	// newest first; nil: there is no page of them.
	Events func(ctx context.Context, system string, before uint64, limit int) ([]Event, error)

	Operator  Operator        // nil: pages about the server are not there
	Documents fs.FS           // *.md files that Help shows; nil: none
	Done      <-chan struct{} // closed when the server is about to stop: streams end

	Words       string        // what a member is called, singular/plural; empty: member/members
	Private     string        // what others see of hidden members: PrivateNothing (default), PrivateNumber, PrivateSomeone
	ShowAvatars bool          // pictures are loaded from where they are, which is on other people's servers
	Heartbeat   time.Duration // between comments that keep a stream open; 20 s
	MaxStreams  int           // open at once; 256
	Now         func() time.Time
	Logger      *slog.Logger // nil: discard
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 20 * time.Second
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 256
	}
	if c.Local == nil {
		c.Local = func(*http.Request) bool { return false }
	}
	return c
}

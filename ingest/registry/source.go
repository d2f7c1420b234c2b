package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchlog/schemas"
)

// ErrUnauthorized is what Verify says of a request that does not prove to be from
// the source.
var ErrUnauthorized = errors.New("unauthorized")

// Appender stores events durably: it returns when they are fsynced. Fresh is
// how many were new; the rest were repeats. After an error none is stored.
type Appender interface {
	Append(ctx context.Context, events ...schemas.Event) (fresh int, err error)
}

// Request is what a source may look at besides the body.
type Request struct {
	Header http.Header
	Path   map[string]string // values of the route's wildcards, by name; nil if it has none
	Query  url.Values        // nil if there is none
	Opened any               // what one step of a source has found in the body, for the next; nil: nothing
}

// A Source speaks one provider's dialect, for one configured sender. It is
// immutable: a change of the registry makes a new one.
type Source interface {
	// Verify reports whether the provider sent body. It runs before anything
	// is parsed; any doubt is ErrUnauthorized.
	Verify(r *Request, body []byte) error

	// Events wraps body, less its secrets, in envelopes. It is pure, except
	// for the ID of an event that the provider gave none (Law 3). A ping
	// gives no event; a type never seen before is kept, not refused. What is
	// not the provider's format is schemas.ErrInvalid, and an address that the
	// source does not have schemas.ErrNotFound.
	Events(r *Request, body []byte) ([]schemas.Event, error)
}

// A TenantTeller is a Source that can tell from a verified body whose it is:
// the first one that does fixes the tenant of a source that was added
// without. Empty: the body does not say.
type TenantTeller interface {
	TellTenant(r *Request, body []byte) string
}

// An Acker is a Source whose provider wants another success than 200 without a
// body.
type Acker interface {
	// Ack answers a verified request whose events are stored; none: a ping.
	Ack(events []schemas.Event) Answer
}

// Answer is an answer to a provider.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// A Kind is what the registry and the edge need to know of a kind of source.
// All there are stand in ingest/sources.go.
type Kind struct {
	Name     string                                  // as in the API, in events and in metrics
	Shell    Shell                                   // how one is added from the shell
	Route    string                                  // path pattern on the public listener; {name} is the source's name
	KeyRoute string                                  // where sources are that an unguessable path lets in: Route and {key}; may be empty
	Settings map[string]func(string) (string, error) // what may be set: checks and normalises
	Secrets  []SecretSpec

	// Credential finds, in a request whose path names no source, the hash of the
	// secret that does. It is the first thing a stranger's body meets: it
	// reads no further than it must. Nil if Route has {name}.
	Credential func(r *Request, body []byte) (hash [sha256.Size]byte, ok bool)

	// Claims is the tenant that an unverified request names in the beginning of
	// its body; empty: none. It decides nothing. May be nil: no request names one.
	Claims func(beginning []byte) (tenant string)

	// Ping reports whether the beginning of a body is the provider's PING, and
	// whose it says it is. It decides nothing. May be nil: then its PINGs are not
	// remembered.
	Ping func(beginning []byte) (tenant string, is bool)

	// Check says what is wrong with settings and secrets together; each alone
	// is right. It runs when the source is added, and when secrets are
	// replaced: then with these alone. Its error wraps schemas.ErrInvalid. May
	// be nil.
	Check func(name string, settings, secrets map[string]string) error

	// PathKey reports whether a source with these settings is let in by an
	// unguessable path. Its key is made here, as the secret "path_key", and
	// told once. May be nil: none is.
	PathKey func(settings map[string]string) bool

	// Tenant is whose data a source of that name with these settings
	// receives; empty: learned later.
	Tenant func(name string, settings map[string]string) string

	// TenantSetting is the setting that says whose data a source receives, of a kind whose sources
	// may learn that from requests. Once there is one source of such a kind, another
	// is added with that setting, or with a secret by which the provider confirms the tenant:
	// else it could claim the data of any. Empty: sources learn nothing, or only of their own secret.
	TenantSetting string

	// DefaultName names a source that was given no name; empty: the kind's
	// name, with a number if needed. Nil: a name must be given.
	DefaultName func(settings map[string]string) string

	// Options answers a request by OPTIONS to the source that the path names.
	// If there is none, s is one that verifies nobody: a stranger should not
	// learn that. Nil: OPTIONS is a wrong method.
	Options func(s Source, exists bool, r *Request) (Answer, error)

	// Warn says what is odd, but not wrong, about a secret. May be nil.
	Warn func(purpose, secret string) string

	// New makes the source. It does not fail: settings and secrets were
	// checked when they were set.
	New func(Configured) Source
}

// SecretSpec is a secret that a kind of source takes.
type SecretSpec struct {
	Purpose  string
	Required bool
	Asks     bool   // we ask the provider with it; requests do not bear it
	Hashed   bool   // only compared: kept as SHA-256. Else sealed, to be read again
	Inside   string // white space that may be inside of it; none else may

	// Authorization is set if the secret is sent in that header: its name before
	// the value is taken off.
	Authorization bool

	Check func(string) (string, error) // refuses or normalises; its error does not quote the secret. May be nil
	Clean func(string) string          // takes off more of what is surely not meant. May be nil
	Decoy func() string                // makes one that nobody has, as Check returns it. Nil: any text is one
}

// Configured is what a Source is made from.
type Configured struct {
	Name     string
	Tenant   string // empty: not known yet
	Settings map[string]string
	Tokens   map[string][]Token // accepted values of hashed secrets, by purpose
	Keys     map[string][]Key   // accepted values of sealed secrets, by purpose
	Now      func() time.Time
}

// Token is a hashed secret and how long it is good.
type Token struct {
	Hash  [sha256.Size]byte
	Until time.Time // zero: no end
}

// Key is a secret that was sealed, and how long it is good. It is never
// logged, stored or sent.
type Key struct {
	Secret string
	Until  time.Time // zero: no end
}

// secret is the kind's spec of a secret.
func (k Kind) secret(purpose string) (SecretSpec, bool) {
	for _, s := range k.Secrets {
		if s.Purpose == purpose {
			return s, true
		}
	}
	return SecretSpec{}, false
}

// PurposePathKey is the secret of sources that an unguessable path lets in.
const PurposePathKey = "path_key"

// path is where the source of that name is reached. The key of its path is
// only known when it is made; without, {key} stands in for it.
func (k Kind) path(name string, settings map[string]string, key string) string {
	route := k.Route
	if k.hasPathKey(settings) {
		route = k.KeyRoute
		if key != "" {
			route = strings.ReplaceAll(route, "{key}", key)
		}
	}
	return strings.ReplaceAll(route, "{name}", name)
}

func (k Kind) hasPathKey(settings map[string]string) bool {
	return k.PathKey != nil && k.PathKey(settings)
}

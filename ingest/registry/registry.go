package registry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"switchlog/schemas"
)

// registryRepeats is for how long an event of the registry may be appended
// again: as long as a process may lie dead between two steps of a command.
const registryRepeats = 365 * 24 * time.Hour

// Config says where the registry is kept, and what kinds of sources there are.
type Config struct {
	Kinds     []Kind
	Path      string // of secrets.db; created if it is not there
	SeenPath  string // of what was seen of the sources' requests; empty: it is forgotten with the process
	KeyPath   string // of the key that seals secrets; created with it
	PublicURL string // where providers reach us, e.g. https://hooks.example.org
	// Whose asks the provider whose a secret is by which it can be asked (PluralKit's API token).
	// ErrInvalid: the provider does not know the secret. Nil: nobody is asked.
	Whose func(ctx context.Context, kind, secret string) (tenant string, err error)

	LogKnows bool             // the log may know of sources though secrets.db is empty: see Unsure
	Now      func() time.Time // the clock; nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Nouns of the registry's own events.
const (
	nounSource       = "source"
	nounSubscription = "subscription"
	nounReader       = "reader"
)

// Nouns are the nouns of the events that Merge takes.
func Nouns() []string { return []string{nounSource, nounSubscription, nounReader} }

// Registry is which sources, subscriptions and readers there are, with their secrets.
// Its methods may be called from many goroutines.
type Registry struct {
	Config
	db     *secretsDB
	seal   sealer
	log    Appender
	lookup atomic.Pointer[snapshot]
	watch  watchers
	unsure atomic.Bool // see Unsure

	mu      sync.Mutex // guards what follows, and the order of commands
	events  []schemas.Event
	known   map[string]bool // ids of events
	pending map[string]bool // ids of events that are perhaps not in the log
	state   state
	secrets map[string]secret
	last    time.Time // of the youngest event
	undo    []undo    // commands that were refused and are still in secrets.db
}

// Open opens or creates the registry. Events that a crash kept from
// the log are appended to it; if that does not work now, it is tried again
// before the next command.
func Open(ctx context.Context, c Config, log Appender) (*Registry, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	db, err := openSecretsDB(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	r := &Registry{Config: c, db: db, log: log, known: map[string]bool{}}
	if err := r.load(ctx); err != nil {
		return nil, errors.Join(err, db.db.Close())
	}
	r.loadSeen()
	return r, nil
}

func (r *Registry) load(ctx context.Context) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secrets, r.events, r.pending, err = r.db.load(ctx); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	sealed := false
	for _, kept := range r.secrets {
		sealed = sealed || kept.sealed
	}
	if r.seal, err = openKey(r.KeyPath, !sealed); err != nil {
		return err
	}
	for ref, kept := range r.secrets {
		if kept.sealed {
			if _, err := r.seal.open(ref, kept); err != nil {
				return fmt.Errorf("secret key %s: %w (hint: secrets.db and its key belong together; was one of them replaced?)", r.KeyPath, err)
			}
		}
	}
	r.refold()
	if err := errors.Join(r.takeOver(ctx), r.prune(ctx)); err != nil {
		return err
	}
	r.unsure.Store(r.LogKnows && len(r.events) == 0)
	r.publish()
	if err := r.flush(ctx); err != nil {
		r.Log.Warn("events of the registry are not in the log yet", "err", err)
	}
	return nil
}

// Close closes secrets.db. No other method may be called after it.
func (r *Registry) Close() error { return r.db.db.Close() }

// InLog is how many of the registry's events it knows to be in the log. If the
// log has no more than these, there is nothing to merge.
func (r *Registry) InLog() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(len(r.known) - len(r.pending))
}

// Merge takes events of the registry that were read from the log (written by
// another node, or before this one's secrets.db was lost) and adds those that are
// missing, with the secrets that our key opens. Other events are ignored.
func (r *Registry) Merge(ctx context.Context, events []schemas.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var fresh []schemas.Event
	var seen []string
	err := r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, e := range events {
			if !ofRegistry(e.Route) {
				continue
			}
			if r.known[e.ID] && !r.pending[e.ID] {
				continue
			}
			if err := insertEvent(ctx, tx, e, true); err != nil {
				return err
			}
			seen = append(seen, e.ID)
			if !r.known[e.ID] {
				fresh = append(fresh, e)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for _, id := range seen {
		delete(r.pending, id)
	}
	if len(fresh) > 0 {
		r.events = append(r.events, fresh...)
		r.refold()
		err := r.takeOver(ctx)
		if err := r.prune(ctx); err != nil {
			r.Log.Warn("secrets that are over were not deleted yet", "err", err)
		}
		r.publish()
		return err
	}
	return nil
}

// ofRegistry reports whether the registry's state follows from an event.
// Deliveries are of the same tenant, but none of its business.
func ofRegistry(r schemas.Route) bool {
	return r.Source == schemas.SelfSource && r.Tenant == schemas.SelfTenant && slices.Contains(Nouns(), r.Noun)
}

// refold computes everything that follows from r.events.
func (r *Registry) refold() {
	var skipped []error
	r.state, skipped = foldAll(r.events)
	for _, err := range skipped {
		r.Log.Warn("an event of the registry changes nothing", "err", err)
	}
	for _, e := range r.events {
		r.known[e.ID] = true
		if e.Time.After(r.last) {
			r.last = e.Time
		}
	}
}

// publish lets requests see the state.
func (r *Registry) publish() {
	old := r.lookup.Load()
	if old == nil {
		old = &snapshot{}
	}
	r.lookup.Store(r.state.build(r.kind, r.secrets, r.seal, old, r.Now))
	r.watch.tell()
}

// prune deletes the secrets nothing refers to any more, or not for longer.
func (r *Registry) prune(ctx context.Context) error {
	good := r.state.good(r.Now())
	var over []string
	for ref := range r.secrets {
		if !good[ref] {
			over = append(over, ref)
		}
	}
	if len(over) == 0 {
		return nil
	}
	err := r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return deleteSecrets(ctx, tx, over) })
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for _, ref := range over {
		delete(r.secrets, ref)
	}
	return nil
}

// flush undoes what was refused, and appends what a crash, or a spool without
// room, left over.
func (r *Registry) flush(ctx context.Context) error {
	if err := r.undoRefused(ctx); err != nil {
		return err
	}
	for _, e := range r.events { // in order of time
		if r.pending[e.ID] {
			if err := r.append(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// append puts an event into the log and takes its mark away. That the mark
// stays, if the second step fails, does no harm: the event is a repeat then.
func (r *Registry) append(ctx context.Context, e schemas.Event) error {
	if _, err := r.log.Append(ctx, e); err != nil {
		return err
	}
	err := r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return insertEvent(ctx, tx, e, true) })
	if err != nil {
		r.Log.Warn("an event of the registry keeps its mark, and will be appended again", "event", e.ID, "err", err)
		return nil
	}
	delete(r.pending, e.ID)
	return nil
}

// kind is the kind of source of that name.
func (r *Registry) kind(name string) (Kind, bool) {
	for _, k := range r.Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func (r *Registry) kindNames() []string {
	names := make([]string, len(r.Kinds))
	for i, k := range r.Kinds {
		names[i] = k.Name
	}
	return names
}

// Secret is the current secret of a source, if it is one we can read again
// (PluralKit's "api_token"). schemas.ErrNotFound: it has none.
func (r *Registry) Secret(kind, name, purpose string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ref := r.state.sources[sourceKey{kind, name}].secrets[purpose]
	kept, here := r.secrets[ref]
	if !here || !kept.sealed {
		return "", fmt.Errorf("%w: %s %s has no %s", schemas.ErrNotFound, kind, name, purpose)
	}
	plain, err := r.seal.open(ref, kept)
	if err != nil {
		return "", fmt.Errorf("%s of %s %s: %w", purpose, kind, name, err)
	}
	return plain, nil
}

// SourceStatus describes a source: nothing of it is secret. Counts and last
// times are since the source was added, but for what is said to be since the
// process began.
type SourceStatus struct {
	Kind         string            `json:"kind"`
	Name         string            `json:"name"`
	Tenant       string            `json:"tenant"` // empty: not known until the first request
	URL          string            `json:"url"`
	Settings     map[string]string `json:"settings"`
	Created      string            `json:"created"`         // RFC 3339
	Secrets      []string          `json:"secrets"`         // which it has, by purpose: token, api_token, …
	Missing      []string          `json:"missing_secrets"` // the registry knows of them, but they are not on this machine
	CannotVerify bool              `json:"cannot_verify"`   // one of them proves requests: they are answered with 503
	LastEvent    *string           `json:"last_event"`      // RFC 3339; null: none yet
	LastPing     *string           `json:"last_ping"`
	Accepted     uint64            `json:"accepted"`             // requests stored
	SinceStart   uint64            `json:"accepted_since_start"` // of them: since the process began
	Refused      uint64            `json:"refused"`              // requests of this source that were not
	Unstored     uint64            `json:"unstored"`             // of them: answered 503, since they could not be stored
	LastUnstored *string           `json:"last_unstored"`

	// Conflict says that its verified requests are refused, since another source has their tenant, and
	// what helps. Empty: none was.
	Conflict string `json:"conflict,omitempty"`

	// Requests that name this source's tenant and bear a wrong secret: its provider's, or
	// anybody's. Since the process began.
	Unproven     uint64  `json:"unproven"`
	LastUnproven *string `json:"last_unproven"`
}

// Sources describes all sources, by kind and name.
func (r *Registry) Sources() []SourceStatus {
	all := []SourceStatus{}
	for _, e := range r.lookup.Load().sources {
		all = append(all, r.status(e))
	}
	slices.SortFunc(all, func(a, b SourceStatus) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Source describes one source, or says schemas.ErrNotFound.
func (r *Registry) Source(kind, name string) (SourceStatus, error) {
	e := r.lookup.Load().sources[sourceKey{kind, name}]
	if e == nil {
		return SourceStatus{}, noSource(kind, name)
	}
	return r.status(e), nil
}

func noSource(kind, name string) error {
	return fmt.Errorf("%w: there is no source %s %s", schemas.ErrNotFound, kind, name)
}

func (r *Registry) status(e *Entry) SourceStatus {
	s := SourceStatus{
		Kind: e.kind, Name: e.name, Tenant: e.tenant,
		Settings: e.settings, Secrets: slices.Sorted(maps.Keys(e.secrets)), Missing: e.missing, CannotVerify: e.Unverifiable,
		Created:   schemas.FormatTime(e.created),
		LastEvent: formatMicros(e.Stats.LastEvent.Load()),
		LastPing:  formatMicros(e.Stats.LastPing.Load()),
		Accepted:  e.Stats.Accepted.Load(), Refused: e.Stats.Refused.Load(),
		Unstored: e.Stats.Unstored.Load(), LastUnstored: formatMicros(e.Stats.LastUnstored.Load()),
	}
	s.SinceStart = s.Accepted - e.Stats.before
	if tenant := e.Stats.Conflict.Load(); tenant != nil && e.tenant == "" {
		if holder := r.lookup.Load().tenants[tenantKey{e.kind, *tenant}]; holder != nil {
			s.Conflict = fmt.Sprintf("its requests are of %s, which source %s %s has: they are refused "+
				"(hint: one of the two must go: switchlog source remove %[2]s %[3]s, or switchlog source remove %[2]s %[4]s and the new token to the other by source rotate)",
				*tenant, holder.kind, holder.name, e.name)
		}
	}
	unproven, last := e.Stats.AuthFailures.Seen()
	s.Unproven, s.LastUnproven = unproven, formatMicros(last)
	if s.Settings == nil {
		s.Settings = map[string]string{}
	}
	if s.Secrets == nil {
		s.Secrets = []string{}
	}
	if s.Missing == nil {
		s.Missing = []string{}
	}
	if k, known := r.kind(e.kind); known {
		s.URL = r.PublicURL + k.path(e.name, e.settings, "")
	}
	return s
}

func formatMicros(us int64) *string {
	if us == 0 {
		return nil
	}
	s := schemas.FormatTime(time.UnixMicro(us))
	return &s
}

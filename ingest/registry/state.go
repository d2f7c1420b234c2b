package registry

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"switchlog/schemas"
)

// sourceKey names a source.
type sourceKey struct{ kind, name string }

// record is a source as the registry's events tell it.
type record struct {
	sourceKey
	tenant   string
	settings map[string]string
	created  time.Time
	secrets  map[string]string // purpose → reference, the current ones
	old      []oldSecret       // replaced, and still good for a while
}

type oldSecret struct {
	purpose, ref string
	until        time.Time
}

// state is what the registry's events add up to. The same events give the
// same state, in whatever order they were met: foldAll sorts them.
type state struct {
	sources       map[sourceKey]record
	tenants       map[tenantKey]sourceKey // who receives a tenant's data: one source, or none
	subscriptions map[string]subscription // by id
	readers       map[string]reader       // by name
}

type tenantKey struct{ kind, tenant string }

func newState() state {
	return state{sources: map[sourceKey]record{}, tenants: map[tenantKey]sourceKey{}, subscriptions: map[string]subscription{},
		readers: map[string]reader{}}
}

func (s state) clone() state {
	return state{sources: maps.Clone(s.sources), tenants: maps.Clone(s.tenants), subscriptions: maps.Clone(s.subscriptions),
		readers: maps.Clone(s.readers)}
}

// foldAll folds events by time, then ID. Events that are not the registry's,
// or that contradict what came before, change nothing.
func foldAll(events []schemas.Event) (s state, skipped []error) {
	slices.SortStableFunc(events, func(a, b schemas.Event) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	s = newState()
	for _, e := range events {
		if err := s.apply(e); err != nil {
			skipped = append(skipped, fmt.Errorf("%s: %w", e.ID, err))
		}
	}
	return s, skipped
}

// apply is the only thing that changes a state, for a command of now as for
// an event of long ago. It replaces records and never changes one: snapshots
// hold them.
func (s state) apply(e schemas.Event) error {
	switch e.Route.Noun {
	case nounSource:
		return s.applySource(e)
	case nounSubscription:
		return s.applySubscription(e)
	case nounReader:
		return s.applyReader(e)
	}
	return fmt.Errorf("%w: type %s", schemas.ErrInvalid, e.Type)
}

func (s state) applySource(e schemas.Event) error {
	d, err := schemas.Decode[schemas.SourceEvent](e)
	if err != nil {
		return err
	}
	key := sourceKey{d.Kind, d.Name}
	rec, exists := s.sources[key]
	if exists == (e.Type == schemas.SourceAdded) {
		if exists {
			return fmt.Errorf("%w: there is already a source %[2]s %[3]s (hint: for a new secret: switchlog source rotate %[2]s %[3]s)", schemas.ErrConflict, d.Kind, d.Name)
		}
		return fmt.Errorf("%w: there is no source %s %s", schemas.ErrNotFound, d.Kind, d.Name)
	}
	switch e.Type {
	case schemas.SourceAdded:
		rec = record{sourceKey: key, tenant: d.Tenant, settings: d.Settings, secrets: d.Secrets, created: e.Time}
	case schemas.SourceLearned:
		if rec.tenant != "" {
			return fmt.Errorf("%w: %s %s has a tenant already", schemas.ErrConflict, d.Kind, d.Name)
		}
		rec.tenant = d.Tenant
	case schemas.SourceRotated:
		until, err := time.Parse(time.RFC3339Nano, d.Until)
		if err != nil {
			return fmt.Errorf("%w: old_until: %w", schemas.ErrInvalid, err)
		}
		rec = rec.rotated(d.Secrets, until, e.Time)
	case schemas.SourceRemoved:
		delete(s.sources, key)
		delete(s.tenants, tenantKey{key.kind, rec.tenant})
		return nil
	default:
		return fmt.Errorf("%w: type %s", schemas.ErrInvalid, e.Type)
	}
	if rec.tenant != "" {
		tenant := tenantKey{key.kind, rec.tenant}
		if holder, held := s.tenants[tenant]; held && holder != key {
			return fmt.Errorf("%w: tenant %s belongs to source %s %s", schemas.ErrConflict, rec.tenant, holder.kind, holder.name)
		}
		s.tenants[tenant] = key
	}
	s.sources[key] = rec
	return nil
}

// rotated replaces secrets; the old ones stay good until then. Old ones that
// were over at the time of the rotation are forgotten.
func (r record) rotated(secrets map[string]string, until, at time.Time) record {
	old := slices.DeleteFunc(slices.Clone(r.old), func(o oldSecret) bool { return !at.Before(o.until) })
	current := maps.Clone(r.secrets)
	if current == nil {
		current = map[string]string{}
	}
	for purpose, ref := range secrets {
		if was, had := current[purpose]; had && at.Before(until) {
			old = append(old, oldSecret{purpose: purpose, ref: was, until: until})
		}
		current[purpose] = ref
	}
	r.old, r.secrets = old, current
	return r
}

// good are the references to a record's secrets that are good at now.
func (r record) good(now time.Time) []string {
	refs := slices.Collect(maps.Values(r.secrets))
	for _, old := range r.old {
		if now.Before(old.until) {
			refs = append(refs, old.ref)
		}
	}
	return refs
}

// snapshot is what requests look things up in: immutable, read without a
// lock.
type snapshot struct {
	sources      map[sourceKey]*Entry
	tokens       map[tokenKey]*Entry // for kinds whose path names no source
	tenants      map[tenantKey]*Entry
	unverifiable map[string][]string // by kind: tenants of the sources whose requests cannot be verified

	destinations map[string]*destination // by id of the subscription
	readers      readerTable
}

// tokenKey finds a source by a hash: how far a wrong one matches tells
// nothing about the token.
type tokenKey struct {
	kind string
	hash [sha256.Size]byte
}

// Entry is a source ready for use.
type Entry struct {
	record
	Source       Source             // nil: a kind of a later version
	tokens       map[string][]Token // hashed secrets, by purpose
	missing      []string           // purposes of secrets that are not here
	Unverifiable bool               // one of them proves requests
	Stats        *Stats
}

// Stats count a source's requests; they outlive snapshots, and what is said of
// them here the process, too (see Registry.Run).
type Stats struct {
	Accepted, Refused   atomic.Uint64 // verified requests
	Unstored            atomic.Uint64 // of the refused: those that we could not store
	LastEvent, LastPing atomic.Int64  // microseconds since 1970; 0: none yet
	LastUnstored        atomic.Int64

	// Since the process began.
	Waiting      atomic.Int64 // requests that wait to be stored
	AuthFailures AuthFailures
	Conflict     atomic.Pointer[string] // the tenant its requests name, which another source has; nil: none

	before uint64 // accepted before the process began
}

// Lost counts a verified request that could not be stored.
func (s *Stats) Lost(now time.Time) {
	s.Unstored.Add(1)
	s.LastUnstored.Store(now.UnixMicro())
}

// build makes a snapshot. Secrets are looked up by reference; one that is not
// here (a log from another machine) is missing, and its source verifies
// nobody.
func (s state) build(kinds func(string) (Kind, bool), secrets map[string]secret, seal sealer, old *snapshot, now func() time.Time) *snapshot {
	snap := &snapshot{
		sources: make(map[sourceKey]*Entry, len(s.sources)), tokens: make(map[tokenKey]*Entry, len(s.sources)),
		tenants:      make(map[tenantKey]*Entry, len(s.sources)),
		unverifiable: map[string][]string{},
		destinations: s.destinations(secrets, seal, old.destinations),
		readers:      s.readerTable(secrets),
	}
	for key, rec := range s.sources {
		e := &Entry{record: rec, Stats: &Stats{}}
		if before := old.sources[key]; before != nil && before.created.Equal(rec.created) {
			e.Stats = before.Stats
		}
		snap.sources[key] = e
		if rec.tenant != "" {
			snap.tenants[tenantKey{key.kind, rec.tenant}] = e
		}
		kind, known := kinds(key.kind)
		if !known {
			continue
		}
		e.Source = kind.New(Configured{
			Name: key.name, Tenant: rec.tenant, Settings: rec.settings, Now: now,
			Tokens: e.collect(kind, secrets, now()), Keys: e.open(kind, secrets, seal, now()),
		})
		if e.Unverifiable {
			snap.unverifiable[key.kind] = append(snap.unverifiable[key.kind], rec.tenant)
		}
		if kind.Credential != nil {
			for _, tokens := range e.tokens {
				for _, t := range tokens {
					snap.tokens[tokenKey{key.kind, t.Hash}] = e
				}
			}
		}
	}
	return snap
}

// collect looks up the entry's hashed secrets, and notes which secrets are
// missing.
func (e *Entry) collect(k Kind, secrets map[string]secret, now time.Time) map[string][]Token {
	e.tokens = map[string][]Token{}
	e.each(now, func(purpose, ref string, until time.Time) {
		kept, here := secrets[ref]
		spec, _ := k.secret(purpose)
		if !here && until.IsZero() {
			e.missing = append(e.missing, purpose)
			e.Unverifiable = e.Unverifiable || !spec.Asks
		}
		if here && spec.Hashed && len(kept.value) == sha256.Size {
			e.tokens[purpose] = append(e.tokens[purpose], Token{Hash: [sha256.Size]byte(kept.value), Until: until})
		}
	})
	slices.Sort(e.missing)
	return e.tokens
}

// open looks up the entry's sealed secrets. One that does not open is not
// there; the registry refuses to start with it.
func (e *Entry) open(k Kind, secrets map[string]secret, seal sealer, now time.Time) map[string][]Key {
	keys := map[string][]Key{}
	e.each(now, func(purpose, ref string, until time.Time) {
		kept, here := secrets[ref]
		if spec, _ := k.secret(purpose); !here || spec.Hashed {
			return
		}
		if plain, err := seal.open(ref, kept); err == nil {
			keys[purpose] = append(keys[purpose], Key{Secret: plain, Until: until})
		}
	})
	return keys
}

// each calls fn with every secret that is good at now. Old ones that are over
// are left out: their hash may be another source's by now.
func (e *Entry) each(now time.Time, fn func(purpose, ref string, until time.Time)) {
	for purpose, ref := range e.secrets {
		fn(purpose, ref, time.Time{})
	}
	for _, o := range e.old {
		if now.Before(o.until) {
			fn(o.purpose, o.ref, o.until)
		}
	}
}

package ingest

import (
	"errors"
	"sync"
	"time"

	"switchlog/schemas"
)

// A Watcher is told what may mean that a provider's events were missed, or
// will be. Its methods are called while a request waits: they must not block.
type Watcher interface {
	// Suspect: several requests that name this tenant came with a wrong secret
	// shortly after another. Was a new secret issued that we do not know? Or it is
	// a stranger: nothing may follow from it but asking the provider. It is told
	// at most once in 10 minutes for each source.
	Suspect(kind, tenant string)

	// Missed: a verified request of this tenant could not be stored.
	Missed(kind, tenant string)

	// Tried: this tenant's provider has just tried the connection, and found it
	// good: it is about to send here, or always did.
	Tried(kind, tenant string)
}

// nobody watches.
type nobody struct{}

func (nobody) Suspect(string, string) {}
func (nobody) Missed(string, string)  {}
func (nobody) Tried(string, string)   {}

const (
	burstSize   = 3                // requests with a wrong secret that are suspect
	burstWithin = time.Minute      // and within what time; a provider's own probe sends one
	burstQuiet  = 10 * time.Minute // and then no more is told for so long

	maxClaimBytes = 512 // of a body, in which an unverified request says whose it is; PluralKit's are the first 200
)

// unproven counts requests that name a source and do not prove to be from it.
// What is here a stranger can set: it is shown, and decides nothing.
type unproven struct {
	mu    sync.Mutex // guards what follows
	total uint64
	last  time.Time
	began time.Time // of the burst
	size  int
	told  time.Time
}

// add counts one, and reports whether it makes a burst that must be told.
func (u *unproven) add(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total++
	u.last = now
	if u.size == 0 || now.Sub(u.began) > burstWithin || now.Before(u.began) {
		u.began, u.size = now, 0
	}
	u.size++
	if u.size < burstSize || !u.told.IsZero() && now.Sub(u.told) < burstQuiet && !now.Before(u.told) {
		return false
	}
	u.told, u.size = now, 0
	return true
}

func (u *unproven) seen() (total uint64, last int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.total == 0 {
		return 0, 0
	}
	return u.total, u.last.UnixMicro()
}

// unverified counts a request that was just answered 401, if it names a tenant
// of ours. The answer is written and does not depend on it; the work is
// bounded, and the same whether the tenant is one of ours or not: nobody can
// learn from its time which are.
func (e *edge) unverified(k Kind, src *entry, body []byte) {
	if e.Pings.refused(k, src, body) == PingEarly {
		e.Log.Warn(EarlyWords, "source", k.Name)
	}
	if k.Claims == nil {
		return
	}
	tenant := k.Claims(body[:min(len(body), maxClaimBytes)])
	if tenant == "" {
		return
	}
	src, ours := e.sources.lookup.Load().tenants[tenantKey{k.Name, tenant}]
	count := &e.strangers
	if ours {
		count = &src.stats.unproven
	}
	if count.add(e.Now()) && ours {
		e.Log.Warn("requests that name a tenant of ours come with a wrong secret (hint: switchlog status tells which; if they are "+
			"the provider's, give switchlog the new one by source rotate)", "source", k.Name)
		e.Watch.Suspect(k.Name, tenant)
	}
}

// unstored tells of a verified request that was not kept. What is wrong with the
// event itself stays wrong: nobody would find it by asking.
func (e *edge) unstored(k Kind, src *entry, err error) {
	if src.tenant != "" && !errors.Is(err, schemas.ErrInvalid) {
		e.Watch.Missed(k.Name, src.tenant)
	}
}

package ingest

import (
	"errors"

	"switchlog/ingest/registry"
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

// maxClaimBytes is how much of a body is read for whose an unverified request says it is; PluralKit says so in
// the first 200.
const maxClaimBytes = 512

// unverified counts a request that was just answered 401, if it names a tenant
// of ours. The answer is written and does not depend on it; the work is
// bounded, and the same whether the tenant is one of ours or not: nobody can
// learn from its time which are.
func (e *edge) unverified(k Kind, src *registry.Entry, body []byte) {
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
	ours := e.sources.FindByTenant(k.Name, tenant)
	count := &e.unknown
	if ours != nil {
		count = &ours.Stats.AuthFailures
	}
	if count.Add(e.Now()) && ours != nil {
		e.Log.Warn("requests that name a tenant of ours come with a wrong secret (hint: switchlog status tells which; if they are "+
			"the provider's, give switchlog the new one by source rotate)", "source", k.Name)
		e.Watch.Suspect(k.Name, tenant)
	}
}

// unstored tells of a verified request that was not kept. What is wrong with the
// event itself stays wrong: nobody would find it by asking.
func (e *edge) unstored(k Kind, src *registry.Entry, err error) {
	if !errors.Is(err, schemas.ErrInvalid) {
		src.Stats.Lost(e.Now())
	}
	if src.Tenant() != "" && !errors.Is(err, schemas.ErrInvalid) {
		e.Watch.Missed(k.Name, src.Tenant())
	}
}

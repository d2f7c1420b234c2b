package registry

import "crypto/sha256"

// What a request is looked up by. All of it reads one snapshot, without a lock.

// Find is the source of that name; nil if there is none, or if only a later
// version knows its kind.
func (r *Registry) Find(kind, name string) *Entry {
	return usable(r.lookup.Load().sources[sourceKey{kind, name}])
}

// FindByToken is the source with that hashed secret, of a kind whose path names no
// source; nil if there is none.
func (r *Registry) FindByToken(kind string, hash [sha256.Size]byte) *Entry {
	return usable(r.lookup.Load().tokens[tokenKey{kind, hash}])
}

// FindByTenant is the source that receives a tenant's data; nil if there is none.
func (r *Registry) FindByTenant(kind, tenant string) *Entry {
	return r.lookup.Load().tenants[tenantKey{kind, tenant}]
}

// Unverifiable are the tenants (empty: not known yet) of the sources of a kind whose
// requests cannot be verified, since their secrets are not on this machine.
func (r *Registry) Unverifiable(kind string) []string { return r.lookup.Load().unverifiable[kind] }

func usable(e *Entry) *Entry {
	if e == nil || e.Source == nil {
		return nil
	}
	return e
}

// Name is the source's name, and Tenant whose data it receives; empty: not known yet.
func (e *Entry) Name() string   { return e.name }
func (e *Entry) Tenant() string { return e.tenant }

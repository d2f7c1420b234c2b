package main

import (
	"switchlog/ingest"
	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
)

// Reconcilers hear at the public listener what may have been missed.
var _ ingest.Watcher = (*reconcilers)(nil)

// trigger has a system looked at soon, if it can be.
func (r *reconcilers) trigger(kind, tenant string, why pluralkit.Reason) {
	if kind != schemas.PluralKit {
		return
	}
	if found := r.find(tenant); found != nil {
		found.Trigger(why)
	}
}

// Suspect implements ingest.Watcher.
func (r *reconcilers) Suspect(kind, tenant string) { r.trigger(kind, tenant, pluralkit.ReasonRefused) }

// Tried implements ingest.Watcher: PluralKit tries an address before it keeps
// it, so one that did not send to us may do so now.
func (r *reconcilers) Tried(kind, tenant string) {
	if kind != schemas.PluralKit {
		return
	}
	found := r.find(tenant)
	if found == nil {
		return
	}
	if state, _ := found.State(); state == pluralkit.StateElsewhere {
		found.Trigger(pluralkit.ReasonLinked)
	}
}

// Missed implements ingest.Watcher. What was missed is looked for once it can
// be stored.
func (r *reconcilers) Missed(kind, tenant string) {
	if kind != schemas.PluralKit {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missed[tenant] = true
}

// makeUp looks for what could not be stored, once the spool takes it.
func (r *reconcilers) makeUp() {
	if r.n.spool.State().StoreError != "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for tenant := range r.missed {
		if found := r.of[tenant]; found != nil {
			found.Trigger(pluralkit.ReasonFull)
		}
	}
	clear(r.missed)
}

// away has all systems looked at: we were not there to be told.
func (r *reconcilers) away() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, running := range r.of {
		running.Trigger(pluralkit.ReasonGap)
	}
}

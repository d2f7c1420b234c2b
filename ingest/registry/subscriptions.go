package registry

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"switchlog/schemas"
)

// Purposes of a subscription's secrets. The URL is one: whoever knows a
// Discord channel's webhook may write there.
const (
	purposeURL       = "url"
	purposeSecret    = "secret"
	purposeOldSecret = "old_secret" // replaced; signs too until OldUntil
)

// subscription is one as the registry's events tell it.
type subscription struct {
	schemas.Subscription
	created, updated time.Time
	oldUntil         time.Time // zero: there is no old secret
}

// applySubscription folds an event about a subscription; see apply.
func (s state) applySubscription(e schemas.Event) error {
	if e.Type == schemas.SubscriptionDeleted {
		d, err := schemas.Decode[schemas.SubscriptionGone](e)
		if err != nil {
			return err
		}
		if _, exists := s.subscriptions[d.ID]; !exists {
			return noSubscription(d.ID)
		}
		delete(s.subscriptions, d.ID)
		return nil
	}
	d, err := schemas.Decode[schemas.Subscription](e)
	if err != nil {
		return err
	}
	d.Sealed = nil // it is for takeOver
	next := subscription{Subscription: d, created: e.Time, updated: e.Time}
	if d.OldUntil != "" {
		if next.oldUntil, err = time.Parse(time.RFC3339Nano, d.OldUntil); err != nil {
			return fmt.Errorf("%w: old_until: %w", schemas.ErrInvalid, err)
		}
	}
	before, exists := s.subscriptions[d.ID]
	switch {
	case d.ID == "":
		return fmt.Errorf("%w: a subscription without id", schemas.ErrInvalid)
	case e.Type == schemas.SubscriptionCreated && exists:
		return fmt.Errorf("%w: there is already a webhook %s", schemas.ErrConflict, d.ID)
	case e.Type == schemas.SubscriptionUpdated && !exists:
		return noSubscription(d.ID)
	case e.Type == schemas.SubscriptionUpdated:
		next.created = before.created
	case e.Type != schemas.SubscriptionCreated:
		return fmt.Errorf("%w: type %s", schemas.ErrInvalid, e.Type)
	}
	s.subscriptions[d.ID] = next
	return nil
}

func noSubscription(id string) error {
	return fmt.Errorf("%w: there is no webhook %s", schemas.ErrNotFound, clip(id))
}

// good are the references to a subscription's secrets that are good at now.
func (s subscription) good(now time.Time) []string {
	var refs []string
	for purpose, ref := range s.Secrets {
		if purpose != purposeOldSecret || now.Before(s.oldUntil) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// destination is a subscription ready for use: never changed, read without a
// lock.
type destination struct {
	subscription
	plain map[string]string // secrets by purpose; those that are not on this machine are missing
}

// destinations makes the subscriptions ready. One that has not changed is taken
// over: there may be a thousand, and opening secrets takes its time.
func (s state) destinations(secrets map[string]secret, seal sealer, old map[string]*destination) map[string]*destination {
	all := make(map[string]*destination, len(s.subscriptions))
	for id, sub := range s.subscriptions {
		if before := old[id]; before != nil && before.updated.Equal(sub.updated) && len(before.plain) == len(sub.Secrets) {
			all[id] = before
			continue
		}
		d := &destination{subscription: sub, plain: make(map[string]string, len(sub.Secrets))}
		for purpose, ref := range sub.Secrets {
			if kept, here := secrets[ref]; here {
				// One that does not open is not there; the registry refuses to
				// start with it.
				if plain, err := seal.open(ref, kept); err == nil {
					d.plain[purpose] = plain
				}
			}
		}
		all[id] = d
	}
	return all
}

// Subscriptions lists all subscriptions, newest first. What is in them is
// shared: do not change it.
func (r *Registry) Subscriptions() []schemas.Subscription {
	all := r.SubscriptionRecords()
	list := make([]schemas.Subscription, len(all))
	for i, d := range all {
		list[i] = d.Subscription
	}
	return list
}

// SubscriptionRecords is Subscriptions, with all the registry has of them.
func (r *Registry) SubscriptionRecords() []schemas.SubscriptionRecord {
	of := r.lookup.Load().destinations
	all := make([]schemas.SubscriptionRecord, 0, len(of))
	for _, d := range of {
		all = append(all, d.record())
	}
	slices.SortFunc(all, func(a, b schemas.SubscriptionRecord) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all
}

// Subscription is one subscription, or schemas.ErrNotFound.
func (r *Registry) Subscription(id string) (schemas.Subscription, error) {
	d, err := r.destination(id)
	if err != nil {
		return schemas.Subscription{}, err
	}
	return d.Subscription, nil
}

// SubscriptionRecord is one subscription with all the registry has of it, or
// schemas.ErrNotFound.
func (r *Registry) SubscriptionRecord(id string) (schemas.SubscriptionRecord, error) {
	d, err := r.destination(id)
	if err != nil {
		return schemas.SubscriptionRecord{}, err
	}
	return d.record(), nil
}

func (d *destination) record() schemas.SubscriptionRecord {
	return schemas.SubscriptionRecord{Subscription: d.Subscription, Created: d.created, Updated: d.updated,
		OldSecretUntil: d.oldUntil, WholeURL: d.plain[purposeURL], Secret: d.plain[purposeSecret]}
}

func (r *Registry) destination(id string) (*destination, error) {
	d := r.lookup.Load().destinations[id]
	if d == nil {
		return nil, noSubscription(id)
	}
	return d, nil
}

// SubscriptionSecrets is the whole URL of a subscription, and its secrets: the
// current one first, then the replaced one while it still signs. schemas.ErrNotFound:
// there is no such subscription, or it came from another machine and its
// secrets did not.
func (r *Registry) SubscriptionSecrets(id string) (url string, secrets []string, err error) {
	d, err := r.destination(id)
	if err != nil {
		return "", nil, err
	}
	for _, purpose := range []string{purposeURL, purposeSecret} {
		if d.Secrets[purpose] != "" && d.plain[purpose] == "" {
			return "", nil, fmt.Errorf("%w: the %s of webhook %s is not on this machine (hint: make the webhook anew)", schemas.ErrNotFound, purpose, id)
		}
	}
	if current := d.plain[purposeSecret]; current != "" {
		secrets = append(secrets, current)
	}
	if old := d.plain[purposeOldSecret]; old != "" && r.Now().Before(d.oldUntil) {
		secrets = append(secrets, old)
	}
	return d.plain[purposeURL], secrets, nil
}

// watchers are told when the registry has changed.
type watchers struct {
	mu  sync.Mutex // guards all
	all map[chan struct{}]bool
}

// Watch gives a channel that receives after each change of the registry; two
// changes at once may be one receive. stop ends that.
func (r *Registry) Watch() (changed <-chan struct{}, stop func()) {
	w, c := &r.watch, make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[chan struct{}]bool{}
	}
	w.all[c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, c)
	}
}

func (w *watchers) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default: // it has not yet looked at the last change
		}
	}
}

package registry

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Secrets travel with the events of the registry, sealed with the key file. So
// another node that has the same key knows a source with its secrets as soon as it
// reads the event, and a node that lost its secrets.db gets them back from the log.
// A node with another key knows the source without them. Law 9: what only the hash is
// kept of travels as a sealed hash.

// hashContext is authenticated with a sealed hash, so that it never passes for a secret.
func hashContext(ref string) string { return "sha256:" + ref }

// share is the form a kept secret travels in.
func (s sealer) share(ref string, kept secret) (string, error) {
	if !kept.sealed {
		var err error
		if kept, err = s.seal(hashContext(ref), string(kept.value)); err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(kept.value), nil
}

// receive is the secret that another node shared. An error: our key does not open it.
func (s sealer) receive(ref, shared string) (secret, error) {
	value, err := base64.StdEncoding.DecodeString(shared)
	if err != nil {
		return secret{}, errors.New("not base64")
	}
	kept := secret{sealed: true, value: value}
	if _, err := s.open(ref, kept); err == nil {
		return kept, nil
	}
	hash, err := s.open(hashContext(ref), kept)
	if err != nil {
		return secret{}, err
	}
	return secret{value: []byte(hash)}, nil
}

// shareAll is the form secrets travel in, by reference; nil if there are none.
func (s sealer) shareAll(secrets map[string]secret) (map[string]string, error) {
	var all map[string]string
	for ref, kept := range secrets {
		shared, err := s.share(ref, kept)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string]string{}
		}
		all[ref] = shared
	}
	return all, nil
}

// takeOver puts the secrets into secrets.db that are good, that are not there, and that an event
// brought. The caller holds r.mu.
func (r *Registry) takeOver(ctx context.Context) error {
	lost := r.state.good(r.Now())
	for ref := range r.secrets {
		delete(lost, ref)
	}
	if len(lost) == 0 {
		return nil
	}
	found := map[string]secret{}
	for _, e := range r.events {
		var d struct {
			Sealed map[string]string `json:"sealed"`
		}
		if json.Unmarshal(e.Data, &d) != nil {
			continue // what it is not is for apply to say
		}
		for ref, shared := range d.Sealed {
			if !lost[ref] {
				continue
			}
			if kept, err := r.seal.receive(ref, shared); err == nil {
				found[ref] = kept
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	err := r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for ref, kept := range found {
			if err := insertSecret(ctx, tx, ref, kept); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for ref, kept := range found {
		r.secrets[ref] = kept
	}
	return nil
}

// Learned says that the registry has merged all that the log knows of it. Until then a registry that
// is empty, though the log may know better, answers nobody with 401.
func (r *Registry) Learned() { r.unsure.Store(false) }

// Unsure reports whether the registry is empty and the log may know better.
func (r *Registry) Unsure() bool { return r.unsure.Load() }

// good are the references to all secrets that are good at now.
func (s state) good(now time.Time) map[string]bool {
	good := map[string]bool{}
	for _, rec := range s.sources {
		for _, ref := range rec.good(now) {
			good[ref] = true
		}
	}
	for _, sub := range s.subscriptions {
		for _, ref := range sub.good(now) {
			good[ref] = true
		}
	}
	for _, reader := range s.readers {
		for _, ref := range reader.good(now) {
			good[ref] = true
		}
	}
	return good
}

package registry

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"switchlog/schemas"
)

const (
	// maxSubscriptions is how many webhooks there may be: every event is held
	// against each of them.
	maxSubscriptions = 1000

	// signsOn is for how long a replaced secret still signs, beside the new
	// one: so receivers can change over without losing anything.
	signsOn = 24 * time.Hour

	SigningPrefix = "whsec_" // of a secret of Standard Webhooks
)

// Subscribe makes a subscription. s says what is wanted, and is trusted; it
// gets its ID here. url is the whole URL; secret may be empty. schemas.ErrConflict: there are as
// many as there may be. After any error nothing has changed.
func (r *Registry) Subscribe(ctx context.Context, s schemas.Subscription, url, secret string) (schemas.Subscription, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.state.subscriptions) >= maxSubscriptions {
		return s, fmt.Errorf("%w: there are %d webhooks, as many as there may be (hint: switchlog webhook list says which nobody needs)", schemas.ErrConflict, maxSubscriptions)
	}
	s.ID, s.Secrets = schemas.NewID(), nil
	return r.put(ctx, schemas.SubscriptionCreated, s, map[string]string{purposeURL: url, purposeSecret: secret})
}

// Resubscribe changes a subscription, which must be the one of that moment:
// schemas.ErrConflict if it was changed after updated. A url that is not empty replaces
// the one there was. The rest is as of Subscribe.
func (r *Registry) Resubscribe(ctx context.Context, s schemas.Subscription, updated time.Time, url string) (schemas.Subscription, error) {
	return r.update(ctx, s.ID, func(now subscription) (schemas.Subscription, map[string]string, error) {
		if !now.updated.Equal(updated) {
			return s, nil, fmt.Errorf("%w: the webhook was changed by somebody else meanwhile (hint: look at it, and try again)", schemas.ErrConflict)
		}
		s.Secrets, s.OldUntil = now.Secrets, now.OldUntil
		return s, map[string]string{purposeURL: url}, nil
	})
}

// RotateSubscription replaces the secret of a subscription. The old one signs
// too, for a day.
func (r *Registry) RotateSubscription(ctx context.Context, id, secret string) (schemas.Subscription, error) {
	return r.update(ctx, id, func(now subscription) (schemas.Subscription, map[string]string, error) {
		s := now.Subscription
		s.Secrets = maps.Clone(s.Secrets)
		if old := s.Secrets[purposeSecret]; old != "" {
			s.Secrets[purposeOldSecret] = old
			s.OldUntil = schemas.FormatTime(r.Now().Add(signsOn))
		}
		return s, map[string]string{purposeSecret: secret}, nil
	})
}

// Disable stops a subscription for a reason people are told. One that is
// disabled stays as it is.
func (r *Registry) Disable(ctx context.Context, id, reason string) error {
	_, err := r.update(ctx, id, func(now subscription) (schemas.Subscription, map[string]string, error) {
		s := now.Subscription
		if s.Enabled {
			s.Enabled, s.Reason = false, reason
		}
		return s, nil, nil
	})
	return err
}

// Unsubscribe deletes a subscription, its secrets, and with it what is known of
// its deliveries.
func (r *Registry) Unsubscribe(ctx context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commit(ctx, schemas.SubscriptionDeleted, id, schemas.SubscriptionGone{ID: id, By: by(ctx)}, nil)
}

// update makes of a subscription what next says of it, with new secrets by
// purpose. If that is what it is already, nothing happens.
func (r *Registry) update(ctx context.Context, id string, next func(subscription) (schemas.Subscription, map[string]string, error)) (schemas.Subscription, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, exists := r.state.subscriptions[id]
	if !exists {
		return schemas.Subscription{}, noSubscription(id)
	}
	s, plain, err := next(now)
	if err != nil {
		return s, err
	}
	changed := slices.ContainsFunc(slices.Collect(maps.Values(plain)), func(value string) bool { return value != "" })
	if !changed && reflect.DeepEqual(s, now.Subscription) {
		return s, nil
	}
	return r.put(ctx, schemas.SubscriptionUpdated, s, plain)
}

// put seals secrets and commits the subscription with references to them.
// Those that are empty are left alone.
func (r *Registry) put(ctx context.Context, typ string, s schemas.Subscription, plain map[string]string) (schemas.Subscription, error) {
	refs, kept := maps.Clone(s.Secrets), map[string]secret{}
	if refs == nil {
		refs = map[string]string{}
	}
	for purpose, value := range plain {
		if value == "" {
			continue
		}
		ref := "secret-" + schemas.NewID()
		sealed, err := r.seal.seal(ref, value)
		if err != nil {
			return s, fmt.Errorf("%s: %w", purpose, err)
		}
		refs[purpose], kept[ref] = ref, sealed
	}
	s.Secrets = refs
	s.By = by(ctx)
	told, err := s, error(nil)
	if told.Sealed, err = r.seal.shareAll(kept); err != nil {
		return s, err
	}
	return s, r.commit(ctx, typ, s.ID, told, kept)
}

// NewSigningSecret makes a secret for Standard Webhooks: 256 bits.
func (r *Registry) NewSigningSecret() string {
	return SigningPrefix + base64.StdEncoding.EncodeToString(newRandom())
}

// CleanSecret reads the secret of a subscription as a person gave it. signing: it
// is one of Standard Webhooks, and answered in the form in which it signs. ErrInvalid
// says what is wrong.
func (r *Registry) CleanSecret(secret string, signing bool) (string, error) {
	spec := SecretSpec{Purpose: purposeSecret}
	if signing {
		spec.Inside = " \t\r\n"
	}
	secret, err := cleanSecret(secret, spec)
	if err != nil || !signing {
		return secret, err
	}
	if secret, err = signingSecret.Check(secret); err != nil {
		return "", fmt.Errorf("must be %s and base64 (hint: leave it out, and one is made): %w", SigningPrefix, err)
	}
	return secret, nil
}

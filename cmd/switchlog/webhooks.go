package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"

	"switchlog/ingest"
	"switchlog/processor"
	"switchlog/processor/deliver/manage"
	"switchlog/projections"
	"switchlog/projections/webhooks"
	"switchlog/schemas"
)

// webhooksHandler is the management of outgoing webhooks.
func (n *node) webhooksHandler() http.Handler {
	kinds := make([]string, len(ingest.Kinds))
	for i, k := range ingest.Kinds {
		kinds[i] = k.Name
	}
	return manage.NewHandler(manage.Config{
		Registry: n.registry, Events: n.spool, History: history{n.db}, Sender: n.sender, Past: past{n},
		Kinds: kinds, Allow: n.deliverAllow, Condition: webhooks.CheckCondition, State: n.webhookState, Withheld: n.withheld, Server: n.stellarServer,
		Authorize: func(r *http.Request) (manage.Caller, bool) {
			reader, err := n.authorize(r)
			return manage.Caller{Name: reader.Name, Source: reader.Source, Tenant: reader.Tenant, All: reader.Admin}, err == nil && (reader.Admin || reader.Tenant != "" && !reader.Public)
		},
		Log: n.log,
	})
}

// history shows deliveries to the management API.
type history struct{ *projections.DB }

// Delivery is one delivery, or schemas.ErrNotFound.
func (h history) Delivery(ctx context.Context, webhook, id string) (schemas.DeliveryRecord, error) {
	d, err := h.DB.Delivery(ctx, webhook, id)
	return d, notFound(err)
}

// DeliveryAgain is one delivery, to be made once more, or schemas.ErrNotFound.
func (h history) DeliveryAgain(ctx context.Context, webhook, id string) (schemas.Delivery, error) {
	d, err := h.DB.DeliveryAgain(ctx, webhook, id)
	return d, notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, webhooks.ErrNoDelivery) {
		return fmt.Errorf("%w: %w", schemas.ErrNotFound, err)
	}
	return err
}

// past is what a webhook would have been sent.
type past struct{ n *node }

// delivered is one event, or one change, of a part of the log.
type delivered struct {
	seq uint64
	n   int
	e   schemas.Event
}

// Matching reads a part of the log, and the changes it caused, each in its
// order: first the changes, of which there are few, then the log; a change
// comes right behind its cause.
func (p past) Matching(ctx context.Context, s schemas.Subscription, from, to string, fn func(seq uint64, n int, e schemas.Event) error) error {
	first, last, err := p.n.span(ctx, from, to)
	if err != nil || first > last {
		return err
	}
	matches, err := p.n.db.Matcher(s)
	if err != nil {
		return err
	}
	source, tenant := wildcardToken(s.Source), wildcardToken(s.Tenant)
	var changes []delivered
	held := 0
	err = p.n.events.ReadChanges(ctx, processor.ReadOptions{From: first, To: last, Subject: schemas.LogChanges + "." + source + "." + tenant + ".>"},
		func(seq uint64, n int, e schemas.Event) error {
			seen, ok, err := matches(ctx, e)
			if err != nil || !ok {
				return err
			}
			if held += len(seen.Data); held > maxHeldChanges {
				return fmt.Errorf("%w: too much matches (hint: a shorter span)", schemas.ErrConflict)
			}
			changes = append(changes, delivered{seq, n + 1, seen})
			return nil
		})
	if err != nil {
		return err
	}
	// Changes of events up to seq go out before what comes after it.
	flush := func(seq uint64) error {
		for len(changes) > 0 && changes[0].seq <= seq {
			c := changes[0]
			changes = changes[1:]
			if err := fn(c.seq, c.n, c.e); err != nil {
				return err
			}
		}
		return nil
	}
	err = p.n.events.Read(ctx, processor.ReadOptions{From: first, To: last, Subject: schemas.LogEvents + "." + source + "." + tenant + ".>"},
		func(e schemas.Recorded, _ schemas.Message) error {
			if e.Fault != nil {
				return nil
			}
			seen, ok, err := matches(ctx, e.Event)
			if err == nil {
				err = flush(e.Seq - 1)
			}
			if err != nil || !ok {
				return err
			}
			return fn(e.Seq, 0, seen)
		})
	if err != nil {
		return err
	}
	return flush(math.MaxUint64)
}

// maxHeldChanges bounds, in bytes, what a replay holds in memory.
const maxHeldChanges = 64 << 20

// stellarServer finds a server of a StellarStack panel: of one, or of any.
func (n *node) stellarServer(ctx context.Context, tenant, id string) (name string, found bool, err error) {
	var panels []string
	for _, s := range n.registry.Sources() {
		if s.Kind == schemas.StellarStack && s.Tenant != "" && (tenant == "" || tenant == s.Tenant) {
			panels = append(panels, s.Tenant)
		}
	}
	for _, panel := range panels {
		answer, err := n.db.Ask(ctx, schemas.StellarStack, "servers", map[string]string{"tenant": panel})
		if err != nil {
			return "", false, err
		}
		var servers []struct {
			ID   string  `json:"id"`
			Name *string `json:"name"`
		}
		if err := json.Unmarshal(answer.Body, &servers); err != nil {
			return "", false, fmt.Errorf("servers of %s: %w", panel, err)
		}
		for _, s := range servers {
			if s.ID != id {
				continue
			}
			if s.Name != nil {
				name = *s.Name
			}
			return name, true, nil
		}
	}
	return "", false, nil
}

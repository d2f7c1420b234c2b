package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"switchlog/ingest"
	"switchlog/processor"
	"switchlog/processor/deliver"
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
		Registry: n.registry, Events: n.spool, History: history{n.db}, Sender: n.sender, LogReader: deliver.LogReader{Log: storedLog{n.events}, Matcher: n.db.Matcher},
		Kinds: kinds, Allow: n.deliverAllow, Condition: webhooks.CheckCondition, State: n.webhookStates().Of, Withheld: n.withheld, Server: n.stellarServer,
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

// storedLog is the log as deliveries of the past are read from it.
type storedLog struct{ *processor.Log }

// Events reads events of some subjects.
func (l storedLog) Events(ctx context.Context, from, to uint64, subject string, fn func(schemas.Recorded) error) error {
	return l.Log.Read(ctx, processor.ReadOptions{From: from, To: to, Subject: subject},
		func(e schemas.Recorded, _ schemas.Message) error { return fn(e) })
}

// Changes reads changes of some subjects.
func (l storedLog) Changes(ctx context.Context, from, to uint64, subject string, fn func(seq uint64, n int, e schemas.Event) error) error {
	return l.Log.ReadChanges(ctx, processor.ReadOptions{From: from, To: to, Subject: subject}, fn)
}

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

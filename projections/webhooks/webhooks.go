package webhooks

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed webhooks.sql
var webhooksSQL string

// Webhooks is which outgoing webhooks there are, and how they fare. (Their URLs
// and secrets are not in the log; whoever sends has them from elsewhere.)
//
// Our own events are in order. Yet one that comes twice must change nothing, so
// a row remembers which event it is from, and only a newer one replaces it.
var Webhooks = engine.Projection{
	Name: "webhooks", Source: schemas.SelfSource, Version: 2, // 1: first; 2: debounce_s; a condition that does not compile is written
	Schema: webhooksSQL,
	Handlers: map[string]engine.Handler{
		schemas.SubscriptionCreated: engine.On(readWebhook, foldWebhook),
		schemas.SubscriptionUpdated: engine.On(readWebhook, foldWebhook),
		schemas.SubscriptionDeleted: engine.On(readWebhook, foldWebhook),
	},
	Queries: []engine.Query{{
		Name: "webhooks", Path: "webhooks",
		Doc: "The outgoing webhooks, newest first.",
		SQL: `SELECT id, owner, name, provider, url, events AS events_json, source, tenant, server_id, condition,
				enabled AS enabled_bool, disabled_reason, debounce_s, due, finished, dropped,
				` + readable("failing_since") + `, ` + readable("created") + `, ` + readable("updated") + `
			FROM webhooks WHERE deleted_us IS NULL AND :tenant = '` + schemas.SelfTenant + `'
			ORDER BY created_us DESC, id DESC LIMIT 1000`,
	}},
}

func readWebhook(e schemas.Recorded) (schemas.Subscription, error) {
	s, err := schemas.Decode[schemas.Subscription](e.Event)
	if err == nil && s.ID == "" {
		err = fmt.Errorf("%w: %s: no id", schemas.ErrInvalid, e.Type)
	}
	return s, err
}

func foldWebhook(tx *engine.Tx, e schemas.Recorded, s schemas.Subscription) error {
	old, err := tx.Get(`SELECT updated_us, event_id, deleted_us FROM webhooks WHERE id = ?`, s.ID)
	if err != nil {
		return err
	}
	us := e.Time.UnixMicro()
	if old != nil && (!old.Null(2) || us < old.Int(0) || us == old.Int(0) && e.ID <= old.Text(1)) {
		return nil
	}
	if e.Type == schemas.SubscriptionDeleted {
		err = deleteWebhook(tx, s.ID, us, e.ID)
	} else {
		err = writeWebhook(tx, s, us, e.ID)
	}
	if err != nil {
		return err
	}
	if audience := tx.State(Deliveries.Name); audience != nil {
		audience.Forget()
	}
	return nil
}

// writeWebhook writes the row. A condition that does not compile is written
// too: another version of CEL took it, and the registry has it. Such a webhook
// gets nothing (see listeners); status and the management API say so.
func writeWebhook(tx *engine.Tx, s schemas.Subscription, us int64, id string) error {
	events, options, variables, err := webhookJSON(s)
	if err != nil {
		return err
	}
	err = tx.Exec(`INSERT INTO webhooks (id, owner, name, provider, url, events, source, tenant, server_id, condition,
			enabled, disabled_reason, rate, ordered, owner_only, template, options, variables,
			created_us, updated_us, event_id, debounce_s, due, finished, dropped)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?19, ?20, ?21, 0, 0, 0)
		ON CONFLICT (id) DO UPDATE SET owner = ?2, name = ?3, provider = ?4, url = ?5, events = ?6, source = ?7, tenant = ?8,
			server_id = ?9, condition = ?10, enabled = ?11, disabled_reason = ?12, rate = ?13, ordered = ?14, owner_only = ?15,
			template = ?16, options = ?17, variables = ?18, updated_us = ?19, event_id = ?20, debounce_s = ?21,
			failing_since_us = iif(?11 AND NOT enabled, NULL, failing_since_us)`,
		s.ID, s.Owner, s.Name, s.Provider, s.URL, events, engine.TextOrNull(s.Source), engine.TextOrNull(s.Tenant), s.ServerID, engine.TextOrNull(s.Condition),
		s.Enabled, engine.TextOrNull(s.Reason), rateOrNull(s.Rate), s.Ordered, s.OwnerOnly, engine.TextOrNull(s.Template), options, variables, us, id, positiveOrNull(s.DebounceS))
	if err != nil {
		return err
	}
	if !s.Enabled {
		return cancelDue(tx, s.ID, "cancelled: the webhook was disabled")
	}
	return tx.Exec(`UPDATE deliveries SET ordering_key = iif(?2, source || '/' || tenant, NULL)
		WHERE webhook = ?1 AND status = 'due' AND (ordering_key IS NULL) = ?2`, s.ID, s.Ordered)
}

func webhookJSON(s schemas.Subscription) (events, options, variables string, err error) {
	var text [3]string
	for i, v := range []any{append([]string{}, s.Events...), orEmpty(s.Options), orEmpty(s.Variables)} {
		b, err := json.Marshal(v)
		if err != nil {
			return "", "", "", err
		}
		text[i] = string(b)
	}
	return text[0], text[1], text[2], nil
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func rateOrNull(rate float64) any {
	if rate == 0 {
		return nil
	}
	return rate
}

func positiveOrNull(n int) any {
	if n <= 0 {
		return nil
	}
	return n
}

// deleteWebhook makes the row a tombstone; what it was for is gone with it.
func deleteWebhook(tx *engine.Tx, webhook string, us int64, id string) error {
	err := tx.Exec(`INSERT INTO webhooks (id, owner, name, provider, url, events, enabled, ordered, owner_only, options, variables,
			created_us, updated_us, event_id, due, finished, dropped, deleted_us)
		VALUES (?1, '', '', '', '', '[]', 0, 0, 0, '{}', '{}', ?2, ?2, ?3, 0, 0, 0, ?2)
		ON CONFLICT (id) DO UPDATE SET url = '', source = NULL, tenant = NULL, server_id = NULL, condition = NULL, enabled = 0,
			disabled_reason = NULL, debounce_s = NULL, template = NULL, options = '{}', variables = '{}', updated_us = ?2, event_id = ?3,
			failing_since_us = NULL, due = 0, finished = 0, deleted_us = ?2`, webhook, us, id)
	if err != nil {
		return err
	}
	return tx.Exec(`DELETE FROM deliveries WHERE webhook = ?`, webhook)
}

// subscriptions reads those that are enabled, in the order of their ids.
func subscriptions(tx *engine.Tx) ([]schemas.Subscription, error) {
	var all []schemas.Subscription
	err := tx.Each(`SELECT id, owner, events, source, tenant, server_id, condition, ordered, owner_only, debounce_s
		FROM webhooks WHERE enabled = 1 ORDER BY id`, nil, func(r engine.Row) error {
		s := schemas.Subscription{ID: r.Text(0), Owner: r.Text(1), Source: r.Text(3), Tenant: r.Text(4), Condition: r.Text(6),
			Enabled: true, Ordered: r.Int(7) == 1, OwnerOnly: r.Int(8) == 1}
		if !r.Null(9) {
			s.DebounceS = int(r.Int(9))
		}
		if !r.Null(5) {
			server := r.Text(5)
			s.ServerID = &server
		}
		if err := json.Unmarshal([]byte(r.Text(2)), &s.Events); err != nil {
			return fmt.Errorf("webhooks: events we wrote ourselves: %w", err)
		}
		all = append(all, s)
		return nil
	})
	return all, err
}

package webhooks

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed deliveries.sql
var deliveriesSQL string

// Limits of one webhook's deliveries (Law 10).
const (
	maxDueDeliveries      = 10_000 // that wait: a week of a busy system while its receiver is away
	maxFinishedDeliveries = 1_000  // that are kept to be looked at: a hundred pages of ten
)

// Deliveries is what is on its way to each webhook, and what became of it.
//
// Rows are made of the log alone: an event that a subscription asks for makes
// one that is due, whoever folds it and whenever; the attempts that were made
// are events too. So a rebuilt file has the same rows, and nobody need send
// anything to make them (Laws 7 and 8).
var Deliveries = engine.Projection{
	Name: "deliveries", Source: schemas.SelfSource, Version: 5, // 3: one privacy policy; 4: no sealed secrets; 5: ordering_key
	Schema: deliveriesSQL,
	State:  func() engine.State { return &audience{} },
	Handlers: map[string]engine.Handler{
		schemas.DeliveryRequested: engine.On(readDeliveryRequest, foldDeliveryRequest),
		schemas.DeliveryAttempted: engine.On(parseAttempt, foldDeliveryAttempt),
	},
	Queries: []engine.Query{{
		Name: "deliveries", Path: "deliveries",
		Doc:    "The deliveries of all outgoing webhooks, newest first.",
		Params: deliveriesParams,
		SQL: `SELECT ` + deliveriesShown + ` FROM deliveries
			WHERE :tenant = '` + schemas.SelfTenant + `' AND ordinal < coalesce(:before, 9223372036854775807)
			ORDER BY ordinal DESC LIMIT max(0, min(:limit, 1000))`,
	}, {
		Name: "webhook_deliveries", Path: "webhooks/{webhook}/deliveries",
		Doc:    "The deliveries of one outgoing webhook, newest first.",
		Params: append([]engine.Param{{Name: "webhook", Doc: "The webhook's id."}}, deliveriesParams...),
		// Both parts come by an index.
		SQL: `SELECT ` + deliveriesShown + ` FROM deliveries WHERE ordinal IN (
				SELECT ordinal FROM (SELECT ordinal FROM deliveries WHERE webhook = :webhook AND status = 'due'
					UNION ALL SELECT ordinal FROM deliveries WHERE webhook = :webhook AND status <> 'due')
				WHERE :tenant = '` + schemas.SelfTenant + `' AND ordinal < coalesce(:before, 9223372036854775807)
				ORDER BY ordinal DESC LIMIT max(0, min(:limit, 1000)))
			ORDER BY ordinal DESC LIMIT 1000`,
	}},
}

var deliveriesParams = []engine.Param{
	{Name: "before", Kind: schemas.Int, Doc: "Only those before this ordinal: the last one's, for the next page."},
	{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
}

var deliveriesShown = `ordinal, webhook, id, message_id, kind, status, event_name, event_id, source, tenant AS of_tenant, seq, attempts,
	status_code, response, ` + readable("created") + `, ` + readable("next") + `, ` + readable("last_attempt") + `, ` + readable("delivered")

// readable is a time as answers have it: microseconds, and RFC 3339 beside it.
func readable(name string) string {
	return fmt.Sprintf(`%[1]s_us, strftime('%%Y-%%m-%%dT%%H:%%M:%%S', %[1]s_us / 1000000, 'unixepoch') || printf('.%%06dZ', %[1]s_us %% 1000000) AS %[1]s`, name)
}

// A delivery is a row to be made.
type delivery struct {
	webhook, id, messageID, kind string
	seq, n                       int64
	route                        schemas.Route
	eventID, event               string
	createdUS, dueUS             int64
	ordered                      bool
	debounced                    any // its subject, if later changes of it may replace this one; or nil
}

// insert makes the row, unless there is one with its id, and cancels the
// oldest that waits if too many do.
func (d delivery) insert(tx *engine.Tx) error {
	made, err := tx.Get(`INSERT INTO deliveries (webhook, id, message_id, kind, status, seq, n, source, tenant, event_name,
			event_id, event, ordering_key, attempts, created_us, next_us, debounced)
		VALUES (?1, ?2, ?3, ?4, 'due', ?5, ?6, ?7, ?8, ?9, ?10, ?11, iif(?12, ?7 || '/' || ?8, NULL), 0, ?13, ?14, ?15)
		ON CONFLICT (webhook, id) DO NOTHING RETURNING 1`,
		d.webhook, d.id, d.messageID, d.kind, d.seq, d.n, d.route.Source, d.route.Tenant, d.route.EventName(),
		d.eventID, d.event, d.ordered, d.createdUS, d.dueUS, d.debounced)
	if err != nil || made == nil {
		return err
	}
	counts, err := tx.Get(`UPDATE webhooks SET due = due + 1 WHERE id = ? RETURNING due`, d.webhook)
	if err != nil || counts.Int(0) <= maxDueDeliveries {
		return err
	}
	err = tx.Exec(`UPDATE deliveries SET status = 'cancelled', next_us = NULL, ordering_key = NULL, response = ?2
		WHERE ordinal = (SELECT ordinal FROM deliveries WHERE webhook = ?1 AND status = 'due' ORDER BY ordinal LIMIT 1)`,
		d.webhook, fmt.Sprintf("cancelled: over %d deliveries were waiting", maxDueDeliveries))
	if err != nil {
		return err
	}
	if err := tx.Exec(`UPDATE webhooks SET dropped = dropped + 1 WHERE id = ?`, d.webhook); err != nil {
		return err
	}
	return finished(tx, d.webhook, 1, 1)
}

// finished counts deliveries that wait no more, and lets the oldest of those
// that are finished go.
func finished(tx *engine.Tx, webhook string, more, fewerDue int) error {
	counts, err := tx.Get(`UPDATE webhooks SET due = due - ?3, finished = finished + ?2 WHERE id = ?1 RETURNING finished`,
		webhook, more, fewerDue)
	if err != nil || counts == nil || counts.Int(0) <= maxFinishedDeliveries {
		return err
	}
	err = tx.Exec(`DELETE FROM deliveries WHERE ordinal IN (SELECT ordinal FROM deliveries
		WHERE webhook = ? AND status <> 'due' ORDER BY ordinal LIMIT ?)`, webhook, counts.Int(0)-maxFinishedDeliveries)
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE webhooks SET finished = ? WHERE id = ?`, maxFinishedDeliveries, webhook)
}

// cancelDue calls off all that waits.
func cancelDue(tx *engine.Tx, webhook, why string) error {
	counts, err := tx.Get(`SELECT due FROM webhooks WHERE id = ?`, webhook)
	if err != nil || counts == nil || counts.Int(0) == 0 {
		return err
	}
	err = tx.Exec(`UPDATE deliveries SET status = 'cancelled', next_us = NULL, ordering_key = NULL, response = ?2
		WHERE webhook = ?1 AND status = 'due'`, webhook, why)
	if err != nil {
		return err
	}
	return finished(tx, webhook, int(counts.Int(0)), int(counts.Int(0)))
}

// deliveryRequest is what a person asked to have sent again, checked.
type deliveryRequest struct {
	schemas.DeliveryRequest
	due  int64 // µs
	of   schemas.Event
	body string
}

func readDeliveryRequest(e schemas.Recorded) (deliveryRequest, error) {
	q, err := schemas.Decode[schemas.DeliveryRequest](e.Event)
	d := deliveryRequest{DeliveryRequest: q}
	if err != nil {
		return d, err
	}
	if d.due, err = schemas.ParseTime(q.Due); err != nil {
		return d, fmt.Errorf("%w: %s: due: %w", schemas.ErrInvalid, e.Type, err)
	}
	if d.of, err = schemas.ParseMessage(schemas.Message{Subject: q.Route, Body: q.Event}); err != nil {
		return d, fmt.Errorf("%s: %w", e.Type, err)
	}
	if q.Delivery == "" || q.MessageID == "" || q.Kind == "" {
		return d, fmt.Errorf("%w: %s: no delivery, message_id or kind", schemas.ErrInvalid, e.Type)
	}
	body, err := d.of.MarshalJSON()
	d.body = string(body)
	return d, err
}

// foldDeliveryRequest makes what a person asked to have sent again.
func foldDeliveryRequest(tx *engine.Tx, e schemas.Recorded, q deliveryRequest) error {
	to, err := tx.Get(`SELECT enabled, ordered FROM webhooks WHERE id = ? AND deleted_us IS NULL`, q.Webhook)
	if err != nil || to == nil || to.Int(0) == 0 {
		return err // nobody to send it to: what waited was cancelled as well
	}
	return delivery{webhook: q.Webhook, id: q.Delivery, messageID: q.MessageID, kind: q.Kind, seq: int64(q.Seq), n: int64(q.N),
		route: q.of.Route, eventID: q.of.ID, event: q.body, createdUS: e.Time.UnixMicro(), dueUS: q.due,
		ordered: to.Int(1) == 1}.insert(tx)
}

// statusAfter is what an attempt makes of its delivery.
var statusAfter = map[string]string{
	schemas.OutcomeDelivered: schemas.DeliveryStatusDelivered,
	schemas.OutcomeFailed:    schemas.DeliveryStatusDue,
	schemas.OutcomeExhausted: schemas.DeliveryStatusFailed,
	schemas.OutcomeRefused:   schemas.DeliveryStatusRefused,
}

// An attempt is the event as the row keeps it.
type attempt struct {
	schemas.DeliveryAttempt
	status    string // of the delivery, after it
	atUS      int64
	next      any // µs, or nil
	delivered any // likewise
	code      any
	request   string
}

func parseAttempt(e schemas.Recorded) (attempt, error) {
	d, err := schemas.Decode[schemas.DeliveryAttempt](e.Event)
	if err != nil {
		return attempt{}, err
	}
	a := attempt{DeliveryAttempt: d, status: statusAfter[d.Outcome]}
	switch {
	case a.status == "":
		return a, fmt.Errorf("%w: %s: outcome %q", schemas.ErrInvalid, e.Type, engine.Clip(d.Outcome))
	case d.Webhook == "" || d.Delivery == "" || d.Attempt < 1:
		return a, fmt.Errorf("%w: %s: no webhook, delivery or attempt", schemas.ErrInvalid, e.Type)
	case d.Kind == schemas.DeliveryRetry && a.status == schemas.DeliveryStatusDue:
		a.status = schemas.DeliveryStatusFailed // one attempt, and no more
	}
	if a.atUS, err = schemas.ParseTime(d.At); err != nil {
		return a, fmt.Errorf("%w: %s: at: %w", schemas.ErrInvalid, e.Type, err)
	}
	switch a.status {
	case schemas.DeliveryStatusDelivered:
		a.delivered = a.atUS + 1000*d.Duration
	case schemas.DeliveryStatusDue:
		us, err := schemas.ParseTime(d.RetryAt)
		if err != nil {
			return a, fmt.Errorf("%w: %s: retry_at: %w", schemas.ErrInvalid, e.Type, err)
		}
		a.next = us
	}
	if d.Status != 0 {
		a.code = d.Status
	}
	request, err := json.Marshal(d.Request)
	a.request = string(request)
	return a, err
}

// foldDeliveryAttempt notes what became of an attempt. Of a delivery that is
// not there any more it says nothing.
func foldDeliveryAttempt(tx *engine.Tx, e schemas.Recorded, a attempt) error {
	if a.Kind == schemas.DeliveryRetry {
		return a.retry(tx, e)
	}
	row, err := tx.Get(`SELECT status, attempts, ordering_key IS NOT NULL FROM deliveries WHERE webhook = ? AND id = ?`, a.Webhook, a.Delivery)
	if err != nil || row == nil || int64(a.Attempt) <= row.Int(1) {
		return err
	}
	was := row.Text(0)
	switch {
	case was == schemas.DeliveryStatusCancelled && a.status != schemas.DeliveryStatusDelivered:
		a.status, a.next = was, nil // it was on its way when it was called off
	case was != schemas.DeliveryStatusDue && was != schemas.DeliveryStatusCancelled:
		return nil
	}
	err = tx.Exec(`UPDATE deliveries SET status = ?3, attempts = ?4, next_us = ?5, last_attempt_us = ?6, duration_ms = ?7,
			delivered_us = ?8, status_code = ?9, request = ?11,
			response = iif(?3 = 'cancelled', response, ?10), ordering_key = iif(?3 = 'due', ordering_key, NULL)
		WHERE webhook = ?1 AND id = ?2`,
		a.Webhook, a.Delivery, a.status, a.Attempt, a.next, a.atUS, a.Duration, a.delivered, a.code, a.Response, a.request)
	if err != nil {
		return err
	}
	if err := a.fare(tx); err != nil {
		return err
	}
	if was == schemas.DeliveryStatusDue && a.status != schemas.DeliveryStatusDue {
		return finished(tx, a.Webhook, 1, 1)
	}
	return nil
}

// retry makes the row of one more attempt of an old delivery.
func (a attempt) retry(tx *engine.Tx, e schemas.Recorded) error {
	made, err := tx.Get(`INSERT INTO deliveries (webhook, id, message_id, kind, retry_of, status, seq, n, source, tenant, event_name,
			event_id, event, attempts, created_us, last_attempt_us, duration_ms, delivered_us, status_code, response, request)
		SELECT webhook, ?3, message_id, ?4, id, ?5, seq, n, source, tenant, event_name,
			event_id, event, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM deliveries WHERE webhook = ?1 AND id = ?2
		ON CONFLICT (webhook, id) DO NOTHING RETURNING 1`,
		a.Webhook, a.Of, a.Delivery, a.Kind, a.status, a.Attempt, e.Time.UnixMicro(), a.atUS, a.Duration, a.delivered, a.code, a.Response, a.request)
	if err != nil || made == nil {
		return err
	}
	if err := a.fare(tx); err != nil {
		return err
	}
	return finished(tx, a.Webhook, 1, 0)
}

// fare notes since when the receiver has taken nothing.
func (a attempt) fare(tx *engine.Tx) error {
	if a.Outcome == schemas.OutcomeDelivered {
		return tx.Exec(`UPDATE webhooks SET failing_since_us = NULL WHERE id = ? AND failing_since_us IS NOT NULL`, a.Webhook)
	}
	return tx.Exec(`UPDATE webhooks SET failing_since_us = ? WHERE id = ? AND failing_since_us IS NULL`, a.atUS, a.Webhook)
}

package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// ErrNoDelivery is wrapped by the error for a delivery that is not there, or
// not there any more.
var ErrNoDelivery = errors.New("there is no such delivery (hint: of those that are finished, the latest 1,000 are kept)")

// maxHistory is how many deliveries are shown at once (Law 10).
const maxHistory = 1000

const recordColumns = `id, event, source, tenant, event_name, status_code, response, attempts, delivered_us, created_us,
	status, kind, event_id, seq, next_us, duration_ms, request`

const (
	// Both parts come by an index that has all that is read, so that what is
	// passed over costs little.
	historyPage = `SELECT ` + recordColumns + ` FROM deliveries WHERE ordinal IN (
			SELECT ordinal FROM (SELECT ordinal FROM deliveries WHERE webhook = ?1 AND status = 'due'
				UNION ALL SELECT ordinal FROM deliveries WHERE webhook = ?1 AND status <> 'due')
			ORDER BY ordinal DESC LIMIT ?2 OFFSET ?3)
		ORDER BY ordinal DESC`
	historyOne = `SELECT ` + recordColumns + ` FROM deliveries WHERE webhook = ? AND id = ?`
	dueOne     = `SELECT id, message_id, kind, seq, n, event, source, tenant, event_name, attempts, created_us, coalesce(next_us, created_us)
		FROM deliveries WHERE webhook = ? AND id = ?`
	countAll = `SELECT 'due', sum(due) FROM webhooks WHERE due > 0
		UNION ALL SELECT status, count(*) FROM deliveries WHERE status <> 'due' GROUP BY status`
)

// Deliveries is a page of a webhook's history, newest first: up to limit (at
// most 1,000) rows after the first offset, and how many there are in all: at
// most 10,000 that wait and 1,000 that do not. Errors wrap ErrStale,
// ErrDamaged, or are ctx's.
func (r Reader) Deliveries(ctx context.Context, webhook string, limit, offset int) (rows []schemas.DeliveryRecord, total int, err error) {
	rows = []schemas.DeliveryRecord{}
	err = r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		counts, err := tx.Get(`SELECT due + finished FROM webhooks WHERE id = ?`, webhook)
		if err != nil || counts == nil {
			return err
		}
		total = int(counts.Int(0))
		return tx.Each(historyPage, []any{webhook, max(0, min(limit, maxHistory)), max(0, offset)}, func(r engine.Row) error {
			record, err := readRecord(r, webhook)
			rows = append(rows, record)
			return err
		})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("deliveries: %w", err)
	}
	return rows, total, nil
}

// Delivery is one of a webhook's deliveries; none is ErrNoDelivery. Other
// errors are those of Deliveries.
func (r Reader) Delivery(ctx context.Context, webhook, id string) (schemas.DeliveryRecord, error) {
	var record schemas.DeliveryRecord
	err := r.oneDelivery(ctx, historyOne, webhook, id, func(r engine.Row) (err error) {
		record, err = readRecord(r, webhook)
		return err
	})
	return record, err
}

// DeliveryAgain is a delivery as it is to be sent once more because a person
// asked for it: of the kind retry, with an ID of its own, none made so far.
// Errors are those of Delivery.
func (r Reader) DeliveryAgain(ctx context.Context, webhook, id string) (schemas.Delivery, error) {
	var again schemas.Delivery
	err := r.oneDelivery(ctx, dueOne, webhook, id, func(r engine.Row) (err error) {
		again, err = readDelivery(r, webhook)
		return err
	})
	again.ID, again.Kind, again.Attempts = schemas.NewID(), schemas.DeliveryRetry, 0
	return again, err
}

func (r Reader) oneDelivery(ctx context.Context, query, webhook, id string, fn func(engine.Row) error) error {
	found := false
	err := r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		return tx.Each(query, []any{webhook, id}, func(r engine.Row) error {
			found = true
			return fn(r)
		})
	})
	if err == nil && !found {
		err = ErrNoDelivery
	}
	if err != nil {
		return fmt.Errorf("delivery %s: %w", engine.Clip(id), err)
	}
	return nil
}

// CountDeliveries is how many deliveries there are of each status; of a status
// that none has, nothing. Errors are those of Deliveries.
func (r Reader) CountDeliveries(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		return tx.Each(countAll, nil, func(r engine.Row) error {
			if n := int(r.Int(1)); n > 0 {
				counts[r.Text(0)] = n
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	return counts, nil
}

// readDelivered reads the event of a row.
func readDelivered(body, source, tenant, name string) (schemas.Event, error) {
	var e schemas.Event
	if err := e.UnmarshalJSON([]byte(body)); err != nil {
		return e, fmt.Errorf("an event we wrote ourselves: %w", err)
	}
	noun, verb, _ := strings.Cut(name, ".")
	e.Route = schemas.Route{Source: source, Tenant: tenant, Noun: noun, Verb: verb}
	return e, nil
}

// readRecord reads a row of recordColumns.
func readRecord(r engine.Row, webhook string) (schemas.DeliveryRecord, error) {
	e, err := readDelivered(r.Text(1), r.Text(2), r.Text(3), r.Text(4))
	if err != nil {
		return schemas.DeliveryRecord{}, err
	}
	record := schemas.DeliveryRecord{
		ID: r.Text(0), WebhookID: webhook, Event: r.Text(4), Payload: schemas.DeliveryPayload(e), Attempts: int(r.Int(7)),
		DeliveredAt: millisOrNil(r, 8), CreatedAt: millis(r.Int(9)), Status: r.Text(10), Kind: r.Text(11), EventID: r.Text(12),
		Tenant: r.Text(3), Source: r.Text(2), Seq: uint64(r.Int(13)), NextAttemptAt: millisOrNil(r, 14),
	}
	if !r.Null(5) {
		code := int(r.Int(5))
		record.StatusCode = &code
	}
	if !r.Null(6) {
		text := r.Text(6)
		record.Response = &text
	}
	if !r.Null(15) {
		ms := r.Int(15)
		record.DurationMS = &ms
	}
	if !r.Null(16) {
		if err := json.Unmarshal([]byte(r.Text(16)), &record.Request); err != nil {
			return record, fmt.Errorf("a request we wrote ourselves: %w", err)
		}
	}
	return record, nil
}

// millis writes a time as StellarStack does.
func millis(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000Z") }

func millisOrNil(r engine.Row, i int) *string {
	if r.Null(i) {
		return nil
	}
	text := millis(r.Int(i))
	return &text
}

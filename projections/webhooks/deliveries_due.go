package webhooks

import (
	"context"
	"fmt"
	"io"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// A Reader answers what senders and people ask about webhooks, from the rows.
type Reader struct{ DB *engine.DB }

// maxDue is how many deliveries are told at once (Law 10).
const maxDue = 1000

const dueColumns = `id, message_id, kind, seq, n, event, source, tenant, event_name, attempts, created_us, next_us`

const (
	dueByTime = `SELECT ` + dueColumns + ` FROM deliveries
		WHERE webhook = ? AND status = 'due' ORDER BY next_us, seq, n LIMIT ?`
	dueOfOrderingKey = `SELECT ` + dueColumns + ` FROM deliveries
		WHERE webhook = ? AND status = 'due' AND ordering_key = ? ORDER BY seq, n LIMIT ?`

	// The ordering keys there are and when the first of each is due: as many look-ups
	// as there are keys, however much waits for each.
	orderingKeyHeads = `WITH RECURSIVE l(ordering_key) AS (
			SELECT min(ordering_key) FROM deliveries WHERE webhook = ?1 AND status = 'due' AND ordering_key IS NOT NULL
			UNION ALL
			SELECT (SELECT min(ordering_key) FROM deliveries WHERE webhook = ?1 AND status = 'due' AND ordering_key > l.ordering_key)
			FROM l WHERE ordering_key IS NOT NULL
		)
		SELECT ordering_key, (SELECT next_us FROM deliveries WHERE webhook = ?1 AND status = 'due' AND ordering_key = l.ordering_key
			ORDER BY seq, n LIMIT 1) AS next_us
		FROM l WHERE ordering_key IS NOT NULL ORDER BY next_us, ordering_key`
)

// DueDeliveries is up to limit (at most 1,000) deliveries that wait for an
// attempt now, those that have waited longest first, and when there will be
// more; that is in the past if there were more than limit.
//
// If ordered, it gives of each tenant what is first in the log and what
// follows it, only once the first is due; a sender that stops with a tenant at
// the first failure keeps their order. Tenants share the limit.
//
// Only what the subscription asked for when the event was folded is due, and
// nothing of one that is disabled or not known. Errors wrap ErrStale (nothing
// may be sent by rows of another version), ErrDamaged, or are ctx's.
func (r Reader) DueDeliveries(ctx context.Context, webhook string, ordered bool, now time.Time, limit int) (schemas.Due, error) {
	q := dueQuery{webhook: webhook, nowUS: now.UnixMicro()}
	limit = max(1, min(limit, maxDue))
	err := r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		q.tx = tx
		since, err := tx.Get(`SELECT failing_since_us FROM webhooks WHERE id = ?`, webhook)
		if err != nil || since == nil {
			return err
		}
		if !since.Null(0) {
			q.due.FailingSince = time.UnixMicro(since.Int(0)).UTC()
		}
		if ordered {
			return q.ordered(limit)
		}
		return q.take(limit, dueByTime, webhook, limit+1)
	})
	if err != nil {
		return schemas.Due{}, fmt.Errorf("deliveries due: %w", err)
	}
	return q.due, nil
}

// A dueQuery gathers what is due.
type dueQuery struct {
	tx      *engine.Tx
	webhook string
	nowUS   int64
	due     schemas.Due
}

// take takes rows until one is not due yet, or there are enough; that one says
// when there will be more.
func (q *dueQuery) take(enough int, query string, args ...any) error {
	taken := 0
	return q.tx.Each(query, args, func(r engine.Row) error {
		if next := r.Int(11); next > q.nowUS || taken == enough {
			q.more(next)
			return io.EOF
		}
		taken++
		d, err := readDelivery(r, q.webhook)
		q.due.Deliveries = append(q.due.Deliveries, d)
		return err
	})
}

func (q *dueQuery) ordered(limit int) error {
	var ready []string
	err := q.tx.Each(orderingKeyHeads, []any{q.webhook}, func(r engine.Row) error {
		if next := r.Int(1); next > q.nowUS || len(ready) == limit {
			q.more(next)
			return io.EOF
		}
		ready = append(ready, r.Text(0))
		return nil
	})
	if err != nil || len(ready) == 0 {
		return err
	}
	share := limit / len(ready)
	for _, key := range ready {
		if err := q.take(share, dueOfOrderingKey, q.webhook, key, share+1); err != nil {
			return err
		}
	}
	return nil
}

// more notes when there will be more.
func (q *dueQuery) more(us int64) {
	if t := time.UnixMicro(us).UTC(); q.due.Next.IsZero() || t.Before(q.due.Next) {
		q.due.Next = t
	}
}

// readDelivery reads a row of dueColumns.
func readDelivery(r engine.Row, webhook string) (schemas.Delivery, error) {
	e, err := readDelivered(r.Text(5), r.Text(6), r.Text(7), r.Text(8))
	return schemas.Delivery{
		ID: r.Text(0), MessageID: r.Text(1), Webhook: webhook, Kind: r.Text(2), Seq: uint64(r.Int(3)), N: int(r.Int(4)), Event: e,
		Attempts: int(r.Int(9)), Created: time.UnixMicro(r.Int(10)).UTC(), Due: time.UnixMicro(r.Int(11)).UTC(),
	}, err
}

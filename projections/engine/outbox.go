package engine

import (
	"context"
	"fmt"
	"io"

	"switchlog/schemas"
)

// dueBytes bounds what Due returns, but for one entry.
const dueBytes = 4 << 20

// Due returns up to limit entries of the outbox, in order, or 4 MiB of them.
func (d *DB) Due(_ context.Context, limit int) ([]schemas.Outgoing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var due []schemas.Outgoing
	bytes := 0
	err := d.tx.Each(`SELECT seq, n, subject, msg_id, body, fronters_key, fronters FROM outbox ORDER BY seq, n LIMIT ?`,
		[]any{limit}, func(r Row) error {
			o := schemas.Outgoing{Seq: uint64(r.Int(0)), N: int(r.Int(1)), FrontersKey: r.Text(5)}
			if body, ok := r[4].([]byte); ok {
				o.Change = &schemas.Message{Subject: r.Text(2), ID: r.Text(3), Body: append([]byte(nil), body...)}
			}
			if front, ok := r[6].([]byte); ok {
				o.Fronters = append([]byte(nil), front...)
			}
			if bytes += size(r); bytes > dueBytes && len(due) > 0 {
				return io.EOF
			}
			due = append(due, o)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("projections: outbox: %w", err)
	}
	return due, nil
}

// Sent forgets everything up to and including entry (seq, n).
func (d *DB) Sent(_ context.Context, seq uint64, n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.tx.Exec(`DELETE FROM outbox WHERE (seq, n) <= (?, ?)`, int64(seq), n); err != nil {
		return fmt.Errorf("projections: outbox: %w", err)
	}
	return nil
}

package engine

import (
	"context"
	"fmt"
	"io"

	"switchlog/schemas"
)

// Skipped is an event that was set aside, because it broke the contract of its
// type. The log still has it.
type Skipped struct {
	Seq        uint64 `json:"seq"`
	Type       string `json:"type"`
	Reason     string `json:"reason"`
	ID         string `json:"event_id"`
	Source     string `json:"source"`
	Tenant     string `json:"tenant"`
	RecordedUS int64  `json:"recorded_us"` // when it was accepted; 0 if its bytes do not say
}

// Skipped lists the events that are set aside, the latest first, up to limit
// (at most 10,000).
func (d *DB) Skipped(ctx context.Context, limit int) ([]Skipped, error) {
	var skipped []Skipped
	err := d.read(ctx, func(tx *Tx, _ schemas.Position) error {
		return tx.each(ctx, `SELECT seq, type, reason, event_id, source, tenant, recorded_us FROM skipped ORDER BY seq DESC LIMIT ?`,
			values(nil, []any{max(0, min(limit, maxAnswerRows))}), nil, func(r Row) error {
				skipped = append(skipped, Skipped{Seq: uint64(r.Int(0)), Type: r.Text(1), Reason: r.Text(2), ID: r.Text(3),
					Source: r.Text(4), Tenant: r.Text(5), RecordedUS: r.Int(6)})
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("skipped: %w", err)
	}
	return skipped, nil
}

// SkippedCount is how many events are set aside.
func (d *DB) SkippedCount(ctx context.Context) (int64, error) {
	var n int64
	err := d.read(ctx, func(tx *Tx, _ schemas.Position) error {
		return tx.each(ctx, `SELECT count(*) FROM skipped`, nil, nil, func(r Row) error {
			n = r.Int(0)
			return io.EOF
		})
	})
	if err != nil {
		return 0, fmt.Errorf("skipped: %w", err)
	}
	return n, nil
}

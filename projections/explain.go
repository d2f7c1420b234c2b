package projections

import (
	"context"
	"fmt"
	"io"
	"slices"

	"switchlog/schemas"
)

// maxCauses is how many events Causes tells: the latest.
const maxCauses = 10_000

// Causes lists the log sequences of the events that made or changed a row, in
// order; the latest 10,000 if there are more. None: no event did, and there is
// no such row.
//
// The key is what the fold noted it under: the uuid of an entity, else the
// columns of the primary key. For members, groups and systems a short id does
// as well, in any case and with or without a dash. A table there is not, and a
// short id that more than one row has, are schemas.ErrInvalid.
func (d *DB) Causes(ctx context.Context, table, key string) ([]uint64, error) {
	var causes []uint64
	err := d.read(ctx, func(tx *Tx, _ schemas.Position) error {
		columns, err := tx.columns(ctx, table)
		if err != nil {
			return err
		}
		if len(columns) == 0 {
			return fmt.Errorf("%w: there is no table %q", schemas.ErrInvalid, clip(table))
		}
		if causes, err = tx.causes(ctx, table, key); err != nil || causes != nil {
			return err
		}
		if !slices.Contains([]string{"members", "groups", "systems"}, table) ||
			!slices.Contains(columns, "id") || !slices.Contains(columns, "uuid") {
			return nil
		}
		uuid, err := tx.byShortID(ctx, table, key)
		if err != nil || uuid == "" {
			return err
		}
		causes, err = tx.causes(ctx, table, uuid)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", clip(table), err)
	}
	return causes, nil
}

// causes are the sequences noted for one key, in order.
func (tx *Tx) causes(ctx context.Context, table, key string) ([]uint64, error) {
	var causes []uint64
	err := tx.each(ctx, `SELECT seq FROM entity_events WHERE table_name = ? AND key = ? ORDER BY seq DESC LIMIT ?`,
		values(nil, []any{table, key, maxCauses}), nil, func(r Row) error {
			causes = append(causes, uint64(r.Int(0)))
			return nil
		})
	slices.Reverse(causes)
	return causes, err
}

// byShortID is the uuid of the row with that short id, or empty. Of deleted
// rows and one that lives, it is the living one's.
func (tx *Tx) byShortID(ctx context.Context, table, id string) (string, error) {
	id, ok := schemas.PluralKitShortID(id)
	if !ok {
		return "", nil
	}
	var uuids []string
	err := tx.each(ctx, `SELECT uuid FROM `+quote(table)+` t WHERE id = ? AND (deleted_us IS NULL OR NOT EXISTS
		(SELECT 1 FROM `+quote(table)+` o WHERE o.id = t.id AND o.deleted_us IS NULL)) ORDER BY uuid LIMIT 2`,
		values(nil, []any{id}), nil, func(r Row) error {
			uuids = append(uuids, r.Text(0))
			return nil
		})
	if err != nil || len(uuids) == 0 {
		return "", err
	}
	if len(uuids) > 1 {
		return "", fmt.Errorf("%w: more than one row had the short id %s (hint: give the uuid)", schemas.ErrInvalid, id)
	}
	return uuids[0], nil
}

// columns are the names of a table's columns; none if there is no such table.
func (tx *Tx) columns(ctx context.Context, table string) ([]string, error) {
	var columns []string
	err := tx.each(ctx, `SELECT name FROM pragma_table_info(?)`, values(nil, []any{table}), nil, func(r Row) error {
		columns = append(columns, r.Text(0))
		return nil
	})
	return columns, err
}

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

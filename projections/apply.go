package projections

import (
	"context"
	"errors"
	"fmt"

	"switchlog/schemas"
)

// Apply folds a batch of events into the tables, in one transaction with the
// position (Law 4). Events at or below the position are passed over. The
// batch may be of any size; rows do not depend on it (Law 6).
//
// An event whose data breaks its type's contract is noted in skipped. Any
// other error undoes the whole batch, and the caller tries again.
func (d *DB) Apply(_ context.Context, epoch string, batch []schemas.Recorded) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	pos, _ := d.Position(context.Background())
	for len(batch) > 0 && batch[0].Seq <= pos.Seq {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return nil
	}
	last := batch[len(batch)-1]
	next := schemas.Position{Epoch: epoch, Seq: last.Seq, ID: last.ID}

	// Almost always every event applies, so the first try does without
	// savepoints. If one does not, the batch is undone and done again with.
	err := d.atomically(func() error { return d.fold(batch, next, false) })
	if errors.Is(err, schemas.ErrInvalid) {
		err = d.atomically(func() error { return d.fold(batch, next, true) })
	}
	if err != nil {
		return fmt.Errorf("projections: seq %d to %d: %w", batch[0].Seq, last.Seq, err)
	}
	d.setPosition(next)
	return nil
}

func (d *DB) fold(batch []schemas.Recorded, next schemas.Position, savepoints bool) error {
	for _, e := range batch {
		if err := d.foldOne(e, savepoints); err != nil {
			return fmt.Errorf("seq %d (%s): %w", e.Seq, e.Type, err)
		}
	}
	return d.tx.Exec(`UPDATE positions SET seq = ?, event_id = ?, epoch = ? WHERE name = 'projections'`,
		int64(next.Seq), next.ID, next.Epoch)
}

func (d *DB) foldOne(e schemas.Recorded, savepoint bool) error {
	d.tx.event, d.tx.out = e, 0
	if savepoint {
		if err := d.tx.Exec(`SAVEPOINT event`); err != nil {
			return err
		}
	}
	err := e.Fault
	for i := 0; err == nil && i < len(d.cfg.Projections); i++ {
		err = d.cfg.Projections[i].Fold(d.tx, e)
	}
	if !savepoint {
		return err
	}
	if errors.Is(err, schemas.ErrInvalid) {
		d.cfg.Log.Warn("event set aside: it breaks the contract of its type", "seq", e.Seq, "type", e.Type, "event", e.ID)
		if err := d.tx.Exec(`ROLLBACK TO event`); err != nil {
			return err
		}
		err = d.tx.Exec(`INSERT OR REPLACE INTO skipped (seq, type, reason, event_id, source, tenant, recorded_us) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			int64(e.Seq), e.Type, reason(err), e.ID, e.Route.Source, e.Route.Tenant, e.Time.UnixMicro())
	}
	if err != nil {
		return err
	}
	return d.tx.Exec(`RELEASE event`)
}

// reason is why an event was set aside, short enough for a row. It names
// fields and types; a value appears in it only as far as the JSON decoder
// quotes a number or a timestamp.
func reason(err error) string {
	s := err.Error()
	if len(s) > 500 {
		s = s[:500]
	}
	return s
}

// atomically runs fn in one transaction. What fn began is finished: there is
// no context to cut it short.
func (d *DB) atomically(fn func() error) error {
	if err := d.tx.Exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, d.tx.Exec(`ROLLBACK`))
	}
	if err := d.tx.Exec(`COMMIT`); err != nil {
		return errors.Join(err, d.rollback())
	}
	return nil
}

// rollback ends a transaction whose COMMIT failed. SQLite may have ended it
// itself; then there is nothing to do.
func (d *DB) rollback() error {
	if d.tx.conn.AutoCommit() {
		return nil
	}
	return d.tx.Exec(`ROLLBACK`)
}

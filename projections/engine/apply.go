package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchlog/schemas"
)

// maxReasonBytes keeps the reason in skipped fit for a line.
const maxReasonBytes = 500

// errMoved says that the file is not where this process left it: another one
// wrote to it. The position is read anew, and the caller tries again from it.
var errMoved = errors.New("the position in the file has moved (hint: another process writes to it; let only one run)")

// Apply folds a batch of events into the tables, in one transaction with the
// position (Law 4). Events at or below the position are passed over. The
// batch may be of any size; rows do not depend on it (Law 6). What has begun is
// finished, whatever becomes of the context.
//
// An event whose data breaks its type's contract is noted in skipped. Any
// other error undoes the whole batch, and the caller tries again; if it wraps
// ErrStale or ErrDamaged, only a rebuild helps.
func (d *DB) Apply(_ context.Context, epoch string, batch []schemas.Recorded) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	pos := d.position()
	for len(batch) > 0 && batch[0].Seq <= pos.Seq {
		batch = batch[1:]
	}
	if len(batch) == 0 {
		return nil
	}
	if err := d.accepts(pos, epoch, batch); err != nil {
		return fmt.Errorf("projections: %w", err)
	}
	begun := time.Now()
	last := batch[len(batch)-1]
	next := schemas.Position{Epoch: epoch, Seq: last.Seq, ID: last.ID}

	err := d.applyAll(batch, next)
	if errors.Is(err, errMoved) {
		err = errors.Join(err, d.load())
	}
	if err != nil {
		return fmt.Errorf("projections: seq %d to %d: %w", batch[0].Seq, last.Seq, d.fault(err))
	}
	if d.aside > 0 {
		d.cfg.Log.Warn("events set aside: they break the contract of their types; the table skipped says why",
			"events", d.aside, "from", batch[0].Seq, "to", last.Seq)
	}
	d.metrics.events.Add(float64(len(batch)))
	d.metrics.skipped.Add(float64(d.aside))
	d.metrics.batch.Observe(float64(len(batch)))
	d.metrics.seconds.Observe(time.Since(begun).Seconds())
	d.setPosition(next)
	return nil
}

// accepts reports whether the batch may be folded onto what is there. Seqs may
// have gaps (erased events) but never go back.
func (d *DB) accepts(pos schemas.Position, epoch string, batch []schemas.Recorded) error {
	if d.closed {
		return errClosed
	}
	if d.broken != nil {
		return d.broken
	}
	if d.stale() {
		return ErrStale
	}
	if pos.Seq > 0 && pos.Epoch != epoch {
		return fmt.Errorf("the rows are of log %s, the events of log %s (hint: switchlog rebuild)", pos.Epoch, epoch)
	}
	for i := 1; i < len(batch); i++ {
		if batch[i].Seq <= batch[i-1].Seq {
			panic(fmt.Sprintf("projections: seq %d after seq %d in one batch", batch[i].Seq, batch[i-1].Seq))
		}
	}
	return nil
}

// applyAll folds the batch in one transaction. A handler that changes rows and
// then finds that the event breaks its contract is a bug; all the same nothing of
// the event may stay, and the log must go on. So the batch is undone and folded
// again without that event. A scratch that cannot undo a batch fails, and a careful
// one is begun, see filled.
func (d *DB) applyAll(batch []schemas.Recorded, next schemas.Position) error {
	leftOut := map[uint64]error{}
	for {
		err := d.atomically(func() error { return d.fold(batch, next, leftOut) })
		var half halfFolded
		if !d.undoes() || !errors.As(err, &half) {
			return err
		}
		d.cfg.Log.Error("a fold changed rows before it refused the event; the batch is folded again without it (please report it)",
			"seq", half.seq, "err", half.why)
		leftOut[half.seq] = half.why
	}
}

// halfFolded says that a handler refused an event after it had changed rows.
type halfFolded struct {
	seq uint64
	why error
}

func (h halfFolded) Error() string { return "refused after a change: " + h.why.Error() }

func (d *DB) fold(batch []schemas.Recorded, next schemas.Position, leftOut map[uint64]error) error {
	d.aside = 0
	row, err := d.tx.Get(positionSQL)
	if err != nil {
		return err
	}
	if row == nil || position(row) != d.position() {
		return errMoved
	}
	take := func(i int) decoded { return d.handlers.decode(batch[i]) }
	if len(batch) >= aheadChunk {
		ahead := d.handlers.decodeAhead(batch)
		defer ahead.close()
		take = ahead.take
	}
	for i, e := range batch {
		if err := d.foldOne(e, take(i), leftOut[e.Seq]); err != nil {
			return fmt.Errorf("seq %d (%s): %w", e.Seq, e.Type, err)
		}
	}
	if d.undoes() {
		if err := d.tx.Settle(); err != nil {
			return err
		}
	}
	return d.tx.Exec(`UPDATE positions SET seq = ?, event_id = ?, epoch = ? WHERE name = 'projections'`,
		int64(next.Seq), next.ID, next.Epoch)
}

// foldOne folds an event; refused is why it must not be, nil if it may.
func (d *DB) foldOne(e schemas.Recorded, data decoded, refused error) error {
	d.tx.begin(e, d.silent || d.scratch && e.Seq <= d.floor)
	err := data.err
	switch {
	case refused != nil:
		err = refused
	case e.Fault != nil:
		err = fmt.Errorf("%w: %w", schemas.ErrInvalid, e.Fault)
	}
	changes := d.tx.changes
	for i := 0; err == nil && i < len(data.handlers); i++ {
		err = data.handlers[i].Fold(d.tx, e, data.of(i))
	}
	if err == nil && e.Fault == nil {
		err = d.tx.listen(e.Event)
	}
	if errors.Is(err, schemas.ErrInvalid) {
		if d.tx.changes != changes {
			return halfFolded{e.Seq, err}
		}
		err = d.setAside(e, err)
	}
	if err != nil {
		return err
	}
	for _, s := range d.tx.states {
		if err := s.Trim(d.tx); err != nil {
			return err
		}
	}
	return nil
}

// setAside notes in skipped that the event breaks the contract of its type.
func (d *DB) setAside(e schemas.Recorded, why error) error {
	d.aside++
	return d.tx.Exec(`INSERT INTO skipped (seq, type, reason, event_id, source, tenant, recorded_us) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(e.Seq), e.Type, reason(why), e.ID, e.Route.Source, e.Route.Tenant, recordedUS(e))
}

// recordedUS is when the event was accepted; 0 if its bytes do not say.
func recordedUS(e schemas.Recorded) int64 {
	if e.Time.IsZero() {
		return 0
	}
	return e.Time.UnixMicro()
}

// reason is why an event was set aside, short enough for a row. It names
// fields and types; a value appears in it only as far as the JSON decoder
// quotes a number or a timestamp.
func reason(err error) string {
	s := err.Error()
	if len(s) > maxReasonBytes {
		s = s[:maxReasonBytes]
	}
	return strings.ToValidUTF8(s, "�")
}

// atomically runs fn in one transaction. What fn began is finished: there is
// no context to cut it short.
func (d *DB) atomically(fn func() error) error {
	if err := d.tx.Exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, d.rollback())
	}
	if err := d.tx.Exec(`COMMIT`); err != nil {
		return errors.Join(err, d.rollback())
	}
	return nil
}

// rollback ends a transaction that failed. On a full disk, among others, SQLite
// has ended it already; then there is nothing to do. A scratch that has no journal
// is of no use any more.
func (d *DB) rollback() error {
	d.tx.forgetStates()
	if !d.undoes() {
		d.broken = errors.New("the rebuild has failed (hint: run it again)")
		return nil
	}
	if d.tx.conn.AutoCommit() {
		return nil
	}
	return d.tx.Exec(`ROLLBACK`)
}

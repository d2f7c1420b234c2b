package spool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	deleteStep = 4 << 20 // bytes deleted in one transaction, a larger row excepted, so that none is slow
	vacuumFrom = 1 << 20 // bytes deleted before the file is looked at for free pages
	freePages  = 4096    // free pages kept in the file for reuse: 16 MiB
	vacuumStep = 2048    // pages given back to the file system in one transaction: 8 MiB
)

// add takes the events of r that are new into the row that this transaction
// will write.
func (f *file) add(r *request, next *state, now, maxWaiting int64) {
	r.fresh = 0
	if r.err != nil {
		return
	}
	bytes := next.bytes
	for _, m := range r.messages {
		bytes += int64(size(m))
	}
	if bytes > maxWaiting && len(r.messages) > 0 {
		r.err = fmt.Errorf("%w: %d bytes wait for the log, limit %d (hint: see why the log takes nothing)", ErrFull, next.bytes, maxWaiting)
		return
	}
	for i, m := range r.messages {
		if repeats := r.events[i].Repeats; repeats > 0 && !f.ids.add(m.ID, now+repeats.Microseconds()) {
			continue
		}
		next.last++
		next.bytes += int64(size(m))
		r.fresh++
		f.body = appendMessage(f.body, m, next.last)
	}
}

// put writes the row.
func (f *file) put(before state, next *state, now int64) error {
	if next.last == before.last {
		return nil
	}
	if next.row == 0 {
		next.row = next.last
	}
	_, err := f.insert.ExecContext(context.Background(), next.last, next.last-before.last, now, f.body)
	if err != nil {
		return err
	}
	return f.ids.save(f, next.last)
}

// settle deletes rows that were delivered, a step at a time, and gives pages
// back to the file system while the file has many free ones. It comes before
// the insert of its transaction, which reuses the room.
func (f *file) settle(next *state) error {
	if next.row == 0 || next.row > next.delivered {
		return nil
	}
	upTo, bytes, err := f.delivered(next.delivered)
	if err != nil {
		return err
	}
	if _, err := f.remove.ExecContext(context.Background(), upTo); err != nil {
		return err
	}
	if err := f.lowest.QueryRowContext(context.Background()).Scan(&next.row); err != nil {
		return err
	}
	next.bytes -= bytes
	if f.deleted += bytes; f.deleted < vacuumFrom {
		return nil
	}
	f.deleted = 0
	var free int
	if err := f.row(`PRAGMA freelist_count`).Scan(&free); err != nil {
		return err
	}
	if free <= freePages {
		return nil
	}
	return f.all(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, vacuumStep))
}

// delivered looks for the rows to delete: up to where, and how many bytes
// they hold.
func (f *file) delivered(pos uint64) (upTo uint64, bytes int64, err error) {
	rows, err := f.sizes.QueryContext(context.Background(), pos)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for bytes < deleteStep && rows.Next() {
		var n int64
		if err := rows.Scan(&upTo, &n); err != nil {
			return 0, 0, err
		}
		bytes += n
	}
	return upTo, bytes, rows.Err()
}

// save writes the bookkeeping.
func (f *file) save(next state) error {
	a := next.anchor
	_, err := f.note.ExecContext(context.Background(), next.id, next.last, next.lastUS, next.bytes,
		a.Epoch, a.Seq, a.ID, a.Count, next.delivered)
	return err
}

// microTime is a time of so many microseconds since 1970, as events carry it.
func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }

package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

const (
	deleteStep = 10_000 // rows deleted in one transaction, so that none is slow
	freePages  = 4096   // free pages kept in the file for reuse: 16 MiB
	vacuumStep = 256    // pages given back to the file system in one transaction: 1 MiB
)

// add stores the events of r that are new, and tells how many IDs it looked up.
func (f *file) add(r *request, next *state, now, maxWaiting int64) (remembered int, err error) {
	r.fresh = 0
	if r.err != nil {
		return 0, nil
	}
	bytes := next.bytes
	for _, m := range r.messages {
		bytes += int64(size(m))
	}
	if bytes > maxWaiting && len(r.messages) > 0 {
		r.err = fmt.Errorf("%w: %d bytes wait for the log, limit %d (hint: see why the log takes nothing)", ErrFull, next.bytes, maxWaiting)
		return 0, nil
	}
	ctx := context.Background() // the driver starts a goroutine for a context that can end
	for i, m := range r.messages {
		if repeats := r.events[i].Repeats; repeats > 0 {
			remembered++
			key := sha256.Sum256([]byte(m.ID))
			res, err := f.remember.ExecContext(ctx, key[:16], now+repeats.Microseconds(), now)
			if err != nil {
				return 0, err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return 0, err
				}
				continue
			}
		}
		next.last++
		next.bytes += int64(size(m))
		r.fresh++
		if _, err := f.insert.ExecContext(ctx, next.last, now, m.Subject, m.ID, m.Body); err != nil {
			return 0, err
		}
	}
	return remembered, nil
}

// settle deletes rows that were delivered, a step at a time, and gives pages
// back to the file system while the file has many free ones. It comes before
// the inserts of its transaction, which reuse the room.
func (f *file) settle(next *state) error {
	if next.first > next.delivered {
		return nil
	}
	upTo := min(next.delivered, next.first+deleteStep-1)
	var bytes int64
	err := f.row(`SELECT coalesce(sum(octet_length(subject) + octet_length(msg_id) + length(body)), 0)
		FROM waiting WHERE pos <= ?`, upTo).Scan(&bytes)
	if err != nil {
		return err
	}
	if err := f.exec(`DELETE FROM waiting WHERE pos <= ?`, upTo); err != nil {
		return err
	}
	next.first = upTo + 1
	next.bytes -= bytes
	var free int
	if err := f.row(`PRAGMA freelist_count`).Scan(&free); err != nil {
		return err
	}
	if free <= freePages {
		return nil
	}
	return f.all(fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, vacuumStep))
}

// prune forgets IDs that have expired. It looks at four times as many as were
// just remembered, going round and round, so at most about a third of the
// index is ever stale and no commit is slow for it.
func (f *file) prune(remembered int, now int64) error {
	if remembered == 0 {
		return nil
	}
	var upTo []byte // nil: the end
	err := f.row(`SELECT (SELECT key FROM ids WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?)`, f.pruned, 4*remembered).Scan(&upTo)
	if err != nil {
		return err
	}
	// Both ends must be plain bounds, or SQLite walks to the end of the table.
	end := upTo
	if end == nil {
		end = lastKey
	}
	err = f.exec(`DELETE FROM ids WHERE key > ? AND key <= ? AND until_us <= ?`, f.pruned, end, now)
	f.pruned = append(f.pruned[:0], upTo...)
	return err
}

// lastKey is the highest key that ids can have.
var lastKey = bytes.Repeat([]byte{0xff}, 16)

// save writes the bookkeeping. The anchor only when it moved: it is a page of
// its own.
func (f *file) save(next state) error {
	err := f.exec(`UPDATE meta SET spool_id = ?, last_pos = ?, last_us = ?, bytes = ?`, next.id, next.last, next.lastUS, next.bytes)
	if err != nil || next.anchor == f.at.anchor && next.delivered == f.at.delivered {
		return err
	}
	a := next.anchor
	return f.exec(`UPDATE anchor SET epoch = ?, seq = ?, msg_id = ?, count = ?, delivered = ?`, a.Epoch, a.Seq, a.ID, a.Count, next.delivered)
}

// microTime is a time of so many microseconds since 1970, as events carry it.
func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }

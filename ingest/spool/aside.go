package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"switchlog/schemas"
)

// An event may be larger than the log's server takes: an outside server has a
// max_payload of its own, which may have been lowered since the event was
// accepted. The forwarder sets such an event aside, in a table of its own, so
// that it does not stand in front of the others, and nothing of it is lost. When
// the server takes more, the event gets the next position and goes on like any
// other. Its ID is the one it had.
//
// The table is made when it is first needed: a file without one is as good.
const createAsideSQL = `CREATE TABLE IF NOT EXISTS aside (
	pos         INTEGER PRIMARY KEY, -- that it had in waiting
	accepted_us INTEGER NOT NULL,
	damaged     INTEGER NOT NULL,    -- 1: its checksum is wrong, so it cannot go on
	body        BLOB    NOT NULL     -- as in waiting: the message and its checksum
) STRICT`

// maxAsideBytes is how much may stand aside before events larger than the log
// takes are refused on arrival.
const maxAsideBytes = 64 << 20

// aside is what stands aside.
type aside struct {
	events   int64
	bytes    int64
	smallest int64 // bytes of the smallest that is not damaged; 0: there is none
	largest  int64
	damaged  int64 // events
}

// countAside reads what stands aside.
func (f *file) countAside() (a aside, err error) {
	var there int
	if err := f.row(`SELECT count(*) FROM sqlite_schema WHERE name = 'aside'`).Scan(&there); err != nil || there == 0 {
		return a, err
	}
	err = f.row(`SELECT count(*), coalesce(sum(length(body)), 0), coalesce(min(length(body)) FILTER (WHERE damaged = 0), 0),
		coalesce(max(length(body)), 0), coalesce(sum(damaged), 0) FROM aside`).
		Scan(&a.events, &a.bytes, &a.smallest, &a.largest, &a.damaged)
	return a, err
}

// setAside writes an event of the transaction aside; doing it again changes
// nothing.
func (f *file) setAside(m schemas.Spooled, next *state, now int64) error {
	ctx := context.Background()
	if _, err := f.conn.ExecContext(ctx, createAsideSQL); err != nil {
		return err
	}
	if _, err := f.conn.ExecContext(ctx, `INSERT OR REPLACE INTO aside VALUES (?, ?, 0, ?)`,
		m.Pos, now, appendMessage(nil, m.Message, m.Pos)); err != nil {
		return err
	}
	var err error
	next.aside, err = f.countAside()
	return err
}

// takeBack gives events that stand aside and are of at most limit bytes the next
// positions, in the row that this transaction writes; as many as a batch holds.
func (f *file) takeBack(limit int, next *state) (err error) {
	ctx := context.Background()
	rows, err := f.conn.QueryContext(ctx, `SELECT pos, body FROM aside WHERE damaged = 0 AND length(body) <= ? ORDER BY pos LIMIT ?`, limit, maxBatch)
	if err != nil {
		return err
	}
	taken, damaged, err := f.readAside(rows, next)
	if err != nil {
		return err
	}
	for _, pos := range taken {
		if _, err := f.conn.ExecContext(ctx, `DELETE FROM aside WHERE pos = ?`, pos); err != nil {
			return err
		}
	}
	for _, pos := range damaged {
		if _, err := f.conn.ExecContext(ctx, `UPDATE aside SET damaged = 1 WHERE pos = ?`, pos); err != nil {
			return err
		}
	}
	next.aside, err = f.countAside()
	return err
}

// move sets aside or takes back what a request of the forwarder asks for.
func (f *file) move(r *request, next *state, now int64) error {
	switch {
	case r.aside != nil:
		return f.setAside(*r.aside, next, now)
	case r.takeBack > 0:
		return f.takeBack(r.takeBack, next)
	}
	return nil
}

// readAside adds the events in rows to the transaction's row, until it is full.
func (f *file) readAside(rows *sql.Rows, next *state) (taken, damaged []uint64, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for len(f.body) < maxBatchBytes && rows.Next() {
		var pos uint64
		var body []byte
		if err := rows.Scan(&pos, &body); err != nil {
			return nil, nil, err
		}
		m, rest, err := cutMessage(body, pos)
		if err != nil || len(rest) > 0 {
			damaged = append(damaged, pos)
			continue
		}
		next.last++
		next.bytes += int64(size(m))
		f.body = appendMessage(f.body, m, next.last)
		taken = append(taken, pos)
	}
	return taken, damaged, rows.Err()
}

// setAside moves the event, which is the next, out of the way of the others. It
// is durable aside before it counts as dealt with.
func (s *Spool) setAside(ctx context.Context, m schemas.Spooled, limit int, anchor schemas.Anchor) error {
	if err := s.submit(ctx, &request{aside: &m, done: make(chan struct{})}); err != nil {
		return fmt.Errorf("setting aside what the log's server does not take: %w", err)
	}
	s.logger.Error("spool: an event is larger than the log's server takes; it stands aside until that takes more, the others go on",
		"position", m.Pos, "bytes", size(m.Message), "limit", limit)
	s.metrics.setAside.Inc()
	s.settle(m.Pos, anchor)
	return nil
}

// takeBack lets what stands aside go on, as far as the log's server takes it.
func (s *Spool) takeBack(ctx context.Context, limit int) error {
	if err := s.submit(ctx, &request{takeBack: limit, done: make(chan struct{})}); err != nil {
		return fmt.Errorf("taking back what stands aside: %w", err)
	}
	s.logger.Info("spool: the log's server takes more now; events that stood aside go on", "limit", limit)
	return nil
}

// fit is how much of the batch, from its beginning, the log's server takes.
// Nothing of it: the first event is too large.
func fit(batch []schemas.Spooled, limit int) []schemas.Spooled {
	for i, m := range batch {
		if limit > 0 && size(m.Message) > limit {
			return batch[:i]
		}
	}
	return batch
}

package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"switchlog/schemas"
)

// reader is the forwarder's own connection, so that reading what waits does
// not keep the writer from committing. Each read is short: a long one would
// keep the WAL from being reused.
type reader struct{ db *sql.DB }

// What the forwarder hands to the log at once: as many as an atomic batch of
// JetStream may hold, and no more bytes than are good to have in memory.
const (
	maxForward      = 1000
	maxForwardBytes = 8 << 20
)

func openReader(path string) (*reader, error) {
	db, err := sql.Open("sqlite3", dataSource(path, "mode=ro&_query_only=1&_busy_timeout=5000&_cache_size=-2000"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &reader{db}, nil
}

// acceptedAfter is when the first event behind position pos was accepted; the
// zero time if there is none.
func (r *reader) acceptedAfter(pos uint64) (time.Time, error) {
	var us int64
	err := r.db.QueryRowContext(context.Background(),
		`SELECT accepted_us FROM waiting WHERE last > ? ORDER BY last LIMIT 1`, pos).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return time.UnixMicro(us).UTC(), classify(err)
}

// after reads the next events behind position pos, up to position last, in
// order and without a gap, and when the first was accepted. An event that is
// not as it was accepted is ErrDamaged, when it is the next.
func (r *reader) after(pos, last uint64) (batch []schemas.Spooled, oldest time.Time, err error) {
	rows, err := r.db.QueryContext(context.Background(), `SELECT last, events, accepted_us, body
		FROM waiting WHERE last > ? AND last <= ? ORDER BY last`, pos, last)
	if err != nil {
		return nil, oldest, classify(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for room := maxForwardBytes; room > 0 && len(batch) < maxForward && rows.Next(); {
		var end, events uint64
		var us int64
		var body []byte
		if err := rows.Scan(&end, &events, &us, &body); err != nil {
			return nil, oldest, classify(err)
		}
		next := pos + uint64(len(batch)) + 1
		if first := end - events + 1; first > next {
			return nil, oldest, fmt.Errorf("%w: position %d is missing, the next is %d (hint: restore a backup)", ErrDamaged, next, first)
		}
		if len(batch) == 0 {
			oldest = time.UnixMicro(us).UTC()
		}
		if batch, room, err = take(batch, room, body, end-events+1, next); err != nil && len(batch) > 0 {
			return batch, oldest, nil // what is before the damage goes; the next read begins with it
		} else if err != nil {
			return nil, oldest, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, oldest, classify(err)
	}
	if len(batch) == 0 && pos < last {
		return nil, oldest, fmt.Errorf("%w: positions %d to %d are missing (hint: restore a backup)", ErrDamaged, pos+1, last)
	}
	return batch, oldest, nil
}

// take adds to the batch what a row holds from position next on, while there
// is room; pos is the row's first position.
func take(batch []schemas.Spooled, room int, body []byte, pos, next uint64) ([]schemas.Spooled, int, error) {
	for ; len(body) > 0 && room > 0 && len(batch) < maxForward; pos++ {
		before := len(body)
		m, rest, err := cutMessage(body, pos)
		if err != nil && (pos >= next || !errors.Is(err, errChecksum)) {
			return batch, room, fmt.Errorf("%w: position %d: %w %s", ErrDamaged, max(pos, next), err, waitingHint)
		}
		if body = rest; pos < next {
			continue
		}
		room -= before - len(body)
		batch = append(batch, schemas.Spooled{Message: m, Pos: pos})
	}
	return batch, room, nil
}

func (r *reader) close() error { return r.db.Close() }

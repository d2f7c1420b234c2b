package spool

import (
	"context"
	"errors"

	"switchlog/schemas"
)

// waitingHint is for an event that cannot be forwarded any more.
const waitingHint = "(hint: stop switchlog and put a good copy of the spool's file back; without one, keep the file, and move it away with its -wal and -shm: " +
	"a new one is made at the next start, what waits from this position on is not in the log, and PluralKit is asked for what was missed)"

// Verify reads what waits in the spool at path, which another process may be
// using, and gives how many events that is. The first that is not as it was
// accepted is ErrDamaged, with its position.
func Verify(path string) (events uint64, err error) {
	r, err := openReader(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	var pos, last uint64
	err = r.db.QueryRowContext(context.Background(),
		`SELECT delivered, max(last_pos, delivered) FROM state`).Scan(&pos, &last)
	for err == nil && pos < last {
		var batch []schemas.Spooled
		if batch, _, err = r.after(pos, last); err == nil {
			events += uint64(len(batch))
			pos = batch[len(batch)-1].Pos
		}
	}
	return events, missing(err)
}

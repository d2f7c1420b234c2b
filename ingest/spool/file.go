package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// file is the writer's connection. One transaction at a time; not for
// concurrent use.
//
// It goes through database/sql with statements prepared on one connection.
// The driver alone is a fifth faster (270,000 against 225,000 rows a second in
// batches of 256), but neither is what callers wait for.
type file struct {
	path string
	db   *sql.DB
	conn *sql.Conn // nil after a failure that must be looked into: see again
	at   state     // what the file says since the last commit

	insert, remember *sql.Stmt

	pruned []byte // how far along the keys of ids pruning has come; never nil

	// For tests: what stands between us and the disk. Never nil.
	commit func(func() error) error
	reopen func(func() error) error
}

// state is the file's own bookkeeping: meta, anchor, and the edge of waiting.
type state struct {
	id        string
	last      uint64 // last position handed out
	lastUS    int64  // last time stamped
	bytes     int64  // in waiting
	first     uint64 // lowest position in waiting; last+1 if it is empty
	delivered uint64
	anchor    schemas.Anchor
}

// unsettled reports whether the file lags behind what the forwarder knows.
func (at state) unsettled(delivered uint64, a schemas.Anchor) bool {
	return at.delivered != delivered || at.anchor != a || at.first <= at.delivered
}

const (
	walPages     = 4000     // checkpoint when the WAL holds 16 MiB: few pages of it are distinct
	walKeepBytes = 64 << 20 // a WAL that has grown past this is cut back at the next checkpoint
	checkedBytes = 16 << 20 // a file up to this size is read through when opened (some 20 ms)
)

func openFile(path string) (*file, error) {
	direct := func(do func() error) error { return do() }
	f := &file{path: path, pruned: []byte{}, commit: direct, reopen: direct}
	if err := f.connect(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if err := f.check(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// connect opens the connection and reads the state.
func (f *file) connect() (err error) {
	// secure_delete: an event that was forwarded does not stay in free pages.
	f.db, err = sql.Open("sqlite3", dataSource(f.path, "mode=rw&_journal_mode=WAL&_synchronous=FULL"+
		"&_busy_timeout=5000&_secure_delete=on&_cache_size=-8000"))
	if err != nil {
		return err
	}
	ctx := context.Background()
	if f.conn, err = f.db.Conn(ctx); err != nil {
		return classify(err)
	}
	_, err = f.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d`,
		walPages, walKeepBytes))
	if err != nil {
		return classify(err)
	}
	// Law 1 rests on these two.
	var mode string
	var sync int
	if err := f.row(`PRAGMA journal_mode`).Scan(&mode); err != nil {
		return classify(err)
	}
	if err := f.row(`PRAGMA synchronous`).Scan(&sync); err != nil {
		return classify(err)
	}
	if mode != "wal" || sync != 2 {
		return fmt.Errorf("journal mode %s, synchronous %d, want wal and 2 (hint: the data directory must be on a local disk)", mode, sync)
	}
	if err := f.load(); err != nil {
		return err
	}
	if f.insert, err = f.conn.PrepareContext(ctx, `INSERT INTO waiting VALUES (?, ?, ?, ?, ?)`); err != nil {
		return classify(err)
	}
	// Changes a row if the ID is new, or was and has expired.
	f.remember, err = f.conn.PrepareContext(ctx, `INSERT INTO ids VALUES (?, ?)
		ON CONFLICT DO UPDATE SET until_us = excluded.until_us WHERE until_us <= ?`)
	return classify(err)
}

func (f *file) load() error {
	at := state{}
	err := f.row(`SELECT spool_id, last_pos, last_us, bytes, coalesce((SELECT min(pos) FROM waiting), last_pos + 1) FROM meta`).
		Scan(&at.id, &at.last, &at.lastUS, &at.bytes, &at.first)
	if err != nil {
		return fmt.Errorf("meta: %w", missing(err))
	}
	err = f.row(`SELECT epoch, seq, msg_id, count, delivered FROM anchor`).
		Scan(&at.anchor.Epoch, &at.anchor.Seq, &at.anchor.ID, &at.anchor.Count, &at.delivered)
	if err != nil {
		return fmt.Errorf("anchor: %w", missing(err))
	}
	f.at = at
	return nil
}

// check reads a small file through, and of any file the bookkeeping.
func (f *file) check() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if info.Size() <= checkedBytes {
		var verdict string
		if err := f.row(`PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
			return classify(err)
		}
		if verdict != "ok" {
			return fmt.Errorf("%w: %s %s", ErrDamaged, verdict, damagedHint)
		}
	}
	var last uint64
	if err := f.row(`SELECT coalesce(max(pos), 0) FROM waiting`).Scan(&last); err != nil {
		return classify(err)
	}
	at := f.at
	if last > at.last || at.delivered > at.last || at.first <= at.last && last != at.last || at.first > at.delivered+1 {
		return fmt.Errorf("%w: positions %d to %d wait, %d were handed out, %d delivered %s",
			ErrDamaged, at.first, last, at.last, at.delivered, damagedHint)
	}
	return nil
}

func (f *file) row(query string, args ...any) *sql.Row {
	return f.conn.QueryRowContext(context.Background(), query, args...)
}

func (f *file) exec(query string, args ...any) error {
	_, err := f.conn.ExecContext(context.Background(), query, args...)
	return err
}

// all runs a pragma to its end: SQLite does the work row by row, and Exec
// would stop after the first.
func (f *file) all(pragma string) error {
	rows, err := f.conn.QueryContext(context.Background(), pragma)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// transact runs change in a transaction. If that fails the connection is
// closed: see again.
func (f *file) transact(change func() error) error {
	err := f.exec(`BEGIN IMMEDIATE`)
	if err == nil {
		err = change()
	}
	if err == nil {
		err = f.commit(func() error { return f.exec(`COMMIT`) })
	}
	if err == nil {
		return nil
	}
	// The rollback is the closing of the connection: it always works.
	return errors.Join(classify(err), f.close())
}

// again opens the connection if a failure has closed it. What the file says
// then, and not what was meant to be written, is the truth.
func (f *file) again() error {
	if f.conn != nil {
		return nil
	}
	if err := f.reopen(f.connect); err != nil {
		return errors.Join(err, f.close())
	}
	return nil
}

// checkpoint brings everything in the file into its main part, fsynced, and
// empties the WAL.
func (f *file) checkpoint() error {
	var busy, pages, moved int
	if err := f.row(`PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return classify(err)
	}
	if busy != 0 {
		return errors.New("checkpoint: a reader was in the way")
	}
	return nil
}

// close closes the connection, and with it ends a transaction that was not
// committed. The statements come first: SQLite keeps a connection with open
// ones, and its locks, alive.
func (f *file) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{f.insert, f.remember} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	f.insert, f.remember, f.conn, f.db = nil, nil, nil, nil
	return errors.Join(errs...)
}

// missing is for reading a row that is in every spool: that it or its table is
// not there is damage.
func missing(err error) error {
	var e sqlite3.Error
	if errors.Is(err, sql.ErrNoRows) || errors.As(err, &e) && e.Code == sqlite3.ErrError {
		return fmt.Errorf("%w: %w %s", ErrDamaged, err, damagedHint)
	}
	return classify(err)
}

const damagedHint = "(hint: keep the file for inspection and restore a backup; do not delete it while events may wait in it)"

// classify gives SQLite's errors our names.
func classify(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrFull, sqlite3.ErrIoErr:
		return fmt.Errorf("%w: %w (hint: make room on the disk; check it with dmesg)", ErrFull, err)
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %w %s", ErrDamaged, err, damagedHint)
	}
	return err
}

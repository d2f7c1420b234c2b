package spool

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// file is the writer's connection. One transaction at a time; not for
// concurrent use.
//
// It goes through database/sql with statements prepared on one connection: a
// handful for each transaction, whatever it holds.
type file struct {
	path string
	now  func() time.Time
	db   *sql.DB
	conn *sql.Conn // nil after a failure that must be looked into: see again
	at   state     // what the file says since the last commit

	// Prepared on conn.
	begin, insert, remember, note, end *sql.Stmt
	sizes, remove, lowest              *sql.Stmt

	ids     remembered
	body    []byte // of the row that the running transaction writes; reused
	deleted int64  // bytes, since the file was last looked at for free pages

	// For tests: what stands between us and the disk. Never nil.
	commit func(func() error) error
	reopen func(func() error) error
}

// state is the file's own bookkeeping: the row of state, and the edge of waiting.
type state struct {
	id        string
	last      uint64 // last position handed out
	lastUS    int64  // last time stamped
	bytes     int64  // in waiting
	row       uint64 // last position of the lowest row of waiting; 0: there is none
	delivered uint64
	anchor    schemas.Anchor
	aside     aside
}

// unsettled reports whether the file lags behind what the forwarder knows.
func (at state) unsettled(delivered uint64, a schemas.Anchor) bool {
	return at.delivered != delivered || at.anchor != a || at.row != 0 && at.row <= at.delivered
}

const (
	walPages     = 4000     // checkpoint when the WAL holds 16 MiB: few pages of it are distinct
	walKeepBytes = 64 << 20 // a WAL that has grown past this is cut back at the next checkpoint
	checkedBytes = 16 << 20 // a file up to this size is read through when opened (some 20 ms)
)

func openFile(path string, now func() time.Time) (*file, error) {
	direct := func(do func() error) error { return do() }
	f := &file{path: path, now: now, commit: direct, reopen: direct}
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
	for stmt, query := range f.statements() {
		if *stmt, err = f.conn.PrepareContext(ctx, query); err != nil {
			return classify(err)
		}
	}
	return classify(f.ids.load(f, f.now().UnixMicro()))
}

// statements are those of every transaction.
func (f *file) statements() map[**sql.Stmt]string {
	return map[**sql.Stmt]string{
		&f.begin:    `BEGIN IMMEDIATE`,
		&f.insert:   `INSERT INTO waiting VALUES (?, ?, ?, ?)`,
		&f.remember: `INSERT INTO ids VALUES (?, ?, ?)`,
		&f.note: `UPDATE state SET spool_id = ?, last_pos = ?, last_us = ?, bytes = ?,
			epoch = ?, seq = ?, msg_id = ?, count = ?, delivered = ?`,
		&f.end:    `COMMIT`,
		&f.sizes:  `SELECT last, length(body) FROM waiting WHERE last <= ? ORDER BY last`,
		&f.remove: `DELETE FROM waiting WHERE last <= ?`,
		&f.lowest: `SELECT coalesce(min(last), 0) FROM waiting`,
	}
}

func (f *file) load() error {
	at := state{}
	err := f.row(`SELECT spool_id, last_pos, last_us, bytes, epoch, seq, msg_id, count, delivered,
		coalesce((SELECT min(last) FROM waiting), 0) FROM state`).
		Scan(&at.id, &at.last, &at.lastUS, &at.bytes, &at.anchor.Epoch, &at.anchor.Seq, &at.anchor.ID, &at.anchor.Count, &at.delivered, &at.row)
	if err != nil {
		return fmt.Errorf("state: %w", missing(err))
	}
	if at.aside, err = f.countAside(); err != nil {
		return fmt.Errorf("aside: %w", classify(err))
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
	var last, first uint64 // of the positions that wait; first is last+1 if none does
	at := f.at
	err = f.row(`SELECT coalesce(max(last), ?1), coalesce(min(last - events + 1), ?1 + 1) FROM waiting`, at.last).Scan(&last, &first)
	if err != nil {
		return classify(err)
	}
	if last != at.last || at.delivered > at.last || first > at.delivered+1 {
		return fmt.Errorf("%w: positions %d to %d wait, %d were handed out, %d delivered %s",
			ErrDamaged, first, last, at.last, at.delivered, damagedHint)
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
	_, err := f.begin.ExecContext(context.Background())
	if err == nil {
		err = change()
	}
	if err == nil {
		err = f.commit(func() error {
			_, err := f.end.ExecContext(context.Background())
			return err
		})
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
	for stmt := range f.statements() {
		if *stmt != nil {
			errs = append(errs, (*stmt).Close())
			*stmt = nil
		}
	}
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.db != nil {
		errs = append(errs, f.db.Close())
	}
	f.conn, f.db = nil, nil
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

const damagedHint = "(hint: keep the file: events may wait in it; restore a backup)"

// classify gives SQLite's errors our names.
func classify(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrFull:
		return fmt.Errorf("%w: %w (hint: make room on the disk of the data directory)", ErrFull, err)
	case sqlite3.ErrIoErr:
		return fmt.Errorf("%w: %w (hint: the disk fails, or has no room: df and dmesg tell; nothing is begun anew, and it is tried again)", ErrFull, err)
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return fmt.Errorf("%w: %w %s", ErrDamaged, err, damagedHint)
	}
	return err
}

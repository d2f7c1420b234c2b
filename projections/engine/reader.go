package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// maxReaders is how many questions are answered at once; others wait. Reading
// is bound by processors, and each connection has a page cache of its own.
const maxReaders = 4

// errClosed says that the database was closed meanwhile.
var errClosed = errors.New("the database is closed")

// readers is a pool of read-only connections. They are not database/sql's: each
// keeps what it has prepared, which for small queries is most of the work.
type readers struct {
	path   string
	free   chan *Tx // maxReaders slots; nil: not opened yet
	closed chan struct{}
}

func newReaders(path string) *readers {
	r := &readers{path: path, free: make(chan *Tx, maxReaders), closed: make(chan struct{})}
	for range maxReaders {
		r.free <- nil
	}
	return r
}

// with lends a connection to fn. One that failed is opened anew next time.
func (r *readers) with(ctx context.Context, fn func(*Tx) error) (err error) {
	var tx *Tx
	select {
	case <-r.closed:
		return errClosed
	default:
	}
	select {
	case tx = <-r.free:
	case <-ctx.Done():
		return ctx.Err()
	case <-r.closed:
		return errClosed
	}
	defer func() { r.free <- tx }()
	if tx == nil {
		if tx, err = openReader(r.path); err != nil {
			return err
		}
	}
	err = fn(tx)
	if fault := new(sqlite3.Error); errors.As(err, fault) {
		err, tx = errors.Join(err, tx.close()), nil
	}
	return err
}

// close waits for the questions that are being answered.
func (r *readers) close() error {
	close(r.closed)
	var err error
	for range maxReaders {
		if tx := <-r.free; tx != nil {
			err = errors.Join(err, tx.close())
		}
	}
	return err
}

// openReader opens a connection that cannot write.
func openReader(path string) (*Tx, error) {
	return openConn(path, "mode=ro&_query_only=1&_busy_timeout=10000&_cache_size=-8000")
}

// openConn opens a connection. SQLite need not lock it: a Tx is used by one
// goroutine at a time.
func openConn(path, options string) (*Tx, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_mutex=no&" + options
	conn, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	return newTx(conn.(*sqlite3.SQLiteConn)), nil
}

const positionSQL = `SELECT seq, event_id, epoch FROM positions WHERE name = 'projections'`

// snapshot calls fn with the position. All that fn reads is as it is at that
// position: SQLite holds on to one state of the file from the first row read
// until the last open statement is done, and this one is open around fn. It
// costs less than BEGIN and COMMIT.
func (tx *Tx) snapshot(ctx context.Context, fn func(schemas.Position) error) error {
	found := false
	err := tx.each(ctx, positionSQL, nil, nil, func(r Row) error {
		found = true
		if err := fn(position(r)); err != nil {
			return err
		}
		return io.EOF
	})
	if err == nil && !found {
		return errNoPosition
	}
	return err
}

func position(r Row) schemas.Position {
	return schemas.Position{Seq: uint64(r.Int(0)), ID: r.Text(1), Epoch: r.Text(2)}
}

// read answers a question from one state of the file.
func (d *DB) read(ctx context.Context, fn func(*Tx, schemas.Position) error) error {
	if err := d.settle(); err != nil {
		return d.fault(err)
	}
	err := d.readers.with(ctx, func(tx *Tx) error {
		return tx.snapshot(ctx, func(p schemas.Position) error { return fn(tx, p) })
	})
	return d.fault(err)
}

// named binds a value to :name.
func named(name string, value any) driver.NamedValue {
	return driver.NamedValue{Name: name, Value: value}
}

// ioErrCorruptFS is SQLITE_IOERR_CORRUPTFS, which the driver has no name for: EIO
// for a read.
var ioErrCorruptFS = sqlite3.ErrIoErr.Extend(33)

// unreadable reports whether the disk would not give what is in the file.
func unreadable(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) &&
		slices.Contains([]sqlite3.ErrNoExtended{sqlite3.ErrIoErrRead, sqlite3.ErrIoErrShortRead, ioErrCorruptFS}, e.ExtendedCode)
}

// fault gives an error of SQLite the meaning that callers decide on.
func (d *DB) fault(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && (e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB) {
		return fmt.Errorf("%w: %w (hint: restart switchlog: it moves %s aside and makes another from the log; "+
			"nothing is lost)", ErrDamaged, err, d.cfg.Path)
	}
	if errors.As(err, &e) && (e.Code == sqlite3.ErrFull || e.Code == sqlite3.ErrIoErr || e.Code == sqlite3.ErrReadonly) {
		return fmt.Errorf("%w (hint: is there room on the disk of %s, and may switchlog write there? It goes on by itself then)", err, d.cfg.Path)
	}
	return err
}

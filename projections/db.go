package projections

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"sync"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

//go:embed engine.sql
var engineSQL string

// engineVersion is raised when the engine itself makes other rows.
const engineVersion = 1

// Config says where the database is and what is in it.
type Config struct {
	Path        string       // the file; created with mode 0600
	Projections []Projection // nil: All
	Log         *slog.Logger // nil: discard
}

// DB is the projection database: one SQLite file, written by one goroutine
// at a time, read by anybody.
//
// Rows and position change in one transaction (Law 4). The file is derived:
// it can be deleted and comes back from the log.
type DB struct {
	cfg     Config
	version string

	mu      sync.Mutex // guards tx, and so every write
	tx      *Tx
	readers *sql.DB // a pool of read-only connections

	posMu sync.Mutex // guards pos and moved
	pos   schemas.Position
	moved chan struct{} // closed and replaced whenever pos moves
}

// Open opens the database, creating it if there is none. A file that was made
// by other tables or folds is left as it is, to answer until it is rebuilt:
// see Stale.
func Open(cfg Config) (*DB, error) {
	if cfg.Projections == nil {
		cfg.Projections = All
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{cfg: cfg, version: version(cfg.Projections), moved: make(chan struct{})}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("projections: %s: %w", cfg.Path, err)
	}
	return d, nil
}

func (d *DB) open() error {
	f, err := os.OpenFile(d.cfg.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// NORMAL is enough: a power cut may take the last transactions, rows and
	// position together, and the log gives them again.
	dsn := "file:" + (&url.URL{Path: d.cfg.Path}).EscapedPath() +
		"?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=10000&_cache_size=-32000"
	conn, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return err
	}
	d.tx = newTx(conn.(*sqlite3.SQLiteConn))
	if err := d.create(); err != nil {
		return errors.Join(err, d.tx.close())
	}
	if err := d.load(); err != nil {
		return errors.Join(err, d.tx.close())
	}
	d.readers, err = openReaders(d.cfg.Path)
	if err != nil {
		return errors.Join(err, d.tx.close())
	}
	return nil
}

// create makes the tables in an empty file, all or none.
func (d *DB) create() error {
	row, err := d.tx.Get(`SELECT count(*) FROM sqlite_schema`)
	if err != nil {
		return err
	}
	if row.Int(0) > 0 {
		return nil
	}
	if err := d.tx.exec(`PRAGMA journal_size_limit = 67108864`); err != nil {
		return err
	}
	return d.atomically(func() error {
		if err := d.tx.exec(engineSQL); err != nil {
			return err
		}
		for _, p := range d.cfg.Projections {
			if err := d.tx.exec(p.Schema); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		if err := d.tx.exec(`CREATE TABLE meta (version TEXT NOT NULL) STRICT`); err != nil {
			return err
		}
		if err := d.tx.Exec(`INSERT INTO meta VALUES (?)`, d.version); err != nil {
			return err
		}
		return d.tx.Exec(`INSERT INTO positions VALUES ('projections', 0, '', '')`)
	})
}

// load reads the position back.
func (d *DB) load() error {
	row, err := d.tx.Get(`SELECT seq, event_id, epoch FROM positions WHERE name = 'projections'`)
	if err != nil {
		return err
	}
	if row == nil {
		return errors.New("it holds no position (hint: this is no projection database of switchlog; move it away and start again)")
	}
	d.setPosition(schemas.Position{Seq: uint64(row.Int(0)), ID: row.Text(1), Epoch: row.Text(2)})
	return nil
}

func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_query_only=1&_busy_timeout=10000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, nil
}

// Close closes the database. A batch that has begun is finished first.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.readers.Close(), d.tx.close())
}

// Stale reports whether the rows were made by other tables or folds than this
// program has. They still answer; Rebuild makes new ones.
func (d *DB) Stale() (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	row, err := d.tx.Get(`SELECT version FROM meta`)
	if err != nil {
		return false, err
	}
	return row == nil || row.Text(0) != d.version, nil
}

// Position is how far the log is folded.
func (d *DB) Position(context.Context) (schemas.Position, error) {
	d.posMu.Lock()
	defer d.posMu.Unlock()
	return d.pos, nil
}

func (d *DB) setPosition(p schemas.Position) {
	d.posMu.Lock()
	defer d.posMu.Unlock()
	d.pos = p
	close(d.moved)
	d.moved = make(chan struct{})
}

// Wait returns when the log is folded up to seq, or with ctx's error.
func (d *DB) Wait(ctx context.Context, seq uint64) error {
	for {
		d.posMu.Lock()
		reached, moved := d.pos.Seq >= seq, d.moved
		d.posMu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// version is a hash of everything that rows depend on (D10).
func version(all []Projection) string {
	h := sha256.New()
	fmt.Fprintf(h, "engine %d\n%s\n", engineVersion, engineSQL)
	for _, p := range all {
		fmt.Fprintf(h, "%s %d\n%s\n", p.Name, p.Version, p.Schema)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var _ io.Closer = (*DB)(nil)

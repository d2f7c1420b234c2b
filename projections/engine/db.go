package engine

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

//go:embed engine.sql
var engineSQL string

// Version is raised when the engine itself makes other rows.
const Version = 1

// ErrDamaged is wrapped by every error that says the file is no database or a
// broken one. It holds nothing that the log does not: it may be deleted.
var ErrDamaged = errors.New("the database is damaged")

// ErrStale is wrapped by every error that comes of rows which other tables or
// folds made: they cannot be folded on, and not every query knows them.
var ErrStale = errors.New("the rows are of another version of switchlog, and are being rebuilt")

var errNoPosition = errors.New("it holds no position (hint: this is no projection database of switchlog; move it away and start again)")

// NORMAL is enough: a power cut may take the last transactions, rows and
// position together, and the log gives them again.
const liveOptions = "_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=10000&_cache_size=-32000"

// Config says where the database is and what is in it.
type Config struct {
	Path        string                // the file; created with mode 0600
	Projections []Projection          // in the order events are folded into them
	Events      Events                // for questions about the past; nil: they are refused
	Log         *slog.Logger          // nil: discard
	Metrics     prometheus.Registerer // nil: metrics are not registered
}

// DB is the projection database: one SQLite file, written by one goroutine
// at a time, read by anybody.
//
// Rows and position change in one transaction (Law 4). The file is derived:
// it can be deleted and comes back from the log.
type DB struct {
	cfg     Config
	version string                      // of the tables and folds of this program
	queries map[string]map[string]Query // by source and name
	metrics *metrics
	readers *readers
	past    *past

	handlers handlers

	silent  bool   // in memory, for one tenant: no outbox entries
	scratch bool   // a file beside a live one, see Scratch
	careful bool   // of a scratch: a batch that fails is undone, as in a live one
	live    *DB    // of a scratch: the live one
	floor   uint64 // of a scratch: no outbox entries up to here

	mu     sync.Mutex // guards the fields below, and so every write; a live one's before its scratch's
	tx     *Tx
	closed bool
	broken error // of a scratch: a transaction failed, and nothing undoes it
	aside  int   // events the transaction has set aside so far
	lent   *DB   // the scratch there is of this file

	posMu sync.Mutex // guards pos, old and moved
	pos   schemas.Position
	old   bool          // the rows were made by another version
	moved chan struct{} // closed and replaced whenever pos moves
}

// Open opens the database, creating it if there is none. A file that was made
// by other tables or folds is left as it is, to answer until it is rebuilt:
// see Stale. A file that cannot be read, by SQLite or at all, is renamed to {path}.damaged, and a
// new one begun: all of it comes back from the log, and webhooks do not wait
// until a person finds the time.
func Open(cfg Config) (*DB, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{
		cfg:     cfg,
		version: version(cfg.Projections),
		queries: index(cfg.Projections),
		metrics: newMetrics(cfg.Metrics),
		readers: newReaders(cfg.Path),
		past:    newPast(),
		moved:   make(chan struct{}),

		handlers: newHandlers(cfg.Projections),
	}
	err := d.open(liveOptions)
	if errors.Is(d.fault(err), ErrDamaged) || unreadable(err) {
		cfg.Log.Error("projections: the file is damaged; it is put aside and made anew from the log (hint: look at the disk)",
			"aside", cfg.Path+asideSuffix, "err", err)
		if err = setAside(cfg.Path); err == nil {
			err = d.open(liveOptions)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("projections: %s: %w", cfg.Path, d.fault(err))
	}
	return d, nil
}

func (d *DB) open(options string) error {
	f, err := os.OpenFile(d.cfg.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return d.begin(options)
}

// begin connects, and makes the tables or reads where they are.
func (d *DB) begin(options string) (err error) {
	if d.tx, err = openConn(d.cfg.Path, options); err != nil {
		return err
	}
	d.tx.states = map[string]State{}
	for _, p := range d.cfg.Projections {
		if p.State == nil {
			continue
		}
		state := p.State()
		d.tx.states[p.Name] = state
		if l, is := state.(Listener); is {
			d.tx.listener = l
		}
	}
	for _, step := range []func() error{d.limitJournal, d.create, d.load} {
		if err := step(); err != nil {
			return errors.Join(err, d.tx.close())
		}
	}
	return nil
}

// limitJournal has the WAL moved into the file when it has 8 MiB, and cut back
// to 16 MiB when it starts anew: a rebuild makes one as large as the database.
// SQLite's own 4 MiB cost a twentieth of the rate. Those who wait for the spool's
// fsync wait for the move too, so it must be short: at 1,000 webhooks a second one
// in a hundred waited 5 ms, and with 32 MiB 6 to 13.
func (d *DB) limitJournal() error {
	return d.tx.exec(`PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 2000`)
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
	return d.atomically(func() error {
		if err := d.tx.exec(engineSQL); err != nil {
			return err
		}
		for _, p := range d.cfg.Projections {
			if err := d.tx.exec(p.Schema); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		if err := d.tx.Exec(`INSERT INTO meta VALUES (?)`, d.version); err != nil {
			return err
		}
		return d.tx.Exec(`INSERT INTO positions VALUES ('projections', 0, '', '')`)
	})
}

// load reads back whose file it is and where it stands.
func (d *DB) load() error {
	row, err := d.tx.Get(`SELECT count(*) FROM sqlite_schema WHERE name IN ('positions', 'skipped', 'outbox', 'meta')`)
	if err != nil {
		return err
	}
	if row.Int(0) != 4 {
		return errNoPosition
	}
	made, err := d.tx.Get(`SELECT version FROM meta`)
	if err != nil {
		return err
	}
	skipped, err := d.tx.Get(`SELECT count(*) FROM skipped`)
	if err != nil {
		return err
	}
	pos, err := d.tx.Get(positionSQL)
	if err != nil {
		return err
	}
	if pos == nil || made == nil {
		return errNoPosition
	}
	d.posMu.Lock()
	d.old = made.Text(0) != d.version
	d.posMu.Unlock()
	d.metrics.skipped.Set(float64(skipped.Int(0)))
	d.tx.forgetStates()
	d.setPosition(position(pos))
	return nil
}

// Close closes the database. A batch that has begun is finished first, and so
// are the questions that are being answered.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	return errors.Join(d.past.forget(true), d.readers.close(), d.tx.close())
}

// Stale reports whether the rows were made by other tables or folds than this
// program has. They still answer, as far as they can; Scratch and Replace make
// new ones.
func (d *DB) Stale() (bool, error) { return d.stale(), nil }

func (d *DB) stale() bool {
	d.posMu.Lock()
	defer d.posMu.Unlock()
	return d.old
}

// Bytes is what the file takes on disk, its WAL included; 0 if that cannot be
// told.
func (d *DB) Bytes() int64 {
	var n int64
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(d.cfg.Path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Path is where the file is.
func (d *DB) Path() string { return d.cfg.Path }

// Position is how far the log is folded.
func (d *DB) Position(context.Context) (schemas.Position, error) { return d.position(), nil }

func (d *DB) position() schemas.Position {
	d.posMu.Lock()
	defer d.posMu.Unlock()
	return d.pos
}

func (d *DB) setPosition(p schemas.Position) {
	d.metrics.position.Set(float64(p.Seq))
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
	fmt.Fprintf(h, "engine %d\n%s\n", Version, engineSQL)
	for _, p := range all {
		fmt.Fprintf(h, "%s %d\n%s\n", p.Name, p.Version, p.Schema)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var _ io.Closer = (*DB)(nil)

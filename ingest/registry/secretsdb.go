package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

const secretsVersion = 1

const secretsSQL = /* #nosec G101 -- tables for secrets, and no secret */ `
CREATE TABLE secrets (          -- a row is a secret that is good, or was a moment ago
	ref    TEXT PRIMARY KEY,    -- what events call it
	sealed INTEGER NOT NULL,    -- 1: XChaCha20-Poly1305, 0: a hash (SHA-256; bcrypt of a password of NATS)
	value  BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE events (           -- a row is an event of the registry, as in the log
	id      TEXT PRIMARY KEY,
	subject TEXT NOT NULL,
	body    BLOB NOT NULL,
	spooled INTEGER NOT NULL    -- 0: perhaps not yet in the log
) STRICT;
CREATE INDEX events_unspooled ON events (id) WHERE spooled = 0;
`

// secretsDB is the file secrets.db.
type secretsDB struct{ db *sql.DB }

func openSecretsDB(ctx context.Context, path string) (*secretsDB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	// SQLite gives its journal the mode of the file, so the file comes first.
	f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w (hint: the data directory must exist and be writable)", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	name := url.URL{Scheme: "file", Path: abs, RawQuery: url.Values{
		"_journal_mode":  {"WAL"},
		"_synchronous":   {"FULL"},
		"_busy_timeout":  {"5000"},
		"_secure_delete": {"true"}, // what is pruned is gone from the file too
		"_txlock":        {"immediate"},
	}.Encode()}
	db, err := sql.Open("sqlite3", name.String())
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	db.SetMaxOpenConns(1)
	s := &secretsDB{db: db}
	if err := s.create(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("secrets: %s: %w", path, withHint(err)), db.Close())
	}
	return s, nil
}

// withHint says what to do about a disk that fails.
func withHint(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrIoErr {
		return fmt.Errorf("%w (hint: the disk fails, or has no room: df and dmesg tell; nothing is begun anew)", err)
	}
	return err
}

func (s *secretsDB) create(ctx context.Context) error {
	return s.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var version int
		if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
			return err
		}
		switch version {
		case secretsVersion:
			return nil
		case 0:
			_, err := tx.ExecContext(ctx, secretsSQL+fmt.Sprintf(`PRAGMA user_version = %d`, secretsVersion))
			return err
		}
		return fmt.Errorf("version %d, this program knows %d (hint: a newer switchlog wrote it)", version, secretsVersion)
	})
}

// transact finishes what it begins, also when ctx ends meanwhile or is over: what undoes a command
// must work just then. So do is given a context of its own, which does not end.
func (s *secretsDB) transact(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// load reads everything: there are as many rows as sources and changes to
// them, thousands at most. Pending are the ids of events not known to be in
// the log.
func (s *secretsDB) load(ctx context.Context) (secrets map[string]secret, events []schemas.Event, pending map[string]bool, err error) {
	if secrets, err = s.loadSecrets(ctx); err != nil {
		return nil, nil, nil, err
	}
	events, pending, err = s.loadEvents(ctx)
	return secrets, events, pending, err
}

func (s *secretsDB) loadSecrets(ctx context.Context) (map[string]secret, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT ref, sealed, value FROM secrets ORDER BY ref`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	secrets := map[string]secret{}
	for rows.Next() {
		var ref string
		var kept secret
		if err := rows.Scan(&ref, &kept.sealed, &kept.value); err != nil {
			return nil, err
		}
		secrets[ref] = kept
	}
	return secrets, rows.Err()
}

func (s *secretsDB) loadEvents(ctx context.Context) (events []schemas.Event, pending map[string]bool, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, subject, body, spooled FROM events ORDER BY id`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	pending = map[string]bool{}
	for rows.Next() {
		var m schemas.Message
		var spooled bool
		if err := rows.Scan(&m.ID, &m.Subject, &m.Body, &spooled); err != nil {
			return nil, nil, err
		}
		e, err := schemas.ParseMessage(m)
		if err != nil {
			return nil, nil, fmt.Errorf("event %s: %w (hint: restore secrets.db from a backup)", m.ID, err)
		}
		e.Repeats = registryRepeats
		events = append(events, e)
		if !spooled {
			pending[e.ID] = true
		}
	}
	return events, pending, rows.Err()
}

func insertSecret(ctx context.Context, tx *sql.Tx, ref string, kept secret) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO secrets (ref, sealed, value) VALUES (?, ?, ?)`, ref, kept.sealed, kept.value)
	return err
}

func deleteSecrets(ctx context.Context, tx *sql.Tx, refs []string) error {
	for _, ref := range refs {
		if _, err := tx.ExecContext(ctx, `DELETE FROM secrets WHERE ref = ?`, ref); err != nil {
			return err
		}
	}
	return nil
}

// insertEvent adds an event, or marks one that is there as spooled.
func insertEvent(ctx context.Context, tx *sql.Tx, e schemas.Event, spooled bool) error {
	m, err := e.Message()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO events (id, subject, body, spooled) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET spooled = max(spooled, excluded.spooled)`, e.ID, m.Subject, m.Body, spooled)
	return err
}

func deleteEvent(ctx context.Context, tx *sql.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id = ?`, id)
	return err
}

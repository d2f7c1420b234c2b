package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// Limits of a statement that a person wrote (Law 10).
const (
	maxSQLBytes   = 64 << 10 // its text
	maxSQLRows    = 10_000
	maxSQLAnswer  = 8 << 20 // bytes of values
	maxSQLSeconds = 60
)

// SQL runs one read-only statement that a person wrote: SELECT, WITH, VALUES,
// EXPLAIN, and PRAGMAs that describe tables. It has a connection of its own
// that cannot write, attach or change settings.
//
// It returns up to limit rows (1 to 10,000; anything else means 10,000) and up
// to 8 MiB; truncated says that there was more. Values are nil, int64, float64,
// string or []byte. It may take until ctx's deadline, a minute at most. A
// statement that is wrong or not allowed is schemas.ErrInvalid, in words for
// the person who wrote it.
func (d *DB) SQL(ctx context.Context, query string, limit int) (columns []string, rows [][]any, truncated bool, err error) {
	if limit < 1 || limit > maxSQLRows {
		limit = maxSQLRows
	}
	if err := oneStatement(query); err != nil {
		return nil, nil, false, fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, maxSQLSeconds*time.Second)
	defer cancel()
	tx, err := openReader(d.cfg.Path)
	if err != nil {
		return nil, nil, false, d.fault(err)
	}
	defer func() { err = errors.Join(err, tx.close()) }()

	// The open snapshot has a second use: while a statement is active, an
	// interrupt that comes just before another one begins is not lost.
	err = tx.snapshot(ctx, func(schemas.Position) error {
		tx.confine()
		// The authorizer refuses all that writes but VACUUM INTO, which writes
		// a file of its own.
		// The text is the person's own: it is prepared as it is.
		stmt, err := tx.prepare(query, query)
		if err != nil {
			return err
		}
		if stmt.writes {
			return fmt.Errorf("%w: only reading is allowed (hint: SELECT)", schemas.ErrInvalid)
		}
		bytes := 0
		return stmt.each(ctx, tx.view, nil, func(names []string) { columns = names }, func(r Row) error {
			if bytes += size(r); len(rows) == limit || bytes > maxSQLAnswer {
				truncated = true
				return io.EOF
			}
			row := make([]any, len(r))
			for i, v := range r {
				row[i] = v
			}
			rows = append(rows, row)
			return nil
		})
	})
	if err != nil {
		return nil, nil, false, d.sqlFault(err)
	}
	return columns, rows, truncated, nil
}

// confine takes from the connection what could do harm or take too much.
func (tx *Tx) confine() {
	tx.conn.SetLimit(sqlite3.SQLITE_LIMIT_LENGTH, maxSQLAnswer) // of one value: zeroblob(1e9)
	tx.conn.SetLimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
	tx.conn.SetLimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
	tx.conn.RegisterAuthorizer(authorize)
}

// describing are the PRAGMAs that only tell what tables look like.
var describing = map[string]bool{
	"table_info": true, "table_xinfo": true, "table_list": true, "index_list": true, "index_info": true,
	"index_xinfo": true, "foreign_key_list": true, "function_list": true, "compile_options": true,
}

// recursive is SQLITE_RECURSIVE, which the driver does not name.
const recursive = 33

// authorize is asked by SQLite for each thing a statement would do.
func authorize(action int, first, _, _ string) int {
	switch action {
	case sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, recursive:
		return sqlite3.SQLITE_OK
	case sqlite3.SQLITE_FUNCTION:
		return sqlite3.SQLITE_OK // load_extension is not enabled on any connection
	case sqlite3.SQLITE_PRAGMA:
		if describing[strings.ToLower(first)] {
			return sqlite3.SQLITE_OK
		}
	}
	return sqlite3.SQLITE_DENY
}

// sqlFault tells apart what the person wrote from what the database has.
func (d *DB) sqlFault(err error) error {
	if errors.Is(err, schemas.ErrInvalid) {
		return err
	}
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return d.fault(err)
	}
	switch e.Code {
	case sqlite3.ErrAuth, sqlite3.ErrReadonly, sqlite3.ErrPerm:
		return fmt.Errorf("%w: only reading is allowed: %s (hint: SELECT)", schemas.ErrInvalid, e.Error())
	case sqlite3.ErrError, sqlite3.ErrTooBig, sqlite3.ErrRange, sqlite3.ErrMismatch:
		return fmt.Errorf("%w: %s", schemas.ErrInvalid, e.Error())
	}
	return d.fault(err)
}

// size is about what a row takes in memory and on the wire.
func size(r Row) int {
	n := 0
	for _, v := range r {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
		n += 16
	}
	return n
}

// oneStatement refuses a text with none or more than one statement in it.
// SQLite itself would run the first and ignore the rest.
func oneStatement(query string) error {
	if len(query) > maxSQLBytes {
		return fmt.Errorf("the statement is over %d bytes", maxSQLBytes)
	}
	if strings.Contains(query, "\x00") {
		return errors.New("a zero byte in the statement")
	}
	statements, ended := 0, true
	for rest := strings.TrimPrefix(query, "\ufeff"); rest != ""; {
		token := rest[:tokenEnd(rest)]
		rest = rest[len(token):]
		switch {
		case token == ";":
			ended = true
		case strings.TrimSpace(token) == "" || strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*"):
		case ended:
			statements, ended = statements+1, false
		}
	}
	switch statements {
	case 0:
		return errors.New("there is no statement (hint: SELECT …)")
	case 1:
		return nil
	}
	return errors.New("more than one statement (hint: one at a time)")
}

// tokenEnd is where the first token of SQL ends: a quoted text, a comment, or
// else one byte.
func tokenEnd(s string) int {
	until := func(start int, end string) int {
		if i := strings.Index(s[start:], end); i >= 0 {
			return start + i + len(end)
		}
		return len(s)
	}
	switch {
	case s[0] == '\'' || s[0] == '"' || s[0] == '`': // a doubled quote is two texts here: the same end
		return until(1, s[:1])
	case s[0] == '[':
		return until(1, "]")
	case strings.HasPrefix(s, "--"):
		return until(2, "\n")
	case strings.HasPrefix(s, "/*"):
		return until(2, "*/")
	}
	return 1
}

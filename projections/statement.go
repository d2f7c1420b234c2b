package projections

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mattn/go-sqlite3"
)

// A statement is prepared SQL, and the tables it is about.
type statement struct {
	*sqlite3.SQLiteStmt
	text          string
	bound         []driver.NamedValue // the arguments, used again
	reads, writes []string
}

// prepare prepares a statement, or finds it prepared.
func (tx *Tx) prepare(query string) (*statement, error) {
	if stmt, ok := tx.stmts[query]; ok {
		return stmt, nil
	}
	stmt := &statement{text: query}
	tx.preparing = stmt
	prepared, err := tx.conn.Prepare(steady(query))
	tx.preparing = nil
	if err != nil {
		return nil, fmt.Errorf("%s: %w", short(query), err)
	}
	stmt.SQLiteStmt = prepared.(*sqlite3.SQLiteStmt)
	tx.stmts[query] = stmt
	return stmt, nil
}

// authorize is SQLite's authorizer. It allows everything: SQLite tells it which
// tables the statement that is being prepared reads and writes, also through
// views, and that is what we want to know.
func (tx *Tx) authorize(op int, table, _, _ string) int {
	stmt := tx.preparing
	if stmt == nil {
		return sqlite3.SQLITE_OK // prepared again, after the tables changed
	}
	switch op {
	case sqlite3.SQLITE_READ:
		stmt.reads = include(stmt.reads, table)
	case sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE:
		stmt.reads, stmt.writes = include(stmt.reads, table), include(stmt.writes, table)
	}
	return sqlite3.SQLITE_OK
}

func include(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// ready prepares a statement of a fold, and makes what it will see true: rows
// of its tables that wait to be written are written, and those it may change
// are not remembered.
func (tx *Tx) ready(query string) (*statement, error) {
	stmt, err := tx.prepare(query)
	if err != nil || tx.kept.empty() {
		return stmt, err
	}
	for _, table := range stmt.reads {
		if err := tx.settle(table); err != nil {
			return nil, err
		}
	}
	for _, table := range stmt.writes {
		tx.kept.drop(table)
	}
	return stmt, nil
}

// run is Exec of a statement that needs nothing to be settled.
func (tx *Tx) run(query string, args ...any) error {
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	return stmt.run(args)
}

// first is Get of a statement that needs nothing to be settled.
func (tx *Tx) first(query string, args ...any) (Row, error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.first(args)
}

func (s *statement) run(args []any) error {
	s.bound = values(s.bound[:0], args)
	var err error
	if len(args) < manyArgs {
		_, err = s.ExecContext(context.Background(), s.bound)
	} else {
		var rows driver.Rows
		if rows, err = s.QueryContext(context.Background(), s.bound); err == nil {
			err = rows.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", short(s.text), err)
	}
	return nil
}

// manyArgs: the driver binds arguments one by one if a statement is executed,
// and all at once if it is asked for rows. That it has none costs a little.
const manyArgs = 8

func (s *statement) first(args []any) (Row, error) {
	var first Row
	s.bound = values(s.bound[:0], args)
	err := s.each(context.Background(), nil, s.bound, nil, func(r Row) error {
		first = append(first, r...)
		return io.EOF
	})
	return first, err
}

// each calls fn with every row of the answer, as [Tx.Each] says. It ends early
// with the error of view, if that is not nil and has one.
func (s *statement) each(ctx, view context.Context, args []driver.NamedValue, head func(columns []string), fn func(Row) error) (err error) {
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return fmt.Errorf("%s: %w", short(s.text), err)
	}
	defer func() {
		// Closing a statement that failed repeats its error.
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	columns := rows.Columns()
	if head != nil {
		head(columns)
	}
	row := make(Row, len(columns))
	for {
		if view != nil && view.Err() != nil {
			return view.Err()
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", short(s.text), err)
		}
		switch err := fn(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

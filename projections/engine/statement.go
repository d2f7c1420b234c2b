package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/mattn/go-sqlite3"
)

// A statement is prepared SQL.
type statement struct {
	*sqlite3.SQLiteStmt
	text   string
	bound  []driver.NamedValue // the arguments, used again
	writes bool
}

// ready prepares a statement of ours, or finds it prepared. If it writes, that
// counts as a change.
func (tx *Tx) ready(query string) (*statement, error) {
	stmt, ok := tx.stmts[query]
	if !ok {
		var err error
		if stmt, err = tx.prepare(query, steady(query)); err != nil {
			return nil, err
		}
	}
	if stmt.writes {
		tx.changes++
	}
	return stmt, nil
}

// prepare prepares a text and keeps the statement under a name.
func (tx *Tx) prepare(name, text string) (*statement, error) {
	prepared, err := tx.conn.Prepare(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", short(name), err)
	}
	stmt := &statement{SQLiteStmt: prepared.(*sqlite3.SQLiteStmt), text: name}
	stmt.writes = !stmt.Readonly()
	tx.stmts[name] = stmt
	return stmt, nil
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

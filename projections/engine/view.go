package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// Current is View of rows that this version of the program made: for those who
// compare them with something, or act on them. Others are ErrStale.
func (d *DB) Current(ctx context.Context, fn func(tx *Tx, at schemas.Position) error) error {
	if d.stale() {
		return ErrStale
	}
	return d.View(ctx, fn)
}

// View lends fn a connection that can only read. Everything fn reads is of one
// state of the file, true at the position it is given. It is for answers that
// are more than one statement; a question that is one is a [Query].
//
// Up to four run at once, together with Ask; others wait. When ctx ends, what
// fn reads fails at the next row, so every statement should come to its rows by
// index. (Ask can interrupt any; that costs a goroutine for each row.) Errors
// wrap fn's own, ErrStale, ErrDamaged, or ctx's error.
func (d *DB) View(ctx context.Context, fn func(tx *Tx, at schemas.Position) error) error {
	err := d.read(ctx, func(tx *Tx, at schemas.Position) error {
		tx.view = ctx
		defer func() { tx.view = nil }()
		return fn(tx, at)
	})
	var fault sqlite3.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case d.stale() && errors.As(err, &fault) && !errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	return err
}

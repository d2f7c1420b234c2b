package engine

import (
	"context"
	"errors"
	"testing"

	"switchlog/schemas"
)

// TestView: everything read in one view is of one state, whatever is folded
// meanwhile, and nothing can be written.
func TestView(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 10, history(10))
	const count = `SELECT sum(n) FROM tallies`
	err := d.View(t.Context(), func(tx *Tx, at schemas.Position) error {
		before, err := tx.Get(count)
		if err != nil {
			return err
		}
		apply(t, d, 10, history(20)[10:])
		after, err := tx.Get(count)
		if err != nil {
			return err
		}
		if before.Int(0) != after.Int(0) || at.Seq != 10 {
			t.Errorf("got %v then %v at position %d, want the same at 10", before, after, at.Seq)
		}
		if err := tx.Exec(`DELETE FROM tallies`); err == nil {
			t.Error("got no error, want none of this")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	if err := d.View(t.Context(), func(*Tx, schemas.Position) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("got %v, want the function's own error", err)
	}
}

// TestViewEnds: a view whose time is up stops in the middle of a statement.
func TestViewEnds(t *testing.T) {
	d := openTemp(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.View(ctx, func(tx *Tx, _ schemas.Position) error {
		return tx.Each(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`, nil, func(Row) error {
			cancel()
			return nil
		})
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := d.View(t.Context(), func(tx *Tx, _ schemas.Position) error { return nil }); err != nil {
		t.Errorf("got %v after it, want none", err)
	}
}

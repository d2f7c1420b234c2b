package projections

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

// TestTold: what an event said of a field is told from what was only assumed.
func TestTold(t *testing.T) {
	for _, c := range []struct {
		versions string
		whole    bool
		want     bool
	}{
		{`{}`, false, false},
		{`{}`, true, true},
		{`{"visibility":[3,1700000000000000,"a"]}`, false, true},
		{`{"visibility":[1,1700000000000000,"a"]}`, false, true},
		{`{"visibility":[0,0,""]}`, true, false},
		{`{"name":[3,1,"\"visibility\":[3,"]}`, false, false},
		{`{"name_visibility":[3,1,"a"]}`, false, false},
	} {
		if got := Told(c.versions, c.whole, "visibility"); got != c.want {
			t.Errorf("%s, %t: got %t, want %t", c.versions, c.whole, got, c.want)
		}
	}
	// It reads what the folds write.
	d := openTemp(t, All...)
	member := func(typ, subject, data string) schemas.Recorded {
		e := thing(int(d.position().Seq)+1, tenantA, "update", subject, "")
		e.Type, e.Route, e.Data = typ, schemas.PluralKitRoute(typ, tenantA), []byte(data)
		return e
	}
	apply(t, d, 1, []schemas.Recorded{member(schemas.PKMemberCreate, "one", `{"name":"One"}`)})
	apply(t, d, 1, []schemas.Recorded{member(schemas.PKMemberUpdate, "one", `{"privacy":{"visibility":"public"}}`)})
	row, err := d.tx.Get(`SELECT versions, visibility, name_privacy FROM members`)
	if err != nil || row.Text(1) != "public" || row.Text(2) != "public" {
		t.Fatalf("got %v, %v, want both public", row, err)
	}
	if !Told(row.Text(0), false, "visibility") || Told(row.Text(0), false, "name_privacy") {
		t.Errorf("got versions %s, want visibility told and name_privacy not", row.Text(0))
	}
}

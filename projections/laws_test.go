package projections

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// engineTables say how the rows came about: they depend on the order of the
// log, as the log itself does.
var engineTables = []string{"positions", "skipped", "outbox", "meta"}

// TestLaw6EntitiesInAnyOrder: the same events give the same rows in whatever
// order, however often and in whatever batches they come.
func TestLaw6EntitiesInAnyOrder(t *testing.T) { anyOrder(t, All, entityHistory, "sys-a") }

// anyOrder draws histories and folds them sorted, cut, doubled and shuffled;
// and what is one tenant's alone.
func anyOrder(t *testing.T, folds []engine.Projection, history func(*rapid.T) []schemas.Recorded, tenant string) {
	t.Helper()
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		fold := func(name string, reopen bool, batches ...[]schemas.Recorded) map[string][]string {
			return foldAll(rt, folds, filepath.Join(dir, fmt.Sprintf("%d-%s.db", run, name)), reopen, batches)
		}
		sorted := history(rt)
		want := fold("sorted", false, number(sorted))
		if got := fold("cut", rapid.Bool().Draw(rt, "reopened"), cut(rt, number(sorted))...); !same(got, want) {
			rt.Errorf("in batches:%s", difference(got, want))
		}
		want = without(want, engineTables...)
		again := slices.Clone(sorted)
		if rapid.Bool().Draw(rt, "doubled") {
			again = append(again, sorted...)
		}
		shuffled := number(rapid.Permutation(again).Draw(rt, "shuffled"))
		if got := without(fold("shuffled", false, cut(rt, shuffled)...), engineTables...); !same(got, want) {
			rt.Errorf("shuffled:%s", difference(got, want))
		}
		alone := number(slices.DeleteFunc(slices.Clone(shuffled), func(e schemas.Recorded) bool { return e.Route.Tenant != tenant }))
		got := fold("alone", false, alone)
		if got, want := without(got, engineTables...), ofTenant(want, tenant); !same(got, want) {
			rt.Errorf("%s alone:%s", tenant, difference(got, want))
		}
	})
}

// number gives the events sequences in the order they are in.
func number(events []schemas.Recorded) []schemas.Recorded {
	events = slices.Clone(events)
	for i := range events {
		events[i].Seq = uint64(i + 1)
	}
	return events
}

// cut cuts the events into batches of any size.
func cut(t *rapid.T, events []schemas.Recorded) [][]schemas.Recorded {
	var batches [][]schemas.Recorded
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "batch")
		batches = append(batches, events[:n])
		events = events[n:]
	}
	return batches
}

// foldAll folds the batches into a new file and gives all its rows, by table.
func foldAll(t *rapid.T, folds []engine.Projection, path string, reopen bool, batches [][]schemas.Recorded) map[string][]string {
	t.Helper()
	open := func() *DB {
		db, err := Open(engine.Config{Log: loud(t), Path: path, Projections: folds})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	shut := func(db *DB) {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	db := open()
	for _, batch := range batches {
		if err := db.Apply(context.Background(), "epoch", batch); err != nil {
			t.Fatal(err)
		}
		if reopen {
			shut(db)
			db = open()
		}
	}
	defer shut(db)
	return everyRow(t, db)
}

// everyRow reads every row of every table; a row is its columns joined.
func everyRow(t *rapid.T, db viewer) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	err := db.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error { return eachRowOf(tx, rows) })
	if err != nil {
		t.Fatal(err)
	}
	if len(rows["skipped"]) > 0 {
		t.Fatalf("got skipped events %s, want none", rows["skipped"])
	}
	return rows
}

// A viewer is a database or a scratch.
type viewer interface {
	View(ctx context.Context, fn func(*engine.Tx, schemas.Position) error) error
}

// eachRowOf gathers every row of every table.
func eachRowOf(tx *engine.Tx, rows map[string][]string) error {
	var tables []string
	err := tx.Each(`SELECT name FROM sqlite_schema WHERE type = 'table'`, nil, func(r engine.Row) error {
		tables = append(tables, r.Text(0))
		return nil
	})
	for _, table := range tables {
		if err != nil {
			break
		}
		err = tx.Each(`SELECT * FROM `+table, nil, func(r engine.Row) error {
			rows[table] = append(rows[table], strings.Trim(fmt.Sprintf("%q", []any(anys(r))), "[]"))
			return nil
		})
		slices.Sort(rows[table])
	}
	return err
}

func anys(r engine.Row) []any {
	out := make([]any, len(r))
	for i, v := range r {
		out[i] = v
		if v == nil {
			out[i] = "NULL"
		}
		if b, is := v.([]byte); is {
			out[i] = string(b)
		}
	}
	return out
}

func without(rows map[string][]string, tables ...string) map[string][]string {
	rows = clone(rows)
	for _, table := range tables {
		delete(rows, table)
	}
	return rows
}

// ofTenant keeps the rows that name the tenant, which all of its rows do.
func ofTenant(rows map[string][]string, tenant string) map[string][]string {
	rows = clone(rows)
	for table := range rows {
		rows[table] = slices.DeleteFunc(rows[table], func(row string) bool { return !strings.Contains(row, `"`+tenant+`"`) })
		if len(rows[table]) == 0 {
			delete(rows, table)
		}
	}
	return rows
}

func clone(rows map[string][]string) map[string][]string {
	out := make(map[string][]string, len(rows))
	for table, r := range rows {
		out[table] = slices.Clone(r)
	}
	return out
}

func same(a, b map[string][]string) bool { return difference(a, b) == "" }

func difference(got, want map[string][]string) string {
	var b strings.Builder
	for _, table := range slices.Sorted(func(yield func(string) bool) {
		for table := range got {
			if !yield(table) {
				return
			}
		}
		for table := range want {
			if _, both := got[table]; !both && !yield(table) {
				return
			}
		}
	}) {
		if !slices.Equal(got[table], want[table]) {
			fmt.Fprintf(&b, "\n%s\ngot:\n%s\nwant:\n%s", table, strings.Join(got[table], "\n"), strings.Join(want[table], "\n"))
		}
	}
	return b.String()
}

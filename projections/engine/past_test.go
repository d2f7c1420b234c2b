package engine

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"testing"

	"switchlog/schemas"
)

// TestAsOfIsBounded: folds for questions about the past are few, and given up.
func TestAsOfIsBounded(t *testing.T) {
	var events []schemas.Recorded
	for i := range 3 * maxPastKept {
		events = append(events, thing(i+1, fmt.Sprintf("tenant-%d", i), "update", "thing-1", "A"))
	}
	db, err := Open(Config{Path: filepath.Join(t.TempDir(), "projections.db"), Projections: []Projection{things},
		Events: func(_ context.Context, source, tenant string, from, to uint64) iter.Seq2[schemas.Recorded, error] {
			return func(yield func(schemas.Recorded, error) bool) {
				for _, e := range events {
					if e.Route.Source == source && e.Route.Tenant == tenant && e.Seq >= from && e.Seq <= to && !yield(e, nil) {
						return
					}
				}
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	apply(t, db, len(events), events)
	for i := range events {
		a, err := db.Ask(t.Context(), "test", "thing", map[string]string{"tenant": fmt.Sprintf("tenant-%d", i), "ref": "thing-1", AsOf: fmt.Sprint(len(events))})
		if err != nil || !a.Found {
			t.Fatalf("tenant %d: got %t, %v", i, a.Found, err)
		}
	}
	if n := len(db.past.kept); n != maxPastKept {
		t.Errorf("%d folds are kept, want %d", n, maxPastKept)
	}
	for _, f := range db.past.kept {
		f.used = f.used.Add(-2 * pastIdle)
	}
	if err := db.Rest(); err != nil || len(db.past.kept) != 0 {
		t.Errorf("after a while %d are kept, %v, want none", len(db.past.kept), err)
	}
}

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
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// TestLaw6MemoryMakesNoDifference: rows are the same whether tenants stay
// in memory or none does.
func TestLaw6MemoryMakesNoDifference(t *testing.T) {
	for name, history := range map[string]func(*rapid.T) []schemas.Recorded{"entities": entityHistory, "fronting": genFronting} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				events := number(history(rt))
				fold := func(limit int) map[string][]string {
					db, err := Open(engine.Config{Log: loud(rt), Path: filepath.Join(dir, fmt.Sprintf("%d-%d.db", run, limit)), Projections: remembering(limit)})
					if err != nil {
						rt.Fatal(err)
					}
					defer func() {
						if err := db.Close(); err != nil {
							rt.Fatal(err)
						}
					}()
					if err := db.Apply(t.Context(), "epoch", events); err != nil {
						rt.Fatal(err)
					}
					return everyRow(rt, db)
				}
				if got, want := fold(0), fold(64<<20); !same(got, want) {
					rt.Errorf("with nothing in memory:%s", difference(got, want))
				}
			})
		})
	}
}

// TestSettledRowsAreSeen: after Settle a statement of another fold sees what
// events before it in the batch made of a row, through a view, too.
func TestSettledRowsAreSeen(t *testing.T) {
	var seen []string
	plain := engine.Projection{Name: "plain", Source: schemas.PluralKit, Version: 1, Handlers: engine.Any(func(tx *engine.Tx, e schemas.Recorded) error {
		if err := tx.Settle(); err != nil {
			return err
		}
		row, err := tx.Get(`SELECT name, pronouns FROM current_members WHERE uuid = ?`, e.Subject)
		if err != nil {
			return err
		}
		seen = append(seen, row.Text(0)+" "+row.Text(1))
		return nil
	})}
	db := openTest(t, append(slices.Clone(All), plain))
	var events []schemas.Recorded
	for i, typ := range []string{"CREATE_MEMBER", "UPDATE_MEMBER", "UPDATE_MEMBER"} {
		events = append(events, frontingEvent(i+1, typ, "sys-a", "m-1", fmt.Sprintf(`{"name":"N%d","pronouns":"p%d"}`, i, i/2)))
	}
	applyFronting(t, db, events)
	if got, want := strings.Join(seen, ", "), "N0 p0, N1 p0, N2 p1"; got != want {
		t.Errorf("the fold saw: got %q, want %q", got, want)
	}
}

// TestUndoneStateIsForgotten: what an event did that is set aside, or a batch that
// failed, is not in memory.
func TestUndoneStateIsForgotten(t *testing.T) {
	fails := fmt.Errorf("%w: no more", schemas.ErrInvalid)
	var fault error
	last := engine.Projection{Name: "last", Source: schemas.PluralKit, Version: 1, Handlers: engine.Any(func(_ *engine.Tx, e schemas.Recorded) error {
		if strings.Contains(string(e.Data), "Birch") {
			return fault
		}
		return nil
	})}
	for _, c := range []struct {
		name  string
		fault error
		want  string
	}{
		{"set aside", fails, "Alder|they/them\n"},
		{"stopped", fmt.Errorf("disk full"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			fault = c.fault
			db := openWith(t, engine.Config{Projections: append(slices.Clone(All), last)}) // it logs what is wrong with last
			events := []schemas.Recorded{
				frontingEvent(1, "CREATE_MEMBER", "sys-a", "m-1", `{"name":"Alder"}`),
				frontingEvent(2, "UPDATE_MEMBER", "sys-a", "m-1", `{"name":"Birch"}`),
				frontingEvent(3, "UPDATE_MEMBER", "sys-a", "m-1", `{"pronouns":"they/them"}`),
			}
			for i := range events {
				events[i].Seq = uint64(i + 1)
			}
			err := db.Apply(t.Context(), "test", events)
			if (err != nil) != (c.want == "") {
				t.Fatal(err)
			}
			if got := selectRows(t, db, `SELECT name, pronouns FROM members`); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			fault = nil
			if c.want != "" {
				return
			}
			applyFronting(t, db, events)
			if got, want := selectRows(t, db, `SELECT name, pronouns FROM members`), "Birch|they/them\n"; got != want {
				t.Errorf("again: got %q, want %q", got, want)
			}
		})
	}
}

// remembering is All with so many bytes of systems kept in memory.
func remembering(maxBytes int) []engine.Projection {
	all := slices.Clone(All)
	all[0].State = func() engine.State { return pluralkit.NewState(maxBytes) }
	return all
}

// probe is a projection that runs what inFold is given.
var probe = engine.Projection{Name: "probe", Source: "probe", Version: 1, Handlers: engine.Any(func(tx *engine.Tx, _ schemas.Recorded) error { return probed(tx) })}

var probed func(tx *engine.Tx) error

// inFold runs fn as the fold of an event of that sequence; the database has probe.
func inFold(t interface{ Fatal(...any) }, db *DB, epoch string, seq uint64, fn func(tx *engine.Tx) error) {
	probed = fn
	e := schemas.Event{ID: "probe", Type: "probe", Time: frontingEpoch, Route: schemas.Route{Source: "probe"}}
	if err := db.Apply(context.Background(), epoch, []schemas.Recorded{{Event: e, Seq: seq}}); err != nil {
		t.Fatal(err)
	}
}

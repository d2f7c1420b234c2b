package projections

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// colliding makes the ids of both systems the same, in subjects and data: each
// names things of the other.
func colliding(events []schemas.Recorded, a, b string) []schemas.Recorded {
	events = slices.Clone(events)
	for i, e := range events {
		if e.Route.Tenant != b {
			continue
		}
		// What is b's own, its uuid, stays; the ids of its things are a's.
		for _, kind := range []string{"-mem-", "-grp-", "-0", "-1", "-2", "-3", "-4", "-5", "-6", "-7", "-A", "-B", "-C", "-D"} {
			e.Subject = strings.ReplaceAll(e.Subject, b+kind, a+kind)
			e.Data = []byte(strings.ReplaceAll(string(e.Data), b+kind, a+kind))
		}
		e.Subject = strings.Replace(e.Subject, "14440002", "14440001", 1)
		e.Data = []byte(strings.ReplaceAll(string(e.Data), "14440002", "14440001"))
		events[i] = e
	}
	return events
}

// TestHostileTenantChangesNothingOfAnother: whatever a system sends with its own
// token, also about the things of another, that one's rows and changes and what is
// delivered of it are what they are without it.
func TestHostileTenantChangesNothingOfAnother(t *testing.T) {
	for name, h := range map[string]struct {
		history func(*rapid.T) []schemas.Recorded
		a, b    string
	}{"entities": {entityHistory, "sys-a", "sys-b"}, "fronting": {genFronting, "one", "two"}} {
		t.Run(name, func(t *testing.T) {
			dir, run := t.TempDir(), 0
			rapid.Check(t, func(rt *rapid.T) {
				run++
				both := number(colliding(rapid.Permutation(h.history(rt)).Draw(rt, "shuffled"), h.a, h.b))
				for i := range both {
					both[i].Seq += 2 // after the webhooks
				}
				alone := slices.Clone(both) // the same sequences, without b's events
				alone = slices.DeleteFunc(alone, func(e schemas.Recorded) bool { return e.Route.Tenant == h.b })
				var hooks hookLog
				for _, owner := range []bool{true, false} {
					s := hook(fmt.Sprint("w-", owner), "member.changed", "front.changed", "group.changed", "member.*", "switch.*")
					s.OwnerOnly, s.Tenant = owner, h.a
					hooks.created(s)
				}
				fold := func(name string, events []schemas.Recorded) (rows string) {
					all := All
					if rapid.Bool().Draw(rt, "evicted") {
						all = remembering(0)
					}
					db, err := Open(engine.Config{Log: loud(rt), Path: filepath.Join(dir, fmt.Sprintf("%d-%s.db", run, name)), Projections: all})
					if err != nil {
						rt.Fatal(err)
					}
					defer func() {
						if err := db.Close(); err != nil {
							rt.Fatal(err)
						}
					}()
					for _, batch := range append([][]schemas.Recorded{hooks.events}, cut(rt, events)...) {
						if err := db.Apply(t.Context(), "epoch", batch); err != nil {
							rt.Fatal(err)
						}
					}
					return rowsOfTenant(rt, db, h.a)
				}
				if got, want := fold("both", both), fold("alone", alone); got != want {
					rt.Errorf("with %s's events:\n%s\nwithout:\n%s", h.b, got, want)
				}
			})
		})
	}
}

// rowsOfTenant is everything the database has of a system: rows of all tables,
// what is to be sent, deliveries, and what was set aside.
func rowsOfTenant(t *rapid.T, db *DB, tenant string) string {
	var all []string
	err := db.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
		tables, err := tx.Rows(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('meta', 'positions', 'webhooks') ORDER BY name`)
		for _, table := range tables {
			if err == nil {
				err = rowsOfTable(tx, table.Text(0), tenant, &all)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

func rowsOfTable(tx *engine.Tx, table, tenant string, all *[]string) error {
	where := `system_uuid = ?1`
	switch {
	case table == "outbox":
		where = `fronters_key = ?1 OR subject LIKE 'log.changes.pluralkit.' || ?1 || '.%'`
	case table == "skipped" || table == "deliveries":
		where = `tenant = ?1`
	case strings.HasPrefix(table, "discord_") || strings.HasPrefix(table, "stellarstack_") || strings.HasPrefix(table, "botghost_") || table == "received":
		return nil
	}
	return tx.Each(`SELECT * FROM `+table+` WHERE `+where, []any{tenant}, func(r engine.Row) error {
		row := anys(r)
		if table == "deliveries" {
			row = row[1:] // the ordinal counts all systems'
		}
		*all = append(*all, fmt.Sprintf("%s %q\n", table, row))
		return nil
	})
}

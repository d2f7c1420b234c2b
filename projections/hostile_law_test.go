package projections

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
				alone := slices.Clone(both) // the same sequences, without b's events
				alone = slices.DeleteFunc(alone, func(e schemas.Recorded) bool { return e.Route.Tenant == h.b })
				fold := func(name string, events []schemas.Recorded) (rows string) {
					db, err := Open(Config{Path: filepath.Join(dir, fmt.Sprintf("%d-%s.db", run, name))})
					if err != nil {
						rt.Fatal(err)
					}
					defer func() {
						if err := db.Close(); err != nil {
							rt.Fatal(err)
						}
					}()
					if rapid.Bool().Draw(rt, "evicted") {
						db.tx.State(pluralKitState).(*pluralKit).limit = 0
					}
					for _, owner := range []bool{true, false} {
						s := hook(fmt.Sprint("w-", owner), "member.changed", "front.changed", "group.changed", "member.*", "switch.*")
						s.OwnerOnly, s.Tenant = owner, h.a
						if err := db.atomically(func() error { return foldWebhook(db.tx, schemas.Recorded{}, s) }); err != nil {
							rt.Fatal(err)
						}
					}
					for _, batch := range cut(rt, events) {
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
	tables, err := db.tx.rows(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('meta', 'positions', 'webhooks') ORDER BY name`)
	for _, table := range tables {
		if err != nil {
			break
		}
		where := `system_uuid = ?1`
		switch name := table.Text(0); {
		case name == "outbox":
			where = `fronters_key = ?1 OR subject LIKE 'log.changes.pluralkit.' || ?1 || '.%'`
		case name == "skipped" || name == "deliveries":
			where = `tenant = ?1`
		case strings.HasPrefix(name, "discord_") || strings.HasPrefix(name, "stellarstack_") || strings.HasPrefix(name, "botghost_") || name == "received":
			continue
		}
		err = db.tx.Each(`SELECT * FROM `+table.Text(0)+` WHERE `+where, []any{tenant}, func(r Row) error {
			row := anys(r)
			if table.Text(0) == "deliveries" {
				row = row[1:] // the ordinal counts all systems'
			}
			all = append(all, fmt.Sprintf("%s %q\n", table.Text(0), row))
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

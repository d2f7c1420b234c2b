package engine

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// things is a small projection with all that a real one has: a row that is
// overwritten, one that counts, a view, changes, touches, and events that
// break their contract.
var things = Projection{
	Name:    "things",
	Source:  "test",
	Version: 1,
	Schema: `
		CREATE TABLE things (
			uuid        TEXT PRIMARY KEY,
			system_uuid TEXT NOT NULL,
			id          TEXT,
			name        TEXT,
			seen        INTEGER NOT NULL,
			deleted_us  INTEGER
		) STRICT, WITHOUT ROWID;
		CREATE INDEX things_by_id ON things (id);
		CREATE TABLE tallies (
			system_uuid TEXT NOT NULL,
			kind        TEXT NOT NULL,
			n           INTEGER NOT NULL,
			PRIMARY KEY (system_uuid, kind)
		) STRICT, WITHOUT ROWID;
		CREATE VIEW current_things AS SELECT uuid, name FROM things WHERE deleted_us IS NULL;`,
	Handlers: Any(foldThing),
	Queries: []Query{{
		Name: "things", Path: "things", Doc: "All things.",
		Params: []Param{
			{Name: "limit", Kind: schemas.Int, Default: "100"},
			{Name: "name"},
			{Name: "all", Kind: schemas.Bool},
			{Name: "since", Kind: schemas.Time},
		},
		SQL: `SELECT uuid, name, seen, '["x",1]' AS tags_json, NULL AS none_json, deleted_us IS NULL AS alive_bool,
				NULL AS maybe_bool, 0.5 AS half, x'00ff' AS bytes, :since AS since_us
			FROM things WHERE system_uuid = :tenant AND (:name IS NULL OR name = :name) AND (:all OR deleted_us IS NULL OR :all IS NULL)
			ORDER BY uuid LIMIT :limit`,
	}, {
		Name: "thing", Path: "things/{ref}", Doc: "One thing.", One: true,
		Params: []Param{{Name: "ref"}},
		SQL:    `SELECT uuid, name FROM things WHERE system_uuid = :tenant AND uuid = :ref ORDER BY uuid LIMIT 1`,
	}, {
		Name: "endless", Path: "endless", Doc: "Never done.",
		SQL: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n ORDER BY i LIMIT 1`,
	}, {
		Name: "many", Path: "many", Doc: "Too many rows.",
		SQL: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 20000`,
	}, {
		Name: "huge", Path: "huge", Doc: "Too many bytes.",
		SQL: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT hex(zeroblob(1000000)) AS x FROM n LIMIT 100`,
	}, {
		Name: "broken", Path: "broken", Doc: "Not what its columns promise.",
		SQL: `SELECT 'no' AS x_json FROM things LIMIT 1`,
	}},
}

func foldThing(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != "test" {
		return nil
	}
	var data struct {
		Name string
		Bad  bool
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	if data.Bad {
		return fmt.Errorf("%w: name: it is bad", schemas.ErrInvalid)
	}
	before, err := tx.Get(`SELECT name FROM things WHERE uuid = ?`, e.Subject)
	if err != nil {
		return err
	}
	var deleted *string
	if e.Route.Verb == "delete" {
		deleted = &e.ID
	}
	err = tx.Exec(`INSERT INTO things (uuid, system_uuid, id, name, seen, deleted_us) VALUES (?, ?, ?, ?, 1, iif(? IS NULL, NULL, ?))
		ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, seen = seen + 1, deleted_us = excluded.deleted_us`,
		e.Subject, e.Route.Tenant, strings.ToLower(e.Subject[:5]), data.Name, deleted, e.Time.UnixMicro())
	if err != nil {
		return err
	}
	if err := tx.Exec(`INSERT INTO tallies VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1`, e.Route.Tenant, e.Route.Verb); err != nil {
		return err
	}
	if before != nil && before.Text(0) == data.Name {
		return nil
	}
	change, err := schemas.NewChange(schemas.MemberChanged, "member", e.Subject, e, nil, e.Data)
	if err != nil {
		return err
	}
	if err := tx.Publish(change); err != nil {
		return err
	}
	return tx.PutFront(e.Route.Tenant, e.Data)
}

const (
	tenantA = "aaaaaaaa-0000-4000-8000-000000000000"
	tenantB = "bbbbbbbb-0000-4000-8000-000000000000"
)

// thing is an event about a thing: verb update, delete or, for one that breaks
// its contract, bad.
func thing(seq int, tenant, verb, uuid, name string) schemas.Recorded {
	data := fmt.Sprintf(`{"Name":%q,"Bad":%t}`, name, verb == "bad")
	return schemas.Recorded{Seq: uint64(seq), Event: schemas.Event{
		ID:      fmt.Sprintf("event-%d", seq),
		Source:  "urn:test",
		Type:    "test.thing." + verb,
		Subject: uuid,
		Time:    time.UnixMicro(1_700_000_000_000_000 + int64(seq)).UTC(),
		Data:    json.RawMessage(data),
		Route:   schemas.Route{Source: "test", Tenant: tenant, Noun: "thing", Verb: verb},
	}}
}

// history is n events from seq 1, the same each time: mostly updates, some
// deletes, some that break their contract.
func history(n int) []schemas.Recorded {
	events := make([]schemas.Recorded, n)
	for i := range events {
		seq := i + 1
		verb := "update"
		switch {
		case seq%17 == 0:
			verb = "delete"
		case seq%23 == 0:
			verb = "bad"
		}
		tenant := tenantA
		if seq*7%3 == 0 {
			tenant = tenantB
		}
		events[i] = thing(seq, tenant, verb, fmt.Sprintf("thing-%04d-%s", seq*seq%(n/3+1), tenant[:1]), fmt.Sprintf("name %d", seq*31%5))
	}
	return events
}

func open(t testing.TB, path string, all ...Projection) *DB {
	t.Helper()
	if all == nil {
		all = []Projection{things}
	}
	d, err := Open(Config{Path: path, Projections: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func openTemp(t testing.TB, all ...Projection) *DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "projections.db"), all...)
}

// apply folds events in batches of the given size.
func apply(t testing.TB, d *DB, size int, events []schemas.Recorded) {
	t.Helper()
	for len(events) > 0 {
		n := min(size, len(events))
		if err := d.Apply(t.Context(), "epoch", events[:n]); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
}

// dumpAll is all rows of all tables but the named ones, as text.
func dumpAll(t testing.TB, d *DB, without ...string) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	var tables []string
	err := d.tx.Each(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`, nil, func(r Row) error {
		tables = append(tables, r.Text(0))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if strings.Contains(strings.Join(without, " "), table) {
			continue
		}
		err := d.tx.Each(`SELECT * FROM "`+table+`"`, nil, func(r Row) error {
			_, err := fmt.Fprintf(&b, "%s %q\n", table, []any{r})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

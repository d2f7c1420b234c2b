package projections

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// frontingEpoch is when the first event of a test history is accepted.
var frontingEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// frontingEvent is event n of a history, by PluralKit's name of its type.
func frontingEvent(n int, name, system, id, data string) schemas.Recorded {
	typ, known := schemas.PluralKitType(name)
	if strings.HasPrefix(name, "switchlog.") {
		typ, known = name, true
	}
	if !known {
		panic(name)
	}
	e := schemas.Event{
		ID: fmt.Sprintf("e%06d", n), Source: schemas.PluralKitSystemURL + system, Type: typ, Subject: id,
		Time: frontingEpoch.Add(time.Duration(n) * time.Second), Route: schemas.PluralKitRoute(typ, system),
	}
	if data != "" {
		e.Data = json.RawMessage(data)
	}
	return schemas.Recorded{Event: e, Seq: uint64(n)}
}

func openFronting(t testing.TB) *DB {
	t.Helper()
	return openTest(t, append(slices.Clone(All), probe))
}

// emptyFronting makes an opened database like new but for its position: opening one
// costs more than all that a random history does in it.
func emptyFronting(t interface{ Fatal(...any) }, db *DB) {
	inFold(t, db, "test", seqOf(db)+1, func(tx *engine.Tx) error {
		for _, p := range All {
			if p.State != nil {
				tx.State(p.Name).Forget()
			}
		}
		tables, err := tx.Rows(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('meta', 'positions')`)
		for _, table := range tables {
			err = errors.Join(err, tx.Exec(`DELETE FROM `+table.Text(0)))
		}
		return err
	})
}

// seqOf is the position's sequence.
func seqOf(db *DB) uint64 {
	p, err := db.Position(context.Background())
	if err != nil {
		panic(err)
	}
	return p.Seq
}

// jsonList is a list of texts as JSON.
func jsonList(list []string) string {
	b, err := json.Marshal(append([]string{}, list...)) // never null
	if err != nil {
		panic(err)
	}
	return string(b)
}

// applyFronting folds the events in the order given, in batches of the sizes
// given, the last of them again and again. Sequences follow that order.
func applyFronting(t interface{ Fatal(...any) }, db *DB, events []schemas.Recorded, cuts ...int) {
	events = slices.Clone(events)
	at := seqOf(db)
	for i := range events {
		events[i].Seq = at + uint64(i+1)
	}
	for len(events) > 0 {
		n := len(events)
		if len(cuts) > 0 {
			n = min(n, cuts[0])
		}
		if len(cuts) > 1 {
			cuts = cuts[1:]
		}
		if err := db.Apply(t.(testing.TB).Context(), "test", events[:n]); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
}

// selectRows is an answer as text: a line for each row, columns joined by |.
func selectRows(t interface{ Fatal(...any) }, db *DB, query string, args ...any) string {
	var b strings.Builder
	eachRow(t, db, query, args, func(_ []string, values []any) {
		for i, v := range values {
			if i > 0 {
				b.WriteString("|")
			}
			if v == nil {
				v = "NULL"
			}
			fmt.Fprint(&b, v)
		}
		b.WriteString("\n")
	})
	return b.String()
}

// frontingRows is everything the projection holds, and what its views say.
func frontingRows(t interface{ Fatal(...any) }, db *DB) string {
	var b strings.Builder
	for _, table := range []string{"switches", "switch_members", "switch_purges", "fronts", "current_fronters", "switch_timeline", "front_intervals"} {
		lines := slices.Sorted(strings.Lines(selectRows(t, db, `SELECT * FROM `+table)))
		fmt.Fprintf(&b, "%s:\n%s", table, strings.Join(lines, ""))
	}
	return b.String()
}

// askFronting answers a named query as JSON, a line for each row.
func askFronting(t interface{ Fatal(...any) }, db *DB, name, system string, params map[string]string) string {
	i := slices.IndexFunc(pluralkit.Fronting.Queries, func(q engine.Query) bool { return q.Name == name })
	q := pluralkit.Fronting.Queries[i]
	args := []any{sql.Named("tenant", system)}
	for _, p := range q.Params {
		given, ok := params[p.Name]
		if !ok {
			given = p.Default
		}
		var v any
		var err error
		switch {
		case given == "":
		case p.Kind == schemas.Time:
			v, err = schemas.ParseTime(given)
		default:
			v = json.Number(given)
			v, err = v.(json.Number).Int64()
		}
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, sql.Named(p.Name, v))
	}
	var b strings.Builder
	eachRow(t, db, q.SQL, args, func(columns []string, values []any) {
		b.WriteString("{")
		for i, column := range columns {
			if column, ok := strings.CutSuffix(column, "_json"); ok {
				fmt.Fprintf(&b, ",%q:%s", column, values[i])
				continue
			}
			v, err := json.Marshal(values[i])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, ",%q:%s", column, v)
		}
		b.WriteString("}\n")
	})
	return strings.ReplaceAll(b.String(), "{,", "{")
}

// frontingOutbox is what the folds had to tell: changes, and entries of the bucket.
func frontingOutbox(t interface{ Fatal(...any) }, db *DB) []schemas.Outgoing {
	out, err := db.Due(t.(testing.TB).Context(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// frontingChange reads a published change back.
func frontingChange(t interface{ Fatal(...any) }, m *schemas.Message) (system, cause string, before, after *schemas.Front) {
	e, err := schemas.ParseMessage(*m)
	if err != nil {
		t.Fatal(err)
	}
	c, err := schemas.Decode[schemas.Change](e)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c.Before, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(c.After, &after); err != nil {
		t.Fatal(err)
	}
	return e.Subject, c.Cause, before, after
}

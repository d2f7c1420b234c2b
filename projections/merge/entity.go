package merge

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// An Entity describes a table whose rows are merged field by field, as
// merge.go does it: the key, and a column for each field a provider sends.
//
// The key begins with the tenant: whatever one tenant's events say, no other's
// row is meant. Every such table has the column versions (what set each field).
// One whose provider can be asked has seen_us (the last sign of life),
// observed_us and observed_id (the newest observation). One with snapshots has
// snapshot_us and snapshot_id, one with deletes has deleted_us, one with absents
// has absent_us besides.
type Entity struct {
	Table     string
	Keys      []string // key columns; the first is the tenant
	Fields    []schemas.Field
	Defaults  map[string]any    // what a CREATE means by leaving a field out, as the column holds it
	Counters  []string          // fields that move with every message; a move of these alone is no change
	Silent    []string          // fields that no create or update carries, but every message
	ColumnOf  map[string]string // fields that are not kept in the column of their name
	Derived   string            // a column that follows from others, see row.derived; empty: there is none
	Shape     []string          // members of the JSON object, in the provider's order; "uuid" is the key, "privacy" the next
	Privacy   []string          // members of its object "privacy"
	Told      bool              // all there is to know is told: nobody can be asked
	Snapshots bool
	Deletes   bool
	Absents   bool // deleted_us follows from what row.settle says

	columns                  []column
	index                    map[string]int // field name → place in columns
	byName                   []int          // places in columns, in the order of names
	read, insert, save, note string         // the SQL made of all this

	// OfTenant is SQL: all rows of a tenant, key columns first, in the order of keys; its
	// parameters are the tenant and how many at most (-1: all).
	OfTenant string
}

type column struct {
	schemas.Field
	column   string // of the table
	fallback any
	counter  bool
	silent   bool
}

// Prepare makes the columns and the SQL. Its result is never changed.
func (en Entity) Prepare() *Entity {
	if len(en.Fields) > maxColumns {
		panic("projections: " + en.Table + " has too many fields")
	}
	en.index = make(map[string]int, len(en.Fields))
	for i, f := range en.Fields {
		c := column{Field: f, column: en.ColumnOf[f.Name], fallback: en.Defaults[f.Name]}
		if c.column == "" {
			c.column = f.Name
			if f.Kind == schemas.Time {
				c.column += "_us"
			}
		}
		c.counter, c.silent = slices.Contains(en.Counters, f.Name), slices.Contains(en.Silent, f.Name)
		en.columns = append(en.columns, c)
		en.index[f.Name] = i
		en.byName = append(en.byName, i)
	}
	slices.SortFunc(en.byName, func(a, b int) int { return strings.Compare(en.columns[a].Name, en.columns[b].Name) })
	en.makeSQL()
	return &en
}

// place is where the field is among columns. Values come in the order of
// fields, so it mostly is the one after the last.
func (en *Entity) place(field string, last int) int {
	if next := last + 1; next < len(en.columns) && en.columns[next].Name == field {
		return next
	}
	i, known := en.index[field]
	if !known {
		panic("projections: " + en.Table + " has no field " + field)
	}
	return i
}

// makeSQL: the order of arguments is that of row.state, with the key before
// it (insert) or after it (save, note).
func (en *Entity) makeSQL() {
	where := " WHERE " + strings.Join(en.Keys, " = ? AND ") + " = ?"
	var state, moving []string
	for _, c := range en.columns {
		state = append(state, c.column)
		if c.counter {
			moving = append(moving, c.column)
		}
	}
	reads := strings.Join(state, ", ")
	state = append(state, "versions")
	derived, absent, deleted, snapshot, observed := "NULL", "NULL", "NULL", "NULL, NULL", "NULL, NULL, NULL"
	if en.Derived != "" {
		state, derived = append(state, en.Derived), en.Derived
	}
	if !en.Told {
		state, observed = append(state, "seen_us", "observed_us", "observed_id"), "observed_us, observed_id, seen_us"
	}
	if en.Absents {
		state, absent = append(state, "absent_us"), "absent_us"
	}
	if en.Deletes {
		state, deleted = append(state, "deleted_us"), "deleted_us"
	}
	if en.Snapshots {
		state, snapshot = append(state, "snapshot_us", "snapshot_id"), "snapshot_us, snapshot_id"
		moving = append(moving, "snapshot_us", "snapshot_id")
	}
	reads += ", versions, " + derived + ", " + snapshot + ", " + observed + ", " + absent + ", " + deleted
	keys := strings.Join(en.Keys, ", ")
	en.read = "SELECT " + reads + " FROM " + en.Table + where
	en.OfTenant = "SELECT " + keys + ", " + reads + " FROM " + en.Table + " WHERE " + en.Keys[0] + " = ? ORDER BY " + keys + " LIMIT ?"
	into := slices.Concat(en.Keys, state)
	en.insert = "INSERT INTO " + en.Table + " (" + strings.Join(into, ", ") + ") VALUES (?" +
		strings.Repeat(", ?", len(into)-1) + ")"
	en.save = "UPDATE " + en.Table + " SET " + strings.Join(state, " = ?, ") + " = ?" + where
	if len(moving) > 0 {
		en.note = "UPDATE " + en.Table + " SET " + strings.Join(moving, " = ?, ") + " = ?" + where
	}
}

// Object is the row as the provider would show it, from values in the order
// of columns. What is not known is null.
func (en *Entity) Object(uuid string, values []any) json.RawMessage {
	b := make([]byte, 0, 1024)
	b = append(b, '{')
	for i, name := range en.Shape {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, name...)
		b = append(b, `":`...)
		switch name {
		case "uuid":
			b = AppendJSON(b, uuid)
		case "privacy":
			b = append(b, '{')
			for i, name := range en.Privacy {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(b, '"')
				b = append(b, name...)
				b = append(b, `":`...)
				b = en.appendValue(b, name, values)
			}
			b = append(b, '}')
		default:
			b = en.appendValue(b, name, values)
		}
	}
	return append(b, '}')
}

func (en *Entity) appendValue(b []byte, name string, values []any) []byte {
	i, known := en.index[name]
	if !known {
		panic("projections: " + en.Table + " has no field " + name)
	}
	switch v := values[i].(type) {
	case nil:
		return append(b, "null"...)
	case string:
		if en.columns[i].Kind == schemas.List {
			return append(b, v...)
		}
		return AppendJSON(b, v)
	case int64:
		switch en.columns[i].Kind {
		case schemas.Bool:
			return strconv.AppendBool(b, v != 0)
		case schemas.Time:
			return AppendJSON(b, schemas.FormatTime(time.UnixMicro(v)))
		}
		return strconv.AppendInt(b, v, 10)
	}
	panic("projections: " + en.Table + "." + name + " holds a value of no kind of ours")
}

// AppendJSON appends a text as a JSON string.
func AppendJSON(b []byte, s string) []byte {
	v, err := json.Marshal(s)
	if err != nil {
		panic("projections: a string that is no JSON: " + err.Error())
	}
	return append(b, v...)
}

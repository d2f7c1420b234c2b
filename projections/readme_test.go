package projections

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// TestReadmeMatchesSchema: README.md has every table and view there is, every
// column with its type, and nothing else. Every table has a primary key whose
// columns cannot be NULL, which Compare relies on, and is STRICT.
func TestReadmeMatchesSchema(t *testing.T) {
	written := readme(t)
	actual := schemaOf(t, openTest(t, All))
	for name, columns := range actual {
		if got, want := written[name], columns; !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, ", "), strings.Join(want, ", "))
		}
	}
	for name := range written {
		if actual[name] == nil {
			t.Errorf("%s is described, and there is none", name)
		}
	}
}

var (
	readmeHead = regexp.MustCompile("^### (table|view) `([a-z_]+)`$")
	readmeRow  = regexp.MustCompile("^\\| `([a-z_]+)` \\| ([A-Z]+) \\| (.+) \\|$")
)

// readme reads the sections of README.md: columns by "table x" or "view x".
func readme(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string][]string{}
	section := ""
	for i, line := range strings.Split(string(text), "\n") {
		head, row := readmeHead.FindStringSubmatch(line), readmeRow.FindStringSubmatch(line)
		switch {
		case head != nil:
			section = head[1] + " " + head[2]
			if written[section] != nil {
				t.Errorf("README.md:%d: %s is described twice", i+1, section)
			}
		case strings.HasPrefix(line, "#"):
			section = ""
		case row != nil && section != "":
			written[section] = append(written[section], row[1]+" "+row[2])
		case strings.HasPrefix(line, "| `") && section != "":
			t.Errorf("README.md:%d: no row of a column: %s", i+1, line)
		}
	}
	return written
}

// schemaOf is the same of a database. A view's column has the type of what it
// shows, or none if it is made; the page then says what comes out: such types
// are not compared, and written as they stand there.
func schemaOf(t *testing.T, d *DB) (actual map[string][]string) {
	t.Helper()
	err := d.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
		actual = schemaSeen(t, tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return actual
}

func schemaSeen(t *testing.T, tx *engine.Tx) map[string][]string {
	t.Helper()
	described := readme(t)
	actual := map[string][]string{}
	err := tx.Each(`SELECT s.type || ' ' || s.name, c.name, c.type, c.pk, c."notnull", s.sql LIKE '% STRICT%'
		FROM sqlite_schema s, pragma_table_info(s.name) c
		WHERE s.type IN ('table', 'view') AND s.name NOT LIKE 'sqlite_%' ORDER BY s.name, c.cid`, nil, func(r engine.Row) error {
		name, column, kind := r.Text(0), r.Text(1), r.Text(2)
		if strings.HasPrefix(name, "table ") && r.Int(5) == 0 {
			t.Errorf("%s is not STRICT", name)
		}
		if n := len(actual[name]); kind == "" && n < len(described[name]) {
			if said, ok := strings.CutPrefix(described[name][n], column+" "); ok {
				kind = said
			}
		}
		actual[name] = append(actual[name], column+" "+kind)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	keyless, err := tx.Get(`SELECT group_concat(s.name) FROM sqlite_schema s WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%'
		AND NOT EXISTS (SELECT 1 FROM pragma_table_info(s.name) c WHERE c.pk > 0)`)
	if err != nil {
		t.Fatal(err)
	}
	if !keyless.Null(0) {
		t.Errorf("no primary key: %s", keyless.Text(0))
	}
	nullable := ""
	err = tx.Each(`SELECT s.name || '.' || c.name FROM sqlite_schema s, pragma_table_info(s.name) c
		WHERE s.type = 'table' AND c.pk > 0 AND NOT c."notnull" AND c.type <> 'INTEGER' AND s.sql NOT LIKE '%WITHOUT ROWID%'`, nil,
		func(r engine.Row) error {
			nullable += fmt.Sprintf(" %s", r.Text(0))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if nullable != "" {
		t.Errorf("a key that may be NULL:%s", nullable)
	}
	return actual
}

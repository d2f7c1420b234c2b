package test

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// database opens the server's database as any program may while it runs.
func (s *server) database() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "projections.db")+"?mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	return db
}

// rows are the answer to a query, a line each, columns joined by "|".
func rows(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	answer, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer answer.Close()
	columns, err := answer.Columns()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for answer.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := answer.Scan(into...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(columns))
		for i, v := range values {
			cells[i] = "NULL"
			if v.Valid {
				cells[i] = v.String
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := answer.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestShellReads: the sqlite3 shell of the machine, often years older than the
// SQLite inside us, reads every table and view while the server runs.
func TestShellReads(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	s.post(samples(t)["15-create_message"])
	s.post(samples(t)["16-create_switch"])
	s.settled()
	for _, name := range rows(t, s.database(), `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`) {
		out, err := exec.Command("sqlite3", "-readonly", filepath.Join(s.dir, "projections.db"), "SELECT count(*) FROM "+name+"; SELECT * FROM "+name).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	Check(s)
}

// checkTables compares the tables after all samples, in the order of their
// names, with what PluralKit's rules say.
func checkTables(t *testing.T, s *server) {
	t.Helper()
	db := s.database()
	for _, c := range []struct{ query, want string }{
		{`SELECT id, name, description, tag, pronouns, color, avatar_url, banner, front_privacy FROM systems`,
			"harbor|Harbour House|We share one keyboard.|\\| HH|they/them|4f8a8b|NULL|NULL|private"},
	} {
		got := strings.Join(rows(t, db, c.query), "\n")
		if got != strings.ReplaceAll(c.want, `\|`, "|") {
			t.Errorf("%s\ngot  %s\nwant %s", c.query, got, c.want)
		}
	}
	if got := rows(t, db, `SELECT count(*) FROM skipped`); fmt.Sprint(got) != "[0]" {
		t.Errorf("skipped: got %v, want none: %v", got, rows(t, db, `SELECT seq, type, reason FROM skipped`))
	}
}

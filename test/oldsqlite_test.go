package test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/projections"

	"switchlog/projections/engine"
)

// leastSQLite is the oldest SQLite that is promised to read the database.
const leastSQLite = "3.37.0"

// TestOldSQLite: the least SQLite that is promised reads every column of every
// table and view as the SQLite inside us does, while the server runs.
func TestOldSQLite(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	for _, name := range []string{"15-create_message", "16-create_switch", "21-update_autoproxy-latch_message"} {
		s.post(samples(t)[name])
	}
	s.settled()
	path := filepath.Join(s.dir, "projections.db")
	compareReaders(t, path, oldReader(t))
	Check(s)
}

// TestOldSQLiteTimes: the same with rows that fill every column, of the first
// and the last year there is and around 1970; and each readable time says what
// the column of microseconds beside it says.
func TestOldSQLiteTimes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "projections.db")
	db, err := projections.Open(engine.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	rw, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer rw.Close()
	times := []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Unix(0, 0),
		time.Date(2024, 2, 29, 1, 2, 3, 4_005_000, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
	for _, table := range rows(t, rw, `SELECT name FROM sqlite_schema WHERE type = 'table'`) {
		for i, at := range times {
			fillRow(t, rw, table, i+1, at.UnixMicro())
		}
	}
	compareReaders(t, path, oldReader(t))
	pairs := 0
	for _, view := range rows(t, rw, `SELECT name FROM sqlite_schema WHERE type = 'view'`) {
		if n := rows(t, rw, `SELECT count(*) FROM `+view)[0]; n == "0" {
			t.Errorf("%s has no row, so nothing was compared (hint: fillRow)", view)
		}
		columns := rows(t, rw, `SELECT name FROM pragma_table_info('`+view+`')`)
		for _, column := range columns {
			if slices.Contains(columns, column+"_us") && column != "duration" {
				pairs++
				checkReadable(t, rw, view, column)
			}
		}
	}
	if pairs < 10 {
		t.Errorf("%d readable columns found, want at least 10", pairs)
	}
}

// fillRow puts a row into a table in which every column has a value, the times
// us and every text the same, so that views which join tables find a partner.
// Nothing in it is deleted or replaced: views leave out what is.
func fillRow(t *testing.T, db *sql.DB, table string, n int, us int64) {
	t.Helper()
	var columns, values []string
	for _, line := range rows(t, db, `SELECT name || '|' || type FROM pragma_table_info('`+table+`')`) {
		name, kind, _ := strings.Cut(line, "|")
		value := fmt.Sprintf("'k%d'", n)
		switch {
		case slices.Contains([]string{"deleted_us", "absent_us", "removed_us", "deauthorized_us", "real_uuid"}, name):
			value = "NULL"
		case strings.HasSuffix(name, "_us"):
			value = fmt.Sprint(us)
		case name == "seq":
			value = fmt.Sprint(n)
		case name == "members":
			value = fmt.Sprintf(`'["k%d"]'`, n)
		case kind == "INTEGER":
			value = "1"
		case kind == "REAL":
			value = "1.5"
		case kind == "BLOB":
			value = "x'00ff'"
		}
		columns, values = append(columns, name), append(values, value)
	}
	statement := fmt.Sprintf(`INSERT OR REPLACE INTO %s (%s) VALUES (%s)`, table, strings.Join(columns, ", "), strings.Join(values, ", "))
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// checkReadable compares a readable time with the microseconds beside it.
func checkReadable(t *testing.T, db *sql.DB, view, column string) {
	t.Helper()
	answer, err := db.Query(fmt.Sprintf(`SELECT %[1]s_us, %[1]s FROM %[2]s`, column, view))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	for answer.Next() {
		var us sql.NullInt64
		var got, want sql.NullString
		if err := answer.Scan(&us, &got); err != nil {
			t.Fatal(err)
		}
		if us.Valid {
			want = sql.NullString{String: time.UnixMicro(us.Int64).UTC().Format("2006-01-02T15:04:05.000000Z"), Valid: true}
		}
		if got != want {
			t.Errorf("%s.%s of %d: got %v, want %v", view, column, us.Int64, got, want)
		}
	}
	if err := answer.Err(); err != nil {
		t.Fatal(err)
	}
}

// oldReader builds the program that reads a database with the least SQLite.
func oldReader(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "oldsqlite")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "sqlite_json", "-o", bin, ".")
	build.Dir = "oldsqlite"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s (hint: go -C test/oldsqlite mod download)", err, out)
	}
	return bin
}

// compareReaders holds what the old reader says of every table and view against
// what our own SQLite says.
func compareReaders(t *testing.T, path, old string) {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), old, path)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("SQLite %s: %v: %s", leastSQLite, err, complaint.String())
	}
	version, theirs, _ := strings.Cut(string(out), "\n")
	if version != leastSQLite {
		t.Fatalf("the old reader has SQLite %s, want %s", version, leastSQLite)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range rows(t, db, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`) {
		columns := rows(t, db, `SELECT name FROM pragma_table_info('`+name+`') ORDER BY cid`)
		var got []string
		for line := range strings.Lines(theirs) {
			var row struct {
				Name   string   `json:"name"`
				Values []string `json:"values"`
			}
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if row.Name == name {
				got = append(got, strings.Join(row.Values, " | "))
			}
		}
		want := rows(t, db, `SELECT quote("`+strings.Join(columns, `") || ' | ' || quote("`)+`") FROM "`+name+`"`)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s (%s):\nSQLite %s reads\n%s\nours\n%s", name, strings.Join(columns, " | "), leastSQLite,
				strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

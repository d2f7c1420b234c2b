// Command oldsqlite prints every row of every table and view of a database, as
// SQLite 3.37 reads them: first a line with the version, then for each row one
// line of JSON, {"name": table or view, "values": [values as SQLite's quote()]}.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	_ "github.com/mattn/go-sqlite3"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: oldsqlite FILE")
		os.Exit(2)
	}
	if err := dump(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dump(path string) error {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var version string
	if err := db.QueryRow(`SELECT sqlite_version()`).Scan(&version); err != nil {
		return err
	}
	fmt.Println(version)
	names, err := texts(db, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := dumpOne(db, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func dumpOne(db *sql.DB, name string) error {
	columns, err := texts(db, `SELECT 'quote("' || name || '")' FROM pragma_table_info('`+name+`') ORDER BY cid`)
	if err != nil {
		return err
	}
	rows, err := db.Query(`SELECT ` + strings.Join(columns, ", ") + ` FROM "` + name + `"`)
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]string, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		line, err := json.Marshal(map[string]any{"name": name, "values": values})
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return rows.Err()
}

func texts(db *sql.DB, query string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

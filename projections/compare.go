package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"switchlog/schemas"
)

// maxDifferences is how many differences are told one by one.
const maxDifferences = 100

// Comparison is what Compare found.
type Comparison struct {
	Rows  int64        // rows of the live database that were compared
	Total int64        // rows that differ
	First []Difference // the first 100 of them
}

// Difference is one row that is not the same in both.
type Difference struct {
	Table   string
	Key     string          // the primary key; its columns joined by /
	Live    json.RawMessage // the row as an object, in the live database; null: not there
	Rebuilt json.RawMessage // and in the scratch
}

// Compare holds every row of every table against the scratch's, both ways
// (Law 7). The outbox is left out, and so is the wording of skipped.reason,
// which is the JSON decoder's. Both must be at the same position, else
// ErrApart, and of the same version, else ErrStale.
//
// SQLite compares, in one pass over each table, in its own memory; rows come
// up here only if they differ. Folding goes on meanwhile: this reads one state
// of the live file. The scratch must not be folded on.
func (d *DB) Compare(ctx context.Context, scratch *DB) (Comparison, error) {
	var c Comparison
	if d.stale() {
		return c, fmt.Errorf("projections: compare: %w", ErrStale)
	}
	err := d.both(ctx, scratch, func(tx *Tx) error {
		tables, err := tx.tables(ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := c.table(ctx, tx, t); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return Comparison{}, fmt.Errorf("projections: compare: %w", d.fault(err))
	}
	return c, nil
}

// both opens a connection that reads the live file as main and the scratch as
// rebuilt, each held at one state, and the same position.
func (d *DB) both(ctx context.Context, scratch *DB, fn func(*Tx) error) (err error) {
	tx, err := openReader(d.cfg.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.close()) }()
	other := "file:" + (&url.URL{Path: scratch.cfg.Path}).EscapedPath() + "?mode=ro"
	if err := tx.Exec(`ATTACH ? AS rebuilt`, other); err != nil {
		return err
	}
	return tx.snapshot(ctx, func(live schemas.Position) error {
		const sql = `SELECT seq, event_id, epoch FROM rebuilt.positions WHERE name = 'projections'`
		return tx.each(ctx, sql, nil, nil, func(r Row) error {
			if rebuilt := position(r); rebuilt != live {
				return fmt.Errorf("%w: live at %d (%s), rebuilt at %d (%s)", ErrApart, live.Seq, live.ID, rebuilt.Seq, rebuilt.ID)
			}
			if err := fn(tx); err != nil {
				return err
			}
			return io.EOF
		})
	})
}

// table is what Compare must know of one.
type table struct {
	name    string
	columns []string // that are compared
	key     []string
}

// tables lists the tables to be compared.
func (tx *Tx) tables(ctx context.Context) ([]table, error) {
	var tables []table
	err := tx.each(ctx, `SELECT t.name, c.name, c.pk
		FROM main.sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT IN ('positions', 'outbox', 'meta')
		ORDER BY t.name, c.cid`, nil, nil, func(r Row) error {
		name, column := r.Text(0), r.Text(1)
		if len(tables) == 0 || tables[len(tables)-1].name != name {
			tables = append(tables, table{name: name})
		}
		t := &tables[len(tables)-1]
		if name != "skipped" || column != "reason" {
			t.columns = append(t.columns, column)
		}
		if r.Int(2) > 0 {
			t.key = append(t.key, column)
		}
		return nil
	})
	return tables, err
}

// table compares one table.
func (c *Comparison) table(ctx context.Context, tx *Tx, t table) error {
	if len(t.key) == 0 {
		panic("projections: table " + t.name + " has no primary key")
	}
	live, rebuilt := "main."+quote(t.name), "rebuilt."+quote(t.name)
	err := tx.each(ctx, `SELECT count(*) FROM `+live, nil, nil, func(r Row) error {
		c.Rows += r.Int(0)
		return nil
	})
	if err != nil {
		return err
	}
	differ := make([]string, len(t.columns))
	for i, column := range t.columns {
		differ[i] = fmt.Sprintf("l.%[1]s IS NOT r.%[1]s COLLATE BINARY", quote(column))
	}
	err = c.collect(ctx, tx, t, `SELECT `+t.keyOf("l")+`, `+t.object("l")+`, iif(`+missing("r", t)+`, NULL, `+t.object("r")+`)
		FROM `+live+` l LEFT JOIN `+rebuilt+` r ON `+t.same()+`
		WHERE `+missing("r", t)+` OR `+strings.Join(differ, " OR "))
	if err != nil {
		return err
	}
	return c.collect(ctx, tx, t, `SELECT `+t.keyOf("r")+`, NULL, `+t.object("r")+`
		FROM `+rebuilt+` r LEFT JOIN `+live+` l ON `+t.same()+`
		WHERE `+missing("l", t))
}

// collect notes the rows of an answer: key, live, rebuilt.
func (c *Comparison) collect(ctx context.Context, tx *Tx, t table, query string) error {
	return tx.each(ctx, query, nil, nil, func(r Row) error {
		c.Total++
		if len(c.First) < maxDifferences {
			c.First = append(c.First, Difference{Table: t.name, Key: r.Text(0), Live: object(r, 1), Rebuilt: object(r, 2)})
		}
		return nil
	})
}

func object(r Row, i int) json.RawMessage {
	if r.Null(i) {
		return json.RawMessage("null")
	}
	return json.RawMessage(r.Text(i))
}

// missing is true if a row of a side was not found.
func missing(side string, t table) string { return side + "." + quote(t.key[0]) + " IS NULL" }

// same is true for two rows of the same key.
func (t table) same() string {
	parts := make([]string, len(t.key))
	for i, column := range t.key {
		parts[i] = fmt.Sprintf("l.%[1]s = r.%[1]s", quote(column))
	}
	return strings.Join(parts, " AND ")
}

func (t table) keyOf(side string) string {
	parts := make([]string, len(t.key))
	for i, column := range t.key {
		parts[i] = side + "." + quote(column)
	}
	return "concat_ws('/', " + strings.Join(parts, ", ") + ")"
}

// object is a row as JSON. JSON has no bytes: they are shown in hexadecimal.
func (t table) object(side string) string {
	parts := make([]string, len(t.columns))
	for i, column := range t.columns {
		value := side + "." + quote(column)
		parts[i] = fmt.Sprintf("'%s', iif(typeof(%[2]s) = 'blob', hex(%[2]s), %[2]s)", strings.ReplaceAll(column, "'", "''"), value)
	}
	return "json_object(" + strings.Join(parts, ", ") + ")"
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

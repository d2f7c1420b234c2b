package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	p, err := d.pair(ctx, scratch)
	if err != nil {
		return Comparison{}, err
	}
	c, err := p.compare(ctx)
	return c, errors.Join(err, p.close())
}

// A pair is two read snapshots at one position: of the live file as main, and of a
// scratch as rebuilt. The live file may be folded on while they are compared.
type pair struct {
	d        *DB
	tx       *Tx
	position schemas.Position
}

// pair takes the snapshots; the caller closes them.
func (d *DB) pair(ctx context.Context, scratch *DB) (_ *pair, err error) {
	if d.stale() {
		return nil, fmt.Errorf("projections: compare: %w", ErrStale)
	}
	if err := scratch.settle(); err != nil {
		return nil, fmt.Errorf("projections: compare: %w", err)
	}
	tx, err := openReader(d.cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("projections: compare: %w", d.fault(err))
	}
	p := &pair{d: d, tx: tx}
	if err := p.begin(ctx, scratch.cfg.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("projections: compare: %w", d.fault(err)), tx.close())
	}
	return p, nil
}

// begin reads a row of each file in one transaction, which holds both as they are.
func (p *pair) begin(ctx context.Context, scratch string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	other := "file:" + (&url.URL{Path: scratch}).EscapedPath() + "?mode=ro"
	if err := p.tx.Exec(`ATTACH ? AS rebuilt`, other); err != nil {
		return err
	}
	if err := p.tx.Exec(`BEGIN`); err != nil {
		return err
	}
	live, err := p.tx.Get(positionSQL)
	if err != nil {
		return err
	}
	rebuilt, err := p.tx.Get(`SELECT seq, event_id, epoch FROM rebuilt.positions WHERE name = 'projections'`)
	if err != nil {
		return err
	}
	if live == nil || rebuilt == nil {
		return errNoPosition
	}
	p.position = position(live)
	if r := position(rebuilt); r != p.position {
		return fmt.Errorf("%w: live at %d (%s), rebuilt at %d (%s)", ErrApart, p.position.Seq, p.position.ID, r.Seq, r.ID)
	}
	return nil
}

func (p *pair) compare(ctx context.Context) (Comparison, error) {
	var c Comparison
	tables, err := p.tx.tables(ctx)
	if err != nil {
		return c, fmt.Errorf("projections: compare: %w", p.d.fault(err))
	}
	for _, t := range tables {
		if err := c.table(ctx, p.tx, t); err != nil {
			return Comparison{}, fmt.Errorf("projections: compare: table %s: %w", t.name, p.d.fault(err))
		}
	}
	return c, nil
}

func (p *pair) close() error { return p.tx.close() }

// table is what Compare must know of one.
type table struct {
	name    string
	columns []string // that are compared
	key     []string
	of      string // kind of the source whose events make it; known to explain
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

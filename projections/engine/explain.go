package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// maxCauses is how many events Explain gives: the latest.
const maxCauses = 10_000

// A Subject is a row that a person asks about.
type Subject struct {
	Table  string
	Key    string // the columns of its key after the tenant, joined by /
	Source string // kind of the source whose events make the row
	Tenant string // and which tenant's
}

// Subjects finds the rows of a table that a key means: those of different
// tenants, if more than one has it. None: there is no such row.
//
// The key is the columns of the primary key joined by /; the tenant, which is the
// first, may be left out. Where rows have a short id (see [Projection] ShortID) that
// does as well. A table there is not, and a short id that more than one row of a
// tenant has, are schemas.ErrInvalid.
func (d *DB) Subjects(ctx context.Context, table, key string) ([]Subject, error) {
	p, own := d.projectionOf(table)
	if !own {
		return nil, fmt.Errorf("explain: %w: there is no table %q that events make", schemas.ErrInvalid, Clip(table))
	}
	var found []Subject
	err := d.read(ctx, func(tx *Tx, _ schemas.Position) error {
		t, err := tx.tableOf(ctx, table, p)
		if err != nil {
			return err
		}
		if found, err = tx.subjects(t, p, t.rest()+` = ?`, key); err != nil || len(found) > 0 {
			return err
		}
		if found, err = tx.subjects(t, p, t.whole()+` = ?`, key); err != nil || len(found) > 0 || !hasShortID(t, p) {
			return err
		}
		id, ok := p.ShortID(key)
		if !ok {
			return nil
		}
		found, err = tx.subjects(t, p, `id = ? AND (deleted_us IS NULL OR NOT EXISTS
			(SELECT 1 FROM `+quote(table)+` o WHERE o.`+quote(t.key[0])+` = t.`+quote(t.key[0])+` AND o.id = t.id AND o.deleted_us IS NULL))`, id)
		for i := 1; i < len(found); i++ {
			if found[i].Tenant == found[i-1].Tenant {
				return fmt.Errorf("%w: more than one row had the short id %s (hint: give the uuid)", schemas.ErrInvalid, id)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", Clip(table), err)
	}
	return found, nil
}

// KeyOf says what a key of a table looks like to Subjects: the columns after the
// tenant, joined by /. A table there is not is schemas.ErrInvalid.
func (d *DB) KeyOf(ctx context.Context, table string) (key string, shortID bool, err error) {
	p, own := d.projectionOf(table)
	if !own {
		return "", false, fmt.Errorf("explain: %w: there is no table %q that events make", schemas.ErrInvalid, Clip(table))
	}
	err = d.read(ctx, func(tx *Tx, _ schemas.Position) error {
		t, err := tx.tableOf(ctx, table, p)
		if err != nil {
			return err
		}
		key, shortID = strings.Join(t.restColumns(), "/"), hasShortID(t, p)
		return nil
	})
	return key, shortID, err
}

// maxSubjects is how many tenants' rows one key may mean.
const maxSubjects = 100

func (tx *Tx) subjects(t table, p Projection, where, key string) ([]Subject, error) {
	var found []Subject
	rows, err := tx.Rows(`SELECT `+t.tenant()+`, `+t.rest()+`, `+t.kind()+` FROM `+quote(t.name)+` t WHERE `+where+` ORDER BY 1, 2 LIMIT ?`, key, maxSubjects)
	for _, r := range rows {
		s := Subject{Table: t.name, Key: r.Text(1), Source: p.Source, Tenant: r.Text(0)}
		if kind := r.Text(2); kind != "" {
			s.Source = kind
		}
		found = append(found, s)
	}
	return found, err
}

// Explain gives the log sequences of the events that made or changed a row, in
// order; the latest 10,000 if there are more. The tenant's events come in the order
// of the log. A change of bookkeeping alone (see [Projection] Quiet) does not count.
func (d *DB) Explain(ctx context.Context, s Subject, events iter.Seq2[schemas.Recorded, error]) ([]uint64, error) {
	p, _ := d.projectionOf(s.Table)
	var causes []uint64
	var was Row
	err := d.Watch(ctx, s, events, p.Quiet, func(e schemas.Recorded, _ []string, row Row) error {
		if !reflect.DeepEqual(row, was) {
			causes, was = append(causes, e.Seq), row
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if more := len(causes) - maxCauses; more > 0 {
		causes = causes[more:]
	}
	return causes, nil
}

// Watch folds one tenant's events, which come in the order of the log, in memory,
// and calls fn after each with the row as it is then: all columns but some, and
// their names. As long as there is no such row it is nil.
func (d *DB) Watch(ctx context.Context, s Subject, events iter.Seq2[schemas.Recorded, error], without []string,
	fn func(e schemas.Recorded, columns []string, row Row) error,
) (err error) {
	m, err := d.FoldTenant(s.Source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	p, _ := d.projectionOf(s.Table)
	t, err := m.db.tx.tableOf(ctx, s.Table, p)
	if err != nil {
		return err
	}
	columns := slices.DeleteFunc(slices.Clone(t.columns), func(c string) bool { return slices.Contains(without, c) })
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	query := `SELECT ` + strings.Join(quoted, ", ") + ` FROM ` + quote(t.name) + ` WHERE ` + t.tenant() + ` = ? AND ` + t.rest() + ` = ?`
	for e, err := range events {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = m.Fold(e)
		}
		var row Row
		if err == nil {
			row, err = m.db.tx.Get(query, s.Tenant, s.Key)
		}
		if err == nil {
			err = fn(e, columns, row)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var createTable = regexp.MustCompile(`(?m)^\s*CREATE TABLE (\w+)`)

// projectionOf is the projection that owns a table.
func (d *DB) projectionOf(table string) (Projection, bool) {
	for _, p := range d.cfg.Projections {
		for _, made := range createTable.FindAllStringSubmatch(p.Schema, -1) {
			if made[1] == table {
				return p, true
			}
		}
	}
	return Projection{}, false
}

// tableOf is what there is to know of one table.
func (tx *Tx) tableOf(ctx context.Context, name string, p Projection) (table, error) {
	tables, err := tx.tables(ctx)
	for _, t := range tables {
		if t.name == name {
			t.of = p.Source
			return t, err
		}
	}
	return table{}, errors.Join(err, fmt.Errorf("%w: there is no table %q", schemas.ErrInvalid, Clip(name)))
}

// tenant is the column that says whose a row is: the first of the key, unless
// that is the kind of the source. What is about ourselves has one tenant.
func (t table) tenant() string {
	if t.of == schemas.SelfSource {
		return "'" + schemas.SelfTenant + "'"
	}
	if t.key[0] == "source" && slices.Contains(t.columns, "tenant") {
		return quote("tenant")
	}
	return quote(t.key[0])
}

// kind is the column that says of which kind of source a row is; empty: its
// projection says it.
func (t table) kind() string {
	if t.key[0] == "source" && slices.Contains(t.columns, "tenant") {
		return quote("source")
	}
	return "''"
}

// rest is the key after the tenant; of a table with one row for a tenant, the key.
func (t table) rest() string { return joined(t.restColumns()) }

func (t table) restColumns() []string {
	key := slices.DeleteFunc(slices.Clone(t.key), func(c string) bool {
		return quote(c) == t.tenant() || quote(c) == t.kind()
	})
	if len(key) == 0 {
		key = t.key
	}
	return key
}

func (t table) whole() string { return joined(t.key) }

func joined(columns []string) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = quote(c)
	}
	return strings.Join(parts, " || '/' || ")
}

// hasShortID reports whether rows have a short id.
func hasShortID(t table, p Projection) bool {
	return p.ShortID != nil && slices.Contains(t.columns, "id")
}

// A Memory is the rows that one tenant's events make, in memory.
type Memory struct{ db *DB }

// FoldTenant makes an empty database in memory, into which one tenant's events
// are folded by the same handlers as into the file: what was true at any position
// can be asked of it. Nothing is sent, and no deliveries are made. It is used by
// one goroutine at a time; the caller closes it.
func (d *DB) FoldTenant(source string) (*Memory, error) {
	var own []Projection
	for _, p := range d.cfg.Projections {
		if p.Source != source {
			p.Handlers = nil
		}
		if p.State != nil {
			if _, listens := p.State().(Listener); listens {
				p.State = nil
			}
		}
		own = append(own, p)
	}
	m := &DB{
		cfg:      Config{Path: ":memory:", Projections: own, Log: d.cfg.Log},
		version:  d.version,
		queries:  index(own),
		metrics:  newMetrics(nil),
		handlers: newHandlers(own),
		moved:    make(chan struct{}),
		silent:   true,
	}
	if err := m.begin("_synchronous=OFF&_journal_mode=MEMORY"); err != nil {
		return nil, err
	}
	return &Memory{db: m}, nil
}

// Fold folds one event; one that was folded already is passed over.
func (m *Memory) Fold(e schemas.Recorded) error {
	return m.db.Apply(context.Background(), "memory", []schemas.Recorded{e})
}

// Ask answers a query of the tenant's source as [DB.Ask] does.
func (m *Memory) Ask(ctx context.Context, source, name string, params map[string]string) (Answer, error) {
	q, args, err := m.db.query(source, name, params)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Position: m.db.position()}
	return a, a.read(ctx, m.db.tx, q, args, time.Now())
}

// Close gives up the memory.
func (m *Memory) Close() error { return m.db.tx.close() }

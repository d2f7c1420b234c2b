package projections

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Folding is mostly reading a row, changing it a little and writing it back,
// and a few hundred rows have most of the events. So a Tx holds the rows of
// entities that it has seen, and writes those that changed when it must: before
// a statement that reads their table, before a transaction ends, and when there
// are too many. Nothing outside of a transaction can tell the difference.
//
// What is held is true for as long as nobody else writes to the file, which
// [DB.Apply] makes sure of; whenever a transaction is undone, all of it is
// forgotten.

// maxKeptRows is how many rows are remembered: about 1.5 kB each, so 12 MB.
const maxKeptRows = 8192

// maxTouches is how many notes of Touch wait at once.
const maxTouches = 32_768

// A memory is what a Tx remembers of the tables.
type memory struct {
	tables  map[string]*keptTable
	rows    int
	touches []touch
}

type keptTable struct {
	rows    map[string]*keptRow // by key
	waiting []*keptRow          // those to be written
}

// A keptRow is a row of an entity as it is after the events so far.
type keptRow struct {
	key    string
	row    row
	stored bool    // the file has a row, if an older one
	change writing // what of it is not in the file
}

// writing says how much of a row is to be written.
type writing int

const (
	nothing  writing = iota
	counters         // what moves with every message, see entity
	whole
)

type touch struct {
	table, key string
	seq        int64
}

func (m *memory) empty() bool { return m.rows == 0 && len(m.touches) == 0 }

func (m *memory) table(name string) *keptTable {
	t := m.tables[name]
	if t == nil {
		if m.tables == nil {
			m.tables = make(map[string]*keptTable)
		}
		t = &keptTable{rows: make(map[string]*keptRow)}
		m.tables[name] = t
	}
	return t
}

func (m *memory) add(t *keptTable, r *keptRow) {
	t.rows[r.key] = r
	m.rows++
}

// drop forgets the rows of a table.
func (m *memory) drop(table string) {
	if t := m.tables[table]; t != nil {
		m.rows -= len(t.rows)
		delete(m.tables, table)
	}
}

// keptKey is the key of a row in one string; different keys give different
// ones, whatever is in them.
func keptKey(key []string) string {
	if len(key) == 1 {
		return key[0]
	}
	var b []byte
	for _, part := range key {
		b = append(append(append(b, part...), 0), strconv.Itoa(len(part))...)
	}
	return string(b)
}

// find is the row of en under key as it is now: nil if there is none.
func (tx *Tx) find(en *entity, key []string) (*keptRow, error) {
	t, k := tx.kept.table(en.table), keptKey(key)
	if r := t.rows[k]; r != nil {
		return r, nil
	}
	args := make([]any, len(key))
	for i, part := range key {
		args[i] = part
	}
	stmt, err := tx.prepare(en.read)
	if err != nil {
		return nil, err
	}
	got, err := stmt.first(args)
	if err != nil || got == nil {
		return nil, err
	}
	read, err := en.scan(got, key)
	if err != nil {
		return nil, err
	}
	r := &keptRow{key: k, row: *read, stored: true}
	tx.kept.add(t, r)
	return r, nil
}

// look is the row of en under key as it is now, to be read only: nil if there
// is none, or it is another tenant's.
func (tx *Tx) look(en *entity, tenant string, key ...string) (*row, error) {
	h, err := tx.find(en, key)
	if err != nil || h == nil || h.row.tenant != tenant {
		return nil, err
	}
	return &h.row, nil
}

// keep holds the row as an event left it, to be written later.
func (tx *Tx) keep(r *row, change writing) {
	t, k := tx.kept.table(r.of.table), keptKey(r.key)
	h := t.rows[k]
	if h == nil {
		h = &keptRow{key: k}
		tx.kept.add(t, h)
	}
	if h.change == nothing {
		t.waiting = append(t.waiting, h)
	}
	r.sharedValues, r.sharedVersions = true, true
	h.row, h.change = *r, max(h.change, change)
}

// settle writes what waits for a table, in the order of keys: rows that are
// neighbours in the file are then written together.
func (tx *Tx) settle(table string) error {
	if table == "entity_events" {
		return tx.settleTouches()
	}
	t := tx.kept.tables[table]
	if t == nil || len(t.waiting) == 0 {
		return nil
	}
	slices.SortFunc(t.waiting, func(a, b *keptRow) int { return strings.Compare(a.key, b.key) })
	for _, h := range t.waiting {
		if err := tx.store(h); err != nil {
			return err
		}
	}
	clear(t.waiting)
	t.waiting = t.waiting[:0]
	return nil
}

func (tx *Tx) store(h *keptRow) error {
	r := &h.row
	query, args := r.of.note, []any(nil)
	switch {
	case !h.stored:
		query, args = r.of.insert, r.keyArgs()
		if r.of.owned {
			args = append(args, r.tenant)
		}
		args = append(args, r.state()...)
	case h.change == whole:
		query, args = r.of.save, append(r.state(), r.keyArgs()...)
	default:
		args = append(r.moving(), r.keyArgs()...)
	}
	stmt, err := tx.prepare(query)
	if err == nil {
		err = stmt.run(args)
	}
	h.stored, h.change = true, nothing
	return err
}

// settleAll writes everything that waits.
func (tx *Tx) settleAll() error {
	tables := make([]string, 0, len(tx.kept.tables))
	for name := range tx.kept.tables {
		tables = append(tables, name)
	}
	slices.Sort(tables)
	for _, name := range tables {
		if err := tx.settle(name); err != nil {
			return err
		}
	}
	return tx.settleTouches()
}

// trim keeps within the limits; it is called between events.
func (tx *Tx) trim() error {
	if tx.kept.rows <= maxKeptRows && len(tx.kept.touches) <= maxTouches {
		return nil
	}
	if err := tx.settleAll(); err != nil {
		return err
	}
	tx.kept = memory{touches: tx.kept.touches}
	return nil
}

// Touch notes that the event made or changed the row of table under key; this
// is what explain tells. A second note of the same row changes nothing.
func (tx *Tx) Touch(table, key string) error {
	tx.kept.touches = append(tx.kept.touches, touch{table, key, int64(tx.event.Seq)})
	return nil
}

// touchRows is how many notes one statement writes.
const touchRows = 50

var (
	touchSQL     = `INSERT OR IGNORE INTO entity_events (table_name, key, seq) VALUES (?, ?, ?)`
	manyTouchSQL = touchSQL + strings.Repeat(`, (?, ?, ?)`, touchRows-1)
)

func (tx *Tx) settleTouches() error {
	touches := tx.kept.touches
	slices.SortFunc(touches, func(a, b touch) int {
		return cmp.Or(strings.Compare(a.table, b.table), strings.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq))
	})
	args := make([]any, 0, 3*touchRows)
	for len(touches) > 0 {
		n, query := 1, touchSQL
		if len(touches) >= touchRows {
			n, query = touchRows, manyTouchSQL
		}
		args = args[:0]
		for _, t := range touches[:n] {
			args = append(args, t.table, t.key, t.seq)
		}
		stmt, err := tx.prepare(query)
		if err == nil {
			err = stmt.run(args)
		}
		if err != nil {
			return err
		}
		touches = touches[n:]
	}
	clear(tx.kept.touches)
	tx.kept.touches = tx.kept.touches[:0]
	return nil
}

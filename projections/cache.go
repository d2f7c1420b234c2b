package projections

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Folding is mostly reading a row, changing it a little and writing it back,
// and a few hundred rows have most of the events. So a Tx keeps rows that it
// has seen in memory, and writes those that changed when it must: before a
// statement that reads their table, before a transaction ends, and when there
// are too many. Nothing outside of a transaction can tell the difference.
//
// What is kept is true for as long as nobody else writes to the file, which
// [DB.Apply] makes sure of; whenever a transaction is undone, all of it is
// forgotten.

// maxKept is how many rows are kept at most. A member's is the largest, about
// 1.2 kB: so 20 MB if all of them are in use.
const maxKept = 16_384

// maxTouches is how many notes of Touch wait at once.
const maxTouches = 32_768

// kept is a row as it is after the events so far.
type kept interface {
	// store writes what of it is not in the file.
	store(tx *Tx) error
}

// memory is what a Tx keeps of the tables.
type memory struct {
	tables  map[string]*keptTable
	recent  int // how many rows there are in recent of all tables
	touches []touch
}

// keptTable has rows in two generations: when there are too many recent ones,
// they become the older ones, and what is still there of those is forgotten.
type keptTable struct {
	recent, older map[string]*keptRow
	waiting       []*keptRow // those to be written
}

type keptRow struct {
	kept
	table *keptTable
	key   string
	waits bool
}

type touch struct {
	table, key string
	seq        int64
}

// heldIn are tables whose rows are kept as parts of another's.
var heldIn = map[string]string{"switch_stints": "switches"}

func (m *memory) empty() bool { return len(m.tables) == 0 && len(m.touches) == 0 }

// get is the row that is kept; nil: none is.
func (m *memory) get(table, key string) *keptRow {
	t := m.tables[table]
	if t == nil {
		return nil
	}
	r := t.recent[key]
	if r != nil {
		return r
	}
	if r = t.older[key]; r != nil {
		delete(t.older, key)
		t.recent[key] = r
		m.recent++
	}
	return r
}

// add keeps a row.
func (m *memory) add(table, key string, k kept) *keptRow {
	t := m.tables[table]
	if t == nil {
		if m.tables == nil {
			m.tables = make(map[string]*keptTable)
		}
		t = &keptTable{recent: make(map[string]*keptRow)}
		m.tables[table] = t
	}
	r := &keptRow{kept: k, table: t, key: key}
	t.recent[key] = r
	m.recent++
	return r
}

// changed has the row written, in time.
func (r *keptRow) changed() {
	if !r.waits {
		r.table.waiting, r.waits = append(r.table.waiting, r), true
	}
}

// drop forgets the rows of a table.
func (m *memory) drop(table string) {
	if whole, is := heldIn[table]; is {
		table = whole
	}
	if t := m.tables[table]; t != nil {
		m.recent -= len(t.recent)
		delete(m.tables, table)
	}
}

// keptKey is a key of several columns in one string; different keys give
// different ones, whatever is in them.
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

// settle writes what waits for a table, in the order of keys: rows that are
// neighbours in the file are then written together.
func (tx *Tx) settle(table string) error {
	if table == "entity_events" {
		return tx.settleTouches()
	}
	if whole, is := heldIn[table]; is {
		table = whole
	}
	t := tx.kept.tables[table]
	if t == nil || len(t.waiting) == 0 {
		return nil
	}
	slices.SortFunc(t.waiting, func(a, b *keptRow) int { return strings.Compare(a.key, b.key) })
	for _, r := range t.waiting {
		if err := r.store(tx); err != nil {
			return err
		}
		r.waits = false
	}
	clear(t.waiting)
	t.waiting = t.waiting[:0]
	return nil
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
	if tx.kept.recent <= tx.limit/2 && len(tx.kept.touches) <= maxTouches {
		return nil
	}
	if err := tx.settleAll(); err != nil {
		return err
	}
	if tx.kept.recent > tx.limit/2 {
		for _, t := range tx.kept.tables {
			t.older, t.recent = t.recent, make(map[string]*keptRow)
		}
		tx.kept.recent = 0
	}
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
		if err := tx.run(query, args...); err != nil {
			return err
		}
		touches = touches[n:]
	}
	clear(tx.kept.touches)
	tx.kept.touches = tx.kept.touches[:0]
	return nil
}

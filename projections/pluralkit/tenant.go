package pluralkit

import (
	"slices"
	"strconv"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
)

// About what things take in memory.
const (
	tenantBytes = 1000
	switchBytes = 700
)

// A tenant is what is in memory of one system.
//
// If the file had nothing of the system when the tenant was made, whole says
// so: then what is not in memory is nowhere, and nothing needs to be looked up.
type tenant struct {
	state  *pluralKit
	system string
	whole  bool // no row of an entity is in the file alone
	bytes  int

	rows   map[*merge.Entity]*rowSet
	dirty  []*merge.Row        // rows to be written
	tags   map[*merge.Row]bool // members whose rows in proxy_tags are to be written; true: the file may have some
	guilds map[string]bool     // Discord servers in which it was proxied
	seen   []string            // those of guilds that are to be written

	messages []messageRow // to be written

	timeline
}

// rowSet is the rows of one entity that are in memory, by the rest of their
// keys. One that does not exist may be there as well.
type rowSet struct {
	byKey map[string]*merge.Row
	all   bool // the file has no others
}

func newTenant(s *pluralKit, system string, whole bool) *tenant {
	return &tenant{
		state: s, system: system, whole: whole, rows: map[*merge.Entity]*rowSet{}, tags: map[*merge.Row]bool{}, guilds: map[string]bool{},
		timeline: newTimeline(whole),
	}
}

// take notes that the tenant takes so many bytes more.
func (t *tenant) take(bytes int) {
	t.bytes += bytes
	t.state.bytes += bytes
}

// waits reports whether something of the tenant is to be written.
func (t *tenant) waits() bool {
	return len(t.dirty) > 0 || len(t.tags) > 0 || len(t.seen) > 0 || len(t.messages) > 0 || t.timeline.waits()
}

func (t *tenant) set(en *merge.Entity) *rowSet {
	set := t.rows[en]
	if set == nil {
		set = &rowSet{byKey: map[string]*merge.Row{}, all: t.whole}
		t.rows[en] = set
	}
	return set
}

// restOfKey is the key after the tenant, as one string; different keys give
// different ones, whatever is in them.
func restOfKey(key []string) string {
	if len(key) == 2 {
		return key[1]
	}
	var b []byte
	for _, part := range key[1:] {
		b = append(append(append(b, part...), 0), strconv.Itoa(len(part))...)
	}
	return string(b)
}

// row is the row under a key, of which the tenant is left out. It may be one
// that does not exist.
func (t *tenant) row(tx *engine.Tx, en *merge.Entity, rest ...string) (*merge.Row, error) {
	set := t.set(en)
	if len(rest) == 1 {
		if r := set.byKey[rest[0]]; r != nil {
			return r, nil
		}
	}
	key := append([]string{t.system}, rest...)
	name := restOfKey(key)
	if r := set.byKey[name]; r != nil {
		return r, nil
	}
	for i := range rest {
		key[i+1] = strings.Clone(rest[i])
	}
	if set.all {
		return t.add(merge.NewRow(en, key)), nil
	}
	r, err := merge.Load(tx, en, key...)
	if err != nil {
		return nil, err
	}
	return t.add(r), nil
}

func (t *tenant) add(r *merge.Row) *merge.Row {
	t.set(r.Of).byKey[restOfKey(r.Key)] = r
	t.take(200 + 64*len(r.Values))
	return r
}

// every gives all rows of an entity that exist, in the order of their keys.
func (t *tenant) every(tx *engine.Tx, en *merge.Entity) ([]*merge.Row, error) {
	set := t.set(en)
	if !set.all {
		err := tx.Each(en.OfTenant, []any{t.system, -1}, func(got engine.Row) error {
			key := make([]string, len(en.Keys))
			for i := range key {
				key[i] = got.Text(i)
			}
			if set.byKey[restOfKey(key)] != nil {
				return nil
			}
			r, err := en.Scan(got[len(key):], key)
			if err == nil {
				t.add(r)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		set.all = true
	}
	var all []*merge.Row
	for _, r := range set.byKey {
		if r.Exists {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, compareRows)
	return all, nil
}

func compareRows(a, b *merge.Row) int { return slices.Compare(a.Key, b.Key) }

// change lets fn change the row, and has it written in time.
func (t *tenant) change(tx *engine.Tx, r *merge.Row, fn func(*merge.Row)) {
	r.Begin()
	fn(r)
	if r.Finish() {
		tx.Changed()
		if !r.Waits {
			r.Waits, t.dirty = true, append(t.dirty, r)
		}
	}
}

// flush writes what the file has not; rows of switches that are inserted wait for
// more, see flushInserts.
func (t *tenant) flush(tx *engine.Tx) error {
	if err := t.flushRows(tx); err != nil {
		return err
	}
	for _, guild := range t.seen {
		if err := tx.Exec(`INSERT OR IGNORE INTO message_guilds (system_uuid, guild_id) VALUES (?, ?)`, t.system, guild); err != nil {
			return err
		}
	}
	t.seen = t.seen[:0]
	if err := t.storeSwitches(tx); err != nil {
		return err
	}
	t.trim()
	return nil
}

// flushRows writes the rows of entities.
func (t *tenant) flushRows(tx *engine.Tx) error {
	slices.SortFunc(t.dirty, func(a, b *merge.Row) int {
		if a.Of != b.Of {
			return strings.Compare(a.Of.Table, b.Of.Table)
		}
		return compareRows(a, b)
	})
	for _, r := range t.dirty {
		if err := r.Store(tx); err != nil {
			return err
		}
		r.Waits = false
	}
	clear(t.dirty)
	t.dirty = t.dirty[:0]
	for r, had := range t.tags {
		if err := storeTags(tx, r, had); err != nil {
			return err
		}
	}
	clear(t.tags)
	return nil
}

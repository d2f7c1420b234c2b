package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchlog/schemas"
)

// How much a value is to be trusted, by where it is from. PluralKit sends in
// no order, so every field is a register that keeps the value of the highest
// (rank, time, event id), whatever came first (Law 6).
const (
	rankDefault  = iota // what a CREATE means by leaving a field out
	rankSnapshot        // the object inside CREATE_MESSAGE, as of about the message's time, or in a file, as of its newest moment
	rankCreate          // CREATE_*
	rankUpdate          // UPDATE_*, and what the API said: as of when it was asked
)

// A fieldVersion says what set a field.
type fieldVersion struct {
	rank int
	us   int64  // when we accepted the event; of a snapshot, the message's own time; of an observation, when it was asked for
	id   string // of the event; of a snapshot, of the message or of the event of a file
}

func (v fieldVersion) after(w fieldVersion) bool {
	if v.rank != w.rank {
		return v.rank > w.rank
	}
	if v.us != w.us {
		return v.us > w.us
	}
	return v.id > w.id
}

func versionOf(rank int, e schemas.Recorded) fieldVersion {
	return fieldVersion{rank: rank, us: e.Time.UnixMicro(), id: e.ID}
}

// append writes [rank, time, id]: there is one for each field of each row.
func (v fieldVersion) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, '['), int64(v.rank), 10)
	b = strconv.AppendInt(append(b, ','), v.us, 10)
	return append(appendJSON(append(b, ','), v.id), ']')
}

func (v *fieldVersion) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[...]any{&v.rank, &v.us, &v.id})
}

// maxColumns is how many fields an entity has at most: as many as row.explicit
// has bits.
const maxColumns = 64

// A row is a row of an entity's table in memory. An event is merged into it
// between begin and finish.
//
// by and explicit say what set each field. A field whose bit is not in explicit
// was set by the newest observation if there is one, else by the newest snapshot,
// else by nothing (its value is then NULL or a default). Snapshots are by far the
// most frequent, both are nearly always complete, and so they cost no versions at
// all; if one does lack a field, by keeps the version that field had.
//
// A thing is gone if it has a delete event, which is final, or if the API last
// had it not (absent_us) after the last sign of life (seen_us).
type row struct {
	of  *entity
	key []string

	values []any // string, int64 or nil, in the order of columns
	before []any // as they were before this event; the same slice as values until one differs
	spare  []any // room for values when one differs; nil: there is none
	moved  bool  // values is no longer before

	by       []fieldVersion // beside values; nil: explicit is 0
	explicit uint64         // which of by mean anything, by bits
	removed  *fieldVersion  // its own delete event; nil: there was none

	exists           bool
	existed, deleted bool // before this event
	wasDeletedUS     any  // before this event, as deletedUS

	deletedUS, absentUS, seenUS any    // int64 or nil
	ownerUS                     any    // deletedUS of what it belongs to
	observedUS, snapshotUS      any    // int64 or nil
	observedID, snapshotID      string // empty: there was none
	derived                     any    // the column of that name, see entity

	dirty bool // something beside values changed that save must write
	noted bool // the snapshot columns moved

	stored bool    // the file has the row, if an older one
	change writing // what of it is not in the file
	waits  bool    // it is among those to be written
}

// writing says how much of a row is to be written.
type writing int

const (
	nothing  writing = iota
	counters         // what moves with every message, see entity
	whole
)

// newRow is a row that the file has not.
func newRow(en *entity, key []string) *row {
	none := make([]any, len(en.columns))
	return &row{of: en, key: key, before: none, values: none}
}

// checkID refuses an id that no row can have: it would be the subject of a
// change. That must be found out before anybody asks whether one is heard: a
// rebuild has fewer listeners.
func checkID(table, id string) error {
	if id == "" {
		return fmt.Errorf("%w: %s: no id", schemas.ErrInvalid, table)
	}
	if !schemas.IsID(id) {
		return fmt.Errorf("%w: %s: the id %q has spaces around it, control characters or bytes that are not UTF-8", schemas.ErrInvalid, table, clip(id))
	}
	return nil
}

// begin readies the row for the next event.
func (r *row) begin() {
	if r.moved {
		r.before, r.spare, r.moved = r.values, r.before, false
	}
	r.existed, r.deleted, r.wasDeletedUS = r.exists, r.deletedUS != nil, r.deletedUS
	r.ownerUS, r.dirty, r.noted = nil, false, false
}

// scan makes a row of what is read of it, without the key.
func (en *entity) scan(got Row, key []string) (*row, error) {
	n := len(en.columns)
	r := newRow(en, key)
	for i := range n {
		r.values[i] = got[i]
	}
	if text := got.Text(n); text != "{}" {
		var versions map[string]fieldVersion
		if err := json.Unmarshal([]byte(text), &versions); err != nil {
			return nil, fmt.Errorf("%s: versions: %w", en.table, err)
		}
		for name, v := range versions {
			if name == deletion {
				r.removed = &v
				continue
			}
			r.note(en.place(name, -1), v)
		}
	}
	r.derived = got[n+1]
	r.snapshotUS, r.snapshotID = got[n+2], got.Text(n+3)
	r.observedUS, r.observedID = got[n+4], got.Text(n+5)
	r.seenUS, r.absentUS, r.deletedUS = got[n+6], got[n+7], got[n+8]
	r.exists, r.stored, r.dirty = true, true, false
	return r, nil
}

// version is what set column i.
func (r *row) version(i int) fieldVersion {
	if r.has(i) {
		return r.by[i]
	}
	return r.implied(i)
}

// has reports whether column i has a version of its own.
func (r *row) has(i int) bool { return r.explicit&(1<<i) != 0 }

// implied is what set column i if it has no version of its own.
func (r *row) implied(i int) fieldVersion {
	switch {
	case r.observes(i):
		return fieldVersion{rank: rankUpdate, us: r.observedUS.(int64), id: r.observedID}
	case r.snapshotID != "":
		return fieldVersion{rank: rankSnapshot, us: r.snapshotUS.(int64), id: r.snapshotID}
	}
	return fieldVersion{}
}

// observes reports whether column i is implied to be from an observation.
func (r *row) observes(i int) bool { return r.observedID != "" && !r.of.columns[i].silent }

// set merges values that were all set by v: those win that are newer than
// what is there.
func (r *row) set(values []schemas.Value, v fieldVersion) {
	i := -1
	for _, val := range values {
		i = r.of.place(val.Field.Name, i)
		if v.after(r.version(i)) {
			r.put(i, val.Value)
			r.remember(i, v)
		}
	}
}

// observe merges the values of a whole object as the API showed it, when it
// was asked. A field that no update ever carries is taken for a snapshot's:
// else the messages after it could not move it on.
func (r *row) observe(values []schemas.Value, us int64, id string) {
	v, silent := fieldVersion{rank: rankUpdate, us: us, id: id}, fieldVersion{rank: rankSnapshot, us: us, id: id}
	old := fieldVersion{rank: rankUpdate, id: r.observedID}
	old.us, _ = r.observedUS.(int64)
	if v.after(old) {
		for i, c := range r.of.columns {
			if !r.has(i) && !c.silent {
				r.note(i, r.implied(i))
			}
		}
		r.observedUS, r.observedID, r.dirty = us, id, true
	}
	for _, val := range values {
		by := v
		if r.of.columns[r.column(val.Field.Name)].silent {
			by = silent
		}
		r.set([]schemas.Value{val}, by)
	}
	r.see(us)
}

// see notes a sign of life.
func (r *row) see(us int64) {
	if old, was := r.seenUS.(int64); !was || us > old {
		r.seenUS, r.dirty = us, true
	}
}

// miss notes that the API had it not when it was asked.
func (r *row) miss(us int64) {
	if old, was := r.absentUS.(int64); !was || us > old {
		r.absentUS, r.dirty = us, true
	}
}

// snapshot merges the values of a whole object as a message showed it.
func (r *row) snapshot(values []schemas.Value, us int64, id string) {
	v, old := fieldVersion{rank: rankSnapshot, us: us, id: id}, fieldVersion{}
	if r.snapshotID != "" {
		old = fieldVersion{rank: rankSnapshot, us: r.snapshotUS.(int64), id: r.snapshotID}
	}
	if !v.after(old) {
		r.set(values, v) // it may have what a newer one lacked
		return
	}
	var carried uint64 // columns, by bits
	i := -1
	for _, val := range values {
		i = r.of.place(val.Field.Name, i)
		carried |= 1 << i
		if r.version(i).after(v) {
			continue
		}
		r.put(i, val.Value)
		if r.observes(i) {
			r.remember(i, v)
		} else {
			r.forget(i)
		}
	}
	for i := range r.of.columns {
		if carried&(1<<i) == 0 && !r.has(i) && !r.observes(i) {
			r.note(i, old)
		}
	}
	r.snapshotUS, r.snapshotID, r.noted = us, strings.Clone(id), true
}

// imported merges the values of a whole object as a file has it. They weigh
// what a message's do: an update counts for more, also one from before the file,
// since nobody knows how much older a value is than the file; and what messages
// showed later moves it on.
func (r *row) imported(values []schemas.Value, us int64, id string) {
	r.snapshot(values, us, id)
	r.see(us)
}

// fallback gives every field that nothing has set the value a CREATE means by
// leaving it out.
func (r *row) fallback() {
	for i, c := range r.of.columns {
		if c.fallback != nil && r.version(i).rank == rankDefault {
			r.put(i, c.fallback)
		}
	}
}

// deletion is the entry of versions that keeps a delete event. It has the
// name of no field.
const deletion = "deleted_us"

// delete makes the row a tombstone for good. Of several deletes the earliest
// counts.
func (r *row) delete(e schemas.Recorded) {
	v := versionOf(rankUpdate, e)
	if r.removed == nil || r.removed.after(v) {
		r.removed, r.dirty = &v, true
	}
}

// tombstone is delete where nobody can be asked what is left: us is when, by the
// provider's word.
func (r *row) tombstone(us int64) {
	if old, was := r.deletedUS.(int64); !was || us < old {
		r.deletedUS, r.dirty = us, true
	}
}

// settle makes deleted_us what follows from the rest: the earliest of what
// took it.
func (r *row) settle() {
	gone := r.ownerUS
	if r.removed != nil {
		gone = earlier(gone, r.removed.us)
	}
	seen, _ := r.seenUS.(int64)
	if absent, was := r.absentUS.(int64); was && absent > seen {
		gone = earlier(gone, absent)
	}
	if gone != r.deletedUS {
		r.deletedUS, r.dirty = gone, true
	}
}

// earlier is the earlier of two times; nil: never.
func earlier(old any, us int64) any {
	if was, is := old.(int64); is && was < us {
		return old
	}
	return us
}

func (r *row) column(field string) int { return r.of.place(field, -1) }

func (r *row) remember(i int, v fieldVersion) {
	if v == r.implied(i) {
		r.forget(i)
		return
	}
	r.note(i, v)
}

// note gives column i a version of its own.
func (r *row) note(i int, v fieldVersion) {
	if r.by == nil {
		r.by = make([]fieldVersion, len(r.of.columns))
	}
	r.by[i], r.dirty = v, true
	r.explicit |= 1 << i
}

func (r *row) forget(i int) {
	if r.has(i) {
		r.by[i], r.dirty = fieldVersion{}, true
		r.explicit &^= 1 << i
	}
}

// put sets column i. A text is copied: it is a part of the event's data, of
// which the rest need not stay in memory.
func (r *row) put(i int, value any) {
	if on, is := value.(bool); is {
		value = int64(0)
		if on {
			value = int64(1)
		}
	}
	if r.values[i] == value {
		return
	}
	if text, is := value.(string); is {
		value = strings.Clone(text)
	}
	if !r.moved {
		if r.spare == nil {
			r.values = slices.Clone(r.values)
		} else {
			copy(r.spare, r.values)
			r.values, r.spare = r.spare, nil
		}
		r.moved = true
	}
	r.values[i] = value
}

// changed reports whether one of the fields is different from before; with no
// names, any but the counters.
func (r *row) changed(names ...string) bool {
	if !r.moved {
		return false
	}
	if len(names) > 0 {
		return slices.ContainsFunc(names, func(name string) bool {
			i := r.column(name)
			return r.before[i] != r.values[i]
		})
	}
	for i, c := range r.of.columns {
		if !c.counter && r.before[i] != r.values[i] {
			return true
		}
	}
	return false
}

// known reports whether anything is known of the entity but that it exists.
func known(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool { return v != nil })
}

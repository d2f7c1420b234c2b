package merge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// How much a value is to be trusted, by where it is from. PluralKit sends in
// no order, so every field is a register that keeps the value of the highest
// (rank, time, event id), whatever came first (Law 6).
const (
	RankDefault  = iota // what a CREATE means by leaving a field out
	RankSnapshot        // the object inside CREATE_MESSAGE, as of about the message's time, or in a file, as of its newest moment
	RankCreate          // CREATE_*
	RankUpdate          // UPDATE_*, and what the API said: as of when it was asked
)

// A FieldVersion says what set a field.
type FieldVersion struct {
	Rank int
	US   int64  // when we accepted the event; of a snapshot, the message's own time; of an observation, when it was asked for
	ID   string // of the event; of a snapshot, of the message or of the event of a file
}

func (v FieldVersion) after(w FieldVersion) bool {
	if v.Rank != w.Rank {
		return v.Rank > w.Rank
	}
	if v.US != w.US {
		return v.US > w.US
	}
	return v.ID > w.ID
}

// VersionOf is the version of what an event of that rank says.
func VersionOf(rank int, e schemas.Recorded) FieldVersion {
	return FieldVersion{Rank: rank, US: e.Time.UnixMicro(), ID: e.ID}
}

// append writes [rank, time, id]: there is one for each field of each row.
func (v FieldVersion) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, '['), int64(v.Rank), 10)
	b = strconv.AppendInt(append(b, ','), v.US, 10)
	return append(AppendJSON(append(b, ','), v.ID), ']')
}

// UnmarshalJSON reads [rank, time, id], as it is written in the column versions.
func (v *FieldVersion) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[...]any{&v.Rank, &v.US, &v.ID})
}

// maxColumns is how many fields an entity has at most: as many as row.explicit
// has bits.
const maxColumns = 64

// A Row is a row of an entity's table in memory. An event is merged into it
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
type Row struct {
	Of  *Entity
	Key []string

	Values []any  // string, int64 or nil, in the order of columns
	olds   []old  // what this event has set, as it was before
	moved  uint64 // which columns are in olds, by bits

	by       []FieldVersion // beside values; nil: explicit is 0
	explicit uint64         // which of by mean anything, by bits
	Removed  *FieldVersion  // its own delete event; nil: there was none

	Exists              bool
	existed, WasDeleted bool // before this event
	WasDeletedUS        any  // before this event, as deletedUS

	DeletedUS, absentUS, SeenUS any    // int64 or nil
	OwnerUS                     any    // deletedUS of what it belongs to
	observedUS, snapshotUS      any    // int64 or nil
	observedID, snapshotID      string // empty: there was none
	Derived                     any    // the column of that name, see entity

	Dirty bool // something beside values changed that save must write
	noted bool // the snapshot columns moved

	Stored bool    // the file has the row, if an older one
	change writing // what of it is not in the file
	Waits  bool    // it is among those to be written
}

// old is a column as it was before an event.
type old struct {
	column int
	value  any
}

// writing says how much of a row is to be written.
type writing int

const (
	nothing  writing = iota
	counters         // what moves with every message, see entity
	whole
)

// NewRow is a row that the file has not.
func NewRow(en *Entity, key []string) *Row {
	return &Row{Of: en, Key: key, Values: make([]any, len(en.columns))}
}

// CheckID refuses an id that no row can have: it would be the subject of a
// change. That must be found out before anybody asks whether one is heard: a
// rebuild has fewer listeners.
func CheckID(table, id string) error {
	if id == "" {
		return fmt.Errorf("%w: %s: no id", schemas.ErrInvalid, table)
	}
	if !schemas.IsID(id) {
		return fmt.Errorf("%w: %s: the id %q has spaces around it, control characters or bytes that are not UTF-8", schemas.ErrInvalid, table, engine.Clip(id))
	}
	return nil
}

// Begin readies the row for the next event.
func (r *Row) Begin() {
	if r.moved = 0; cap(r.olds) > 8 {
		r.olds = nil // a row is made once; later events set few columns
	}
	clear(r.olds)
	r.olds = r.olds[:0]
	r.existed, r.WasDeleted, r.WasDeletedUS = r.Exists, r.DeletedUS != nil, r.DeletedUS
	r.OwnerUS, r.Dirty, r.noted = nil, false, false
}

// Scan makes a row of what is read of it, without the key.
func (en *Entity) Scan(got engine.Row, key []string) (*Row, error) {
	n := len(en.columns)
	r := NewRow(en, key)
	for i := range n {
		r.Values[i] = got[i]
	}
	if text := got.Text(n); text != "{}" {
		var versions map[string]FieldVersion
		if err := json.Unmarshal([]byte(text), &versions); err != nil {
			return nil, fmt.Errorf("%s: versions: %w", en.Table, err)
		}
		for name, v := range versions {
			if name == deletion {
				r.Removed = &v
				continue
			}
			r.note(en.place(name, -1), v)
		}
	}
	r.Derived = got[n+1]
	r.snapshotUS, r.snapshotID = got[n+2], got.Text(n+3)
	r.observedUS, r.observedID = got[n+4], got.Text(n+5)
	r.SeenUS, r.absentUS, r.DeletedUS = got[n+6], got[n+7], got[n+8]
	r.Exists, r.Stored, r.Dirty = true, true, false
	return r, nil
}

// Version is what set column i.
func (r *Row) Version(i int) FieldVersion {
	if r.has(i) {
		return r.by[i]
	}
	return r.implied(i)
}

// has reports whether column i has a version of its own.
func (r *Row) has(i int) bool { return r.explicit&(1<<i) != 0 }

// implied is what set column i if it has no version of its own.
func (r *Row) implied(i int) FieldVersion {
	switch {
	case r.observes(i):
		return FieldVersion{Rank: RankUpdate, US: r.observedUS.(int64), ID: r.observedID}
	case r.snapshotID != "":
		return FieldVersion{Rank: RankSnapshot, US: r.snapshotUS.(int64), ID: r.snapshotID}
	}
	return FieldVersion{}
}

// observes reports whether column i is implied to be from an observation.
func (r *Row) observes(i int) bool { return r.observedID != "" && !r.Of.columns[i].silent }

// Set merges values that were all set by v: those win that are newer than
// what is there.
func (r *Row) Set(values []schemas.Value, v FieldVersion) {
	i := -1
	for _, val := range values {
		i = r.Of.place(val.Field.Name, i)
		if v.after(r.Version(i)) {
			r.Put(i, val.Value)
			r.remember(i, v)
		}
	}
}

// Observe merges the values of a whole object as the API showed it, when it
// was asked. A field that no update ever carries is taken for a snapshot's:
// else the messages after it could not move it on.
func (r *Row) Observe(values []schemas.Value, us int64, id string) {
	v, silent := FieldVersion{Rank: RankUpdate, US: us, ID: id}, FieldVersion{Rank: RankSnapshot, US: us, ID: id}
	old := FieldVersion{Rank: RankUpdate, ID: r.observedID}
	old.US, _ = r.observedUS.(int64)
	if v.after(old) {
		for i, c := range r.Of.columns {
			if !r.has(i) && !c.silent {
				r.note(i, r.implied(i))
			}
		}
		r.observedUS, r.observedID, r.Dirty = us, id, true
	}
	for _, val := range values {
		by := v
		if r.Of.columns[r.Column(val.Field.Name)].silent {
			by = silent
		}
		r.Set([]schemas.Value{val}, by)
	}
	r.See(us)
}

// See notes a sign of life.
func (r *Row) See(us int64) {
	if old, was := r.SeenUS.(int64); !was || us > old {
		r.SeenUS, r.Dirty = us, true
	}
}

// Miss notes that the API had it not when it was asked.
func (r *Row) Miss(us int64) {
	if old, was := r.absentUS.(int64); !was || us > old {
		r.absentUS, r.Dirty = us, true
	}
}

// Snapshot merges the values of a whole object as a message showed it; they are beside
// the row's columns.
func (r *Row) Snapshot(values schemas.Fields, us int64, id string) {
	v, last := FieldVersion{Rank: RankSnapshot, US: us, ID: id}, FieldVersion{}
	if r.snapshotID != "" {
		last = FieldVersion{Rank: RankSnapshot, US: r.snapshotUS.(int64), ID: r.snapshotID}
	}
	if v.after(last) {
		r.snapshotUS, r.snapshotID, r.noted = us, strings.Clone(id), true
		v.ID = r.snapshotID
		r.showNewer(values, v, last)
		return
	}
	for i := range r.Of.columns { // it may have what a newer one lacked
		if values.Has(i) && v.after(r.Version(i)) {
			r.show(values, i)
			r.remember(i, v)
		}
	}
}

// showNewer merges a snapshot that is newer than the last one. A column without a
// version of its own was set by that: it has the new one's from here on.
func (r *Row) showNewer(values schemas.Fields, v, last FieldVersion) {
	implied := r.explicit == 0 && r.observedID == ""
	for i := range r.Of.columns {
		switch {
		case !values.Has(i):
			if !r.has(i) && !r.observes(i) {
				r.note(i, last)
				implied = false
			}
		case implied:
			r.show(values, i)
		case r.has(i) && r.by[i].after(v) || !r.has(i) && r.observes(i) && r.implied(i).after(v):
		default:
			r.show(values, i)
			if r.observes(i) {
				r.remember(i, v)
			} else {
				r.forget(i)
			}
		}
	}
}

// show sets column i to what a snapshot has.
func (r *Row) show(values schemas.Fields, i int) {
	if !values.Is(i, r.Values[i]) {
		r.Put(i, values.Value(i))
	}
}

// Imported merges the values of a whole object as a file has it. They weigh
// what a message's do: an update counts for more, also one from before the file,
// since nobody knows how much older a value is than the file; and what messages
// showed later moves it on.
func (r *Row) Imported(values schemas.Fields, us int64, id string) {
	r.Snapshot(values, us, id)
	r.See(us)
}

// Fallback gives every field that nothing has set the value a CREATE means by
// leaving it out.
func (r *Row) Fallback() {
	for i, c := range r.Of.columns {
		if c.fallback != nil && r.Version(i).Rank == RankDefault {
			r.Put(i, c.fallback)
		}
	}
}

// deletion is the entry of versions that keeps a delete event. It has the
// name of no field.
const deletion = "deleted_us"

// Delete makes the row a tombstone for good. Of several deletes the earliest
// counts.
func (r *Row) Delete(e schemas.Recorded) {
	v := VersionOf(RankUpdate, e)
	if r.Removed == nil || r.Removed.after(v) {
		r.Removed, r.Dirty = &v, true
	}
}

// Tombstone is delete where nobody can be asked what is left: us is when, by the
// provider's word.
func (r *Row) Tombstone(us int64) {
	if old, was := r.DeletedUS.(int64); !was || us < old {
		r.DeletedUS, r.Dirty = us, true
	}
}

// settle makes deleted_us what follows from the rest: the earliest of what
// took it.
func (r *Row) settle() {
	gone := r.OwnerUS
	if r.Removed != nil {
		gone = earlier(gone, r.Removed.US)
	}
	seen, _ := r.SeenUS.(int64)
	if absent, was := r.absentUS.(int64); was && absent > seen {
		gone = earlier(gone, absent)
	}
	if gone != r.DeletedUS {
		r.DeletedUS, r.Dirty = gone, true
	}
}

// earlier is the earlier of two times; nil: never.
func earlier(old any, us int64) any {
	if was, is := old.(int64); is && was < us {
		return old
	}
	return us
}

// Column is where the field is among Values.
func (r *Row) Column(field string) int { return r.Of.place(field, -1) }

func (r *Row) remember(i int, v FieldVersion) {
	if v == r.implied(i) {
		r.forget(i)
		return
	}
	r.note(i, v)
}

// note gives column i a version of its own.
func (r *Row) note(i int, v FieldVersion) {
	if r.by == nil {
		r.by = make([]FieldVersion, len(r.Of.columns))
	}
	r.by[i], r.Dirty = v, true
	r.explicit |= 1 << i
}

func (r *Row) forget(i int) {
	if r.has(i) {
		r.by[i], r.Dirty = FieldVersion{}, true
		r.explicit &^= 1 << i
	}
}

// Put sets column i.
func (r *Row) Put(i int, value any) {
	if on, is := value.(bool); is {
		value = int64(0)
		if on {
			value = int64(1)
		}
	}
	if r.Values[i] == value {
		return
	}
	if r.moved&(1<<i) == 0 {
		r.moved |= 1 << i
		r.olds = append(r.olds, old{i, r.Values[i]})
	}
	r.Values[i] = value
}

// Before is the values as they were before this event.
func (r *Row) Before() []any {
	was := slices.Clone(r.Values)
	for _, o := range r.olds {
		was[o.column] = o.value
	}
	return was
}

// Changed reports whether one of the fields is different from before; with no
// names, any but the counters.
func (r *Row) Changed(names ...string) bool {
	return slices.ContainsFunc(r.olds, func(o old) bool {
		c := &r.Of.columns[o.column]
		meant := !c.counter
		if len(names) > 0 {
			meant = slices.Contains(names, c.Name)
		}
		return meant && o.value != r.Values[o.column]
	})
}

// known reports whether anything is known of the entity but that it exists.
func known(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool { return v != nil })
}

// knew reports whether anything was known before this event that still is.
func (r *Row) knew() bool {
	for i, v := range r.Values {
		if v != nil && r.moved&(1<<i) == 0 {
			return true
		}
	}
	return false
}

// NeedID refuses a thing without an id, which a row is keyed by.
func NeedID(what, id string) error {
	if id == "" {
		return fmt.Errorf("%w: %s has no id", schemas.ErrInvalid, what)
	}
	return nil
}

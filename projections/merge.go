package projections

import (
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/schemas"
)

// How much a value is to be trusted, by where it is from. PluralKit sends in
// no order, so every field is a register that keeps the value of the highest
// (rank, time, event id), whatever came first (Law 6).
const (
	rankDefault  = iota // what a CREATE means by leaving a field out
	rankSnapshot        // the object inside CREATE_MESSAGE, as of about the message's time
	rankCreate          // CREATE_*
	rankUpdate          // UPDATE_*
)

// A fieldVersion says what set a field.
type fieldVersion struct {
	rank int
	us   int64  // when we accepted the event; of a snapshot, the message's own time
	id   string // of the event; of a snapshot, of the message
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

// MarshalJSON is [rank, time, id]: there is one for each field of each row.
func (v fieldVersion) MarshalJSON() ([]byte, error) { return json.Marshal([]any{v.rank, v.us, v.id}) }

func (v *fieldVersion) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[...]any{&v.rank, &v.us, &v.id})
}

// A row is a row of an entity's table while an event is merged into it: read
// once, changed in memory, written once, and only if something is different.
//
// versions says what set each field. A field that is not in it was set by the
// newest snapshot if there is one, else by nothing (its value is then NULL or
// a default). Snapshots are by far the most frequent, nearly always complete,
// and so cost no entries at all; if one does lack a field, an entry keeps the
// version that field had.
type row struct {
	of     *entity
	key    []string
	tenant string

	before []any // as read: string, int64 or nil, in the order of columns
	values []any // as they will be; the same slice as before until one differs
	moved  bool  // values is no longer before

	exists, deleted       bool // before this event
	versions              map[string]fieldVersion
	deletedUS, snapshotUS any    // int64 or nil
	snapshotID            string // empty: no snapshot was seen

	dirty bool // bookkeeping beside values that save must write: versions, deleted_us
	noted bool // the snapshot columns moved
}

// row reads the row of en under key, or makes an empty one in memory. A row
// that is another tenant's is ErrInvalid: nobody writes into that.
func (tx *Tx) row(en *entity, tenant string, key ...string) (*row, error) {
	if slices.Contains(key[:1], "") || tenant == "" {
		return nil, fmt.Errorf("%w: %s: no id", schemas.ErrInvalid, en.table)
	}
	r := &row{of: en, key: key, tenant: tenant}
	args := make([]any, len(key))
	for i, k := range key {
		args[i] = k
	}
	got, err := tx.Get(en.read, args...)
	if err != nil {
		return nil, err
	}
	n := len(en.columns)
	if got == nil {
		r.before = make([]any, n)
		r.values = r.before
		return r, nil
	}
	if got.Text(n+1) != tenant {
		return nil, fmt.Errorf("%w: %s: the id is another system's", schemas.ErrInvalid, en.table)
	}
	r.exists = true
	r.before = make([]any, n)
	for i := range n {
		r.before[i] = got[i]
	}
	r.values = r.before
	if text := got.Text(n); text != "{}" {
		if err := json.Unmarshal([]byte(text), &r.versions); err != nil {
			return nil, fmt.Errorf("%s: versions: %w", en.table, err)
		}
	}
	r.deletedUS, r.snapshotUS, r.snapshotID = got[n+2], got[n+3], got.Text(n+4)
	r.deleted = r.deletedUS != nil
	return r, nil
}

// version is what set column i.
func (r *row) version(i int) fieldVersion {
	if v, explicit := r.versions[r.of.columns[i].Name]; explicit {
		return v
	}
	return r.snapshotVersion()
}

func (r *row) snapshotVersion() fieldVersion {
	if r.snapshotID == "" {
		return fieldVersion{}
	}
	return fieldVersion{rank: rankSnapshot, us: r.snapshotUS.(int64), id: r.snapshotID}
}

// set merges values that were all set by v: those win that are newer than
// what is there.
func (r *row) set(values []schemas.Value, v fieldVersion) {
	for _, val := range values {
		i := r.column(val.Field.Name)
		if v.after(r.version(i)) {
			r.put(i, val.Value)
			r.remember(i, v)
		}
	}
}

// snapshot merges the values of a whole object as a message showed it.
func (r *row) snapshot(values []schemas.Value, us int64, id string) {
	v, old := fieldVersion{rank: rankSnapshot, us: us, id: id}, r.snapshotVersion()
	if !v.after(old) {
		r.set(values, v) // it may have what a newer one lacked
		return
	}
	carried := make([]bool, len(r.of.columns))
	for _, val := range values {
		i := r.column(val.Field.Name)
		carried[i] = true
		if r.version(i).rank > rankSnapshot {
			continue
		}
		r.put(i, val.Value)
		r.forget(i)
	}
	for i, c := range r.of.columns {
		if _, explicit := r.versions[c.Name]; !carried[i] && !explicit {
			r.remember(i, old)
		}
	}
	r.snapshotUS, r.snapshotID, r.noted = us, id, true
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

// delete makes the row a tombstone. Of several deletes the earliest counts.
func (r *row) delete(us int64) {
	if old, was := r.deletedUS.(int64); !was || us < old {
		r.deletedUS, r.dirty = us, true
	}
}

func (r *row) column(field string) int {
	i, known := r.of.index[field]
	if !known {
		panic("projections: " + r.of.table + " has no field " + field)
	}
	return i
}

func (r *row) remember(i int, v fieldVersion) {
	if r.versions == nil {
		r.versions = make(map[string]fieldVersion)
	}
	r.versions[r.of.columns[i].Name], r.dirty = v, true
}

func (r *row) forget(i int) {
	if _, explicit := r.versions[r.of.columns[i].Name]; explicit {
		delete(r.versions, r.of.columns[i].Name)
		r.dirty = true
	}
}

func (r *row) put(i int, value any) {
	if on, is := value.(bool); is {
		value = int64(0)
		if on {
			value = int64(1)
		}
	}
	if r.same(i, r.values[i], value) {
		return
	}
	if !r.moved {
		r.values, r.moved = slices.Clone(r.values), true
	}
	r.values[i] = value
}

func (r *row) same(i int, a, b any) bool {
	if a == b {
		return true
	}
	x, isText := a.(string)
	y, both := b.(string)
	return isText && both && r.of.columns[i].same != nil && r.of.columns[i].same(x, y)
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
			return !r.same(i, r.before[i], r.values[i])
		})
	}
	for i, c := range r.of.columns {
		if !c.counter && !r.same(i, r.before[i], r.values[i]) {
			return true
		}
	}
	return false
}

// known reports whether anything is known of the entity but that it exists.
func known(values []any) bool {
	return slices.ContainsFunc(values, func(v any) bool { return v != nil })
}

package merge

import (
	"encoding/json"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Finish ends an event's changes of the row. It reports whether there is
// something to write that was not before.
func (r *Row) Finish() bool {
	if r.Of.Absents {
		r.settle()
	}
	change := nothing
	switch {
	case !r.existed || r.Dirty || r.Changed() || r.WasDeleted != (r.DeletedUS != nil):
		change = whole
	case r.moved != 0 || r.noted:
		change = counters
	}
	r.Exists = true
	r.change = max(r.change, change)
	return change != nothing
}

// Store writes what of the row is not in the file.
func (r *Row) Store(tx *engine.Tx) error {
	query, args := r.Of.note, []any(nil)
	switch {
	case r.change == nothing:
		return nil
	case !r.Stored:
		query, args = r.Of.insert, append(r.keyArgs(), r.state()...)
	case r.change == whole:
		query, args = r.Of.save, append(r.state(), r.keyArgs()...)
	default:
		args = append(r.moving(), r.keyArgs()...)
	}
	r.Stored, r.change = true, nothing
	return tx.Exec(query, args...)
}

// Load reads a row, or makes one that the file has not.
func Load(tx *engine.Tx, en *Entity, key ...string) (*Row, error) {
	args := make([]any, len(key))
	for i, part := range key {
		args[i] = part
	}
	got, err := tx.Get(en.read, args...)
	if err != nil {
		return nil, err
	}
	if got == nil {
		return NewRow(en, key), nil
	}
	return en.Scan(got, key)
}

// Into lets fn change the row under key, and writes it: for projections that
// keep nothing in memory.
func Into(tx *engine.Tx, en *Entity, fn func(*Row), key ...string) error {
	if err := CheckID(en.Table, key[0]); err != nil {
		return err
	}
	r, err := Load(tx, en, key...)
	if err != nil {
		return err
	}
	r.Begin()
	fn(r)
	r.Finish()
	return r.Store(tx)
}

func (r *Row) keyArgs() []any {
	args := make([]any, 0, len(r.Key)+len(r.Values)+9)
	for _, k := range r.Key {
		args = append(args, k)
	}
	return args
}

// state is what insert and save write, in the order of makeSQL.
func (r *Row) state() []any {
	args := make([]any, 0, len(r.Values)+len(r.Key)+9)
	args = append(args, r.Values...)
	args = append(args, r.versionsText())
	if r.Of.Derived != "" {
		args = append(args, r.Derived)
	}
	if !r.Of.Told {
		args = append(args, r.SeenUS, r.observedUS, engine.TextOrNull(r.observedID))
	}
	if r.Of.Absents {
		args = append(args, r.absentUS)
	}
	if r.Of.Deletes {
		args = append(args, r.DeletedUS)
	}
	if r.Of.Snapshots {
		args = append(args, r.snapshotUS, engine.TextOrNull(r.snapshotID))
	}
	return args
}

// moving is what note writes: counters and how new the snapshot is.
func (r *Row) moving() []any {
	var args []any
	for i, c := range r.Of.columns {
		if c.counter {
			args = append(args, r.Values[i])
		}
	}
	return append(args, r.snapshotUS, engine.TextOrNull(r.snapshotID))
}

// versionsText is the column versions: names in order, so that equal versions
// give equal text.
func (r *Row) versionsText() string {
	if r.explicit == 0 && r.Removed == nil {
		return "{}"
	}
	b := []byte{'{'}
	entry := func(name string, v FieldVersion) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = v.append(append(append(append(b, '"'), name...), `":`...))
	}
	removed := r.Removed
	for _, i := range r.Of.byName {
		name := r.Of.columns[i].Name
		if removed != nil && name > deletion {
			entry(deletion, *removed)
			removed = nil
		}
		if r.has(i) {
			entry(name, r.by[i])
		}
	}
	if removed != nil {
		entry(deletion, *removed)
	}
	return string(append(b, '}'))
}

// Announce publishes the change of type typ if what there is to see of the
// entity is different: once for each cause and entity, since an event that
// comes again finds nothing to change. Counters alone are not worth it.
func (r *Row) Announce(tx *engine.Tx, typ, noun string) error {
	if r.existed && r.WasDeleted == (r.DeletedUS != nil) && (r.WasDeleted || !r.Changed() && r.knew()) {
		return nil // as with nearly every message
	}
	return r.AnnounceAs(tx, typ, noun, r.Before(), r.Values, r.Changed())
}

// AnnounceAs is announce with what is shown before and after.
func (r *Row) AnnounceAs(tx *engine.Tx, typ, noun string, was, is []any, changed bool) error {
	had := r.existed && !r.WasDeleted && known(was)
	has := r.DeletedUS == nil && known(is)
	if had == has && (!has || !changed) {
		return nil
	}
	if heard, err := tx.Hears(typ); err != nil || !heard {
		return err
	}
	id := r.Key[len(r.Key)-1]
	var before, after json.RawMessage
	if had {
		before = r.Of.Object(id, was)
	}
	if has {
		after = r.Of.Object(id, is)
	}
	change, err := schemas.NewChange(typ, noun, id, tx.Event(), before, after)
	if err != nil {
		return err
	}
	return tx.Publish(change)
}

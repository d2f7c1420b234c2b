package projections

import (
	"encoding/json"

	"switchlog/schemas"
)

// finish ends an event's changes of the row. It reports whether there is
// something to write that was not before.
func (r *row) finish() bool {
	if r.of.absents {
		r.settle()
	}
	change := nothing
	switch {
	case !r.existed || r.dirty || r.changed() || r.deleted != (r.deletedUS != nil):
		change = whole
	case r.moved || r.noted:
		change = counters
	}
	r.exists = true
	r.change = max(r.change, change)
	return change != nothing
}

// store writes what of the row is not in the file.
func (r *row) store(tx *Tx) error {
	query, args := r.of.note, []any(nil)
	switch {
	case r.change == nothing:
		return nil
	case !r.stored:
		query, args = r.of.insert, append(r.keyArgs(), r.state()...)
	case r.change == whole:
		query, args = r.of.save, append(r.state(), r.keyArgs()...)
	default:
		args = append(r.moving(), r.keyArgs()...)
	}
	r.stored, r.change = true, nothing
	return tx.Exec(query, args...)
}

// load reads a row, or makes one that the file has not.
func (tx *Tx) load(en *entity, key ...string) (*row, error) {
	args := make([]any, len(key))
	for i, part := range key {
		args[i] = part
	}
	got, err := tx.Get(en.read, args...)
	if err != nil {
		return nil, err
	}
	if got == nil {
		return newRow(en, key), nil
	}
	return en.scan(got, key)
}

// merge lets fn change the row under key, and writes it: for projections that
// keep nothing in memory.
func (tx *Tx) merge(en *entity, fn func(*row), key ...string) error {
	if err := checkID(en.table, key[0]); err != nil {
		return err
	}
	r, err := tx.load(en, key...)
	if err != nil {
		return err
	}
	r.begin()
	fn(r)
	r.finish()
	return r.store(tx)
}

func (r *row) keyArgs() []any {
	args := make([]any, 0, len(r.key)+len(r.values)+9)
	for _, k := range r.key {
		args = append(args, k)
	}
	return args
}

// state is what insert and save write, in the order of makeSQL.
func (r *row) state() []any {
	args := make([]any, 0, len(r.values)+len(r.key)+9)
	args = append(args, r.values...)
	args = append(args, r.versionsText())
	if r.of.derived != "" {
		args = append(args, r.derived)
	}
	if !r.of.told {
		args = append(args, r.seenUS, r.observedUS, textOrNull(r.observedID))
	}
	if r.of.absents {
		args = append(args, r.absentUS)
	}
	if r.of.deletes {
		args = append(args, r.deletedUS)
	}
	if r.of.snapshots {
		args = append(args, r.snapshotUS, textOrNull(r.snapshotID))
	}
	return args
}

// moving is what note writes: counters and how new the snapshot is.
func (r *row) moving() []any {
	var args []any
	for i, c := range r.of.columns {
		if c.counter {
			args = append(args, r.values[i])
		}
	}
	return append(args, r.snapshotUS, textOrNull(r.snapshotID))
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// versionsText is the column versions: names in order, so that equal versions
// give equal text.
func (r *row) versionsText() string {
	if r.explicit == 0 && r.removed == nil {
		return "{}"
	}
	b := []byte{'{'}
	entry := func(name string, v fieldVersion) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = v.append(append(append(append(b, '"'), name...), `":`...))
	}
	removed := r.removed
	for _, i := range r.of.byName {
		name := r.of.columns[i].Name
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

// announce publishes the change of type typ if what there is to see of the
// entity is different: once for each cause and entity, since an event that
// comes again finds nothing to change. Counters alone are not worth it.
func (tx *Tx) announce(r *row, typ, noun string) error {
	return tx.announceAs(r, typ, noun, r.before, r.values, r.changed())
}

// announceAs is announce with what is shown before and after.
func (tx *Tx) announceAs(r *row, typ, noun string, was, is []any, changed bool) error {
	had := r.existed && !r.deleted && known(was)
	has := r.deletedUS == nil && known(is)
	if had == has && (!has || !changed) {
		return nil
	}
	if heard, err := tx.Hears(typ); err != nil || !heard {
		return err
	}
	id := r.key[len(r.key)-1]
	var before, after json.RawMessage
	if had {
		before = r.of.object(id, was)
	}
	if has {
		after = r.of.object(id, is)
	}
	change, err := schemas.NewChange(typ, noun, id, tx.event, before, after)
	if err != nil {
		return err
	}
	return tx.Publish(change)
}

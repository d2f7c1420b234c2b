package projections

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"switchlog/schemas"
)

// write has the row written if it is new or different, and notes the event as one
// that made it so.
func (tx *Tx) write(r *row) error {
	if r.of.absents {
		r.settle()
	}
	changed := r.changed()
	visible := !r.exists || changed || r.deleted != (r.deletedUS != nil)
	switch {
	case visible || r.dirty:
		tx.keep(r, whole)
	case r.moved || r.noted:
		tx.keep(r, counters)
	}
	if !visible {
		return nil
	}
	return tx.Touch(r.of.table, strings.Join(r.key, "/"))
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
	args := make([]any, 0, len(r.values)+len(r.key)+8)
	args = append(args, r.values...)
	args = append(args, r.versionsText())
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

// versionsText is the column versions: equal versions give equal text.
func (r *row) versionsText() string {
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(r.versions)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, name), ':')
		v, err := r.versions[name].MarshalJSON()
		if err != nil {
			panic("projections: a version that is no JSON: " + err.Error())
		}
		b = append(b, v...)
	}
	return string(append(b, '}'))
}

// announce publishes the change of type typ if what there is to see of the
// entity is different: once for each cause and entity, since an event that
// comes again finds nothing to change. Counters alone are not worth it.
func (tx *Tx) announce(r *row, typ, noun string) error {
	had := r.exists && !r.deleted && known(r.before)
	has := r.deletedUS == nil && known(r.values)
	if had == has && (!has || !r.changed()) {
		return nil
	}
	if heard, err := tx.Hears(typ); err != nil || !heard {
		return err
	}
	var before, after json.RawMessage
	if had {
		before = r.of.object(r.key[0], r.before)
	}
	if has {
		after = r.of.object(r.key[0], r.values)
	}
	change, err := schemas.NewChange(typ, noun, r.key[0], tx.event, before, after)
	if err != nil {
		return err
	}
	return tx.Publish(change)
}

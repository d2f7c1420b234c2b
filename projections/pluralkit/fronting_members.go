package pluralkit

import (
	"slices"

	"switchlog/projections/engine"
)

// memberGone reports whether the member is known to be gone.
func (t *tenant) memberGone(tx *engine.Tx, member string) (bool, error) {
	r, err := t.row(tx, memberEntity, member)
	return err == nil && r.DeletedUS != nil, err
}

// leaveSwitches takes a member that is gone out of every switch, silently as
// PluralKit does. A switch may become empty: then nobody fronted. The
// neighbours stay what they were, so nobody else's stretches change.
func (t *tenant) leaveSwitches(tx *engine.Tx, member string) error {
	before, err := t.lastFront(tx)
	if err != nil {
		return err
	}
	if err := t.flushSwitches(tx); err != nil {
		return err
	}
	if err := tx.Exec(`DELETE FROM switch_stints WHERE system_uuid = ? AND member_uuid = ?`, t.system, member); err != nil {
		return err
	}
	for _, w := range t.switches {
		is := func(s stint) bool { return s.member == member }
		w.stints = slices.DeleteFunc(w.stints, is)
		w.file.stints = slices.DeleteFunc(w.file.stints, is)
	}
	if err := t.readLine(tx); err != nil {
		return err
	}
	if err := t.storeFront(tx); err != nil {
		return err
	}
	return t.publishFront(tx, tx.Event(), before)
}

// rejoinSwitches puts a member that is there again into every switch that has
// it in its list. This is rare, and reads the system's whole timeline.
func (t *tenant) rejoinSwitches(tx *engine.Tx, member string) error {
	before, err := t.lastFront(tx)
	if err != nil {
		return err
	}
	if err := t.flushSwitches(tx); err != nil {
		return err
	}
	timeline, err := tx.Rows(`SELECT w.uuid, w.timestamp_us, EXISTS (SELECT 1 FROM json_each(w.members) WHERE value = ?2)
		FROM switches w WHERE w.system_uuid = ?1 AND w.listed = 1 ORDER BY w.timestamp_us, w.uuid`, t.system, member)
	if err != nil {
		return err
	}
	there := false
	for i, r := range timeline {
		is := r.Int(2) == 1
		if is {
			ends := i+1 == len(timeline) || timeline[i+1].Int(2) == 0
			err := tx.Exec(`INSERT INTO switch_stints (system_uuid, member_uuid, timestamp_us, switch_uuid, starts, ends)
				VALUES (?, ?, ?, ?, ?, ?)`, t.system, member, r.Int(1), r.Text(0), !there, ends)
			if err != nil {
				return err
			}
		}
		there = is
	}
	t.forgetSwitches()
	if err := t.readLine(tx); err != nil {
		return err
	}
	if err := t.storeFront(tx); err != nil {
		return err
	}
	return t.publishFront(tx, tx.Event(), before)
}

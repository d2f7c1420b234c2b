package pluralkit

import (
	"fmt"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// A stand-in is a switch that a file told of. Its uuid follows from its system
// and timestamp, so every file names it alike; in the timeline it is a switch
// like any other, as long as no switch of PluralKit's own has its place:
//
//   - one that is listed at that timestamp;
//   - one of that timestamp that went after the file was made: it was that one;
//   - one that was ever said to begin then, and was moved.
//
// That follows from all that is known, in whatever order it came (Law 6).

// fitsStandIn refuses an event about a switch of the other kind: the two are
// told apart by the form of the uuid, which is ours in one of them.
func fitsStandIn(e schemas.Recorded) error {
	is := schemas.IsStandIn(e.Subject)
	if e.Type == schemas.SwitchAbsent || is == (e.Type == schemas.SwitchImported) {
		return nil
	}
	if is {
		return fmt.Errorf("%w: %s: the uuid is none of PluralKit's", schemas.ErrInvalid, e.Type)
	}
	return fmt.Errorf("%w: %s: the uuid is none that stands in for a switch", schemas.ErrInvalid, e.Type)
}

// settleStandIn finds out which switch has the stand-in's place.
func (t *tenant) settleStandIn(tx *engine.Tx, s *switchRow) error {
	s.realUUID = ""
	if !s.standIn || s.timestampBy.rank == 0 || s.deletedUS() != 0 {
		return nil
	}
	if err := t.flushSwitches(tx); err != nil {
		return err
	}
	row, err := tx.Get(`SELECT coalesce(
		(SELECT min(uuid) FROM switches WHERE system_uuid = ?1 AND timestamp_us = ?2 AND listed = 1 AND stand_in = 0),
		(SELECT min(uuid) FROM switches WHERE system_uuid = ?1 AND timestamp_us = ?2 AND listed = 0 AND stand_in = 0
			AND deleted_us > ?3),
		(SELECT min(switch_uuid) FROM switch_moves WHERE system_uuid = ?1 AND timestamp_us = ?2))`,
		t.system, s.timestampUS, s.observedUS)
	if err != nil {
		return err
	}
	s.realUUID = row.Text(0)
	return nil
}

// said notes which timestamps were ever said of a switch, if there was more
// than one, and reports whether there was. Both are noted when they are seen to
// differ, so it does not matter which came first.
func (t *tenant) said(tx *engine.Tx, s *switchRow, us int64) bool {
	if s.timestampBy.rank == 0 || s.timestampUS == us {
		return false
	}
	tx.Changed()
	t.moves = append(t.moves, move{s.timestampUS, s.uuid}, move{us, s.uuid})
	return true
}

// yieldStandIns brings the stand-ins at those timestamps in step with what
// happened there.
func (t *tenant) yieldStandIns(tx *engine.Tx, timestamps ...int64) error {
	if has, err := t.hasStandIns(tx); err != nil || !has {
		return err
	}
	for i, us := range timestamps {
		if i > 0 && us == timestamps[i-1] {
			continue
		}
		if err := t.flushSwitches(tx); err != nil {
			return err
		}
		row, err := tx.Get(`SELECT uuid FROM switches WHERE system_uuid = ? AND timestamp_us = ? AND stand_in = 1`, t.system, us)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		if err = t.resettle(tx, row.Text(0)); err != nil {
			return err
		}
	}
	return nil
}

// resettle finds out anew whether the stand-in has its place.
func (t *tenant) resettle(tx *engine.Tx, uuid string) error {
	w, err := t.switchOf(tx, uuid)
	if err != nil {
		return err
	}
	s := w.switchRow
	if err := t.settleStandIn(tx, &s); err != nil || s.equal(&w.switchRow) {
		return err
	}
	return t.place(tx, w, s)
}

// resettleAll does so for all stand-ins that another switch has the place of:
// after a DELETE_ALL_SWITCHES it may have it no more.
func (t *tenant) resettleAll(tx *engine.Tx) error {
	replaced, err := tx.Rows(`SELECT uuid FROM switches WHERE system_uuid = ? AND real_uuid IS NOT NULL ORDER BY timestamp_us`, t.system)
	for _, r := range replaced {
		if err != nil {
			return err
		}
		err = t.resettle(tx, r.Text(0))
	}
	return err
}

// hasStandIns reports whether a file was ever read of the system.
func (t *tenant) hasStandIns(tx *engine.Tx) (bool, error) {
	if t.standIns == unread {
		row, err := tx.Get(`SELECT 1 FROM switches WHERE system_uuid = ? AND stand_in = 1 LIMIT 1`, t.system)
		if err != nil {
			return false, err
		}
		t.standIns = triOf(row != nil)
	}
	return t.standIns == yes, nil
}

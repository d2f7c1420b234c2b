package projections

import (
	"fmt"

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

// settle finds out which switch has the stand-in's place.
func (s *switchRow) settle(tx *Tx) error {
	s.standIn, s.realUUID = schemas.IsStandIn(s.uuid), ""
	if !s.standIn || s.timestampBy.rank == 0 || s.deletedUS() != 0 {
		return nil
	}
	row, err := tx.Get(`SELECT coalesce(
		(SELECT min(uuid) FROM switches WHERE system_uuid = ?1 AND timestamp_us = ?2 AND listed = 1 AND stand_in = 0),
		(SELECT min(uuid) FROM switches WHERE system_uuid = ?1 AND timestamp_us = ?2 AND listed = 0 AND stand_in = 0
			AND deleted_us > ?3),
		(SELECT min(switch_uuid) FROM switch_moves WHERE system_uuid = ?1 AND timestamp_us = ?2))`,
		s.system, s.timestampUS, s.observedUS)
	if err != nil {
		return err
	}
	s.realUUID = row.Text(0)
	return nil
}

// said notes which timestamps were ever said of a switch, if there was more
// than one, and reports whether that is new. Both are noted when they are seen
// to differ, so it does not matter which came first.
func (s *switchRow) said(tx *Tx, us int64) (fresh bool, err error) {
	if s.timestampBy.rank == 0 || s.timestampUS == us {
		return false, nil
	}
	err = tx.Each(`INSERT OR IGNORE INTO switch_moves (system_uuid, timestamp_us, switch_uuid) VALUES (?1, ?2, ?4), (?1, ?3, ?4) RETURNING 1`,
		[]any{s.system, s.timestampUS, us, s.uuid}, func(Row) error {
			fresh = true
			return nil
		})
	return fresh, err
}

// yieldStandIns brings the stand-ins at those timestamps in step with what
// happened there, and returns the front as it is then.
func yieldStandIns(tx *Tx, system string, front frontRow, timestamps ...int64) (frontRow, error) {
	if has, err := tx.hasStandIns(system); err != nil || !has {
		return front, err
	}
	for i, us := range timestamps {
		if i > 0 && us == timestamps[i-1] {
			continue
		}
		row, err := tx.Get(`SELECT uuid FROM switches WHERE system_uuid = ? AND timestamp_us = ? AND stand_in = 1`, system, us)
		if err != nil {
			return front, err
		}
		if row == nil {
			continue
		}
		if front, err = resettle(tx, row.Text(0), front); err != nil {
			return front, err
		}
	}
	return front, nil
}

// resettle finds out anew whether the stand-in has its place.
func resettle(tx *Tx, uuid string, front frontRow) (frontRow, error) {
	w, err := tx.switchOf(uuid)
	if err != nil {
		return front, err
	}
	s := w.switchRow
	if err := s.settle(tx); err != nil || s == w.switchRow {
		return front, err
	}
	if err := tx.Touch("switches", uuid); err != nil {
		return front, err
	}
	return placeSwitch(tx, w, s, front)
}

// resettleAll does so for all stand-ins that another switch has the place of:
// after a DELETE_ALL_SWITCHES it may have it no more.
func resettleAll(tx *Tx, system string) error {
	var uuids []string
	err := tx.Each(`SELECT uuid FROM switches WHERE system_uuid = ? AND real_uuid IS NOT NULL ORDER BY timestamp_us`,
		[]any{system}, func(r Row) error {
			uuids = append(uuids, r.Text(0))
			return nil
		})
	if err != nil || len(uuids) == 0 {
		return err
	}
	front, err := lastFront(tx, system)
	for _, uuid := range uuids {
		if err != nil {
			return err
		}
		front, err = resettle(tx, uuid, front)
	}
	return err
}

// keptStandIns is whether a system has stand-ins, in memory. It is kept with the
// switches, by a key that is none of theirs.
type keptStandIns struct{ any bool }

func (*keptStandIns) store(*Tx) error { return nil } // what adds one writes it

// hasStandIns reports whether a file was ever read of the system: mostly none was.
func (tx *Tx) hasStandIns(system string) (bool, error) {
	key := standInsKey(system)
	if at := tx.kept.get("switches", key); at != nil {
		return at.kept.(*keptStandIns).any, nil
	}
	// One that is in memory alone is newer than what was last forgotten, so that
	// haveStandIns would be known: nothing needs to be written first.
	row, err := tx.first(`SELECT 1 FROM switches WHERE system_uuid = ? AND stand_in = 1 LIMIT 1`, system)
	if err != nil {
		return false, err
	}
	tx.kept.add("switches", key, &keptStandIns{any: row != nil})
	return row != nil, nil
}

// haveStandIns notes that there is one now.
func (tx *Tx) haveStandIns(system string) {
	if at := tx.kept.get("switches", standInsKey(system)); at != nil {
		at.kept = &keptStandIns{any: true}
		return
	}
	tx.kept.add("switches", standInsKey(system), &keptStandIns{any: true})
}

func standInsKey(system string) string { return keptKey([]string{"stand-ins", system}) }

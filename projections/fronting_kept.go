package projections

import (
	"context"
	"slices"

	"switchlog/schemas"
)

// keptSwitch is a switch with who is in it, in memory.
type keptSwitch struct {
	switchState
	stored bool        // the file has a row
	file   switchState // as it is there

	// The listed switches before and after it, while they are known; empty:
	// there is none.
	prev, next           string
	prevKnown, nextKnown bool
}

// switchState is a row of switches, and those of switch_stints.
type switchState struct {
	switchRow
	endedUS  any           // int64: when the next one began; nil: there is none, or this is not listed
	fronters []stintMember // in the order of positions; of a switch that is not listed, none
}

// stintMember is one row of switch_stints.
type stintMember struct {
	position     int64
	uuid         string
	starts, ends bool
}

// switchOf is the switch as it is now; nil: none was ever heard of.
func (tx *Tx) switchOf(uuid string) (*keptSwitch, error) {
	if uuid == "" {
		return nil, nil
	}
	if at := tx.kept.get("switches", uuid); at != nil {
		return at.kept.(*keptSwitch), nil
	}
	r, err := tx.first(`SELECT system_uuid, timestamp_us, timestamp_rank, timestamp_at_us, timestamp_event,
		members, members_rank, members_at_us, members_event, ordered,
		first_us, seen_us, observed_us, absent_us, removed_us, ended_us, listed, stand_in, real_uuid FROM switches WHERE uuid = ?`, uuid)
	if err != nil || r == nil {
		return nil, err
	}
	w := &keptSwitch{stored: true, switchState: switchState{endedUS: r[15], switchRow: switchRow{
		uuid: uuid, system: r.Text(0),
		timestampUS: r.Int(1), timestampBy: switchStamp{rank: r.Int(2), atUS: r.Int(3), event: r.Text(4)},
		members: r.Text(5), membersBy: switchStamp{rank: r.Int(6), atUS: r.Int(7), event: r.Text(8)}, ordered: r.Int(9) == 1,
		firstUS: r.Int(10), seenUS: r.Int(11), observedUS: r.Int(12), absentUS: r.Int(13), removedUS: r.Int(14),
		standIn: r.Int(17) == 1, realUUID: r.Text(18),
	}}}
	if err := w.purge(tx); err != nil {
		return nil, err
	}
	if r.Int(16) == 1 {
		stmt, err := tx.prepare(`SELECT position, member_uuid, starts, ends FROM switch_stints
			WHERE system_uuid = ? AND timestamp_us = ? AND switch_uuid = ? ORDER BY position`)
		if err != nil {
			return nil, err
		}
		err = stmt.each(context.Background(), nil, values(nil, []any{w.system, w.timestampUS, uuid}), nil, func(r Row) error {
			w.fronters = append(w.fronters, stintMember{position: r.Int(0), uuid: r.Text(1), starts: r.Int(2) == 1, ends: r.Int(3) == 1})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	w.file = w.switchState
	w.file.fronters = slices.Clone(w.fronters)
	tx.kept.add("switches", uuid, w)
	return w, nil
}

// newSwitch keeps a switch that there was not.
func (tx *Tx) newSwitch(uuid, system string) *keptSwitch {
	w := &keptSwitch{switchState: switchState{switchRow: switchRow{uuid: uuid, system: system}}}
	tx.kept.add("switches", uuid, w)
	if schemas.IsStandIn(uuid) {
		tx.haveStandIns(system)
	}
	return w
}

// changedSwitch has the switch written, in time.
func (tx *Tx) changedSwitch(w *keptSwitch) { tx.kept.get("switches", w.uuid).changed() }

// store writes what is different from the file.
func (w *keptSwitch) store(tx *Tx) error {
	var err error
	switch {
	case !w.stored || w.switchRow != w.file.switchRow:
		err = w.storeRow(tx)
	case w.endedUS != w.file.endedUS:
		err = tx.run(`UPDATE switches SET ended_us = ? WHERE uuid = ?`, w.endedUS, w.uuid)
	}
	if err == nil {
		err = w.storeMembers(tx)
	}
	w.stored, w.file = true, w.switchState
	w.file.fronters = slices.Clone(w.fronters)
	return err
}

func (w *keptSwitch) storeRow(tx *Tx) error {
	var timestamp, members, realUUID any
	if w.realUUID != "" {
		realUUID = w.realUUID
	}
	if w.timestampBy.rank > 0 {
		timestamp = w.timestampUS
	}
	if w.membersBy.rank > 0 {
		members = w.members
	}
	return tx.run(`INSERT INTO switches (uuid, system_uuid, timestamp_us, ended_us, members, ordered, first_us, seen_us,
			observed_us, absent_us, removed_us, deleted_us, listed, stand_in, real_uuid,
			timestamp_rank, timestamp_at_us, timestamp_event, members_rank, members_at_us, members_event)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (uuid) DO UPDATE SET timestamp_us = excluded.timestamp_us, ended_us = excluded.ended_us,
			members = excluded.members, ordered = excluded.ordered, first_us = excluded.first_us, seen_us = excluded.seen_us,
			observed_us = excluded.observed_us, absent_us = excluded.absent_us, removed_us = excluded.removed_us,
			deleted_us = excluded.deleted_us,
			listed = excluded.listed, real_uuid = excluded.real_uuid, timestamp_rank = excluded.timestamp_rank, timestamp_at_us = excluded.timestamp_at_us,
			timestamp_event = excluded.timestamp_event, members_rank = excluded.members_rank,
			members_at_us = excluded.members_at_us, members_event = excluded.members_event`,
		w.uuid, w.system, timestamp, w.endedUS, members, w.ordered, nullable(w.firstUS), nullable(w.seenUS),
		nullable(w.observedUS), nullable(w.absentUS), nullable(w.removedUS), nullable(w.deletedUS()), w.listed(), w.standIn, realUUID,
		w.timestampBy.rank, w.timestampBy.atUS, w.timestampBy.event,
		w.membersBy.rank, w.membersBy.atUS, w.membersBy.event)
}

// storeMembers writes the rows of the members anew, or where stretches begin
// and end if nothing else is different.
func (w *keptSwitch) storeMembers(tx *Tx) error {
	if w.timestampUS == w.file.timestampUS && slices.EqualFunc(w.fronters, w.file.fronters, func(a, b stintMember) bool {
		return a.position == b.position && a.uuid == b.uuid
	}) {
		for i, m := range w.fronters {
			if m == w.file.fronters[i] {
				continue
			}
			if err := tx.run(`UPDATE switch_stints SET starts = ?, ends = ?
				WHERE system_uuid = ? AND timestamp_us = ? AND switch_uuid = ? AND position = ?`,
				m.starts, m.ends, w.system, w.timestampUS, w.uuid, m.position); err != nil {
				return err
			}
		}
		return nil
	}
	if len(w.file.fronters) > 0 {
		if err := tx.run(`DELETE FROM switch_stints WHERE system_uuid = ? AND timestamp_us = ? AND switch_uuid = ?`,
			w.system, w.file.timestampUS, w.uuid); err != nil {
			return err
		}
	}
	for _, m := range w.fronters {
		if err := tx.run(`INSERT INTO switch_stints (switch_uuid, position, member_uuid, system_uuid, timestamp_us, starts, ends)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, w.uuid, m.position, m.uuid, w.system, w.timestampUS, m.starts, m.ends); err != nil {
			return err
		}
	}
	return nil
}

// keptFront is a row of fronts in memory.
type keptFront struct {
	system    string
	row, file frontRow
}

func (f *keptFront) store(tx *Tx) error {
	if f.row == f.file {
		return nil
	}
	f.file = f.row
	if f.row.switchUUID == "" {
		return tx.run(`DELETE FROM fronts WHERE system_uuid = ?`, f.system)
	}
	return tx.run(`INSERT OR REPLACE INTO fronts (system_uuid, switch_uuid, since_us, members) VALUES (?, ?, ?, ?)`,
		f.system, f.row.switchUUID, f.row.sinceUS, f.row.members)
}

// front is the system's row of fronts, kept.
func (tx *Tx) front(system string) (*keptRow, error) {
	if at := tx.kept.get("fronts", system); at != nil {
		return at, nil
	}
	r, err := tx.first(`SELECT switch_uuid, since_us, members FROM fronts WHERE system_uuid = ?`, system)
	if err != nil {
		return nil, err
	}
	f := &keptFront{system: system}
	if r != nil {
		f.row = frontRow{switchUUID: r.Text(0), sinceUS: r.Int(1), members: r.Text(2)}
	}
	f.file = f.row
	return tx.kept.add("fronts", system, f), nil
}

// keptPurges is when a system's switches were all deleted, in order, in memory.
type keptPurges struct{ us []int64 }

func (*keptPurges) store(*Tx) error { return nil } // what adds one writes it

func (tx *Tx) purges(system string) ([]int64, error) {
	if at := tx.kept.get("switch_purges", system); at != nil {
		return at.kept.(*keptPurges).us, nil
	}
	stmt, err := tx.prepare(`SELECT purged_us FROM switch_purges WHERE system_uuid = ? ORDER BY purged_us`)
	if err != nil {
		return nil, err
	}
	p := &keptPurges{}
	err = stmt.each(context.Background(), nil, values(nil, []any{system}), nil, func(r Row) error {
		p.us = append(p.us, r.Int(0))
		return nil
	})
	if err != nil {
		return nil, err
	}
	tx.kept.add("switch_purges", system, p)
	return p.us, nil
}

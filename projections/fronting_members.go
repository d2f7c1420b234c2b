package projections

// leaveSwitches takes a member that is gone out of every switch, silently as
// PluralKit does. A switch may become empty: then nobody fronted. The
// neighbours stay what they were, so nobody else's stretches change.
func leaveSwitches(tx *Tx, system, member string) error {
	err := tx.touchEach("switches", `DELETE FROM switch_stints WHERE system_uuid = ? AND member_uuid = ? RETURNING switch_uuid`,
		system, member)
	if err != nil {
		return err
	}
	return rereadFront(tx, tx.event)
}

// rejoinSwitches puts a member that is there again into every switch that has
// it in its list. This is rare, and reads the system's whole timeline.
func rejoinSwitches(tx *Tx, system, member string) error {
	type place struct {
		uuid           string
		us             int64
		position       int64
		is, afterThere bool
	}
	var timeline []place
	err := tx.Each(`SELECT w.uuid, w.timestamp_us, (SELECT min(key) FROM json_each(w.members) WHERE value = ?2)
		FROM switches w WHERE w.system_uuid = ?1 AND w.listed = 1 ORDER BY w.timestamp_us, w.uuid`,
		[]any{system, member}, func(r Row) error {
			is := !r.Null(2)
			if n := len(timeline); n > 0 {
				timeline[n-1].afterThere = is
			}
			timeline = append(timeline, place{uuid: r.Text(0), us: r.Int(1), position: r.Int(2), is: is})
			return nil
		})
	if err != nil {
		return err
	}
	there := false
	for _, p := range timeline {
		if p.is {
			err := tx.Exec(`INSERT INTO switch_stints (switch_uuid, position, member_uuid, system_uuid, timestamp_us, starts, ends)
				VALUES (?, ?, ?, ?, ?, ?, ?)`, p.uuid, p.position, member, system, p.us, !there, !p.afterThere)
			if err != nil {
				return err
			}
			if err := tx.Touch("switches", p.uuid); err != nil {
				return err
			}
		}
		there = p.is
	}
	return rereadFront(tx, tx.event)
}

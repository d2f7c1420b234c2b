package projections

import "errors"

// stint is a listed switch with who is in it.
type stint struct {
	uuid    string
	us      int64 // its timestamp
	members []stintMember
	has     map[string]bool // by member uuid
}

// stintMember is one row of switch_members.
type stintMember struct {
	position     int64
	uuid         string
	starts, ends bool
}

// in reports whether the member is in s; in no switch (nil) nobody is.
func (s *stint) in(member string) bool { return s != nil && s.has[member] }

// uuidOf is the uuid of a neighbour; of none it is empty.
func (s *stint) uuidOf() string {
	if s == nil {
		return ""
	}
	return s.uuid
}

// placeSwitch writes a switch that has changed from old to s, and brings the
// timeline in step: the rows of its members, and the ends of its neighbours.
// It returns the front as it is then.
//
// The cost does not depend on how many switches there are (N8): at most four
// neighbours are looked up in an index and written.
func placeSwitch(tx *Tx, old, s switchRow, front frontRow) (frontRow, error) {
	var oldPrev, oldNext, prev, next *stint
	var err error
	if old.listed() {
		if oldPrev, oldNext, err = neighbours(tx, old, front); err != nil {
			return front, err
		}
	}
	if s.listed() {
		if prev, next, err = neighbours(tx, s, front); err != nil {
			return front, err
		}
	}
	if err := saveSwitch(tx, s, next); err != nil {
		return front, err
	}
	if old.listed() {
		if err := tx.Exec(`DELETE FROM switch_members WHERE switch_uuid = ?`, s.uuid); err != nil {
			return front, err
		}
		if !s.listed() || prev.uuidOf() != oldPrev.uuidOf() || next.uuidOf() != oldNext.uuidOf() {
			if err := join(tx, oldPrev, oldNext); err != nil {
				return front, err
			}
		}
	}
	if s.listed() {
		live, err := insertStint(tx, s, prev, next)
		if err != nil {
			return front, err
		}
		if next == nil {
			return frontRow{switchUUID: s.uuid, sinceUS: s.timestampUS, members: jsonList(live)}, nil
		}
	}
	if front.switchUUID == s.uuid {
		return lastFront(tx, s.system)
	}
	return front, nil
}

// neighbours are the listed switches before and after the place of s, itself
// aside; nil where there is none. Their members are not loaded. Most switches
// are new and come last: then the front is all there is to know.
func neighbours(tx *Tx, s switchRow, front frontRow) (prev, next *stint, err error) {
	if front.switchUUID == "" {
		return nil, nil, nil
	}
	if front.switchUUID != s.uuid && (front.sinceUS < s.timestampUS || front.sinceUS == s.timestampUS && front.switchUUID < s.uuid) {
		return &stint{uuid: front.switchUUID, us: front.sinceUS}, nil, nil
	}
	prev, err = oneStint(tx, `SELECT uuid, timestamp_us FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) < (?, ?) AND uuid <> ?
		ORDER BY timestamp_us DESC, uuid DESC LIMIT 1`, s.system, s.timestampUS, s.uuid, s.uuid)
	if err != nil {
		return nil, nil, err
	}
	next, err = oneStint(tx, `SELECT uuid, timestamp_us FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) > (?, ?) AND uuid <> ?
		ORDER BY timestamp_us, uuid LIMIT 1`, s.system, s.timestampUS, s.uuid, s.uuid)
	return prev, next, err
}

func oneStint(tx *Tx, query string, args ...any) (*stint, error) {
	r, err := tx.Get(query, args...)
	if err != nil || r == nil {
		return nil, err
	}
	return &stint{uuid: r.Text(0), us: r.Int(1)}, nil
}

// load reads who is in the switch. It is called again after rows were written.
func (s *stint) load(tx *Tx) error {
	if s == nil {
		return nil
	}
	s.members, s.has = s.members[:0], map[string]bool{}
	return tx.Each(`SELECT position, member_uuid, starts, ends FROM switch_members WHERE switch_uuid = ? ORDER BY position`,
		[]any{s.uuid}, func(r Row) error {
			s.members = append(s.members, stintMember{position: r.Int(0), uuid: r.Text(1), starts: r.Int(2) == 1, ends: r.Int(3) == 1})
			s.has[r.Text(1)] = true
			return nil
		})
}

// insertStint writes the members of s between prev and next, and returns them.
// The first of two equal members counts, and deleted ones have no row.
func insertStint(tx *Tx, s switchRow, prev, next *stint) (live []string, err error) {
	list, err := parseList(s.members)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(prev.load(tx), next.load(tx)); err != nil {
		return nil, err
	}
	this := &stint{uuid: s.uuid, us: s.timestampUS, has: make(map[string]bool, len(list))}
	for position, member := range list {
		if this.has[member] {
			continue
		}
		gone, err := memberDeleted(tx, s.system, member)
		if err != nil {
			return nil, err
		}
		if gone {
			continue
		}
		this.has[member], live = true, append(live, member)
		if err := tx.Exec(`INSERT INTO switch_members (switch_uuid, position, member_uuid, system_uuid, timestamp_us, starts, ends)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, s.uuid, position, member, s.system, s.timestampUS, !prev.in(member), !next.in(member)); err != nil {
			return nil, err
		}
	}
	return live, errors.Join(prev.meets(tx, this), this.met(tx, next))
}

// join makes two switches neighbours of each other; either may be nil.
func join(tx *Tx, prev, next *stint) error {
	if err := errors.Join(prev.load(tx), next.load(tx)); err != nil {
		return err
	}
	return errors.Join(prev.meets(tx, next), prev.met(tx, next))
}

// meets writes where s ends: it and the members that next does not have.
func (s *stint) meets(tx *Tx, next *stint) error {
	if s == nil {
		return nil
	}
	var ended any
	if next != nil {
		ended = next.us
	}
	if err := tx.Exec(`UPDATE switches SET ended_us = ? WHERE uuid = ? AND ended_us IS NOT ?`, ended, s.uuid, ended); err != nil {
		return err
	}
	for _, m := range s.members {
		if ends := !next.in(m.uuid); ends != m.ends {
			if err := tx.Exec(`UPDATE switch_members SET ends = ? WHERE switch_uuid = ? AND position = ?`, ends, s.uuid, m.position); err != nil {
				return err
			}
		}
	}
	return nil
}

// met writes which members of next start there: those that s does not have.
func (s *stint) met(tx *Tx, next *stint) error {
	if next == nil {
		return nil
	}
	for _, m := range next.members {
		if starts := !s.in(m.uuid); starts != m.starts {
			if err := tx.Exec(`UPDATE switch_members SET starts = ? WHERE switch_uuid = ? AND position = ?`, starts, next.uuid, m.position); err != nil {
				return err
			}
		}
	}
	return nil
}

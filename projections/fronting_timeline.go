package projections

// placeSwitch changes a switch to s, and brings the timeline in step: its
// members, and the ends of its neighbours. It returns the front as it is then.
//
// The cost does not depend on how many switches there are (N8): at most four
// neighbours are looked up in an index and written.
func placeSwitch(tx *Tx, w *keptSwitch, s switchRow, front frontRow) (frontRow, error) {
	var oldPrev, oldNext, prev, next *keptSwitch
	var err error
	wasListed := w.listed()
	if wasListed {
		if oldPrev, oldNext, err = neighbours(tx, w, w.switchRow, front); err != nil {
			return front, err
		}
	}
	if s.listed() {
		if prev, next, err = neighbours(tx, w, s, front); err != nil {
			return front, err
		}
	}
	tx.changedSwitch(w)
	w.switchRow, w.endedUS, w.fronters = s, nil, nil
	w.prevKnown, w.nextKnown = false, false
	if wasListed && (!s.listed() || prev != oldPrev || next != oldNext) {
		tx.join(oldPrev, oldNext)
	}
	if s.listed() {
		if err := w.enter(tx); err != nil {
			return front, err
		}
		tx.join(prev, w)
		tx.join(w, next)
		if next == nil {
			return w.front(), nil
		}
	}
	if front.switchUUID == s.uuid {
		return lastFront(tx, s.system)
	}
	return front, nil
}

// neighbours are the listed switches before and after the place that w has, or
// would have, as s; nil where there is none. Most switches are new and come
// last, or are moved a little: then memory has all there is to know.
func neighbours(tx *Tx, w *keptSwitch, s switchRow, front frontRow) (prev, next *keptSwitch, err error) {
	switch {
	case front.switchUUID == "":
		return nil, nil, nil
	case front.switchUUID == s.uuid:
		w.next, w.nextKnown = "", true
	case front.sinceUS < s.timestampUS || front.sinceUS == s.timestampUS && front.switchUUID < s.uuid:
		prev, err = tx.switchOf(front.switchUUID)
		return prev, nil, err
	}
	if w.listed() && w.prevKnown && w.nextKnown {
		if prev, next, err = tx.linked(w); err != nil || prev.before(s) && (next == nil || !next.before(s)) {
			return prev, next, err
		}
	}
	if !w.listed() {
		if prev, next, found, err := tx.nearEnd(s, front); err != nil || found {
			return prev, next, err
		}
	}
	prev, err = oneSwitch(tx, `SELECT uuid FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) < (?, ?) AND uuid <> ?
		ORDER BY timestamp_us DESC, uuid DESC LIMIT 1`, s.system, s.timestampUS, s.uuid, s.uuid)
	if err != nil {
		return nil, nil, err
	}
	next, err = oneSwitch(tx, `SELECT uuid FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) > (?, ?) AND uuid <> ?
		ORDER BY timestamp_us, uuid LIMIT 1`, s.system, s.timestampUS, s.uuid, s.uuid)
	if w.listed() && s == w.switchRow {
		w.prev, w.next, w.prevKnown, w.nextKnown = prev.id(), next.id(), true, true
	}
	return prev, next, err
}

// nearEndSteps is how far back nearEnd looks.
const nearEndSteps = 64

// nearEnd looks for the place of s, which is not in the timeline, backwards from
// the last switch, as far as memory knows the way. Requests overtake each other,
// but not by much; and a look into the file would have to write what waits.
func (tx *Tx) nearEnd(s switchRow, front frontRow) (prev, next *keptSwitch, found bool, err error) {
	if next, err = tx.switchOf(front.switchUUID); err != nil {
		return nil, nil, false, err
	}
	for range nearEndSteps {
		if !next.prevKnown {
			break
		}
		if prev, err = tx.switchOf(next.prev); err != nil {
			return nil, nil, false, err
		}
		if prev.before(s) {
			return prev, next, true, nil
		}
		next = prev
	}
	return nil, nil, false, nil
}

// linked is the two switches that w is known to be between.
func (tx *Tx) linked(w *keptSwitch) (prev, next *keptSwitch, err error) {
	if prev, err = tx.switchOf(w.prev); err != nil {
		return nil, nil, err
	}
	next, err = tx.switchOf(w.next)
	return prev, next, err
}

// id is the uuid; of none (nil) it is empty.
func (w *keptSwitch) id() string {
	if w == nil {
		return ""
	}
	return w.uuid
}

// before reports whether the place of s is behind w; none (nil) is before all.
func (w *keptSwitch) before(s switchRow) bool {
	return w == nil || w.timestampUS < s.timestampUS || w.timestampUS == s.timestampUS && w.uuid < s.uuid
}

// oneSwitch is the switch that a query names; nil if it names none.
func oneSwitch(tx *Tx, query string, args ...any) (*keptSwitch, error) {
	r, err := tx.Get(query, args...)
	if err != nil || r == nil {
		return nil, err
	}
	return tx.switchOf(r.Text(0))
}

// enter makes the switch's members those of its list. The first of two equal
// ones counts, and deleted ones have no row.
func (w *keptSwitch) enter(tx *Tx) error {
	list, err := parseList(w.members)
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(list))
	for position, member := range list {
		if seen[member] {
			continue
		}
		seen[member] = true
		gone, err := memberDeleted(tx, w.system, member)
		if err != nil {
			return err
		}
		if !gone {
			w.fronters = append(w.fronters,
				stintMember{position: int64(position), uuid: member, starts: true, ends: true})
		}
	}
	return nil
}

// join makes two switches neighbours of each other; either may be nil. The one
// before ends when the next one begins. A stretch of a member goes on where both
// have it.
func (tx *Tx) join(prev, next *keptSwitch) {
	if prev != nil {
		prev.next, prev.nextKnown = next.id(), true
		var ended any
		if next != nil {
			ended = next.timestampUS
		}
		changed := prev.endedUS != ended
		prev.endedUS = ended
		in := next.has()
		for i := range prev.fronters {
			m := &prev.fronters[i]
			if ends := !in[m.uuid]; ends != m.ends {
				m.ends, changed = ends, true
			}
		}
		if changed {
			tx.changedSwitch(prev)
		}
	}
	if next != nil {
		next.prev, next.prevKnown = prev.id(), true
		changed := false
		in := prev.has()
		for i := range next.fronters {
			m := &next.fronters[i]
			if starts := !in[m.uuid]; starts != m.starts {
				m.starts, changed = starts, true
			}
		}
		if changed {
			tx.changedSwitch(next)
		}
	}
}

// has is who is in the switch; in none (nil) is nobody.
func (w *keptSwitch) has() map[string]bool {
	if w == nil {
		return nil
	}
	in := make(map[string]bool, len(w.fronters))
	for _, m := range w.fronters {
		in[m.uuid] = true
	}
	return in
}

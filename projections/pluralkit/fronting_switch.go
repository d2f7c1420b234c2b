package pluralkit

import (
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
)

// switchStamp is the version of one value of a switch: which event set it.
// The zero stamp: none did, the value is unknown.
type switchStamp struct {
	rank  int64
	atUS  int64  // the event's time
	event string // the event's id
}

func (s switchStamp) newerThan(old switchStamp) bool {
	if s.rank != old.rank {
		return s.rank > old.rank
	}
	if s.atUS != old.atUS {
		return s.atUS > old.atUS
	}
	return s.event > old.event
}

// switchRow is what is known of a switch itself, whatever its neighbours are.
type switchRow struct {
	uuid        string
	timestampUS int64
	timestampBy switchStamp
	members     []string // the raw list: deleted members are still in it. It is never changed, only replaced
	membersBy   switchStamp
	ordered     bool   // their order is the true one, by the API
	firstUS     int64  // the earliest it was heard of; 0: never
	seenUS      int64  // the last sign of life; 0: none
	observedUS  int64  // the last time the API had it when it was asked; 0: never
	absentUS    int64  // and had it not
	standIn     bool   // a file told of it, and it has no uuid of PluralKit's
	realUUID    string // of a stand-in that is not gone: the switch that has its place; empty: none has
	removedUS   int64  // its own delete event, which is final; 0: none
	purgedUS    int64  // the DELETE_ALL_SWITCHES that took it; 0: none did. It is found, not stored
}

// equal reports whether two rows are the same. Members are set by a stamp, so
// lists of one stamp are one list.
func (s *switchRow) equal(o *switchRow) bool {
	return s.timestampUS == o.timestampUS && s.timestampBy == o.timestampBy && s.membersBy == o.membersBy &&
		slices.Equal(s.members, o.members) && s.ordered == o.ordered && s.firstUS == o.firstUS && s.seenUS == o.seenUS &&
		s.observedUS == o.observedUS && s.absentUS == o.absentUS && s.standIn == o.standIn && s.realUUID == o.realUUID &&
		s.removedUS == o.removedUS && s.purgedUS == o.purgedUS
}

// aliveUS is until when no DELETE_ALL_SWITCHES can have taken it.
func (s *switchRow) aliveUS() int64 { return max(s.firstUS, s.observedUS) }

// deletedUS is when it went, by the first of what took it; 0: it is there.
func (s *switchRow) deletedUS() int64 {
	absent := s.absentUS
	if absent <= s.seenUS {
		absent = 0
	}
	var first int64
	for _, us := range [...]int64{s.removedUS, s.purgedUS, absent} {
		if us != 0 && (first == 0 || us < first) {
			first = us
		}
	}
	return first
}

// listed reports whether the switch is in the timeline.
func (s *switchRow) listed() bool {
	return s.deletedUS() == 0 && s.realUUID == "" && s.timestampBy.rank > 0 && s.membersBy.rank > 0
}

// before reports whether the switch comes before that place in the timeline.
func (s *switchRow) before(us int64, uuid string) bool {
	return s.timestampUS < us || s.timestampUS == us && s.uuid < uuid
}

// stint is a member that is in a listed switch: a row of switch_stints.
type stint struct {
	member       string
	starts, ends tri // whether a stretch of the member begins here, and ends here
}

// tri is yes, no, or unread: it is in the file, and nobody has read it.
type tri int8

const (
	unread tri = iota
	no
	yes
)

func triOf(is bool) tri {
	if is {
		return yes
	}
	return no
}

// switchState is a row of switches, and those of switch_stints.
type switchState struct {
	switchRow
	endedUS any     // int64: when the next one began; nil: there is none, or this is not listed
	stints  []stint // in the order of the list, each member once, without those that are gone; of a switch that is not listed, none
}

// cachedSwitch is a switch in memory.
type cachedSwitch struct {
	switchState
	stored bool        // the file has it
	file   switchState // as it is there
	waits  bool        // it is among those to be written
	inLine bool
}

// has reports whether a member is in the switch; in none (nil) is nobody.
func (w *cachedSwitch) has(member string) bool {
	return w != nil && slices.ContainsFunc(w.stints, func(s stint) bool { return s.member == member })
}

// manyMembers is from when on a lookup table is worth it.
const manyMembers = 16

// present gives a function that reports whether a member is in the switch.
func (w *cachedSwitch) present() func(member string) bool {
	if w == nil || len(w.stints) < manyMembers {
		return w.has
	}
	in := make(map[string]bool, len(w.stints))
	for _, s := range w.stints {
		in[s.member] = true
	}
	return func(member string) bool { return in[member] }
}

const (
	switchColumns = `uuid, timestamp_us, timestamp_rank, timestamp_at_us, timestamp_event,
		members, members_rank, members_at_us, members_event, ordered,
		first_us, seen_us, observed_us, absent_us, removed_us, ended_us, listed, stand_in, real_uuid`
	switchByUUID = `SELECT ` + switchColumns + ` FROM switches WHERE system_uuid = ? AND uuid = ?`
)

// scanSwitch is the switch of a row of switchColumns: the one in memory, if it is there.
func (t *tenant) scanSwitch(tx *engine.Tx, r engine.Row) (*cachedSwitch, error) {
	if w := t.switches[r.Text(0)]; w != nil {
		return w, nil
	}
	w := &cachedSwitch{stored: true, switchState: switchState{endedUS: r[15], switchRow: switchRow{
		uuid:        r.Text(0),
		timestampUS: r.Int(1), timestampBy: switchStamp{rank: r.Int(2), atUS: r.Int(3), event: r.Text(4)},
		membersBy: switchStamp{rank: r.Int(6), atUS: r.Int(7), event: r.Text(8)}, ordered: r.Int(9) == 1,
		firstUS: r.Int(10), seenUS: r.Int(11), observedUS: r.Int(12), absentUS: r.Int(13), removedUS: r.Int(14),
		standIn: r.Int(17) == 1, realUUID: r.Text(18),
	}}}
	if w.membersBy.rank > 0 {
		var err error
		if w.members, err = parseList(r.Text(5)); err != nil {
			return nil, err
		}
	}
	if err := t.purge(tx, &w.switchRow); err != nil {
		return nil, err
	}
	if r.Int(16) == 1 {
		if err := t.enter(tx, w); err != nil {
			return nil, err
		}
		for i := range w.stints {
			w.stints[i].starts, w.stints[i].ends = unread, unread
		}
	}
	w.file = w.switchState
	w.file.stints = slices.Clone(w.stints)
	return t.addSwitch(w), nil
}

func (t *tenant) addSwitch(w *cachedSwitch) *cachedSwitch {
	t.switches[w.uuid] = w
	t.take(switchBytes)
	return w
}

// switchOf is the switch as it is now; nil: none was ever heard of.
func (t *tenant) switchOf(tx *engine.Tx, uuid string) (*cachedSwitch, error) {
	if w := t.switches[uuid]; w != nil || t.allSwitches {
		return w, nil
	}
	return t.oneSwitch(tx, switchByUUID, t.system, uuid)
}

// oneSwitch is the switch that a query of switchColumns finds; nil if it finds none.
func (t *tenant) oneSwitch(tx *engine.Tx, query string, args ...any) (*cachedSwitch, error) {
	r, err := tx.Get(query, args...)
	if err != nil || r == nil {
		return nil, err
	}
	return t.scanSwitch(tx, r)
}

// enter makes the switch's stints those of its list. The first of two equal
// members counts, and deleted ones have none.
func (t *tenant) enter(tx *engine.Tx, w *cachedSwitch) error {
	w.stints = nil
	seen := map[string]bool{}
	for _, member := range w.members {
		if len(w.members) < manyMembers && w.has(member) || seen[member] {
			continue
		}
		if len(w.members) >= manyMembers {
			seen[member] = true
		}
		gone, err := t.memberGone(tx, member)
		if err != nil {
			return err
		}
		if !gone {
			w.stints = append(w.stints, stint{member: member, starts: yes, ends: yes})
		}
	}
	return nil
}

// changedSwitch has the switch written, in time.
func (t *tenant) changedSwitch(tx *engine.Tx, w *cachedSwitch) {
	tx.Changed()
	if !w.waits {
		w.waits, t.waiting = true, append(t.waiting, w)
		t.state.switches++
	}
}

// nullable is a time as a column holds it; 0: never.
func nullable(us int64) any {
	if us == 0 {
		return nil
	}
	return us
}

// insertSwitch writes a row that the file has not; updateSwitch one that it has.
var insertSwitch = newInserts(`INSERT INTO switches (timestamp_us, ended_us, members, ordered, first_us, seen_us,
		observed_us, absent_us, removed_us, deleted_us, listed, stand_in, real_uuid,
		timestamp_rank, timestamp_at_us, timestamp_event, members_rank, members_at_us, members_event, system_uuid, uuid) VALUES `, 21, ``)

var insertStint = newInserts(`INSERT INTO switch_stints (system_uuid, member_uuid, timestamp_us, switch_uuid, starts, ends) VALUES `, 6, ``)

const updateSwitch = `UPDATE switches SET timestamp_us = ?, ended_us = ?, members = ?, ordered = ?, first_us = ?, seen_us = ?,
		observed_us = ?, absent_us = ?, removed_us = ?, deleted_us = ?, listed = ?, stand_in = ?, real_uuid = ?,
		timestamp_rank = ?, timestamp_at_us = ?, timestamp_event = ?, members_rank = ?, members_at_us = ?, members_event = ?
	WHERE system_uuid = ? AND uuid = ?`

func (w *cachedSwitch) args(system string) []any {
	var timestamp, members any
	if w.timestampBy.rank > 0 {
		timestamp = w.timestampUS
	}
	if w.membersBy.rank > 0 {
		members = jsonList(w.members)
	}
	return []any{timestamp, w.endedUS, members, w.ordered, nullable(w.firstUS), nullable(w.seenUS),
		nullable(w.observedUS), nullable(w.absentUS), nullable(w.removedUS), nullable(w.deletedUS()), w.listed(), w.standIn,
		engine.TextOrNull(w.realUUID), w.timestampBy.rank, w.timestampBy.atUS, w.timestampBy.event,
		w.membersBy.rank, w.membersBy.atUS, w.membersBy.event, system, w.uuid}
}

// store writes what is different from the file. What is to be inserted it adds
// to rows and stints.
func (w *cachedSwitch) store(tx *engine.Tx, system string, rows, stints *inserts) error {
	var err error
	switch {
	case !w.stored:
		err = rows.add(tx, w.args(system)...)
	case !w.switchRow.equal(&w.file.switchRow):
		err = tx.Exec(updateSwitch, w.args(system)...)
	case w.endedUS != w.file.endedUS:
		err = tx.Exec(`UPDATE switches SET ended_us = ? WHERE system_uuid = ? AND uuid = ?`, w.endedUS, system, w.uuid)
	}
	if err == nil {
		err = w.storeStints(tx, system, stints)
	}
	w.stored, w.waits, w.file = true, false, w.switchState
	w.file.stints = slices.Clone(w.stints)
	return err
}

// storeStints writes the stints anew, or where stretches begin and end if
// nothing else is different.
func (w *cachedSwitch) storeStints(tx *engine.Tx, system string, stints *inserts) error {
	const where = ` WHERE system_uuid = ? AND member_uuid = ? AND timestamp_us = ? AND switch_uuid = ?`
	if w.timestampUS == w.file.timestampUS && slices.EqualFunc(w.stints, w.file.stints, func(a, b stint) bool { return a.member == b.member }) {
		for i, s := range w.stints {
			var err error
			if was := w.file.stints[i]; s.starts != was.starts {
				err = tx.Exec(`UPDATE switch_stints SET starts = ?`+where, s.starts == yes, system, s.member, w.timestampUS, w.uuid)
			}
			if was := w.file.stints[i]; err == nil && s.ends != was.ends {
				err = tx.Exec(`UPDATE switch_stints SET ends = ?`+where, s.ends == yes, system, s.member, w.timestampUS, w.uuid)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range w.file.stints {
		if err := tx.Exec(`DELETE FROM switch_stints`+where, system, s.member, w.file.timestampUS, w.uuid); err != nil {
			return err
		}
	}
	for _, s := range w.stints {
		if err := stints.add(tx, system, s.member, w.timestampUS, w.uuid, s.starts == yes, s.ends == yes); err != nil {
			return err
		}
	}
	return nil
}

// jsonList writes a list of uuids as JSON; none is [].
func jsonList(list []string) string {
	b := make([]byte, 0, 2+40*len(list))
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = merge.AppendJSON(b, s)
	}
	return string(append(b, ']'))
}

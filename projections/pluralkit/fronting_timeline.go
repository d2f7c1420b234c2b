package pluralkit

import (
	"slices"
	"sort"

	"switchlog/projections/engine"
)

// A timeline is what is in memory of a system's switches.
//
// line is the end of the timeline, without gaps: nearly every event is about a
// switch in it, and its neighbours are beside it. What an event needs of earlier
// ones is read from the file, after what waits was written.
type timeline struct {
	switches    map[string]*cachedSwitch // by uuid
	allSwitches bool                     // the file has no others
	waiting     []*cachedSwitch          // to be written

	line      []*cachedSwitch // listed switches, in order
	lineRead  bool            // line is what it should be
	lineWhole bool            // there is no listed switch before it

	moves []move // rows of switch_moves to be written

	purges      []int64 // when the switches were all deleted, in order
	purgesKnown bool

	standIns tri // whether a file was ever read of the system: mostly none was

	shown      frontRow // the row of fronts that the file has
	shownKnown bool
}

// move is a row of switch_moves.
type move struct {
	us   int64
	uuid string
}

func newTimeline(whole bool) timeline {
	l := timeline{switches: map[string]*cachedSwitch{}, allSwitches: whole, lineRead: whole, lineWhole: whole, purgesKnown: whole, shownKnown: whole}
	if whole {
		l.standIns = no
	}
	return l
}

func (l *timeline) waits() bool { return len(l.waiting) > 0 || len(l.moves) > 0 }

// forgetSwitches has everything about switches read anew, after statements that
// changed them in the file.
func (t *tenant) forgetSwitches() {
	t.take(-switchBytes * len(t.switches))
	t.switches, t.allSwitches = map[string]*cachedSwitch{}, false
	t.line, t.lineRead, t.lineWhole = nil, false, false
}

// flushSwitches writes what the file has not of switches and the front.
func (t *tenant) flushSwitches(tx *engine.Tx) error {
	if !t.timeline.waits() {
		return nil
	}
	if err := t.storeSwitches(tx); err != nil {
		return err
	}
	return t.state.flushInserts(tx)
}

// storeSwitches is flushSwitches but for the rows that are inserted: those wait
// for more.
func (t *tenant) storeSwitches(tx *engine.Tx) error {
	for _, m := range t.moves {
		if err := tx.Exec(`INSERT OR IGNORE INTO switch_moves (system_uuid, timestamp_us, switch_uuid) VALUES (?, ?, ?)`, t.system, m.us, m.uuid); err != nil {
			return err
		}
	}
	t.moves = t.moves[:0]
	slices.SortFunc(t.waiting, func(a, b *cachedSwitch) int {
		if a.before(b.timestampUS, b.uuid) {
			return -1
		}
		return 1
	})
	for _, w := range t.waiting {
		if err := w.store(tx, t.system, &t.state.rows, &t.state.stints); err != nil {
			return err
		}
	}
	t.state.switches -= len(t.waiting)
	clear(t.waiting)
	t.waiting = t.waiting[:0]
	return t.storeFront(tx)
}

// trim drops the switches that are of little use; none waits to be written.
func (t *tenant) trim() {
	if len(t.waiting) > 0 {
		return
	}
	if len(t.line) > maxLine {
		for _, w := range t.line[:len(t.line)-maxLine/2] {
			w.inLine = false
		}
		t.line, t.lineWhole = slices.Clone(t.line[len(t.line)-maxLine/2:]), false
	}
	if len(t.switches) <= len(t.line)+maxLine/2 {
		return
	}
	for uuid, w := range t.switches {
		if !w.inLine {
			delete(t.switches, uuid)
			t.take(-switchBytes)
		}
	}
	t.allSwitches = false
}

// firstLine is how many switches are read when an event of the system comes.
const firstLine = 16

// readLine reads the end of the timeline, if it is not known.
func (t *tenant) readLine(tx *engine.Tx) error {
	if t.lineRead {
		return nil
	}
	if err := t.flushSwitches(tx); err != nil {
		return err
	}
	var line []*cachedSwitch
	rows, err := tx.Rows(`SELECT `+switchColumns+` FROM switches WHERE system_uuid = ? AND listed = 1
		ORDER BY timestamp_us DESC, uuid DESC LIMIT ?`, t.system, firstLine)
	if err != nil {
		return err
	}
	for _, r := range rows {
		w, err := t.scanSwitch(tx, r)
		if err != nil {
			return err
		}
		line = append(line, w)
	}
	slices.Reverse(line)
	for i, w := range line {
		w.inLine = true
		if i > 0 {
			adjoin(line[i-1], w)
		}
	}
	if n := len(line); n > 0 {
		adjoin(line[n-1], nil)
	}
	t.line, t.lineRead, t.lineWhole = line, true, len(line) < firstLine
	return nil
}

// adjoin says that two switches are neighbours in the file; either may be nil.
// From that follow those flags of theirs that were not read.
func adjoin(prev, next *cachedSwitch) {
	if prev != nil {
		in := next.present()
		for i := range prev.stints {
			if s := &prev.stints[i]; s.ends == unread {
				s.ends = triOf(!in(s.member))
				prev.file.stints[i].ends = s.ends
			}
		}
	}
	if next != nil {
		in := prev.present()
		for i := range next.stints {
			if s := &next.stints[i]; s.starts == unread {
				s.starts = triOf(!in(s.member))
				next.file.stints[i].starts = s.starts
			}
		}
	}
}

// join makes two switches neighbours of each other; either may be nil. The one
// before ends when the next one begins. A stretch of a member goes on where both
// have it.
func (t *tenant) join(tx *engine.Tx, prev, next *cachedSwitch) {
	if prev != nil {
		var ended any
		if next != nil {
			ended = next.timestampUS
		}
		changed := prev.endedUS != ended
		prev.endedUS = ended
		in := next.present()
		for i := range prev.stints {
			s := &prev.stints[i]
			if ends := triOf(!in(s.member)); ends != s.ends {
				s.ends, changed = ends, true
			}
		}
		if changed {
			t.changedSwitch(tx, prev)
		}
	}
	if next != nil {
		changed := false
		in := prev.present()
		for i := range next.stints {
			s := &next.stints[i]
			if starts := triOf(!in(s.member)); starts != s.starts {
				s.starts, changed = starts, true
			}
		}
		if changed {
			t.changedSwitch(tx, next)
		}
	}
}

// place changes a switch to s, and brings the timeline in step: its members, and
// the ends of its neighbours.
//
// The cost does not depend on how many switches there are (N8): at most four
// neighbours are looked up in an index and written.
func (t *tenant) place(tx *engine.Tx, w *cachedSwitch, s switchRow) error {
	if err := t.readLine(tx); err != nil {
		return err
	}
	var oldPrev, oldNext, prev, next *cachedSwitch
	var err error
	wasListed := w.listed()
	if wasListed {
		if oldPrev, oldNext, err = t.neighbours(tx, w, w.timestampUS); err != nil {
			return err
		}
		adjoin(oldPrev, w)
		adjoin(w, oldNext)
	}
	if s.listed() {
		if prev, next, err = t.neighbours(tx, w, s.timestampUS); err != nil {
			return err
		}
		if !wasListed || prev != oldPrev || next != oldNext {
			adjoin(prev, next)
		}
	}
	t.changedSwitch(tx, w)
	t.leaveLine(w)
	w.switchRow, w.endedUS, w.stints = s, nil, nil
	if wasListed && (!s.listed() || prev != oldPrev || next != oldNext) {
		t.join(tx, oldPrev, oldNext)
	}
	if s.listed() {
		if err := t.enter(tx, w); err != nil {
			return err
		}
		t.join(tx, prev, w)
		t.join(tx, w, next)
		t.enterLine(w)
	}
	if len(t.line) == 0 && !t.lineWhole {
		t.lineRead = false
		return t.readLine(tx)
	}
	return nil
}

// at is where in the line a switch of that time and uuid is, or would be.
func (t *tenant) at(us int64, uuid string) int {
	n := len(t.line)
	if n == 0 || t.line[n-1].before(us, uuid) {
		return n
	}
	return sort.Search(n, func(i int) bool { return !t.line[i].before(us, uuid) })
}

func (t *tenant) leaveLine(w *cachedSwitch) {
	if !w.inLine {
		return
	}
	i := t.at(w.timestampUS, w.uuid)
	t.line, w.inLine = slices.Delete(t.line, i, i+1), false
}

// enterLine puts a listed switch into the line, if that reaches as far back.
func (t *tenant) enterLine(w *cachedSwitch) {
	if i := t.at(w.timestampUS, w.uuid); i > 0 || t.lineWhole {
		t.line, w.inLine = slices.Insert(t.line, i, w), true
	}
}

// neighbours are the listed switches before and after the place that w has, or
// would have at that time; nil where there is none.
func (t *tenant) neighbours(tx *engine.Tx, w *cachedSwitch, us int64) (prev, next *cachedSwitch, err error) {
	i := t.at(us, w.uuid)
	j := i - 1
	if i < len(t.line) && t.line[i] == w {
		i++
	}
	if j >= 0 && t.line[j] == w {
		j--
	}
	if j < 0 && !t.lineWhole {
		return t.farNeighbours(tx, w, us)
	}
	if j >= 0 {
		prev = t.line[j]
	}
	if i < len(t.line) {
		next = t.line[i]
	}
	return prev, next, nil
}

// farNeighbours reads them from the file.
func (t *tenant) farNeighbours(tx *engine.Tx, w *cachedSwitch, us int64) (prev, next *cachedSwitch, err error) {
	if err := t.flushSwitches(tx); err != nil {
		return nil, nil, err
	}
	prev, err = t.oneSwitch(tx, `SELECT `+switchColumns+` FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) < (?, ?) AND uuid <> ?
		ORDER BY timestamp_us DESC, uuid DESC LIMIT 1`, t.system, us, w.uuid, w.uuid)
	if err != nil {
		return nil, nil, err
	}
	next, err = t.oneSwitch(tx, `SELECT `+switchColumns+` FROM switches
		WHERE system_uuid = ? AND listed = 1 AND (timestamp_us, uuid) > (?, ?) AND uuid <> ?
		ORDER BY timestamp_us, uuid LIMIT 1`, t.system, us, w.uuid, w.uuid)
	return prev, next, err
}

// walk reads the whole timeline, oldest first, and calls fn with each
// switch and the one before it. For events about the whole of it.
func (t *tenant) walk(tx *engine.Tx, fn func(prev, next *cachedSwitch) error) error {
	var prev *cachedSwitch
	query, args := `SELECT `+switchColumns+` FROM switches WHERE system_uuid = ? AND listed = 1
		ORDER BY timestamp_us, uuid LIMIT 1`, []any{t.system}
	for {
		next, err := t.oneSwitch(tx, query, args...)
		if err != nil {
			return err
		}
		if err := fn(prev, next); err != nil || next == nil {
			return err
		}
		prev = next
		query, args = `SELECT `+switchColumns+` FROM switches WHERE system_uuid = ? AND listed = 1
			AND (timestamp_us, uuid) > (?, ?) ORDER BY timestamp_us, uuid LIMIT 1`, []any{t.system, prev.timestampUS, prev.uuid}
	}
}

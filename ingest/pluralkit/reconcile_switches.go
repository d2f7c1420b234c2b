package pluralkit

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"switchlog/schemas"
)

// A seenSwitch is one whose members are known in order.
type seenSwitch struct {
	id      string
	atUS    int64
	members []string
	asked   time.Time
}

func seen(s FullSwitch, asked time.Time) seenSwitch {
	members := make([]string, 0, len(s.Members))
	for _, m := range s.Members {
		members = append(members, string(m.UUID))
	}
	return seenSwitch{string(s.UUID), s.At.UnixMicro(), members, asked}
}

// switches looks at the front, at history and at single switches, as wanted.
func (l *look) switches(ctx context.Context, w wanted, a answers) error {
	if a.fronting {
		l.full[string(a.front.UUID)] = seen(a.front, a.askedFront)
	}
	var err error
	switch {
	case w.history != notAtAll:
		err = l.walkHistory(ctx, w, a)
	case a.fronting:
		err = l.settle(ctx, l.full[string(a.front.UUID)])
	}
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(w.switches) {
		if err := l.single(ctx, id); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

// ahead is how far beyond our now history is asked for at least: the clocks
// need not agree.
const ahead = 24 * time.Hour

// A walkback goes through history from newest to oldest and holds each page
// against what is held between the same moments.
type walkback struct {
	*look
	beforeUS int64           // all from here on has been held against what is held
	seen     map[string]bool // all switches listed so far
	times    map[int64]bool  // when they began
	doubtful []doubt         // held but not listed where they should be
}

// A doubt is a switch that a page of that moment did not have.
type doubt struct {
	id    string
	asked time.Time
	held  heldState
}

// walkHistory walks. The front may lie in the future, which the list
// only shows when asked for what is before a time after it.
func (l *look) walkHistory(ctx context.Context, w wanted, a answers) error {
	began := l.r.asked()
	h := &walkback{look: l, beforeUS: math.MaxInt64, seen: map[string]bool{}, times: map[int64]bool{}}
	if !a.fronting {
		if err := h.page(ctx, nil, true, a.askedFront); err != nil {
			return err
		}
		return h.finish(ctx, true, began)
	}
	before := time.Now().Add(ahead)
	if a.front.At.After(before) {
		before = a.front.At
	}
	c := l.r.c.Client
	steps := walk{client: c, size: c.page, seen: map[[16]byte]struct{}{}, before: ceil(before.Add(time.Microsecond))}
	for !steps.over {
		asked, odd := l.r.asked(), l.odd
		page, err := steps.next(ctx)
		if err != nil {
			return err
		}
		if steps.ties != nil {
			l.report.Unlistable++
			l.r.c.Log.Warn("some switches cannot be listed", "err", steps.ties)
		}
		// A first page that is not full is all there is.
		steps.over = steps.over || len(h.seen) == 0 && len(page) < c.page
		if err := h.page(ctx, page, steps.over, asked); err != nil {
			return err
		}
		if w.history == recent && l.odd == odd {
			break
		}
	}
	return h.finish(ctx, steps.over, began)
}

// finish decides on what was held and not listed, once the walk is over. A walk
// that saw all of history (complete) also decides on the switches that are in no
// timeline of ours: an update told of them, and nothing else did.
func (h *walkback) finish(ctx context.Context, complete bool, began time.Time) error {
	if complete {
		if err := h.unlisted(ctx, began); err != nil {
			return err
		}
	}
	return h.judgeDoubtful(ctx, complete)
}

// unlisted doubts the switches that are in no timeline and were not listed.
func (h *walkback) unlisted(ctx context.Context, began time.Time) error {
	for after := ""; ; {
		list, err := h.r.c.Known.UnlistedSwitches(ctx, h.r.c.System, after, heldPage)
		if err != nil {
			return own(err)
		}
		for _, s := range list {
			switch {
			case h.seen[s.ID]: // compared when it was listed
			case fresh(s.TouchedUS, began):
				h.again.single(s.ID)
			default:
				h.odd++
				h.doubtful = append(h.doubtful, doubt{s.ID, began, switchState(&s)})
			}
		}
		if len(list) < heldPage {
			return nil
		}
		after = list[len(list)-1].ID
	}
}

// page holds switches that are next to each other in time, newest first,
// against those held between the same moments; last: nothing is older.
func (h *walkback) page(ctx context.Context, list []Switch, last bool, asked time.Time) error {
	fromUS := int64(math.MinInt64)
	if !last { // more of the last moment may be on the next page
		if len(list) == 0 {
			return nil
		}
		fromUS = list[len(list)-1].At.UnixMicro() + 1
	}
	ids := make([]string, 0, len(list))
	for _, s := range list {
		ids = append(ids, string(s.UUID))
		h.seen[string(s.UUID)], h.times[s.At.UnixMicro()] = true, true
	}
	held, err := h.heldSwitches(ctx, fromUS, h.beforeUS, ids)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := h.listed(ctx, s, held[string(s.UUID)], asked); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(held) {
		t := held[id].TimestampUS
		if h.seen[id] || held[id].Gone || t == nil || *t < fromUS || *t >= h.beforeUS {
			continue
		}
		if fresh(held[id].TouchedUS, asked) {
			h.again.single(id)
			continue
		}
		if held[id].StandIn && h.times[*t] {
			continue // the one that was listed takes its place
		}
		h.odd++
		if held[id].StandIn { // PluralKit does not know its uuid
			h.absent("switch", schemas.SwitchAbsent, id, asked, "", switchState(held[id]))
			continue
		}
		h.doubtful = append(h.doubtful, doubt{id, asked, switchState(held[id])})
	}
	if !last {
		h.beforeUS = fromUS
	}
	h.tell(StepHistory, len(h.seen), 0)
	return h.flush(ctx)
}

// heldPage switches are read at once.
const heldPage = 500

// heldSwitches reads those that are held from a time on and before another, and
// those of the ids.
func (l *look) heldSwitches(ctx context.Context, fromUS, beforeUS int64, ids []string) (map[string]*schemas.HeldSwitch, error) {
	held, err := l.heldByID(ctx, ids...)
	for beforeID := ""; err == nil && beforeUS >= fromUS; {
		var list []schemas.HeldSwitch
		if list, err = l.r.c.Known.HeldSwitches(ctx, l.r.c.System, beforeUS, beforeID, heldPage); err != nil {
			return nil, own(err)
		}
		if len(list) == 0 {
			break
		}
		for i := range list {
			held[list[i].ID] = &list[i] // more than there should be, where the last page ends
		}
		last := list[len(list)-1]
		beforeUS, beforeID = *last.TimestampUS, last.ID
	}
	return held, err
}

// heldByID reads those of at most 1,000 ids that are held, after all that was
// accepted before.
func (l *look) heldByID(ctx context.Context, ids ...string) (map[string]*schemas.HeldSwitch, error) {
	if err := l.r.c.Settled(ctx); err != nil {
		return nil, own(err)
	}
	list, err := l.r.c.Known.HeldSwitchesByID(ctx, l.r.c.System, ids)
	held := make(map[string]*schemas.HeldSwitch, len(list))
	for i := range list {
		held[list[i].ID] = &list[i]
	}
	return held, own(err)
}

// listed holds a switch of a list against what is held of it. A list says who
// is in it, and hardly in which order: where that counts, it is asked for.
func (l *look) listed(ctx context.Context, s Switch, held *schemas.HeldSwitch, asked time.Time) error {
	if full, known := l.full[string(s.UUID)]; known {
		l.differs(full, held)
		return nil
	}
	members, known := l.resolve(s.Members)
	sure := known && len(members) < 2
	if known && held != nil && held.Listed && held.Ordered && *held.TimestampUS == s.At.UnixMicro() && slices.Equal(held.Members, members) {
		return nil
	}
	if held != nil && (held.Final || fresh(held.TouchedUS, asked)) || sure {
		l.differs(seenSwitch{string(s.UUID), s.At.UnixMicro(), members, asked}, held)
		return nil
	}
	asked = l.r.asked()
	full, err := l.r.c.Client.Switch(ctx, s.UUID)
	if errors.Is(err, ErrNotFound) { // since the list was made
		l.again.single(string(s.UUID))
		return nil
	}
	if err != nil {
		return err
	}
	l.differs(seen(full, asked), held)
	return nil
}

func (l *look) resolve(hids []HID) (members []string, known bool) {
	members = make([]string, 0, len(hids))
	for _, hid := range hids {
		id, ok := l.hids[hid]
		if !ok {
			return nil, false
		}
		members = append(members, string(id))
	}
	return members, true
}

// differs appends a switch that is not what is held of it.
func (l *look) differs(s seenSwitch, held *schemas.HeldSwitch) {
	f, what, from := missing, "", time.UnixMicro(s.atUS)
	if held != nil && held.Listed {
		from = time.Time{}
		moved, others := *held.TimestampUS != s.atUS, !sameMembers(held.Members, s.members)
		turned := !held.Ordered || !slices.Equal(held.Members, s.members)
		switch {
		case moved && others:
			f, what = wrong, "timestamp, members"
		case moved:
			f, what = wrong, "timestamp"
		case others:
			f, what = wrong, "members"
		case turned:
			f, what = unsaid, "order"
		default:
			return
		}
	}
	switch {
	case held != nil && fresh(held.TouchedUS, s.asked):
		l.odd++
		l.again.single(s.id)
	case held != nil && held.Final:
		l.report.Disputed++
	default:
		l.odd++
		l.observed(difference{of: f, noun: "switch", id: s.id, what: what, born: from, held: switchState(held)}, schemas.SwitchObserved, struct {
			ID        string   `json:"id"`
			Timestamp string   `json:"timestamp"`
			Members   []string `json:"members"`
		}{s.id, schemas.FormatTime(time.UnixMicro(s.atUS)), s.members}, s.asked)
	}
}

func sameMembers(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// settle holds one switch, just read, against what is held.
func (l *look) settle(ctx context.Context, s seenSwitch) error {
	held, err := l.heldByID(ctx, s.id)
	if err != nil {
		return err
	}
	l.differs(s, held[s.id])
	return nil
}

// single asks for one switch: it is there, or it is not.
func (l *look) single(ctx context.Context, id string) error {
	if s, known := l.full[id]; known {
		return l.settle(ctx, s)
	}
	asked := l.r.asked()
	s, err := l.r.c.Client.Switch(ctx, UUID(id))
	if err == nil {
		l.full[id] = seen(s, asked)
		return l.settle(ctx, l.full[id])
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	held, err := l.heldByID(ctx, id)
	if err != nil {
		return err
	}
	switch h := held[id]; {
	case h == nil || h.Gone:
	case fresh(h.TouchedUS, asked):
		l.again.single(id)
	default:
		l.absent("switch", schemas.SwitchAbsent, id, asked, "", switchState(h))
	}
	return nil
}

// judgeDoubtful decides on those that were not listed where they should be:
// they are gone, or were moved while the walk was under way. A few are asked
// for one by one; that many are gone by the word of a walk to the end.
func (h *walkback) judgeDoubtful(ctx context.Context, complete bool) error {
	doubtful := slices.DeleteFunc(h.doubtful, func(d doubt) bool { return h.seen[d.id] }) // moved back in time
	if len(doubtful) > maxSingles && complete {
		for _, d := range doubtful {
			h.absent("switch", schemas.SwitchAbsent, d.id, d.asked, "", d.held)
		}
		return h.flush(ctx)
	}
	for i, d := range doubtful {
		if i == maxSingles {
			h.again.history, h.again.switches = entire, nil
			break
		}
		if err := h.single(ctx, d.id); err != nil {
			return err
		}
	}
	return h.flush(ctx)
}

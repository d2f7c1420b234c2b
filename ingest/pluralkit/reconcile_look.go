package pluralkit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"switchlog/schemas"
)

// maxAppended events are appended at once.
const maxAppended = 200

// A look is one round of questions and what came of it.
type look struct {
	r      *Reconciler
	report *Report

	held  schemas.Held
	again wanted // what changed meanwhile
	hids  map[HID]UUID
	full  map[string]seenSwitch // switches whose order is known, by uuid
	out   []difference          // not yet appended
	state State                 // what flush will have said of the source; empty: nothing new was asked
	odd   int                   // switches that were not as held, whatever became of it
}

// A difference is what is to be said, and what it is. Of how the source stands
// there is no finding: it is no data.
type difference struct {
	event          schemas.Event
	of             finding
	noun, id, what string
	born           time.Time // of what was missing: when it came to be; zero: not known, or found by a first look
	held           heldState // what was held of it
}

// answers are what PluralKit said, each list with the moment it stands for.
type answers struct {
	system                                                            System
	settings                                                          Settings
	members                                                           []Member
	groups                                                            []Group
	front                                                             FullSwitch
	fronting                                                          bool
	askedSystem, askedSettings, askedMembers, askedGroups, askedFront time.Time
}

// look asks for w and appends what is different; again is what must be looked
// at once more.
func (r *Reconciler) look(ctx context.Context, w wanted, report *Report) (again wanted, err error) {
	l := &look{r: r, report: report, hids: map[HID]UUID{}, full: map[string]seenSwitch{}}
	if err := r.recall(ctx); err != nil {
		return wanted{}, err
	}
	w.system = true
	if w.history != notAtAll {
		w.members, w.front = true, true // whose the short ids are, and what lies in the future
	}
	a, err := l.ask(ctx, w)
	if err == nil {
		err = l.compare(ctx, w, a)
	}
	if err != nil {
		return wanted{}, r.judge(ctx, err, report)
	}
	if w.history == entire && w.probes {
		l.forgetTaken()
	}
	return l.again, nil
}

// ask puts the questions that have one answer each.
func (l *look) ask(ctx context.Context, w wanted) (a answers, err error) {
	c, lists := l.r.c.Client, 0
	done := func() { lists++; l.tell(StepLists, lists, w.lists()) }
	a.askedSystem = l.r.asked()
	if a.system, err = c.System(ctx); err != nil {
		return a, err
	}
	done()
	if string(a.system.UUID) != l.r.c.System {
		return a, fmt.Errorf("%w: it is of system %s", ErrAnonymous, a.system.UUID)
	}
	if w.settings {
		a.askedSettings = l.r.asked()
		if a.settings, err = c.Settings(ctx); err != nil {
			return a, err
		}
		done()
	}
	if w.members {
		a.askedMembers = l.r.asked()
		if a.members, err = c.Members(ctx); err != nil {
			return a, err
		}
		for _, m := range a.members {
			l.hids[m.HID] = m.UUID
		}
		done()
	}
	if w.groups {
		a.askedGroups = l.r.asked()
		if a.groups, err = c.Groups(ctx); err != nil {
			return a, err
		}
		done()
	}
	if w.front {
		a.askedFront = l.r.asked()
		if a.front, a.fronting, err = c.Fronters(ctx); err != nil {
			return a, err
		}
		done()
	}
	return a, nil
}

// compare holds the answers against what is held, and asks on.
func (l *look) compare(ctx context.Context, w wanted, a answers) error {
	state := StateElsewhere
	if l.r.c.Quick > 0 || a.system.WebhookURL != "" && l.r.c.Ours(a.system.WebhookURL) {
		state = StateOK
	}
	l.r.enter(state)
	if err := l.hold(ctx); err != nil {
		return err
	}
	l.report.First = l.report.First || l.held.Source == ""
	l.source(state, a.askedSystem)
	l.entity("system", schemas.SystemObserved, l.r.c.System, l.held.System,
		tidy(a.system.JSON, schemas.PKSystemObjectFields), schemas.PKSystemObjectFields, a.askedSystem)
	if w.settings {
		l.entity("settings", schemas.SettingsObserved, l.r.c.System, l.held.Settings,
			tidy(a.settings.JSON, schemas.PKSettingsFields), schemas.PKSettingsFields, a.askedSettings)
	}
	if w.members {
		l.members(a.members, a.askedMembers)
	}
	if w.groups {
		l.groups(a.groups, a.askedGroups)
	}
	if w.members && w.groups {
		l.r.remember(a.members, a.groups)
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	if err := l.switches(ctx, w, a); err != nil {
		return err
	}
	if w.probes {
		if err := l.probe(ctx, a); err != nil {
			return err
		}
	}
	return l.flush(ctx)
}

// hold reads what is held, after all that was accepted before.
func (l *look) hold(ctx context.Context) (err error) {
	if err = l.r.c.Settled(ctx); err != nil {
		return own(err)
	}
	l.held, err = l.r.c.Known.Held(ctx, l.r.c.System)
	return own(err)
}

// flush appends what is waiting, and then counts it.
func (l *look) flush(ctx context.Context) error {
	out := l.out
	l.out = nil
	for batch := range slices.Chunk(out, maxAppended) {
		events := make([]schemas.Event, 0, len(batch))
		for _, d := range batch {
			events = append(events, d.event)
		}
		if !l.report.DryRun {
			if _, err := l.r.c.Append.Append(ctx, events...); err != nil {
				return own(err)
			}
		}
		for _, d := range batch {
			if d.of == "" {
				continue
			}
			l.report.found(d)
			if !l.report.DryRun {
				l.remembered(d)
			}
		}
	}
	if l.state != "" && !l.report.DryRun {
		l.r.mu.Lock()
		l.r.told = l.state
		l.r.mu.Unlock()
	}
	return nil
}

// fresh reports whether something was touched too late for an answer of that
// moment: what the answer shows may be of before.
func fresh(touchedUS int64, asked time.Time) bool { return touchedUS >= asked.UnixMicro() }

// entity holds one thing against what is held of it (nil: nothing).
func (l *look) entity(noun, typ, id string, held *schemas.HeldEntity, said schemas.Object, fields []schemas.Field, asked time.Time) {
	f, fieldsNamed, from := missing, "", born(said)
	if held != nil && !held.Gone {
		names := differing(said, held.Object, fields)
		if len(names) == 0 {
			return
		}
		f, fieldsNamed, from = findingOf(names, held.Object), joined(names), time.Time{}
	}
	switch {
	case held != nil && fresh(held.TouchedUS, asked):
		l.later(noun)
	case held != nil && held.Final:
		l.report.Disputed++
	default:
		l.observed(difference{of: f, noun: noun, id: id, what: fieldsNamed, born: from, held: entityState(held)}, typ, said, asked)
	}
}

// observed has an event of type typ say that PluralKit has the thing of d so.
func (l *look) observed(d difference, typ string, object any, asked time.Time) {
	e, err := schemas.NewObserved(typ, l.r.c.System, d.id, asked, object)
	if err != nil {
		panic("pluralkit: what was read as JSON is none: " + err.Error())
	}
	if l.report.First {
		d.born = time.Time{} // it was there before we were
	}
	d.event = e
	l.say(d)
}

// absent has an event of type typ say that PluralKit does not have a thing.
func (l *look) absent(noun, typ, id string, asked time.Time, guild string, held heldState) {
	e, err := schemas.NewAbsent(typ, l.r.c.System, id, asked, guild)
	if err != nil {
		panic("pluralkit: an absent event is no JSON: " + err.Error())
	}
	what := ""
	if guild != "" {
		what = "server " + guild
	}
	l.say(difference{event: e, of: extra, noun: noun, id: id, what: what, held: held})
}

// later has the list that a thing is on looked at again.
func (l *look) later(noun string) {
	switch noun {
	case "system":
		l.again.system = true
	case "settings":
		l.again.settings = true
	case "member":
		l.again.members = true
	case "group":
		l.again.groups = true
	default:
		l.again.probes = true
	}
}

// members holds a whole list against what is held.
func (l *look) members(list []Member, asked time.Time) {
	held := byID(l.held.Members)
	l.r.countMessages(list, l.report)
	for _, m := range list {
		id := string(m.UUID)
		l.entity("member", schemas.MemberObserved, id, held[id], tidy(m.JSON, schemas.PKMemberObjectFields), schemas.PKMemberObjectFields, asked)
		delete(held, id)
	}
	l.gone("member", schemas.MemberAbsent, held, asked)
}

func (l *look) groups(list []Group, asked time.Time) {
	held := byID(l.held.Groups)
	for _, g := range list {
		id := string(g.UUID)
		l.entity("group", schemas.GroupObserved, id, held[id], tidyGroup(g), groupFields, asked)
		delete(held, id)
	}
	l.gone("group", schemas.GroupAbsent, held, asked)
}

func byID(list []schemas.HeldEntity) map[string]*schemas.HeldEntity {
	m := make(map[string]*schemas.HeldEntity, len(list))
	for i := range list {
		m[list[i].ID] = &list[i]
	}
	return m
}

// gone says that what is left over is not there.
func (l *look) gone(noun, typ string, left map[string]*schemas.HeldEntity, asked time.Time) {
	for _, id := range sortedKeys(left) {
		switch h := left[id]; {
		case h.Gone:
		case fresh(h.TouchedUS, asked):
			l.later(noun)
		default:
			l.absent(noun, typ, id, asked, "", entityState(h))
		}
	}
}

package pluralkit

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed fronting.sql
var frontingSQL string

// Fronting is who fronts and who fronted.
//
// Switch events arrive in any order. A switch therefore remembers which event
// set its timestamp and which its members, and a creation never overrides an
// update: PluralKit's API sends CREATE_SWITCH with the time of the request and
// corrects it by an UPDATE_SWITCH milliseconds later, and they may swap. What
// the API says is an update of the time it was asked.
//
// A file of PluralKit's has no uuids of switches. What it tells stands in for a
// switch until PluralKit's own of that time is known (fronting_standin.go).
//
// It reads the table members, which is folded before it; that fold calls when
// a member goes, comes back, or looks different.
var Fronting = engine.Projection{
	Name:    "fronting",
	Source:  schemas.PluralKit,
	Version: 8, // 7: readable times in SQLite before 3.44; 8: the tenant begins every key
	Schema:  frontingSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKSwitchCreate:    on(switchEvent(readSwitch), foldSwitch),
		schemas.PKSwitchUpdate:    on(switchEvent(readSwitch), foldSwitch),
		schemas.PKSwitchDelete:    on(switchEvent(readSwitchDelete), foldSwitch),
		schemas.SwitchObserved:    on(switchEvent(readSwitchObserved), foldSwitch),
		schemas.SwitchImported:    on(switchEvent(readSwitchObserved), foldSwitch),
		schemas.SwitchAbsent:      on(switchEvent(readSwitchAbsent), foldSwitch),
		schemas.PKSwitchDeleteAll: on(nothingToRead, foldSwitchPurge),
	},
	Quiet:   []string{"seen_us", "observed_us", "ended_us", "timestamp_rank", "timestamp_at_us", "timestamp_event", "members_rank", "members_at_us", "members_event"},
	Queries: frontingQueries,
}

// Ranks of what an event says about a switch: the higher one is believed.
const (
	switchRankCreate = 2
	switchRankUpdate = 3
)

// switchSaid is what an event says about a switch, checked.
type switchSaid struct {
	us      *int64    // its timestamp; nil: not said
	members *[]string // nil: not said
	by      switchStamp
	asked   int64 // of an observation or absence: when it was asked for
}

// take takes in the timestamp and the members, as PluralKit wrote them.
func (d *switchSaid) take(e schemas.Recorded, s schemas.PKSwitch) error {
	whole := e.Type != schemas.PKSwitchUpdate
	if whole && (s.Timestamp == nil || s.Members == nil) {
		return fmt.Errorf("%w: %s: timestamp or members is missing", schemas.ErrInvalid, e.Type)
	}
	if s.Timestamp == nil && s.Members == nil {
		return fmt.Errorf("%w: %s: neither timestamp nor members", schemas.ErrInvalid, e.Type)
	}
	if s.Timestamp != nil {
		us, err := schemas.ParseTime(*s.Timestamp)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Type, err)
		}
		if e.Type == schemas.SwitchImported && e.Subject != schemas.StandInSwitch(e.Route.Tenant, us) {
			return fmt.Errorf("%w: %s: the uuid is not that of the timestamp", schemas.ErrInvalid, e.Type)
		}
		d.us = &us
	}
	if s.Members != nil && slices.Contains(*s.Members, "") {
		return fmt.Errorf("%w: %s: a member without uuid", schemas.ErrInvalid, e.Type)
	}
	d.members = s.Members
	return nil
}

// switchEvent is what every event about one switch is checked for.
func switchEvent(read func(schemas.Recorded) (switchSaid, error)) func(schemas.Recorded) (switchSaid, error) {
	return func(e schemas.Recorded) (switchSaid, error) {
		if e.Subject == "" {
			return switchSaid{}, fmt.Errorf("%w: %s: no switch or no system", schemas.ErrInvalid, e.Type)
		}
		if err := fitsStandIn(e); err != nil {
			return switchSaid{}, err
		}
		return read(e)
	}
}

func nothingToRead(schemas.Recorded) (struct{}, error) { return struct{}{}, nil }

// readSwitch reads a CREATE_SWITCH or an UPDATE_SWITCH.
func readSwitch(e schemas.Recorded) (switchSaid, error) {
	s, err := schemas.Decode[schemas.PKSwitch](e.Event)
	if err != nil {
		return switchSaid{}, err
	}
	d := switchSaid{by: switchStamp{rank: switchRankUpdate, atUS: e.Time.UnixMicro(), event: e.ID}}
	if e.Type == schemas.PKSwitchCreate {
		d.by.rank = switchRankCreate
	}
	return d, d.take(e, s)
}

func readSwitchDelete(e schemas.Recorded) (switchSaid, error) { return switchSaid{}, nil }

func readSwitchAbsent(e schemas.Recorded) (switchSaid, error) {
	_, asked, err := absent(e)
	return switchSaid{asked: asked}, err
}

// readSwitchObserved reads the switch that the API showed, or a file has.
func readSwitchObserved(e schemas.Recorded) (switchSaid, error) {
	object, _, asked, err := observed(e, nil)
	if err == nil {
		err = isItself(object, "id", e.Subject)
	}
	if err != nil {
		return switchSaid{}, err
	}
	body, err := json.Marshal(object)
	if err != nil {
		return switchSaid{}, fmt.Errorf("%w: %s: %w", schemas.ErrInvalid, e.Type, err)
	}
	e.Data = body
	s, err := schemas.Decode[schemas.PKSwitch](e.Event)
	if err != nil {
		return switchSaid{}, err
	}
	d := switchSaid{asked: asked, by: switchStamp{rank: switchRankUpdate, atUS: asked, event: e.ID}}
	return d, d.take(e, s)
}

// foldSwitch merges one event about one switch into its row and its place in
// the timeline.
func foldSwitch(tx *engine.Tx, t *tenant, e schemas.Recorded, d switchSaid) error {
	w, err := t.switchOf(tx, e.Subject)
	if err != nil {
		return err
	}
	s := switchRow{uuid: strings.Clone(e.Subject)}
	if w != nil {
		s = w.switchRow
	}
	old := s
	told, err := t.merge(tx, &s, e, d)
	if err == nil {
		err = t.settleStandIn(tx, &s)
	}
	if err != nil || w != nil && s.equal(&old) && told == nil {
		return err
	}
	quiet := s
	quiet.seenUS, quiet.observedUS = old.seenUS, old.observedUS
	if w != nil && quiet.equal(&old) && told == nil && s.deletedUS() == old.deletedUS() {
		w.switchRow = s
		t.changedSwitch(tx, w)
		return nil
	}
	if w == nil {
		w = t.addSwitch(&cachedSwitch{switchState: switchState{switchRow: switchRow{uuid: s.uuid}}})
		if s.standIn {
			t.standIns = yes
		}
	}
	before, err := t.front(tx)
	if err != nil {
		return err
	}
	err = t.place(tx, w, s)
	if err == nil && !s.standIn {
		err = t.yieldStandIns(tx, moments(&s, &old, told)...)
	}
	if err != nil {
		return err
	}
	return t.publishFront(tx, e, before)
}

// moments are the timestamps at which something may be different now.
func moments(s, old *switchRow, told *int64) []int64 {
	var us []int64
	if s.timestampBy.rank > 0 {
		us = append(us, s.timestampUS)
	}
	if old.timestampBy.rank > 0 {
		us = append(us, old.timestampUS)
	}
	if told != nil {
		us = append(us, *told)
	}
	return us
}

// merge takes in what the event says. Told is the timestamp it said, if the
// switch is known to have had more than one and that matters to a stand-in.
func (t *tenant) merge(tx *engine.Tx, s *switchRow, e schemas.Recorded, d switchSaid) (told *int64, err error) {
	was := s.aliveUS()
	switch e.Type {
	case schemas.PKSwitchDelete:
		at := e.Time.UnixMicro()
		if s.removedUS == 0 || at < s.removedUS {
			s.removedUS = at
		}
		s.heard(at)
	case schemas.SwitchAbsent:
		s.absentUS = max(s.absentUS, d.asked)
	default:
		if e.Type != schemas.PKSwitchCreate && e.Type != schemas.PKSwitchUpdate {
			s.observedUS = max(s.observedUS, d.asked)
		}
		if told, err = t.setSwitch(tx, s, e, d); err != nil {
			return nil, err
		}
	}
	s.standIn = schemas.IsStandIn(s.uuid)
	if s.aliveUS() == was {
		return told, nil
	}
	return told, t.purge(tx, s)
}

// setSwitch merges the timestamp and the members that an event said. Only the
// API gives members in their true order.
func (t *tenant) setSwitch(tx *engine.Tx, s *switchRow, e schemas.Recorded, d switchSaid) (told *int64, err error) {
	if d.us != nil {
		if t.said(tx, s, *d.us) {
			has, err := t.hasStandIns(tx)
			if err != nil {
				return nil, err
			}
			if has {
				told = d.us
			}
		}
		if d.by.newerThan(s.timestampBy) {
			s.timestampUS, s.timestampBy = *d.us, d.by
		}
	}
	if d.members != nil && d.by.newerThan(s.membersBy) {
		s.members, s.membersBy, s.ordered = *d.members, d.by, e.Type == schemas.SwitchObserved
	}
	s.seenUS = max(s.seenUS, d.by.atUS)
	s.heard(d.by.atUS)
	return told, nil
}

// heard notes that the switch was heard of.
func (s *switchRow) heard(us int64) {
	if s.firstUS == 0 || us < s.firstUS {
		s.firstUS = us
	}
}

// purge applies the first DELETE_ALL_SWITCHES after the switch was first heard
// of; if the API had it when it was asked, the first after that: it knows
// better. This follows from all that is known and not from the order it came
// in.
func (t *tenant) purge(tx *engine.Tx, s *switchRow) error {
	if s.firstUS == 0 {
		return nil
	}
	if err := t.readPurges(tx); err != nil {
		return err
	}
	s.purgedUS = 0
	if i, _ := slices.BinarySearch(t.purges, s.aliveUS()+1); i < len(t.purges) {
		s.purgedUS = t.purges[i]
	}
	return nil
}

func (t *tenant) readPurges(tx *engine.Tx) error {
	if t.purgesKnown {
		return nil
	}
	rows, err := tx.Rows(`SELECT purged_us FROM switch_purges WHERE system_uuid = ? ORDER BY purged_us`, t.system)
	if err != nil {
		return err
	}
	t.purges, t.purgesKnown = nil, true
	for _, r := range rows {
		t.purges = append(t.purges, r.Int(0))
	}
	return nil
}

func parseList(text string) ([]string, error) {
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("a list we wrote ourselves: %w", err)
	}
	return list, nil
}

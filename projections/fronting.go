package projections

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

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
var Fronting = Projection{
	Name:    "fronting",
	Source:  schemas.PluralKit,
	Version: 7, // 4: members of an event are known by their exact names; 5: fewer indexes; 6: stints in order of time; 7: readable times in SQLite before 3.44
	Schema:  frontingSQL,
	Fold:    foldFronting,
	Ahead: map[string]Decoder{
		schemas.PKSwitchCreate: inAdvance(readSwitch),
		schemas.PKSwitchUpdate: inAdvance(readSwitch),
	},
	Queries: frontingQueries,
}

func foldFronting(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKSwitchCreate, schemas.PKSwitchUpdate, schemas.PKSwitchDelete,
		schemas.SwitchObserved, schemas.SwitchAbsent, schemas.SwitchImported:
		return foldSwitch(tx, e)
	case schemas.PKSwitchDeleteAll:
		return foldSwitchPurge(tx, e)
	}
	return nil
}

// Ranks of what an event says about a switch: the higher one is believed.
const (
	switchRankCreate = 2
	switchRankUpdate = 3
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
	uuid, system string
	timestampUS  int64
	timestampBy  switchStamp
	members      string // the raw list as JSON: deleted members are still in it
	membersBy    switchStamp
	ordered      bool   // their order is the true one, by the API
	firstUS      int64  // the earliest it was heard of; 0: never
	seenUS       int64  // the last sign of life; 0: none
	observedUS   int64  // the last time the API had it when it was asked; 0: never
	absentUS     int64  // and had it not
	standIn      bool   // a file told of it, and it has no uuid of PluralKit's
	realUUID     string // of a stand-in that is not gone: the switch that has its place; empty: none has
	removedUS    int64  // its own delete event, which is final; 0: none
	purgedUS     int64  // the DELETE_ALL_SWITCHES that took it; 0: none did. It is found, not kept
}

// aliveUS is until when no DELETE_ALL_SWITCHES can have taken it.
func (s switchRow) aliveUS() int64 { return max(s.firstUS, s.observedUS) }

// deletedUS is when it went, by the first of what took it; 0: it is there.
func (s switchRow) deletedUS() int64 {
	absent := s.absentUS
	if absent <= s.seenUS {
		absent = 0
	}
	var first int64
	for _, us := range []int64{s.removedUS, s.purgedUS, absent} {
		if us != 0 && (first == 0 || us < first) {
			first = us
		}
	}
	return first
}

// listed reports whether the switch is in the timeline.
func (s switchRow) listed() bool {
	return s.deletedUS() == 0 && s.realUUID == "" && s.timestampBy.rank > 0 && s.membersBy.rank > 0
}

// foldSwitch merges one event about one switch into its row and its place in
// the timeline.
func foldSwitch(tx *Tx, e schemas.Recorded) error {
	if e.Subject == "" || e.Route.Tenant == "" {
		return fmt.Errorf("%w: %s: no switch or no system", schemas.ErrInvalid, e.Type)
	}
	if err := fitsStandIn(e); err != nil {
		return err
	}
	w, err := tx.switchOf(e.Subject)
	if err != nil {
		return err
	}
	var old switchRow
	if w != nil {
		old = w.switchRow
	}
	if old.system != "" && old.system != e.Route.Tenant {
		return fmt.Errorf("%w: %s: the switch is another system's", schemas.ErrInvalid, e.Type)
	}
	s := old
	s.uuid, s.system = e.Subject, e.Route.Tenant
	told, err := s.merge(tx, e)
	if err == nil {
		err = s.settle(tx)
	}
	if err != nil || s == old && told == nil {
		return err
	}
	quiet := s
	quiet.seenUS, quiet.observedUS = old.seenUS, old.observedUS
	if quiet == old && told == nil && s.deletedUS() == old.deletedUS() {
		w.switchRow = s
		tx.changedSwitch(w)
		return nil
	}
	if err := tx.Touch("switches", s.uuid); err != nil {
		return err
	}
	if w == nil {
		w = tx.newSwitch(s.uuid, s.system)
	}
	before, err := loadFront(tx, s.system)
	if err != nil {
		return err
	}
	after, err := placeSwitch(tx, w, s, before)
	if err == nil && !s.standIn {
		after, err = yieldStandIns(tx, s.system, after, s.moments(old, told)...)
	}
	if err != nil {
		return err
	}
	return settleFront(tx, e, before, after)
}

// moments are the timestamps at which something may be different now.
func (s *switchRow) moments(old switchRow, told *int64) []int64 {
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
// switch is now known to have had more than one.
func (s *switchRow) merge(tx *Tx, e schemas.Recorded) (told *int64, err error) {
	was := s.aliveUS()
	switch e.Type {
	case schemas.PKSwitchDelete:
		at := e.Time.UnixMicro()
		if s.removedUS == 0 || at < s.removedUS {
			s.removedUS = at
		}
		s.heard(at)
	case schemas.SwitchAbsent:
		_, asked, err := absent(e)
		if err != nil {
			return nil, err
		}
		s.absentUS = max(s.absentUS, asked)
	case schemas.SwitchObserved, schemas.SwitchImported:
		object, _, asked, err := observed(e, nil)
		if err != nil {
			return nil, err
		}
		d, err := switchOf(object, e)
		if err != nil {
			return nil, err
		}
		s.observedUS = max(s.observedUS, asked)
		told, err = s.set(tx, e, d, switchStamp{rank: switchRankUpdate, atUS: asked, event: e.ID})
		if err != nil {
			return nil, err
		}
	default:
		d, err := data(tx, e, readSwitch)
		if err != nil {
			return nil, err
		}
		by := switchStamp{rank: switchRankUpdate, atUS: e.Time.UnixMicro(), event: e.ID}
		if e.Type == schemas.PKSwitchCreate {
			by.rank = switchRankCreate
		}
		if told, err = s.set(tx, e, d, by); err != nil {
			return nil, err
		}
	}
	if s.aliveUS() == was {
		return told, nil
	}
	return told, s.purge(tx)
}

func readSwitch(e schemas.Recorded) (schemas.PKSwitch, error) {
	return schemas.Decode[schemas.PKSwitch](e.Event)
}

// switchOf reads the switch that the API showed, or a file has.
func switchOf(object schemas.Object, e schemas.Recorded) (schemas.PKSwitch, error) {
	if err := isItself(object, "id", e.Subject); err != nil {
		return schemas.PKSwitch{}, err
	}
	body, err := json.Marshal(object)
	if err != nil {
		return schemas.PKSwitch{}, fmt.Errorf("%w: %s: %w", schemas.ErrInvalid, e.Type, err)
	}
	e.Data = body
	return schemas.Decode[schemas.PKSwitch](e.Event)
}

// set merges the timestamp and the members that by has set. Told is as of merge.
// Only the API gives members in their true order.
func (s *switchRow) set(tx *Tx, e schemas.Recorded, d schemas.PKSwitch, by switchStamp) (told *int64, err error) {
	whole := e.Type != schemas.PKSwitchUpdate
	if whole && (d.Timestamp == nil || d.Members == nil) {
		return nil, fmt.Errorf("%w: %s: timestamp or members is missing", schemas.ErrInvalid, e.Type)
	}
	if d.Timestamp == nil && d.Members == nil {
		return nil, fmt.Errorf("%w: %s: neither timestamp nor members", schemas.ErrInvalid, e.Type)
	}
	if d.Timestamp != nil {
		us, err := schemas.ParseTime(*d.Timestamp)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Type, err)
		}
		if e.Type == schemas.SwitchImported && s.uuid != schemas.StandInSwitch(s.system, us) {
			return nil, fmt.Errorf("%w: %s: the uuid is not that of the timestamp", schemas.ErrInvalid, e.Type)
		}
		fresh, err := s.said(tx, us)
		if err != nil {
			return nil, err
		}
		if fresh {
			told = &us
		}
		if by.newerThan(s.timestampBy) {
			s.timestampUS, s.timestampBy = us, by
		}
	}
	if d.Members != nil {
		if slices.Contains(*d.Members, "") {
			return nil, fmt.Errorf("%w: %s: a member without uuid", schemas.ErrInvalid, e.Type)
		}
		if by.newerThan(s.membersBy) {
			s.members, s.membersBy, s.ordered = jsonList(*d.Members), by, e.Type == schemas.SwitchObserved
		}
	}
	s.seenUS = max(s.seenUS, by.atUS)
	s.heard(by.atUS)
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
func (s *switchRow) purge(tx *Tx) error {
	if s.firstUS == 0 {
		return nil
	}
	purges, err := tx.purges(s.system)
	if err != nil {
		return err
	}
	s.purgedUS = 0
	if i, _ := slices.BinarySearch(purges, s.aliveUS()+1); i < len(purges) {
		s.purgedUS = purges[i]
	}
	return nil
}

// nullable is a time as a column holds it; 0: never.
func nullable(us int64) any {
	if us == 0 {
		return nil
	}
	return us
}

// jsonList writes a list of uuids as JSON; none is [].
func jsonList(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("projections: strings that are no JSON: " + err.Error())
	}
	return string(b)
}

func parseList(text string) ([]string, error) {
	var list []string
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("a list we wrote ourselves: %w", err)
	}
	return list, nil
}

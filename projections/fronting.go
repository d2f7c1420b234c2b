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
// corrects it by an UPDATE_SWITCH milliseconds later, and they may swap.
//
// It reads the table members, which is folded before it.
var Fronting = Projection{
	Name:    "fronting",
	Source:  schemas.PluralKit,
	Version: 1,
	Schema:  frontingSQL,
	Fold:    foldFronting,
	Queries: frontingQueries,
}

func foldFronting(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKSwitchCreate, schemas.PKSwitchUpdate, schemas.PKSwitchDelete:
		return foldSwitch(tx, e)
	case schemas.PKSwitchDeleteAll:
		return foldSwitchPurge(tx, e)
	case schemas.PKMemberDelete:
		return foldSwitchMemberDelete(tx, e)
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
	firstUS      int64 // time of the earliest event about it
	deletedUS    int64 // 0: it is not deleted
}

// listed reports whether the switch is in the timeline.
func (s switchRow) listed() bool {
	return s.deletedUS == 0 && s.timestampBy.rank > 0 && s.membersBy.rank > 0
}

// foldSwitch merges one event about one switch into its row and its place in
// the timeline.
func foldSwitch(tx *Tx, e schemas.Recorded) error {
	if e.Subject == "" || e.Route.Tenant == "" {
		return fmt.Errorf("%w: %s: no switch or no system", schemas.ErrInvalid, e.Type)
	}
	old, err := loadSwitch(tx, e.Subject)
	if err != nil {
		return err
	}
	if old.system != "" && old.system != e.Route.Tenant {
		return fmt.Errorf("%w: %s: the switch is another system's", schemas.ErrInvalid, e.Type)
	}
	s := old
	s.uuid, s.system = e.Subject, e.Route.Tenant
	if err := s.merge(tx, e); err != nil {
		return err
	}
	if s == old {
		return nil
	}
	if err := tx.Touch("switches", s.uuid); err != nil {
		return err
	}
	before, err := loadFront(tx, s.system)
	if err != nil {
		return err
	}
	after, err := placeSwitch(tx, old, s, before)
	if err != nil {
		return err
	}
	return settleFront(tx, e, before, after)
}

// merge takes in what the event says.
func (s *switchRow) merge(tx *Tx, e schemas.Recorded) error {
	at := e.Time.UnixMicro()
	if s.firstUS == 0 || at < s.firstUS {
		s.firstUS = at
		if err := s.purge(tx); err != nil {
			return err
		}
	}
	if e.Type == schemas.PKSwitchDelete {
		s.delete(at)
		return nil
	}
	d, err := schemas.Decode[schemas.PKSwitch](e.Event)
	if err != nil {
		return err
	}
	by := switchStamp{rank: switchRankUpdate, atUS: at, event: e.ID}
	if e.Type == schemas.PKSwitchCreate {
		by.rank = switchRankCreate
		if d.Timestamp == nil || d.Members == nil {
			return fmt.Errorf("%w: %s: timestamp or members is missing", schemas.ErrInvalid, e.Type)
		}
	}
	if d.Timestamp == nil && d.Members == nil {
		return fmt.Errorf("%w: %s: neither timestamp nor members", schemas.ErrInvalid, e.Type)
	}
	if d.Timestamp != nil {
		us, err := schemas.ParseTime(*d.Timestamp)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Type, err)
		}
		if by.newerThan(s.timestampBy) {
			s.timestampUS, s.timestampBy = us, by
		}
	}
	if d.Members != nil {
		if slices.Contains(*d.Members, "") {
			return fmt.Errorf("%w: %s: a member without uuid", schemas.ErrInvalid, e.Type)
		}
		if by.newerThan(s.membersBy) {
			s.members, s.membersBy = jsonList(*d.Members), by
		}
	}
	return nil
}

// delete notes a deletion. The earliest stays: deletes are final.
func (s *switchRow) delete(us int64) {
	if s.deletedUS == 0 || us < s.deletedUS {
		s.deletedUS = us
	}
}

// purge applies the first DELETE_ALL_SWITCHES after the switch was first heard
// of. The set of deletes that count only grows as events come in, so their
// minimum does not depend on the order they come in.
func (s *switchRow) purge(tx *Tx) error {
	row, err := tx.Get(`SELECT min(purged_us) FROM switch_purges WHERE system_uuid = ? AND purged_us > ?`, s.system, s.firstUS)
	if err != nil {
		return err
	}
	if !row.Null(0) {
		s.delete(row.Int(0))
	}
	return nil
}

func loadSwitch(tx *Tx, uuid string) (switchRow, error) {
	r, err := tx.Get(`SELECT system_uuid, timestamp_us, timestamp_rank, timestamp_at_us, timestamp_event,
		members, members_rank, members_at_us, members_event, first_us, deleted_us FROM switches WHERE uuid = ?`, uuid)
	if err != nil || r == nil {
		return switchRow{}, err
	}
	return switchRow{
		uuid: uuid, system: r.Text(0),
		timestampUS: r.Int(1), timestampBy: switchStamp{rank: r.Int(2), atUS: r.Int(3), event: r.Text(4)},
		members: r.Text(5), membersBy: switchStamp{rank: r.Int(6), atUS: r.Int(7), event: r.Text(8)},
		firstUS: r.Int(9), deletedUS: r.Int(10),
	}, nil
}

// saveSwitch writes the row; next is the switch after it in the timeline.
func saveSwitch(tx *Tx, s switchRow, next *stint) error {
	var timestamp, members, deleted, ended any
	if s.timestampBy.rank > 0 {
		timestamp = s.timestampUS
	}
	if s.membersBy.rank > 0 {
		members = s.members
	}
	if s.deletedUS != 0 {
		deleted = s.deletedUS
	}
	if s.listed() && next != nil {
		ended = next.us
	}
	return tx.Exec(`INSERT INTO switches (uuid, system_uuid, timestamp_us, ended_us, members, first_us, deleted_us, listed,
			timestamp_rank, timestamp_at_us, timestamp_event, members_rank, members_at_us, members_event)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (uuid) DO UPDATE SET timestamp_us = excluded.timestamp_us, ended_us = excluded.ended_us,
			members = excluded.members, first_us = excluded.first_us, deleted_us = excluded.deleted_us,
			listed = excluded.listed, timestamp_rank = excluded.timestamp_rank, timestamp_at_us = excluded.timestamp_at_us,
			timestamp_event = excluded.timestamp_event, members_rank = excluded.members_rank,
			members_at_us = excluded.members_at_us, members_event = excluded.members_event`,
		s.uuid, s.system, timestamp, ended, members, s.firstUS, deleted, s.listed(),
		s.timestampBy.rank, s.timestampBy.atUS, s.timestampBy.event,
		s.membersBy.rank, s.membersBy.atUS, s.membersBy.event)
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

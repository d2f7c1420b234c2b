package projections

import (
	"encoding/json"
	"slices"
	"time"

	"switchlog/schemas"
)

// frontRow is a row of fronts. The zero row: the system has no switch.
type frontRow struct {
	switchUUID string
	sinceUS    int64
	members    string // uuids as JSON, first fronter first
}

// settleFront writes the front as it is after an event, and tells of what
// became different: the bucket of anything, a change only of the fronters or
// their order. No switch at all is not the same as a switch with nobody in it:
// PluralKit answers 204 to the one and an empty list to the other.
func settleFront(tx *Tx, e schemas.Recorded, before, after frontRow) error {
	system := e.Route.Tenant
	if after == before {
		return nil
	}
	at, err := tx.front(system)
	if err != nil {
		return err
	}
	at.kept.(*keptFront).row = after
	at.changed()
	heard := before.members != after.members
	if heard {
		if heard, err = tx.Hears(schemas.FrontChanged); err != nil {
			return err
		}
	}
	if tx.mute && !heard {
		return nil // a rebuild: neither the bucket nor anybody else is told
	}
	entry, err := describeFront(tx, system, after)
	if err != nil {
		return err
	}
	if !heard {
		return tx.PutFront(system, entry)
	}
	return publishFront(tx, e, before, after, entry)
}

// rereadFront settles the front after an event about more than one switch.
func rereadFront(tx *Tx, e schemas.Recorded) error {
	before, err := loadFront(tx, e.Route.Tenant)
	if err != nil {
		return err
	}
	after, err := lastFront(tx, e.Route.Tenant)
	if err != nil {
		return err
	}
	return settleFront(tx, e, before, after)
}

// publishFront tells that other people front than before, and the bucket too. Names are as they
// are known now, in both.
func publishFront(tx *Tx, e schemas.Recorded, before, after frontRow, entry json.RawMessage) error {
	var was json.RawMessage
	if before.switchUUID != "" {
		var err error
		if was, err = describeFront(tx, e.Route.Tenant, before); err != nil {
			return err
		}
	}
	is := entry
	if after.switchUUID == "" {
		is = nil
	}
	change, err := schemas.NewChange(schemas.FrontChanged, "front", e.Route.Tenant, e, was, is)
	if err != nil {
		return err
	}
	return tx.PublishFront(change, e.Route.Tenant, entry)
}

// refreshFront renews the system's entry in the FRONTERS bucket if the member
// fronts now: something about it that the entry shows has changed.
func refreshFront(tx *Tx, system, member string) error {
	if tx.mute {
		return nil
	}
	front, err := loadFront(tx, system)
	if err != nil || front.switchUUID == "" {
		return err
	}
	list, err := parseList(front.members)
	if err != nil || !slices.Contains(list, member) {
		return err
	}
	entry, err := describeFront(tx, system, front)
	if err != nil {
		return err
	}
	return tx.PutFront(system, entry)
}

func loadFront(tx *Tx, system string) (frontRow, error) {
	at, err := tx.front(system)
	if err != nil {
		return frontRow{}, err
	}
	return at.kept.(*keptFront).row, nil
}

// lastFront reads the front from the timeline: the last listed switch, also if
// its time is yet to come, as PluralKit has it.
func lastFront(tx *Tx, system string) (frontRow, error) {
	last, err := oneSwitch(tx, `SELECT uuid FROM switches
		WHERE system_uuid = ? AND listed = 1
		ORDER BY timestamp_us DESC, uuid DESC LIMIT 1`, system)
	if err != nil || last == nil {
		return frontRow{}, err
	}
	return last.front(), nil
}

// front is the front while the switch is the last one.
func (w *keptSwitch) front() frontRow {
	list := make([]string, len(w.fronters))
	for i, m := range w.fronters {
		list[i] = m.uuid
	}
	return frontRow{switchUUID: w.uuid, sinceUS: w.timestampUS, members: jsonList(list)}
}

// describeFront is the front as others see it: a schemas.Front as JSON.
func describeFront(tx *Tx, system string, row frontRow) (json.RawMessage, error) {
	front := schemas.Front{System: system, Members: []schemas.Fronter{}}
	if row.switchUUID != "" {
		front.Switch, front.SinceUS = row.switchUUID, row.sinceUS
		front.Since = schemas.FormatTime(time.UnixMicro(row.sinceUS))
		list, err := parseList(row.members)
		if err != nil {
			return nil, err
		}
		for _, uuid := range list {
			fronter, err := describeFronter(tx, system, uuid)
			if err != nil {
				return nil, err
			}
			front.Members = append(front.Members, fronter)
		}
	}
	return json.Marshal(front)
}

func describeFronter(tx *Tx, system, uuid string) (schemas.Fronter, error) {
	f := schemas.Fronter{UUID: uuid}
	found, err := tx.look(memberEntity, system, uuid)
	if err != nil || found == nil {
		return f, err
	}
	for _, column := range []struct {
		name string
		to   **string
	}{{"id", &f.ID}, {"name", &f.Name}, {"display_name", &f.DisplayName}, {"pronouns", &f.Pronouns}, {"color", &f.Color}, {"avatar_url", &f.AvatarURL}} {
		if text, known := found.values[found.column(column.name)].(string); known {
			*column.to = &text
		}
	}
	return f, nil
}

package pluralkit

import (
	"encoding/json"
	"slices"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// frontRow is a row of fronts. The zero row: the system has no switch.
type frontRow struct {
	switchUUID string
	sinceUS    int64
	members    []string // uuids, first fronter first
}

func (f frontRow) equal(o frontRow) bool {
	return f.switchUUID == o.switchUUID && f.sinceUS == o.sinceUS && slices.Equal(f.members, o.members)
}

// front is who fronts: by the last listed switch, also if its time is yet to
// come, as PluralKit has it.
func (t *tenant) front(tx *engine.Tx) (frontRow, error) {
	if err := t.readLine(tx); err != nil || len(t.line) == 0 {
		return frontRow{}, err
	}
	last := t.line[len(t.line)-1]
	f := frontRow{switchUUID: last.uuid, sinceUS: last.timestampUS, members: make([]string, len(last.stints))}
	for i, s := range last.stints {
		f.members[i] = s.member
	}
	return f, nil
}

// lastFront is the front as it was before an event about a member. If no event
// was about a switch since the tenant was loaded, the file has it.
func (t *tenant) lastFront(tx *engine.Tx) (frontRow, error) {
	if t.lineRead {
		return t.front(tx)
	}
	if t.shownKnown {
		return t.shown, nil
	}
	r, err := tx.Get(`SELECT switch_uuid, since_us, members FROM fronts WHERE system_uuid = ?`, t.system)
	if err != nil {
		return frontRow{}, err
	}
	if r != nil {
		t.shown = frontRow{switchUUID: r.Text(0), sinceUS: r.Int(1)}
		if t.shown.members, err = parseList(r.Text(2)); err != nil {
			return frontRow{}, err
		}
	}
	t.shownKnown = true
	return t.shown, nil
}

// storeFront writes the row of fronts, if it is different.
func (t *tenant) storeFront(tx *engine.Tx) error {
	if !t.lineRead {
		return nil // nothing was placed
	}
	is, err := t.front(tx)
	if err != nil {
		return err
	}
	if t.shownKnown && is.equal(t.shown) {
		return nil
	}
	t.shown, t.shownKnown = is, true
	if is.switchUUID == "" {
		return tx.Exec(`DELETE FROM fronts WHERE system_uuid = ?`, t.system)
	}
	return tx.Exec(`INSERT OR REPLACE INTO fronts (system_uuid, switch_uuid, since_us, members) VALUES (?, ?, ?, ?)`,
		t.system, is.switchUUID, is.sinceUS, jsonList(is.members))
}

// publishFront publishes what became different of the front since before: an
// entry of the bucket of anything, a change only of the fronters or their order.
// No switch at all is not the same as a switch with nobody in it: PluralKit
// answers 204 to the one and an empty list to the other.
func (t *tenant) publishFront(tx *engine.Tx, e schemas.Recorded, before frontRow) error {
	after, err := t.front(tx)
	if err != nil || after.equal(before) {
		return err
	}
	heard := (before.switchUUID == "") != (after.switchUUID == "") || !slices.Equal(before.members, after.members)
	if heard {
		if heard, err = tx.Hears(schemas.FrontChanged); err != nil {
			return err
		}
	}
	if tx.Mute() && !heard {
		return nil // a rebuild: neither the bucket nor anybody else is told
	}
	entry, err := t.describeFront(tx, after)
	if err != nil {
		return err
	}
	if !heard {
		return tx.PutFront(t.system, entry)
	}
	// Names are as they are known now, in both.
	var was json.RawMessage
	if before.switchUUID != "" {
		if was, err = t.describeFront(tx, before); err != nil {
			return err
		}
	}
	is := entry
	if after.switchUUID == "" {
		is = nil
	}
	change, err := schemas.NewChange(schemas.FrontChanged, "front", t.system, e, was, is)
	if err != nil {
		return err
	}
	return tx.PublishFront(change, t.system, entry)
}

// refreshFront renews the system's entry in the FRONTERS bucket if the member
// fronts now: something about it that the entry shows has changed.
func (t *tenant) refreshFront(tx *engine.Tx, member string) error {
	if tx.Mute() {
		return nil
	}
	front, err := t.front(tx)
	if err != nil || !slices.Contains(front.members, member) {
		return err
	}
	entry, err := t.describeFront(tx, front)
	if err != nil {
		return err
	}
	return tx.PutFront(t.system, entry)
}

// describeFront is the front as others see it: a schemas.Front as JSON.
func (t *tenant) describeFront(tx *engine.Tx, f frontRow) (json.RawMessage, error) {
	front := schemas.Front{System: t.system, Members: []schemas.Fronter{}}
	if f.switchUUID != "" {
		front.Switch, front.SinceUS = f.switchUUID, f.sinceUS
		front.Since = schemas.FormatTime(time.UnixMicro(f.sinceUS))
		for _, uuid := range f.members {
			fronter, err := t.describeFronter(tx, uuid)
			if err != nil {
				return nil, err
			}
			front.Members = append(front.Members, fronter)
		}
	}
	return json.Marshal(front)
}

func (t *tenant) describeFronter(tx *engine.Tx, uuid string) (schemas.Fronter, error) {
	f := schemas.Fronter{UUID: uuid}
	found, err := t.row(tx, memberEntity, uuid)
	if err != nil {
		return f, err
	}
	for _, column := range []struct {
		name string
		to   **string
	}{{"id", &f.ID}, {"name", &f.Name}, {"display_name", &f.DisplayName}, {"pronouns", &f.Pronouns}, {"color", &f.Color}, {"avatar_url", &f.AvatarURL}} {
		if text, known := found.Values[found.Column(column.name)].(string); known {
			*column.to = &text
		}
	}
	return f, nil
}

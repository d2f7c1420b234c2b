package projections

import (
	_ "embed"
	"fmt"

	"switchlog/schemas"
)

//go:embed messages.sql
var messagesSQL string

// Messages is every proxied message that was announced. That one was edited or
// deleted PluralKit does not tell.
//
// The objects inside a message are the only complete ones that PluralKit ever
// sends, so they also fill the gaps in systems and members.
var Messages = Projection{
	Name: "messages", Source: schemas.PluralKit, Version: 1,
	Schema: messagesSQL,
	Fold:   foldMessage,
}

func foldMessage(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit || e.Type != schemas.PKMessageCreate {
		return nil
	}
	m, err := schemas.Decode[schemas.PKMessage](e.Event)
	if err != nil {
		return err
	}
	us, err := schemas.ParseTime(m.Timestamp)
	if err == nil {
		err = needID("the message", m.ID)
	}
	if err != nil {
		return err
	}
	system, err := snapshotOf(m.System, schemas.PKSystemObjectFields)
	if err != nil {
		return fmt.Errorf("system: %w", err)
	}
	if system != nil && system.uuid != e.Route.Tenant {
		return fmt.Errorf("%w: the message is another system's", schemas.ErrInvalid)
	}
	member, err := snapshotOf(m.Member, schemas.PKMemberObjectFields)
	if err != nil {
		return fmt.Errorf("member: %w", err)
	}
	fresh, err := insertMessage(tx, e.Route.Tenant, m, us, member)
	if err != nil || !fresh {
		return err
	}
	err = mergeSystem(tx, e.Route.Tenant, func(r *row) {
		if system != nil {
			r.snapshot(system.values, us, m.ID)
		}
	})
	if err != nil || member == nil {
		return err
	}
	return mergeMember(tx, e.Route.Tenant, member.uuid, func(r *row) { r.snapshot(member.values, us, m.ID) })
}

// insertMessage adds the row and reports whether there was none: the id of a
// message is never used again.
func insertMessage(tx *Tx, system string, m schemas.PKMessage, us int64, member *snapshot) (bool, error) {
	var memberUUID *string
	if member != nil {
		memberUUID = &member.uuid
	}
	made, err := tx.Get(`INSERT INTO messages (id, system_uuid, member_uuid, timestamp_us, original, sender, channel, guild)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING 1`,
		m.ID, system, memberUUID, us, m.Original, m.Sender, m.Channel, m.Guild)
	if err != nil {
		return false, err
	}
	if made != nil {
		return true, tx.Touch("messages", m.ID)
	}
	owner, err := tx.Get(`SELECT system_uuid FROM messages WHERE id = ?`, m.ID)
	if err == nil && owner.Text(0) != system {
		err = fmt.Errorf("%w: messages: the id is another system's", schemas.ErrInvalid)
	}
	return false, err
}

// A snapshot is a whole object as a message showed it.
type snapshot struct {
	uuid   string
	values []schemas.Value
}

// snapshotOf reads the object of a message; nil if it has none.
func snapshotOf(o *schemas.Object, fields []schemas.Field) (*snapshot, error) {
	if o == nil {
		return nil, nil
	}
	uuid, err := o.Text("uuid")
	if err == nil {
		err = needID("it", uuid)
	}
	if err != nil {
		return nil, err
	}
	values, err := o.Fields(fields)
	if err == nil {
		err = normaliseTags(values)
	}
	return &snapshot{uuid: uuid, values: values}, err
}

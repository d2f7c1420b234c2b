package projections

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"switchlog/schemas"
)

//go:embed messages.sql
var messagesSQL string

// Messages is every proxied message that was announced. That one was edited or
// deleted PluralKit does not tell; its API may be asked whether it is there.
//
// The objects inside a message are the only complete ones that PluralKit ever
// sends, so they also fill the gaps in systems and members.
var Messages = Projection{
	Name: "messages", Source: schemas.PluralKit, Version: 4, // 3: a sender is an account of the system; 4: members of an event are known by their exact names
	Schema: messagesSQL,
	Fold:   foldMessage,
	Ahead:  map[string]Decoder{schemas.PKMessageCreate: inAdvance(readMessage)},
}

func foldMessage(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKMessageCreate:
		return foldMessageCreate(tx, e)
	case schemas.MessageAbsent:
		return foldMessageAbsent(tx, e)
	}
	return nil
}

// A message is what CREATE_MESSAGE says.
type message struct {
	schemas.PKMessage
	us             int64     // its timestamp
	system, member *snapshot // nil: there is none
}

func readMessage(e schemas.Recorded) (message, error) {
	var m message
	var err error
	if m.PKMessage, err = schemas.Decode[schemas.PKMessage](e.Event); err != nil {
		return m, err
	}
	if m.us, err = schemas.ParseTime(m.Timestamp); err != nil {
		return m, err
	}
	if err := needID("the message", m.ID); err != nil {
		return m, err
	}
	if m.system, err = snapshotOf("system", m.System, systemSnapshot); err != nil {
		return m, err
	}
	m.member, err = snapshotOf("member", m.Member, memberSnapshot)
	return m, err
}

func foldMessageCreate(tx *Tx, e schemas.Recorded) error {
	m, err := data(tx, e, readMessage)
	if err != nil {
		return err
	}
	if m.system != nil && m.system.uuid != e.Route.Tenant {
		return fmt.Errorf("%w: the message is another system's", schemas.ErrInvalid)
	}
	fresh, err := insertMessage(tx, e, m)
	if err != nil || !fresh {
		return err
	}
	err = mergeSystem(tx, e.Route.Tenant, func(r *row) {
		if m.system != nil {
			r.snapshot(m.system.values, m.us, m.ID)
		}
	})
	if err != nil || m.member == nil {
		return err
	}
	return mergeMember(tx, e.Route.Tenant, m.member.uuid, func(r *row) { r.snapshot(m.member.values, m.us, m.ID) })
}

// insertMessage adds the row and reports whether there was none, or one that
// only knew of an absence: the id of a message is never used again.
func insertMessage(tx *Tx, e schemas.Recorded, m message) (bool, error) {
	var memberUUID *string
	if m.member != nil {
		memberUUID = &m.member.uuid
	}
	system := e.Route.Tenant
	made, err := tx.Get(`INSERT INTO messages (id, system_uuid, member_uuid, timestamp_us, original, sender, channel, guild, seen_us)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET member_uuid = excluded.member_uuid, timestamp_us = excluded.timestamp_us,
			original = excluded.original, sender = excluded.sender, channel = excluded.channel, guild = excluded.guild,
			seen_us = excluded.seen_us, deleted_us = iif(absent_us > excluded.seen_us, absent_us, NULL)
			WHERE seen_us IS NULL AND system_uuid = excluded.system_uuid
		RETURNING 1`,
		m.ID, system, memberUUID, m.us, m.Original, m.Sender, m.Channel, m.Guild, e.Time.UnixMicro())
	if err != nil {
		return false, err
	}
	if made == nil {
		return false, ownMessage(tx, m.ID, system)
	}
	if m.Guild != nil {
		tx.seeGuild(system, *m.Guild)
	}
	if err := nameAccount(tx, system, m.Sender); err != nil {
		return false, err
	}
	return true, tx.Touch("messages", m.ID)
}

// seeGuild notes that the system was proxied in that Discord server. It nearly
// always is the one that was seen before.
func (tx *Tx) seeGuild(system, guild string) {
	g := &messageGuild{system, guild}
	if key := keptKey([]string{system, guild}); tx.kept.get("message_guilds", key) == nil {
		tx.kept.add("message_guilds", key, g).changed()
	}
}

// messageGuild is a row of message_guilds in memory.
type messageGuild struct{ system, guild string }

func (g *messageGuild) store(tx *Tx) error {
	return tx.run(`INSERT OR IGNORE INTO message_guilds (system_uuid, guild_id) VALUES (?, ?)`, g.system, g.guild)
}

// ownMessage refuses the id of a message of another system.
func ownMessage(tx *Tx, id, system string) error {
	owner, err := tx.Get(`SELECT system_uuid FROM messages WHERE id = ?`, id)
	if err == nil && owner != nil && owner.Text(0) != system {
		err = fmt.Errorf("%w: messages: the id is another system's", schemas.ErrInvalid)
	}
	return err
}

// foldMessageAbsent notes that the API had the message not.
func foldMessageAbsent(tx *Tx, e schemas.Recorded) error {
	_, us, err := absent(e)
	if err == nil {
		err = needID("the message", e.Subject)
	}
	if err == nil {
		err = ownMessage(tx, e.Subject, e.Route.Tenant)
	}
	if err != nil {
		return err
	}
	return tx.touchEach("messages", `INSERT INTO messages (id, system_uuid, absent_us, deleted_us) VALUES (?1, ?2, ?3, ?3)
		ON CONFLICT (id) DO UPDATE SET absent_us = ?3, deleted_us = iif(?3 > coalesce(seen_us, 0), ?3, NULL)
			WHERE ?3 > coalesce(absent_us, 0)
		RETURNING id`, e.Subject, e.Route.Tenant, us)
}

// A snapshot is a whole object as a message showed it.
type snapshot struct {
	uuid   string
	values []schemas.Value
}

// The fields of a message's objects, with whose they are before them.
var (
	systemSnapshot = withUUID(schemas.PKSystemObjectFields)
	memberSnapshot = withUUID(schemas.PKMemberObjectFields)
)

func withUUID(fields []schemas.Field) []schemas.Field {
	return slices.Concat([]schemas.Field{{Name: "uuid"}}, fields)
}

// snapshotOf reads the object of a message; nil if it has none.
func snapshotOf(what string, object json.RawMessage, fields []schemas.Field) (*snapshot, error) {
	if object == nil {
		return nil, nil
	}
	values, err := schemas.DecodeFields(what, object, fields)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 || values[0].Field != &fields[0] {
		return nil, needID("the "+what, "")
	}
	s := &snapshot{uuid: values[0].Value.(string), values: values[1:]}
	return s, errors.Join(needID("the "+what, s.uuid), normaliseTags(s.values))
}

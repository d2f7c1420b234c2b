package pluralkit

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed messages.sql
var messagesSQL string

// Messages is every proxied message that was announced. That one was edited or
// deleted PluralKit does not tell; its API may be asked whether it is there.
//
// The objects inside a message are the only complete ones that PluralKit ever
// sends, so they also fill the gaps in systems and members.
var Messages = engine.Projection{
	Name: "messages", Source: schemas.PluralKit, Version: 5, // 4: members of an event are known by their exact names; 5: the tenant begins every key
	Schema: messagesSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKMessageCreate: on(readMessage, foldMessage),
		schemas.MessageAbsent:   on(readMessageAbsent, foldMessageAbsent),
	},
	Quiet:   []string{"absent_us", "seen_us"},
	Queries: []engine.Query{messagesQuery},
}

// messagesQuery lists messages by their ids, which are in order of time. Ids of
// 19 digits come first: Discord has them since July 2022, and each length is in
// order in the key of the table. A row without a timestamp was never announced.
var messagesQuery = engine.Query{
	Name: "messages", Path: "messages",
	Doc: "Proxied messages, newest first: who proxied when and where, never what was said.",
	Params: []engine.Param{
		{Name: "member", Doc: "Only messages of this member, by its uuid."},
		{Name: "before", Doc: "Only messages older than the one with this id: the next page."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
	SQL: `SELECT q.id, ` + instant("q.timestamp_us") + ` AS timestamp, q.timestamp_us, q.member_uuid, m.name AS member_name, q.sender, q.channel, q.guild,
			nullif(q.original, '') AS original, ` + instant("q.deleted_us") + ` AS deleted
		FROM (` + messagesOf("length(id) >= 19", "length(:before) >= 19") + ` UNION ALL ` + messagesOf("length(id) < 19", "length(:before) < 19") + `) q
		LEFT JOIN members m ON m.system_uuid = :tenant AND m.uuid = q.member_uuid
		ORDER BY length(q.id) DESC, q.id DESC LIMIT max(0, min(:limit, 1000))`,
}

// messagesOf are the first messages whose ids have a length, if those before
// the id that is given may have it.
func messagesOf(length, before string) string {
	older := "1"
	if strings.Contains(before, ">=") {
		older = "(:before IS NULL OR " + before + ")"
	}
	return `SELECT * FROM (SELECT * FROM messages WHERE system_uuid = :tenant AND ` + length + ` AND timestamp_us IS NOT NULL
			AND (:member IS NULL OR member_uuid = lower(:member))
			AND ` + older + ` AND id < iif(:before IS NOT NULL AND ` + before + `, :before, 'x')
			ORDER BY id DESC LIMIT max(0, min(:limit, 1000)))`
}

// A message is what CREATE_MESSAGE says.
type message struct {
	schemas.PKMessage
	us             int64     // its timestamp
	system, member *snapshot // nil: there is none
}

func readMessage(e schemas.Recorded) (message, error) {
	var m message
	var system, member schemas.Fields
	var err error
	if m.PKMessage, system, member, err = schemas.ReadPKMessage(e.Event, systemSnapshot, memberSnapshot); err != nil {
		return m, err
	}
	if m.us, err = schemas.ParseTime(m.Timestamp); err != nil {
		return m, err
	}
	if err := merge.NeedID("the message", m.ID); err != nil {
		return m, err
	}
	if m.system, err = snapshotOf("system", m.System, system); err != nil {
		return m, err
	}
	if m.system != nil && m.system.uuid != e.Route.Tenant {
		return m, fmt.Errorf("%w: the message is another system's", schemas.ErrInvalid)
	}
	if m.member, err = snapshotOf("member", m.Member, member); err != nil || m.member == nil {
		return m, err
	}
	if err := normaliseShownTags(&m.member.values); err != nil {
		return m, err
	}
	return m, merge.CheckID("members", m.member.uuid)
}

// foldMessage notes the message, and merges the objects in it. A message that
// comes twice has the same objects: they change nothing the second time.
func foldMessage(tx *engine.Tx, t *tenant, e schemas.Recorded, m message) error {
	t.addMessage(tx, e, m)
	if err := t.nameAccount(tx, m.Sender); err != nil {
		return err
	}
	err := t.mergeSystem(tx, func(r *merge.Row) {
		if m.system != nil {
			r.Snapshot(m.system.values, m.us, m.ID)
		}
	})
	if err != nil || m.member == nil {
		return err
	}
	return t.mergeMember(tx, m.member.uuid, func(r *merge.Row) { r.Snapshot(m.member.values, m.us, m.ID) })
}

// A messageRow is a row of messages that waits to be written.
type messageRow struct {
	id                                       string
	us                                       int64
	member, original, sender, channel, guild any
	seenUS                                   int64
}

// insertMessage: the id of a message is never used again. What a row knows of an
// absence stays.
var insertMessage = newInserts(`INSERT INTO messages (system_uuid, id, member_uuid, timestamp_us, original, sender, channel, guild, seen_us) VALUES `, 9,
	` ON CONFLICT (system_uuid, id) DO UPDATE SET member_uuid = excluded.member_uuid, timestamp_us = excluded.timestamp_us,
		original = excluded.original, sender = excluded.sender, channel = excluded.channel, guild = excluded.guild,
		seen_us = excluded.seen_us, deleted_us = iif(absent_us > excluded.seen_us, absent_us, NULL)
		WHERE seen_us IS NULL`)

func (t *tenant) addMessage(tx *engine.Tx, e schemas.Recorded, m message) {
	tx.Changed()
	r := messageRow{id: m.ID, us: m.us, original: m.Original, sender: m.Sender, channel: m.Channel, seenUS: e.Time.UnixMicro()}
	if m.member != nil {
		r.member = m.member.uuid
	}
	if m.Guild != nil {
		r.guild = *m.Guild
		if !t.guilds[*m.Guild] {
			guild := strings.Clone(*m.Guild)
			t.guilds[guild], t.seen = true, append(t.seen, guild)
		}
	}
	t.messages = append(t.messages, r)
	t.state.messages++
}

// flushMessages writes the messages that wait, those of a system side by side.
func (s *pluralKit) flushMessages(tx *engine.Tx) error {
	for _, t := range s.sorted() {
		slices.SortStableFunc(t.messages, func(a, b messageRow) int { return strings.Compare(a.id, b.id) })
		for _, m := range t.messages {
			if err := s.inserts.add(tx, t.system, m.id, m.member, m.us, m.original, m.sender, m.channel, m.guild, m.seenUS); err != nil {
				return err
			}
		}
		clear(t.messages)
		t.messages = t.messages[:0]
	}
	s.messages = 0
	return s.inserts.flush(tx)
}

func readMessageAbsent(e schemas.Recorded) (said, error) {
	_, us, err := absent(e)
	if err == nil {
		err = merge.NeedID("the message", e.Subject)
	}
	return said{us: us}, err
}

// foldMessageAbsent notes that the API had the message not.
func foldMessageAbsent(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	if err := t.state.flushMessages(tx); err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO messages (system_uuid, id, absent_us, deleted_us) VALUES (?1, ?2, ?3, ?3)
		ON CONFLICT (system_uuid, id) DO UPDATE SET absent_us = ?3, deleted_us = iif(?3 > coalesce(seen_us, 0), ?3, NULL)
			WHERE ?3 > coalesce(absent_us, 0)`, t.system, e.Subject, d.us)
}

// A snapshot is a whole object as a message showed it.
type snapshot struct {
	uuid   string
	values schemas.Fields // beside the columns of its entity
}

// The fields of a message's objects, with whose they are before them.
var (
	systemSnapshot = withUUID(systemEntity)
	memberSnapshot = withUUID(memberEntity)
)

func withUUID(en *merge.Entity) []schemas.Field {
	return slices.Concat([]schemas.Field{{Name: "uuid"}}, en.Fields)
}

// snapshotOf takes the object of a message; nil if it has none.
func snapshotOf(what string, object json.RawMessage, values schemas.Fields) (*snapshot, error) {
	if object == nil {
		return nil, nil
	}
	if !values.Has(0) {
		return nil, merge.NeedID("the "+what, "")
	}
	s := &snapshot{uuid: values.Value(0).(string), values: values.After(1)}
	return s, merge.NeedID("the "+what, s.uuid)
}

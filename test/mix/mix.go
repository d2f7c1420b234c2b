package mix

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"switchlog/schemas"
)

const (
	bigMembers   = 200
	smallMembers = 12
	keptSwitches = 50 // of each system; earlier ones are left alone
)

// A Mix makes events, one after the other. The same seed makes the same ones.
type Mix struct {
	rand    *rand.Rand
	n       int
	systems []*system
}

type system struct {
	uuid     string
	name     string
	members  []*member
	groups   []string
	switches []string
	at       time.Time // of its last switch
}

type member struct {
	uuid, id, name, pronouns, color string
	messages                        int
}

// New makes a mix of so many systems, the big one included.
func New(seed uint64, systems int) *Mix {
	m := &Mix{rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range systems {
		members := smallMembers
		if i == 0 {
			members = bigMembers
		}
		s := &system{uuid: m.uuid(), name: "House " + m.word(), at: epoch}
		for range members {
			s.members = append(s.members, m.member())
		}
		m.systems = append(m.systems, s)
	}
	return m
}

// epoch is when it begins.
var epoch = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// Next makes the next event, ready to be encoded.
func (m *Mix) Next() schemas.Event {
	m.n++
	s := m.systems[0]
	if m.rand.IntN(5) > 0 {
		s = m.systems[m.skewed(len(m.systems))]
	}
	switch d := m.rand.IntN(1000); {
	case d < 720:
		return m.message(s)
	case d < 840 || len(s.switches) == 0:
		return m.newSwitch(s)
	case d < 870:
		return m.updateSwitch(s)
	case d < 880:
		return m.event(s, schemas.PKSwitchDelete, m.some(s), "")
	case d < 960:
		return m.updateMember(s)
	case d < 970:
		who := m.member()
		s.members = append(s.members, who)
		return m.event(s, schemas.PKMemberCreate, who.uuid, fmt.Sprintf(`{"name":%q,"proxy_tags":[],"keep_proxy":false}`, who.name))
	case d < 980:
		return m.group(s)
	case d < 985:
		s.name = "House " + m.word()
		return m.event(s, schemas.PKSystemUpdate, s.uuid, fmt.Sprintf(`{"name":%q}`, s.name))
	case d < 995:
		return m.event(s, schemas.PKAutoproxyUpdate, s.uuid, fmt.Sprintf(
			`{"guild_id":%q,"channel_id":null,"autoproxy_mode":"member","autoproxy_member":%q,"last_latch_timestamp":null}`, guild, m.who(s).uuid))
	}
	return m.event(s, schemas.PKMemberGuildUpdate, m.who(s).uuid, fmt.Sprintf(`{"guild_id":%q,"display_name":%q}`, guild, m.word()))
}

const guild = "1150000000000000001"

func (m *Mix) message(s *system) schemas.Event {
	who := m.who(s)
	who.messages++
	at := m.now().Truncate(time.Second)
	id := m.snowflake(at, 2)
	e := m.event(s, schemas.PKMessageCreate, id, fmt.Sprintf(messageData,
		at.Format("2006-01-02T15:04:05Z"), id, m.snowflake(at, 1), guild, s.uuid, s.name,
		who.id, who.uuid, who.name, who.color, who.pronouns, who.uuid, who.messages, schemas.FormatTime(m.now())))
	e.ID = id // its natural key
	return e
}

const messageData = `{"timestamp":%q,"id":%q,"original":%q,"sender":"1150000000000000003","channel":"1150000000000000002","guild":%q,` +
	`"system":{"id":"kfazoe","uuid":%q,"name":%q,"description":"We share one keyboard.","tag":"| HH","pronouns":"they/them",` +
	`"avatar_url":null,"banner":null,"color":"4f8a8b","created":"2021-03-14T09:26:53.589793Z",` +
	`"privacy":{"name_privacy":"public","avatar_privacy":"public","description_privacy":"public","banner_privacy":"public",` +
	`"pronoun_privacy":"public","member_list_privacy":"public","group_list_privacy":"public","front_privacy":"private","front_history_privacy":"private"}},` +
	`"member":{"id":%q,"uuid":%q,"name":%q,"display_name":null,"color":%q,"birthday":"0004-02-29","pronouns":%q,` +
	`"avatar_url":"https://cdn.example.org/avatars/%s.webp","webhook_avatar_url":null,"banner":null,"description":null,` +
	`"created":"2021-03-15T18:00:01.25Z","keep_proxy":false,"tts":false,"autoproxy_enabled":true,"message_count":%d,` +
	`"last_message_timestamp":%q,"proxy_tags":[{"prefix":"a:","suffix":null}],` +
	`"privacy":{"visibility":"public","name_privacy":"public","description_privacy":"public","banner_privacy":"public",` +
	`"birthday_privacy":"public","pronoun_privacy":"public","avatar_privacy":"public","metadata_privacy":"public","proxy_privacy":"public"}}}`

func (m *Mix) newSwitch(s *system) schemas.Event {
	id := m.uuid()
	if len(s.switches) == keptSwitches {
		s.switches = s.switches[:copy(s.switches, s.switches[1:])]
	}
	s.switches = append(s.switches, id)
	s.at = s.at.Add(time.Duration(m.rand.IntN(7200_000_000)) * time.Microsecond)
	return m.event(s, schemas.PKSwitchCreate, id, fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":%s}`, id, schemas.FormatTime(s.at), m.list(s)))
}

func (m *Mix) updateSwitch(s *system) schemas.Event {
	id := s.switches[len(s.switches)-1]
	if m.rand.IntN(10) == 0 {
		id = m.some(s)
	}
	if m.rand.IntN(2) == 0 {
		return m.event(s, schemas.PKSwitchUpdate, id, fmt.Sprintf(`{"members":%s}`, m.list(s)))
	}
	at := s.at.Add(-time.Duration(m.rand.IntN(60_000_000)) * time.Microsecond)
	return m.event(s, schemas.PKSwitchUpdate, id, fmt.Sprintf(`{"timestamp":%q}`, schemas.FormatTime(at)))
}

func (m *Mix) updateMember(s *system) schemas.Event {
	who := m.who(s)
	data := fmt.Sprintf(`{"description":"%s %s"}`, m.word(), m.word())
	switch m.rand.IntN(3) {
	case 0:
		who.name = "N" + m.word()
		data = fmt.Sprintf(`{"name":%q}`, who.name)
	case 1:
		who.color = fmt.Sprintf("%06x", m.rand.IntN(1<<24))
		data = fmt.Sprintf(`{"color":%q}`, who.color)
	}
	return m.event(s, schemas.PKMemberUpdate, who.uuid, data)
}

func (m *Mix) group(s *system) schemas.Event {
	if len(s.groups) < 5 {
		s.groups = append(s.groups, m.uuid())
		return m.event(s, schemas.PKGroupCreate, s.groups[len(s.groups)-1], fmt.Sprintf(`{"name":%q}`, m.word()))
	}
	return m.event(s, schemas.PKGroupUpdate, s.groups[m.rand.IntN(len(s.groups))], fmt.Sprintf(`{"description":%q}`, m.word()))
}

func (m *Mix) event(s *system, typ, subject, data string) schemas.Event {
	e := schemas.Event{
		ID: m.uuid(), Source: schemas.PluralKitSystemURL + s.uuid, Type: typ, Subject: subject,
		Time: m.now().Add(300 * time.Millisecond), DataSchema: schemas.SchemaID(typ), Origin: schemas.OriginWebhook,
		Route: schemas.PluralKitRoute(typ, s.uuid),
	}
	if data != "" {
		e.Data = []byte(data)
	}
	return e
}

// now is a second after the event before.
func (m *Mix) now() time.Time { return epoch.Add(time.Duration(m.n) * time.Second) }

// snowflake is a Discord id of that time.
func (m *Mix) snowflake(at time.Time, n int) string {
	return fmt.Sprint((at.UnixMilli()-1420070400000)<<22 + int64(n))
}

func (m *Mix) member() *member {
	return &member{uuid: m.uuid(), id: m.letters(6), name: "M" + m.word(), pronouns: "they/them", color: "3a7d44"}
}

// skewed is one of n, the first ones more often.
func (m *Mix) skewed(n int) int {
	f := m.rand.Float64()
	return int(f * f * f * float64(n))
}

func (m *Mix) who(s *system) *member { return s.members[m.skewed(len(s.members))] }

func (m *Mix) some(s *system) string { return s.switches[m.rand.IntN(len(s.switches))] }

func (m *Mix) list(s *system) string {
	uuids := []string{m.who(s).uuid}
	if m.rand.IntN(3) == 0 {
		if other := m.who(s).uuid; other != uuids[0] {
			uuids = append(uuids, other)
		}
	}
	return `["` + strings.Join(uuids, `","`) + `"]`
}

func (m *Mix) word() string { return m.letters(3 + m.rand.IntN(8)) }

func (m *Mix) letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + m.rand.IntN(26))
	}
	return string(b)
}

func (m *Mix) uuid() string {
	u := uuid.UUID{}
	for i := 0; i < len(u); i += 4 {
		n := m.rand.Uint32()
		u[i], u[i+1], u[i+2], u[i+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u.String()
}

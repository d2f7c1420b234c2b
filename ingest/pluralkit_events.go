package ingest

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"switchlog/schemas"
)

const (
	maxSubjectBytes = 100      // PluralKit's ids are uuids and snowflakes
	maxTypeBytes    = 1 << 10  // of a provider's name of an unknown event, as an attribute
	maxExtraBytes   = 64 << 10 // of envelope members we do not know; encoded they stay below NATS's 1 MB
	ping            = "PING"   // not an event
	repeatsFor      = 7 * 24 * time.Hour
)

// secretMembers are left out of data wherever they stand. CREATE_MESSAGE
// carries the owner's webhook_url inside its system.
var secretMembers = []string{memberToken, "webhook_url"}

// naturalKeys are the events that happen once to an entity, by PluralKit's
// name, and the prefix of their ID: uuids and message ids are never used
// again, so the same one twice is one event. Law 3.
var naturalKeys = map[string]string{
	"CREATE_MEMBER":  "create_member.",
	"DELETE_MEMBER":  "delete_member.",
	"CREATE_GROUP":   "create_group.",
	"DELETE_GROUP":   "delete_group.",
	"CREATE_SWITCH":  "create_switch.",
	"DELETE_SWITCH":  "delete_switch.",
	"CREATE_MESSAGE": "create_message.",
}

// envelope is a dispatch body, taken apart but not read.
type envelope struct {
	name  string // PluralKit's name of the event
	token string
	id    string // empty: null or absent
	data  []byte // nil: absent
	extra []byte // members we do not know, as an object; nil: none
}

// Events makes one event of a verified body, and none of a PING. Data is the
// body's data, less secrets, otherwise byte for byte; the fold judges it.
//
// Of an unknown event that has no data, data is the whole body. Envelope
// members beyond PluralKit's five go into the extension pkextra, and so does an
// id that is none: the event has no subject then, and the fold says what it
// misses.
func (p pluralKitSource) Events(_ *Request, body []byte) ([]schemas.Event, error) {
	env, err := readEnvelope(body)
	if err != nil || env.name == ping {
		return nil, err
	}
	tenant := p.Tenant
	if tenant == "" {
		tenant = p.Name
	}
	typ, known := schemas.PluralKitType(env.name)
	if typ == schemas.PKMemberGuildUpdate && aboutAccount(env) {
		typ = schemas.PKAccountUpdate
	}
	e := schemas.Event{
		Source:  schemas.PluralKitSystemURL + tenant,
		Type:    typ,
		Subject: env.subject(),
		Origin:  schemas.OriginWebhook,
		Route:   schemas.PluralKitRoute(typ, tenant),
	}
	e.ID, e.Repeats = env.eventID()
	e.DataSchema = schemas.SchemaID(typ)
	if !known {
		e.Extensions = map[string]any{schemas.PKTypeExtension: plainType(env.name)}
		if env.data == nil {
			env.data, env.extra = body, nil
		}
	}
	if env.data != nil {
		e.Data = redact(env.data, secretMembers, env.token)
	}
	if env.extra != nil {
		if extra := redact(env.extra, secretMembers, env.token); string(extra) != "{}" {
			if e.Extensions == nil {
				e.Extensions = map[string]any{}
			}
			e.Extensions[schemas.PKExtraExtension] = string(extra)
		}
	}
	return []schemas.Event{e}, nil
}

// readEnvelope takes a body apart. A wrong type inside data is not its
// business; what is no JSON, or has no usable type or id, is ErrInvalid.
func readEnvelope(body []byte) (envelope, error) {
	var env envelope
	if !utf8.Valid(body) {
		return env, fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	var typ, id []byte
	var extra extraMembers
	s := scan(body)
	for s.Object(); s.Next(); {
		name, value, twice := s.Name, s.Value, false
		switch {
		case schemas.Spells(name, "type"):
			typ, twice = value, typ != nil
		case schemas.Spells(name, "id"):
			id, twice = value, id != nil
		case schemas.Spells(name, "data"):
			env.data, twice = value, env.data != nil
		case schemas.Spells(name, memberToken):
			env.token, _ = schemas.Unquote(value)
		case schemas.Spells(name, memberSystem):
		default:
			extra.add(body[s.MemberOffset():s.Offset()])
		}
		if twice {
			return env, fmt.Errorf("%w: a member twice", schemas.ErrInvalid)
		}
	}
	if err := scanFault(&s, "a JSON object"); err != nil {
		return env, err
	}
	// Law 9: neither of the two members that become attributes may hold the token.
	var ok bool
	if env.name, ok = schemas.Unquote(typ); !ok || env.name == "" || env.spills(env.name) {
		return env, fmt.Errorf("%w: type is no event's name", schemas.ErrInvalid)
	}
	if plainType(env.name) != env.name {
		extra.addMember("type", typ)
	}
	if said, isText := schemas.Unquote(id); isText && isSubject(said) && !schemas.HasLoneSurrogate(id) && !env.spills(said) {
		env.id = said
	} else if id != nil && !schemas.IsNull(id) {
		extra.addMember("id", id)
	}
	var err error
	env.extra, err = extra.object()
	return env, err
}

func (env *envelope) spills(s string) bool {
	return len(env.token) >= minSecretBytes && strings.Contains(s, env.token)
}

// subject is the id of what the event is about: a message or a guild where
// PluralKit's envelope has none.
func (env *envelope) subject() string {
	switch env.name {
	case "CREATE_MESSAGE":
		return env.dataID("id")
	case "UPDATE_SYSTEM_GUILD", "UPDATE_AUTOPROXY":
		return env.dataID("guild_id")
	}
	return env.id
}

// eventID is the event's ID and for how long the same one is a repeat.
func (env *envelope) eventID() (string, time.Duration) {
	prefix, natural := naturalKeys[env.name]
	if !natural {
		return schemas.NewID(), 0
	}
	key := env.subject()
	if env.name == "CREATE_MESSAGE" {
		natural = allDigits(key)
	} else {
		id, err := uuid.Parse(key)
		natural = err == nil && len(key) == len(uuid.Nil.String())
		key = id.String()
	}
	if !natural {
		return schemas.NewID(), 0
	}
	return prefix + key, repeatsFor
}

// aboutAccount tells the two meanings of UPDATE_MEMBER_GUILD apart: about a
// Discord account, it has a snowflake for an id and no guild.
func aboutAccount(env envelope) bool {
	_, hasGuild := member(env.data, "guild_id")
	return !hasGuild || allDigits(env.id)
}

// dataID is a member of data, if it can be a subject.
func (env *envelope) dataID(name string) string {
	if id := memberText(env.data, name); isSubject(id) && !env.spills(id) {
		return id
	}
	return ""
}

// isSubject reports whether CloudEvents allows s as an attribute and it is
// no longer than any id of PluralKit's.
func isSubject(s string) bool {
	return s != "" && len(s) <= maxSubjectBytes && strings.IndexFunc(s, notInAttribute) < 0
}

// plainType makes an attribute of a provider's name of an event. Of a name that
// is longer than maxTypeBytes the beginning is left, with … behind it; one that
// the attribute does not show as it is stands whole in data or among the extra
// members.
func plainType(name string) string {
	const more = "…"
	name = strings.Map(func(r rune) rune {
		if notInAttribute(r) {
			return '_'
		}
		return r
	}, name)
	if len(name) <= maxTypeBytes {
		return name
	}
	end := maxTypeBytes - len(more)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + more
}

// notInAttribute: control characters and noncharacters (CloudEvents 1.0, type
// system).
func notInAttribute(r rune) bool {
	return r < ' ' || (r >= 0x7f && r <= 0x9f) || (r >= 0xfdd0 && r <= 0xfdef) || r&0xfffe == 0xfffe
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

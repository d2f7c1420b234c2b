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
	data  []byte // nil: absent; as it was sent
	extra []byte // members we do not know, as an object, less secrets; nil: none
}

// Events makes one event of a verified body, and none of a PING. Data is the
// body's data, less secrets, otherwise byte for byte; the fold judges it.
//
// Of an unknown event that has no data, data is the whole body. Envelope
// members beyond PluralKit's five go into the extension pkextra, and so does an
// id that is none: the event has no subject then, and the fold says what it
// misses.
func (p pluralKitSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	d := dispatchOf(r, body)
	env, err := readEnvelope(d, body)
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
	}
	switch {
	case env.data != nil:
		e.Data = d.redactedData()
	case !known:
		e.Data, env.extra = redact(body, secretMembers, env.token), nil
	}
	if env.extra != nil {
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions[schemas.PKExtraExtension] = string(env.extra)
	}
	return []schemas.Event{e}, nil
}

// readEnvelope reads the envelope of an opened body. A wrong type inside data is
// not its business; what is no JSON, or has no usable type or id, is ErrInvalid.
func readEnvelope(d *dispatch, body []byte) (envelope, error) {
	d.toEnd()
	env := envelope{token: string(d.token), data: d.data}
	if !utf8.Valid(body) {
		return env, fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	if err := scanFault(&d.scan, "a JSON object"); err != nil {
		return env, err
	}
	if d.isTwice {
		return env, fmt.Errorf("%w: a member twice", schemas.ErrInvalid)
	}
	var odd extraMembers
	// Law 9: neither of the two members that become attributes may hold the token.
	var ok bool
	if env.name, ok = schemas.Unquote(d.typ); !ok || env.name == "" || env.spills(env.name) {
		return env, fmt.Errorf("%w: type is no event's name", schemas.ErrInvalid)
	}
	if plainType(env.name) != env.name {
		odd.addMember("type", d.typ)
	}
	if said, isText := schemas.Unquote(d.id); isText && isSubject(said) && !schemas.HasLoneSurrogate(d.id) && !env.spills(said) {
		env.id = said
	} else if d.id != nil && !schemas.IsNull(d.id) {
		odd.addMember("id", redact(d.id, secretMembers, env.token))
	}
	var err error
	env.extra, err = d.redactedExtra(odd)
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

package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

const (
	discordPing  = "0" // numbers of the envelope's type; interactions count otherwise
	discordEvent = "1"
)

// contentMembers are what Discord itself calls the content of a message. They
// are left out of data wherever they stand.
var contentMembers = []string{"content", "embeds", "attachments", "components", "poll"}

// discordEnvelope is a body, taken apart but not read.
type discordEnvelope struct {
	application string
	kind        []byte // the envelope's type
	event       []byte // nil: absent
	extra       []byte // members we do not know, as an object; nil: none

	name string // Discord's name of the event
	at   time.Time
	data []byte // nil: absent
}

// Events makes one event of a verified body, and none of a ping. Data is the
// event's data byte for byte, less the content of messages, unless the source
// keeps it; that of a deleted message is never kept.
//
// Of a type of envelope that is neither ping nor event, data is the whole
// body.
func (d discordSource) Events(_ *Request, body []byte) ([]schemas.Event, error) {
	env, err := readDiscord(body)
	if err != nil {
		return nil, err
	}
	application := env.application
	if application == "" {
		application = d.Tenant
	}
	if application == "" {
		return nil, fmt.Errorf("%w: application_id is missing", schemas.ErrInvalid)
	}
	if string(env.kind) == discordPing {
		return nil, nil
	}
	typ, known := schemas.DiscordType(env.name)
	e := schemas.Event{
		Source:  schemas.DiscordApplicationURL + application,
		Type:    typ,
		Subject: env.subject(typ),
		Origin:  schemas.OriginWebhook,
		Route:   schemas.DiscordRoute(typ, application),
	}
	e.ID, e.Repeats = env.eventID(typ, body)
	e.Extensions = map[string]any{}
	e.DataSchema = schemas.SchemaID(typ)
	if !known {
		e.Extensions[schemas.DiscordTypeExtension] = plainType(env.name)
	}
	if !env.at.IsZero() {
		e.Extensions[schemas.DiscordTimeExtension] = schemas.FormatTime(env.at)
	}
	var secret []string
	if !d.keepContent || strings.HasSuffix(env.name, "_DELETE") {
		secret = contentMembers
	}
	if env.data != nil {
		e.Data = redact(env.data, secret, "")
	}
	if env.extra != nil {
		if extra := redact(env.extra, secret, ""); string(extra) != "{}" {
			e.Extensions[schemas.DiscordExtraExtension] = string(extra)
		}
	}
	return []schemas.Event{e}, nil
}

// readDiscord takes a body apart. A wrong type inside data is not its
// business; what is no envelope of Discord's is ErrInvalid.
func readDiscord(body []byte) (discordEnvelope, error) {
	var env discordEnvelope
	if !utf8.Valid(body) {
		return env, fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	var application []byte
	var extra extraMembers
	err := takeApart(body, map[string]*[]byte{
		memberApplication: &application, "type": &env.kind, "event": &env.event, "version": nil,
	}, &extra)
	if err != nil {
		return env, err
	}
	if env.kind == nil {
		return env, fmt.Errorf("%w: type is missing", schemas.ErrInvalid)
	}
	if application != nil {
		var ok bool
		if env.application, ok = schemas.Unquote(application); !ok || !schemas.IsSnowflake(env.application) {
			return env, fmt.Errorf("%w: application_id is no id", schemas.ErrInvalid)
		}
	}
	switch string(env.kind) {
	case discordPing:
		return env, nil
	case discordEvent:
		err = env.readEvent(&extra)
	default:
		if extra = nil; !allDigits(string(env.kind)) {
			return env, fmt.Errorf("%w: type is no number", schemas.ErrInvalid)
		}
		env.name, env.data = "webhook type "+string(env.kind), body
	}
	if err == nil {
		env.extra, err = extra.object()
	}
	return env, err
}

// readEvent takes the event inside the envelope apart. A timestamp that is
// none does not matter: time of acceptance stands in for it.
func (env *discordEnvelope) readEvent(extra *extraMembers) error {
	if env.event == nil {
		return fmt.Errorf("%w: event is missing", schemas.ErrInvalid)
	}
	var name, timestamp []byte
	err := takeApart(env.event, map[string]*[]byte{"type": &name, "timestamp": &timestamp, "data": &env.data}, extra)
	if err != nil {
		return err
	}
	var ok bool
	if env.name, ok = schemas.Unquote(name); !ok || env.name == "" {
		return fmt.Errorf("%w: event.type is no event's name", schemas.ErrInvalid)
	}
	if plainType(env.name) != env.name {
		extra.addMember("type", name)
	}
	if s, ok := schemas.Unquote(timestamp); ok {
		if at, err := schemas.ParseDiscordTime(s); err == nil && at.Year() > 0 && at.Year() <= 9999 {
			env.at = at
		}
	}
	return nil
}

// subject is the id of what the event is about.
func (env *discordEnvelope) subject(typ string) string {
	switch typ {
	case schemas.DiscordApplicationAuthorized, schemas.DiscordApplicationDeauthorized, schemas.DiscordQuestUserEnrollment:
		return env.id("user", "id")
	}
	return env.id("id")
}

// id is a member of data at a path, if it is one of Discord's ids.
func (env *discordEnvelope) id(path ...string) string {
	value := env.data
	for _, name := range path {
		value, _ = member(value, name)
	}
	if id, ok := schemas.Unquote(value); ok && schemas.IsSnowflake(id) {
		return id
	}
	return ""
}

// eventID is the event's ID and for how long the same one is a repeat.
// Discord gives none, and may send an event twice: what makes it the same is
// different for each type (Law 3). If a part of that is missing the ID is new.
//
// Not a hash of the body: the users and servers in it may be rendered anew
// for a retry. Only of a type we do not know there is nothing better; its
// timestamp, of microseconds, is part of the body.
func (env *discordEnvelope) eventID(typ string, body []byte) (string, time.Duration) {
	at := ""
	if !env.at.IsZero() {
		at = strconv.FormatInt(env.at.UnixMicro(), 10)
	}
	var need, may []string // parts
	switch typ {
	case schemas.DiscordApplicationAuthorized:
		integration, _ := member(env.data, "integration_type")
		if len(integration) > 1 || !allDigits(string(integration)) {
			integration = nil
		}
		need, may = []string{at, env.id("user", "id")}, []string{env.id("guild", "id"), string(integration)}
	case schemas.DiscordApplicationDeauthorized:
		need = []string{at, env.id("user", "id")}
	case schemas.DiscordEntitlementCreate, schemas.DiscordEntitlementDelete,
		schemas.DiscordLobbyMessageCreate, schemas.DiscordLobbyMessageDelete,
		schemas.DiscordDirectMessageCreate, schemas.DiscordDirectMessageDelete:
		need = []string{env.id("id")}
	case schemas.DiscordEntitlementUpdate:
		need = []string{env.id("id"), at}
	case schemas.DiscordLobbyMessageUpdate, schemas.DiscordDirectMessageUpdate:
		if edited := env.edited(); edited != "" {
			at = edited
		}
		need = []string{env.id("id"), at}
	default:
		hash := ""
		if at != "" {
			sum := sha256.Sum256(body)
			hash = hex.EncodeToString(sum[:])
		}
		need = []string{hash}
	}
	for _, part := range need {
		if part == "" {
			return schemas.NewID(), 0
		}
	}
	noun := strings.ReplaceAll(strings.TrimPrefix(typ, schemas.DiscordTypePrefix), ".", "_")
	return strings.Join(append(append([]string{noun}, need...), may...), "."), discordRepeats
}

// edited is when the message of an update was edited, in microseconds.
func (env *discordEnvelope) edited() string {
	value, _ := member(env.data, "edited_timestamp")
	s, _ := schemas.Unquote(value)
	at, err := schemas.ParseDiscordTime(s)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(at.UnixMicro(), 10)
}

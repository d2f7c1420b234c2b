package pluralkit

import (
	"encoding/json"
	"fmt"
	"time"

	"switchlog/schemas"
)

// An object is one that is being read. The first fault stays, and all that
// follows gives nothing; faults name a member, and never quote it.
type object struct {
	schemas.Object
	err error
}

// secretMember is the address of the owner's webhook; who knows it can speak
// to it. Law 9.
const secretMember = "webhook_url" // #nosec G101 -- the name of what is left out

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// open reads an object and takes the secret out.
func open(raw []byte) (o *object, secret json.RawMessage) {
	o = &object{}
	if json.Unmarshal(raw, &o.Object) != nil || o.Object == nil {
		o.fail(invalid("not an object"))
		return o, nil
	}
	secret = o.Object[secretMember]
	delete(o.Object, secretMember)
	return o, secret
}

func (o *object) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// text reads a string; absent or null: empty, and a fault if it must be there.
func (o *object) text(name string, must bool) string {
	s, err := o.Text(name)
	if err != nil || must && s == "" {
		o.fail(invalid("%s is not as it should be", name))
		return ""
	}
	return s
}

func (o *object) uuid(name string) UUID {
	id, err := ParseUUID(o.text(name, true))
	if err != nil {
		o.fail(invalid("%s is no uuid", name))
	}
	return id
}

func (o *object) hid(name string, must bool) HID {
	s := o.text(name, must)
	if s == "" {
		return ""
	}
	id, err := parseHID(s)
	if err != nil {
		o.fail(invalid("%s is no short id", name))
	}
	return id
}

// snowflake reads an id of Discord's.
func (o *object) snowflake(name string, must bool) string {
	s := o.text(name, must)
	if s != "" && checkSnowflake(name, s) != nil {
		o.fail(invalid("%s is no id of Discord's", name))
	}
	return s
}

// at reads a time, cut to microseconds; absent or null: zero.
func (o *object) at(name string, must bool) time.Time {
	s := o.text(name, must)
	if s == "" {
		return time.Time{}
	}
	us, err := schemas.ParseTime(s)
	if err != nil {
		o.fail(invalid("%s is no timestamp", name))
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// items reads a list that must be there.
func (o *object) items(name string) []json.RawMessage {
	list, err := items(o.Object[name])
	if err != nil {
		o.fail(invalid("%s is no list", name))
	}
	return list
}

func items(raw []byte) (list []json.RawMessage, err error) {
	if json.Unmarshal(raw, &list) != nil || list == nil {
		return nil, invalid("not a list")
	}
	return list, nil
}

// texts reads a list of strings by parse, which says what they must be.
func texts[T any](o *object, name string, parse func(string) (T, error)) []T {
	list := o.items(name)
	ids := make([]T, 0, len(list))
	for _, raw := range list {
		var s *string
		if json.Unmarshal(raw, &s) != nil || s == nil {
			o.fail(invalid("%s holds what is no text", name))
			return nil
		}
		id, err := parse(*s)
		if err != nil {
			o.fail(fmt.Errorf("%s: %w", name, err))
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// owned checks that an entity is as its owner sees it: a stranger is shown no
// privacy.
func (o *object) owned() {
	if raw, ok := o.Object["privacy"]; o.err == nil && (!ok || isNull(raw)) {
		o.fail(ErrAnonymous)
	}
}

// done reads the fields and gives the whole.
func (o *object) done(fields []schemas.Field) (Object, error) {
	if o.err != nil {
		return Object{}, o.err
	}
	values, err := o.Fields(fields)
	if err != nil {
		return Object{}, invalid("%s is not as it should be", culprit(o.Object, fields))
	}
	return Object{o.Object, values}, nil
}

// culprit is the first field that cannot be read.
func culprit(o schemas.Object, fields []schemas.Field) string {
	for _, f := range fields {
		if _, err := o.Fields([]schemas.Field{f}); err != nil {
			return f.Name
		}
	}
	panic("pluralkit: fields cannot be read together, but each alone")
}

// each reads the entities of a list.
func each[T any](body []byte, decode func([]byte) (T, error)) ([]T, error) {
	list, err := items(body)
	if err != nil {
		return nil, err
	}
	all := make([]T, 0, len(list))
	for i, raw := range list {
		v, err := decode(raw)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		all = append(all, v)
	}
	return all, nil
}

func decodeMembers(body []byte) ([]Member, error)  { return each(body, decodeMember) }
func decodeGroups(body []byte) ([]Group, error)    { return each(body, decodeGroup) }
func decodeSwitches(body []byte) ([]Switch, error) { return each(body, decodeSwitch) }

func decodeSystem(body []byte) (s System, err error) {
	o, hook := open(body)
	s.UUID, s.HID = o.uuid("uuid"), o.hid("id", true)
	o.owned()
	switch {
	case o.err != nil:
	case hook == nil: // a stranger is not even told that there could be one
		o.fail(ErrAnonymous)
	case json.Unmarshal(hook, &s.WebhookURL) != nil:
		o.fail(invalid("%s is no text", secretMember))
	}
	if s.Object, err = o.done(schemas.PKSystemObjectFields); err != nil {
		return System{}, err
	}
	return s, nil
}

// decodeSystemUUID reads a system that may be anybody's.
func decodeSystemUUID(body []byte) (UUID, error) {
	o, _ := open(body)
	id := o.uuid("uuid")
	if o.err != nil {
		return "", o.err
	}
	return id, nil
}

// decodeSettings: a stranger is shown nine keys, without the time zone.
func decodeSettings(body []byte) (s Settings, err error) {
	o, _ := open(body)
	for _, name := range []string{"timezone", "member_limit"} {
		if _, ok := o.Object[name]; !ok && o.err == nil {
			o.fail(ErrAnonymous)
		}
	}
	s.Object, err = o.done(schemas.PKSettingsFields)
	return s, err
}

func decodeMember(body []byte) (m Member, err error) {
	o, _ := open(body)
	m.UUID, m.HID, m.System = o.uuid("uuid"), o.hid("id", true), o.hid("system", false)
	o.owned()
	if m.Object, err = o.done(schemas.PKMemberObjectFields); err != nil {
		return Member{}, err
	}
	return m, nil
}

func decodeGroup(body []byte) (g Group, err error) {
	o, _ := open(body)
	g.UUID, g.HID, g.System = o.uuid("uuid"), o.hid("id", true), o.hid("system", false)
	g.Members = texts(o, "members", ParseUUID)
	o.owned()
	if g.Object, err = o.done(schemas.PKGroupObjectFields); err != nil {
		return Group{}, err
	}
	return g, nil
}

func decodeSwitch(body []byte) (Switch, error) {
	o, _ := open(body)
	s := Switch{UUID: o.uuid("id"), At: o.at("timestamp", true), Members: texts(o, "members", parseHID), JSON: o.Object}
	if o.err != nil {
		return Switch{}, o.err
	}
	return s, nil
}

func decodeFullSwitch(body []byte) (FullSwitch, error) {
	o, _ := open(body)
	s := FullSwitch{UUID: o.uuid("id"), At: o.at("timestamp", true)}
	if o.err != nil {
		return FullSwitch{}, o.err
	}
	var err error
	if s.Members, err = decodeMembers(o.Object["members"]); err != nil {
		return FullSwitch{}, fmt.Errorf("members: %w", err)
	}
	return s, nil
}

// decodeFronters: no body is no switch.
func decodeFronters(body []byte) (*FullSwitch, error) {
	if body == nil {
		return nil, nil
	}
	s, err := decodeFullSwitch(body)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

func decodeSystemGuild(guild string, body []byte) (GuildSettings, error) {
	return decodeGuild(GuildSettings{Guild: guild}, body, schemas.PKSystemGuildFields)
}

func decodeMemberGuild(member UUID, guild string, body []byte) (GuildSettings, error) {
	return decodeGuild(GuildSettings{Guild: guild, Member: member}, body, schemas.PKMemberGuildFields)
}

// decodeGuild: a row has no mark of its own, so what holds none of its fields
// is none.
func decodeGuild(g GuildSettings, body []byte, fields []schemas.Field) (_ GuildSettings, err error) {
	o, _ := open(body)
	if g.Object, err = o.done(fields); err != nil {
		return GuildSettings{}, err
	}
	if len(g.Fields) == 0 {
		return GuildSettings{}, invalid("not a row of settings")
	}
	return g, nil
}

func decodeAutoproxy(guild string, body []byte) (a Autoproxy, err error) {
	o, _ := open(body)
	a = Autoproxy{Guild: guild, Mode: o.text("autoproxy_mode", true), Member: o.hid("autoproxy_member", false),
		LastLatch: o.at("last_latch_timestamp", false)}
	if a.Object, err = o.done(schemas.PKAutoproxyFields); err != nil {
		return Autoproxy{}, err
	}
	return a, nil
}

func decodeMessage(body []byte) (Message, error) {
	o, _ := open(body)
	m := Message{
		ID: o.snowflake("id", true), Original: o.snowflake("original", false), Sender: o.snowflake("sender", true),
		Channel: o.snowflake("channel", true), Guild: o.snowflake("guild", false), At: o.at("timestamp", true),
	}
	if o.err != nil {
		return Message{}, o.err
	}
	var err error
	if m.System, err = decodeOptional(o, "system", decodeSystem); err != nil {
		return Message{}, err
	}
	if m.Member, err = decodeOptional(o, "member", decodeMember); err != nil {
		return Message{}, err
	}
	return m, nil
}

// decodeOptional reads an entity that may be gone: null, or absent.
func decodeOptional[T any](o *object, name string, decode func([]byte) (T, error)) (*T, error) {
	raw, ok := o.Object[name]
	if !ok || isNull(raw) {
		return nil, nil
	}
	v, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &v, nil
}

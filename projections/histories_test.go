package projections

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"switchlog/schemas"
)

// entityHistory draws the events of two systems about the same few things, so
// that they meet, in the order of their times.
func entityHistory(t *rapid.T) []schemas.Recorded {
	n := rapid.IntRange(1, 40).Draw(t, "events")
	events := make([]schemas.Recorded, n)
	for i := range events {
		d := drawer{T: t, n: i}
		typ, subject, data := d.event()
		tenant := d.tenant
		events[i] = schemas.Recorded{Event: schemas.Event{
			ID: fmt.Sprintf("e%03d", i), Source: schemas.PluralKitSystemURL + tenant, Type: typ, Subject: subject,
			Time: historyTime(i), Data: data,
			Route: schemas.PluralKitRoute(typ, tenant),
		}}
	}
	return events
}

type drawer struct {
	*rapid.T
	n      int
	tenant string
}

func (d *drawer) of(label string, choices ...string) string {
	return rapid.SampledFrom(choices).Draw(d.T, label)
}

func (d *drawer) event() (typ, subject string, data json.RawMessage) {
	d.tenant = d.of("tenant", "sys-a", "sys-b")
	member, group := d.member(), d.tenant+"-grp-"+d.of("group", "1", "2")
	typ = d.of("type",
		schemas.PKSystemUpdate, schemas.PKSettingsUpdate,
		schemas.PKMemberCreate, schemas.PKMemberUpdate, schemas.PKMemberUpdate, schemas.PKMemberDelete,
		schemas.PKGroupCreate, schemas.PKGroupUpdate, schemas.PKGroupDelete,
		schemas.PKAccountLink, schemas.PKAccountUnlink, schemas.PKAccountUpdate,
		schemas.PKSystemGuildUpdate, schemas.PKMemberGuildUpdate, schemas.PKAutoproxyUpdate,
		schemas.PKMessageCreate, schemas.PKMessageCreate, schemas.PKImportSuccess,
		schemas.SystemObserved, schemas.SettingsObserved, schemas.MemberObserved, schemas.MemberObserved,
		schemas.GroupObserved, schemas.GroupObserved, schemas.SystemGuildObserved, schemas.MemberGuildObserved,
		schemas.AutoproxyObserved, schemas.AccountObserved,
		schemas.SystemImported, schemas.SettingsImported, schemas.MemberImported, schemas.MemberImported,
		schemas.GroupImported, schemas.AccountImported,
		schemas.SystemAbsent, schemas.MemberAbsent, schemas.MemberAbsent, schemas.GroupAbsent, schemas.SystemGuildAbsent,
		schemas.MemberGuildAbsent, schemas.AccountAbsent, schemas.MessageAbsent,
		schemas.SourceObserved)
	if strings.HasPrefix(typ, "switchlog.") {
		subject, data = d.fromAPI(typ, member, group)
		return typ, subject, data
	}
	switch typ {
	case schemas.PKSystemUpdate:
		return typ, "", d.object(schemas.PKSystemFields, nil)
	case schemas.PKSettingsUpdate:
		return typ, "", d.object(schemas.PKSettingsFields, nil)
	case schemas.PKMemberCreate, schemas.PKMemberUpdate:
		return typ, member, d.object(schemas.PKMemberFields, nil)
	case schemas.PKGroupCreate, schemas.PKGroupUpdate:
		return typ, group, d.object(schemas.PKGroupFields, nil)
	case schemas.PKMemberDelete:
		return typ, member, json.RawMessage(`null`)
	case schemas.PKGroupDelete:
		return typ, group, json.RawMessage(`null`)
	case schemas.PKAccountLink, schemas.PKAccountUnlink:
		return typ, d.of("account", "1150", "1151"), json.RawMessage(`null`)
	case schemas.PKAccountUpdate:
		return typ, d.of("account", "1150", "1151"), d.object(schemas.PKAccountFields, nil)
	case schemas.PKSystemGuildUpdate:
		return typ, "", d.object(schemas.PKSystemGuildFields, map[string]any{"guild_id": d.of("guild", "g1", "g2")})
	case schemas.PKMemberGuildUpdate:
		return typ, member, d.object(schemas.PKMemberGuildFields, map[string]any{"guild_id": d.of("guild", "g1", "g2")})
	case schemas.PKAutoproxyUpdate:
		return typ, "", d.object(schemas.PKAutoproxyFields, map[string]any{"guild_id": d.of("guild", "g1", "g2"), "channel_id": nil})
	case schemas.PKMessageCreate:
		id := d.messageID(d.n)
		return typ, id, d.message(id, member)
	}
	return typ, "", json.RawMessage(`null`)
}

// fromAPI draws what the API said at some moment before the event, or what a
// file tells of it.
func (d *drawer) fromAPI(typ, member, group string) (subject string, data json.RawMessage) {
	guild := map[string]any{"guild_id": d.of("guild", "g1", "g2")}
	var object json.RawMessage
	subject = d.tenant
	switch typ {
	case schemas.SystemObserved, schemas.SystemImported:
		object = d.object(schemas.PKSystemObjectFields, nil)
	case schemas.SettingsObserved, schemas.SettingsImported:
		object = d.object(schemas.PKSettingsFields, nil)
	case schemas.MemberObserved, schemas.MemberImported:
		subject, object = member, d.object(schemas.PKMemberObjectFields, nil)
	case schemas.GroupObserved, schemas.GroupImported:
		subject = group
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return d.member() }), 0, 3).Draw(d.T, "members")
		given := map[string]any{"members": list}
		if d.of("members known", "yes", "yes", "no") == "no" {
			given = nil
		}
		object = d.object(schemas.PKGroupObjectFields, given)
	case schemas.SystemGuildObserved:
		object = d.object(schemas.PKSystemGuildFields, guild)
	case schemas.MemberGuildObserved:
		subject, object = member, d.object(schemas.PKMemberGuildFields, guild)
	case schemas.AutoproxyObserved:
		object = d.object(schemas.PKAutoproxyFields, guild)
	case schemas.AccountObserved, schemas.AccountImported:
		subject, object = d.of("account", "1150", "1151"), d.object(schemas.PKAccountFields, nil)
	case schemas.SourceObserved:
		object = json.RawMessage(`{"state":"` + d.of("state", "ok", "webhook_elsewhere", "unauthorized") + `"}`)
	case schemas.MemberAbsent, schemas.MemberGuildAbsent:
		subject = member
	case schemas.GroupAbsent:
		subject = group
	case schemas.AccountAbsent:
		subject = d.of("account", "1150", "1151")
	case schemas.MessageAbsent:
		subject = d.messageID(rapid.IntRange(0, d.n+3).Draw(d.T, "message"))
	}
	asked := schemas.FormatTime(historyTime(rapid.IntRange(0, d.n).Draw(d.T, "asked")))
	said := map[string]any{"asked": asked}
	if object != nil {
		said["object"] = object
	} else {
		said["guild_id"] = guild["guild_id"]
	}
	b, err := json.Marshal(said)
	if err != nil {
		d.Fatal(err)
	}
	return subject, b
}

// messageID is the id of the message that event n tells of, if it tells of one.
// They are the tenant's own, whatever n.
func (d *drawer) messageID(n int) string {
	return fmt.Sprintf("1444000%d%04d", map[string]int{"sys-a": 1, "sys-b": 2}[d.tenant], (n*7919)%10000)
}

func historyTime(n int) time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 1000*n, time.UTC) }

func (d *drawer) member() string { return d.tenant + "-mem-" + d.of("member", "1", "2", "3") }

// object draws some of the fields, over those that are given.
func (d *drawer) object(fields []schemas.Field, given map[string]any) json.RawMessage {
	object := given
	if object == nil {
		object = map[string]any{}
	}
	share := rapid.IntRange(0, 10).Draw(d.T, "share of fields")
	for _, f := range fields {
		if rapid.IntRange(1, 10).Draw(d.T, "in") > share {
			continue
		}
		to := object
		if f.In != "" {
			inner, ok := object[f.In].(map[string]any)
			if !ok {
				inner = map[string]any{}
				object[f.In] = inner
			}
			to = inner
		}
		to[f.Name] = d.value(f)
	}
	b, err := json.Marshal(object)
	if err != nil {
		d.Fatal(err)
	}
	return b
}

func (d *drawer) value(f schemas.Field) any {
	if f.Null && rapid.Bool().Draw(d.T, "null") {
		return nil
	}
	switch f.Kind {
	case schemas.Bool:
		return rapid.Bool().Draw(d.T, f.Name)
	case schemas.Int:
		return rapid.IntRange(0, 2).Draw(d.T, f.Name)
	case schemas.Time:
		return "2025-11-28T17:03:0" + d.of(f.Name, "8.4471502Z", "9Z")
	case schemas.List:
		if f.Name != "proxy_tags" {
			return rapid.SampledFrom([]any{[]string{}, []string{"Likes: <é>\n"}}).Draw(d.T, f.Name)
		}
		tag := func(prefix, suffix any) any { return map[string]any{"prefix": prefix, "suffix": suffix} }
		return rapid.SampledFrom([]any{
			[]any{}, []any{tag("a:", nil)}, []any{tag(nil, "-\u2028\u0001\"<"), tag("a:", nil), tag("a:", nil)},
		}).Draw(d.T, f.Name)
	}
	if f.Name == "autoproxy_member" {
		return d.member()
	}
	return d.of(f.Name, "x", "y", "é")
}

func (d *drawer) message(id, member string) json.RawMessage {
	m := map[string]any{
		"timestamp": "2025-11-28T16:20:2" + d.of("second", "7Z", "8Z"), "id": id, "original": "1", "sender": "2",
		"channel": "3", "guild": nil, "system": nil, "member": nil,
	}
	if d.of("system", "yes", "yes", "no") == "yes" {
		m["system"] = d.object(schemas.PKSystemObjectFields, map[string]any{"uuid": d.tenant})
	}
	if d.of("member there", "yes", "yes", "no") == "yes" {
		m["member"] = d.object(schemas.PKMemberObjectFields, map[string]any{"uuid": member})
	}
	b, err := json.Marshal(m)
	if err != nil {
		d.Fatal(err)
	}
	return b
}

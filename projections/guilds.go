package projections

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"switchlog/schemas"
)

//go:embed guilds.sql
var guildsSQL string

// Guilds is what systems and members have set for single Discord servers.
var Guilds = Projection{
	Name: "guilds", Source: schemas.PluralKit, Version: 3,
	Schema: guildsSQL,
	Handlers: map[string]Handler{
		schemas.PKSystemGuildUpdate: on(readGuild, foldGuild),
		schemas.SystemGuildObserved: on(readGuild, foldGuild),
		schemas.SystemGuildAbsent:   on(readGuild, foldGuild),
		schemas.PKMemberGuildUpdate: on(readGuild, foldGuild),
		schemas.MemberGuildObserved: on(readGuild, foldGuild),
		schemas.MemberGuildAbsent:   on(readGuild, foldGuild),
	},
	Quiet: quietColumns,
}

var systemGuildEntity = entity{
	table: "system_guilds", keys: []string{"system_uuid", "guild_id"}, deletes: true, absents: true,
	fields: schemas.PKSystemGuildFields,
	shape:  []string{"proxying_enabled", "tag", "tag_enabled", "avatar_url", "display_name", "name_format"},
}.prepare()

var memberGuildEntity = entity{
	table: "member_guilds", keys: []string{"system_uuid", "member_uuid", "guild_id"}, deletes: true, absents: true,
	fields: schemas.PKMemberGuildFields,
	shape:  []string{"display_name", "avatar_url", "keep_proxy"},
}.prepare()

// guildSaid is what an event says about one Discord server.
type guildSaid struct {
	said
	guild    string
	ofMember bool
}

func readGuild(e schemas.Recorded) (d guildSaid, err error) {
	var object schemas.Object
	en := systemGuildEntity
	switch e.Type {
	case schemas.PKMemberGuildUpdate, schemas.MemberGuildObserved, schemas.MemberGuildAbsent:
		if err := checkID("members", e.Subject); err != nil {
			return d, err
		}
		en, d.ofMember = memberGuildEntity, true
	}
	switch e.Type {
	case schemas.SystemGuildAbsent, schemas.MemberGuildAbsent:
		d.guild, d.us, err = absent(e)
	case schemas.SystemGuildObserved, schemas.MemberGuildObserved:
		object, d.values, d.us, err = observed(e, en.fields)
	default:
		if object, err = dataObject(e); err == nil {
			d.values, err = object.Fields(en.fields)
		}
	}
	if err == nil && object != nil {
		d.guild, err = object.Text("guild_id")
	}
	if err == nil {
		err = needID("the guild", d.guild)
	}
	return d, err
}

// foldGuild merges what the event says of the system or of a member in one
// Discord server.
func foldGuild(tx *Tx, t *tenant, e schemas.Recorded, d guildSaid) error {
	var ownerUS any // when the owner went
	en, key := systemGuildEntity, []string{d.guild}
	if d.ofMember {
		member, err := t.row(tx, memberEntity, e.Subject)
		if err != nil {
			return err
		}
		ownerUS = member.deletedUS
		en, key = memberGuildEntity, []string{e.Subject, d.guild}
	}
	r, err := t.row(tx, en, key...)
	if err != nil {
		return err
	}
	t.change(tx, r, func(r *row) {
		switch e.Type {
		case schemas.SystemGuildAbsent, schemas.MemberGuildAbsent:
			r.miss(d.us)
		case schemas.SystemGuildObserved, schemas.MemberGuildObserved:
			r.observe(d.values, d.us, e.ID)
		default:
			r.set(d.values, versionOf(rankUpdate, e))
			r.see(e.Time.UnixMicro())
		}
		r.ownerUS = ownerUS
	})
	return nil
}

// dataObject is the data of an event that must have some.
func dataObject(e schemas.Recorded) (schemas.Object, error) {
	var o schemas.Object
	if err := json.Unmarshal(e.Data, &o); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", schemas.ErrInvalid, e.Type, err)
	}
	if o == nil {
		return nil, fmt.Errorf("%w: %s: no data", schemas.ErrInvalid, e.Type)
	}
	return o, nil
}

// needID: what a row is keyed by must be there.
func needID(what, id string) error {
	if id == "" {
		return fmt.Errorf("%w: %s has no id", schemas.ErrInvalid, what)
	}
	return nil
}

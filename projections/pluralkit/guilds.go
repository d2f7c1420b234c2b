package pluralkit

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed guilds.sql
var guildsSQL string

// Guilds is what systems and members have set for single Discord servers.
var Guilds = engine.Projection{
	Name: "guilds", Source: schemas.PluralKit, Version: 3,
	Schema: guildsSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKSystemGuildUpdate: on(readGuild, foldGuild),
		schemas.SystemGuildObserved: on(readGuild, foldGuild),
		schemas.SystemGuildAbsent:   on(readGuild, foldGuild),
		schemas.PKMemberGuildUpdate: on(readGuild, foldGuild),
		schemas.MemberGuildObserved: on(readGuild, foldGuild),
		schemas.MemberGuildAbsent:   on(readGuild, foldGuild),
	},
	Quiet: quietColumns,
}

var systemGuildEntity = merge.Entity{
	Table: "system_guilds", Keys: []string{"system_uuid", "guild_id"}, Deletes: true, Absents: true,
	Fields: schemas.PKSystemGuildFields,
	Shape:  []string{"proxying_enabled", "tag", "tag_enabled", "avatar_url", "display_name", "name_format"},
}.Prepare()

var memberGuildEntity = merge.Entity{
	Table: "member_guilds", Keys: []string{"system_uuid", "member_uuid", "guild_id"}, Deletes: true, Absents: true,
	Fields: schemas.PKMemberGuildFields,
	Shape:  []string{"display_name", "avatar_url", "keep_proxy"},
}.Prepare()

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
		if err := merge.CheckID("members", e.Subject); err != nil {
			return d, err
		}
		en, d.ofMember = memberGuildEntity, true
	}
	switch e.Type {
	case schemas.SystemGuildAbsent, schemas.MemberGuildAbsent:
		d.guild, d.us, err = absent(e)
	case schemas.SystemGuildObserved, schemas.MemberGuildObserved:
		object, d.values, d.us, err = observed(e, en.Fields)
	default:
		if object, err = dataObject(e); err == nil {
			d.values, err = object.Fields(en.Fields)
		}
	}
	if err == nil && object != nil {
		d.guild, err = object.Text("guild_id")
	}
	if err == nil {
		err = merge.NeedID("the guild", d.guild)
	}
	return d, err
}

// foldGuild merges what the event says of the system or of a member in one
// Discord server.
func foldGuild(tx *engine.Tx, t *tenant, e schemas.Recorded, d guildSaid) error {
	var ownerUS any // when the owner went
	en, key := systemGuildEntity, []string{d.guild}
	if d.ofMember {
		member, err := t.row(tx, memberEntity, e.Subject)
		if err != nil {
			return err
		}
		ownerUS = member.DeletedUS
		en, key = memberGuildEntity, []string{e.Subject, d.guild}
	}
	r, err := t.row(tx, en, key...)
	if err != nil {
		return err
	}
	t.change(tx, r, func(r *merge.Row) {
		switch e.Type {
		case schemas.SystemGuildAbsent, schemas.MemberGuildAbsent:
			r.Miss(d.us)
		case schemas.SystemGuildObserved, schemas.MemberGuildObserved:
			r.Observe(d.values, d.us, e.ID)
		default:
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
			r.See(e.Time.UnixMicro())
		}
		r.OwnerUS = ownerUS
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

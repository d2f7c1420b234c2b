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
	Name: "guilds", Source: schemas.PluralKit, Version: 2,
	Schema: guildsSQL,
	Fold:   foldGuild,
}

var systemGuildEntity = entity{
	table: "system_guilds", keys: []string{"system_uuid", "guild_id"}, deletes: true, absents: true,
	fields: schemas.PKSystemGuildFields,
	shape:  []string{"proxying_enabled", "tag", "tag_enabled", "avatar_url", "display_name", "name_format"},
}.prepare()

var memberGuildEntity = entity{
	table: "member_guilds", keys: []string{"member_uuid", "guild_id"}, owned: true, deletes: true, absents: true,
	fields: schemas.PKMemberGuildFields,
	shape:  []string{"display_name", "avatar_url", "keep_proxy"},
}.prepare()

func foldGuild(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKSystemGuildUpdate, schemas.SystemGuildObserved, schemas.SystemGuildAbsent:
		return mergeGuild(tx, e, systemGuildEntity, e.Route.Tenant, nil)
	case schemas.PKMemberGuildUpdate, schemas.MemberGuildObserved, schemas.MemberGuildAbsent:
		member, err := tx.row(memberEntity, e.Route.Tenant, e.Subject) // another system's is refused
		if err != nil {
			return err
		}
		return mergeGuild(tx, e, memberGuildEntity, e.Subject, member.deletedUS)
	}
	return nil
}

// mergeGuild merges what the event says of owner in one Discord server;
// ownerUS is when the owner went.
func mergeGuild(tx *Tx, e schemas.Recorded, en *entity, owner string, ownerUS any) error {
	guild, merge, err := readGuild(e, en)
	if err == nil {
		err = needID("the guild", guild)
	}
	if err != nil {
		return err
	}
	r, err := tx.row(en, e.Route.Tenant, owner, guild)
	if err != nil {
		return err
	}
	merge(r)
	r.ownerUS = ownerUS
	return tx.write(r)
}

// readGuild reads which Discord server the event is about, and what it says.
func readGuild(e schemas.Recorded, en *entity) (guild string, merge func(*row), err error) {
	var object schemas.Object
	var values []schemas.Value
	var us int64
	switch e.Type {
	case schemas.SystemGuildAbsent, schemas.MemberGuildAbsent:
		guild, us, err = absent(e)
		return guild, func(r *row) { r.miss(us) }, err
	case schemas.SystemGuildObserved, schemas.MemberGuildObserved:
		object, values, us, err = observed(e, en.fields)
		merge = func(r *row) { r.observe(values, us, e.ID) }
	default:
		if object, err = dataObject(e); err == nil {
			values, err = object.Fields(en.fields)
		}
		merge = func(r *row) {
			r.set(values, versionOf(rankUpdate, e))
			r.see(e.Time.UnixMicro())
		}
	}
	if err == nil {
		guild, err = object.Text("guild_id")
	}
	return guild, merge, err
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

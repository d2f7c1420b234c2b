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
	Name: "guilds", Source: schemas.PluralKit, Version: 1,
	Schema: guildsSQL,
	Fold:   foldGuild,
}

var systemGuildEntity = entity{
	table: "system_guilds", keys: []string{"system_uuid", "guild_id"},
	fields: schemas.PKSystemGuildFields,
}.prepare()

var memberGuildEntity = entity{
	table: "member_guilds", keys: []string{"member_uuid", "guild_id"}, owned: true,
	fields: schemas.PKMemberGuildFields,
}.prepare()

func foldGuild(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKSystemGuildUpdate:
		return mergeGuild(tx, e, systemGuildEntity, e.Route.Tenant)
	case schemas.PKMemberGuildUpdate:
		member, err := tx.row(memberEntity, e.Route.Tenant, e.Subject) // another system's is refused
		if err != nil || member.deleted {
			return err
		}
		return mergeGuild(tx, e, memberGuildEntity, e.Subject)
	}
	return nil
}

func mergeGuild(tx *Tx, e schemas.Recorded, en *entity, owner string) error {
	object, err := dataObject(e)
	if err != nil {
		return err
	}
	guild, err := object.Text("guild_id")
	if err == nil {
		err = needID("the guild", guild)
	}
	if err != nil {
		return err
	}
	values, err := object.Fields(en.fields)
	if err != nil {
		return err
	}
	r, err := tx.row(en, e.Route.Tenant, owner, guild)
	if err != nil {
		return err
	}
	r.set(values, versionOf(rankUpdate, e))
	return tx.write(r)
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

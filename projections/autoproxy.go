package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed autoproxy.sql
var autoproxySQL string

// Autoproxy is how each system proxies by itself, in each Discord server.
var Autoproxy = Projection{
	Name: "autoproxy", Source: schemas.PluralKit, Version: 1,
	Schema: autoproxySQL,
	Fold:   foldAutoproxy,
}

var autoproxyEntity = entity{
	table: "autoproxy", keys: []string{"system_uuid", "guild_id", "channel_id"},
	fields: schemas.PKAutoproxyFields,
}.prepare()

func foldAutoproxy(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit || e.Type != schemas.PKAutoproxyUpdate {
		return nil
	}
	object, err := dataObject(e)
	if err != nil {
		return err
	}
	guild, err := object.Text("guild_id")
	if err != nil {
		return err
	}
	channel, err := object.Text("channel_id")
	if err != nil {
		return err
	}
	values, err := object.Fields(schemas.PKAutoproxyFields)
	if err != nil {
		return err
	}
	if err := forgetDeleted(tx, e.Route.Tenant, values); err != nil {
		return err
	}
	r, err := tx.row(autoproxyEntity, e.Route.Tenant, e.Route.Tenant, guild, channel)
	if err != nil {
		return err
	}
	r.set(values, versionOf(rankUpdate, e))
	return tx.write(r)
}

// forgetDeleted: to point at a member that is gone is to point at none, be the
// delete before or after.
func forgetDeleted(tx *Tx, system string, values []schemas.Value) error {
	for i, v := range values {
		member, points := v.Value.(string)
		if v.Field.Name != "autoproxy_member" || !points {
			continue
		}
		gone, err := memberDeleted(tx, system, member)
		if err != nil {
			return err
		}
		if gone {
			values[i].Value = nil
		}
	}
	return nil
}

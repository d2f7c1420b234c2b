package projections

import (
	_ "embed"
	"slices"

	"switchlog/schemas"
)

//go:embed autoproxy.sql
var autoproxySQL string

// Autoproxy is how each system proxies by itself, in each Discord server.
var Autoproxy = Projection{
	Name: "autoproxy", Source: schemas.PluralKit, Version: 2,
	Schema: autoproxySQL,
	Fold:   foldAutoproxy,
}

var autoproxyEntity = entity{
	table: "autoproxy", keys: []string{"system_uuid", "guild_id", "channel_id"},
	fields: schemas.PKAutoproxyFields, columnOf: map[string]string{"autoproxy_member": "named_member"},
	shape: []string{"autoproxy_mode", "autoproxy_member", "last_latch_timestamp"},
}.prepare()

func foldAutoproxy(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	var object schemas.Object
	var values []schemas.Value
	var us int64
	var err error
	switch e.Type {
	case schemas.PKAutoproxyUpdate:
		if object, err = dataObject(e); err == nil {
			values, err = object.Fields(schemas.PKAutoproxyFields)
		}
	case schemas.AutoproxyObserved:
		object, values, us, err = observed(e, schemas.PKAutoproxyFields)
		values = withoutHidden(values)
	default:
		return nil
	}
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
	r, err := tx.row(autoproxyEntity, e.Route.Tenant, e.Route.Tenant, guild, channel)
	if err != nil {
		return err
	}
	if e.Type == schemas.AutoproxyObserved {
		r.observe(values, us, e.ID)
	} else {
		r.set(values, versionOf(rankUpdate, e))
		r.see(e.Time.UnixMicro())
	}
	if err := tx.write(r); err != nil || !r.changed("autoproxy_member") {
		return err
	}
	return pointAtMember(tx, r)
}

// withoutHidden leaves out the member that the API hides in front mode: there
// it is null, whoever it is.
func withoutHidden(values []schemas.Value) []schemas.Value {
	front := slices.ContainsFunc(values, func(v schemas.Value) bool { return v.Field.Name == "autoproxy_mode" && v.Value == "front" })
	return slices.DeleteFunc(values, func(v schemas.Value) bool {
		return front && v.Field.Name == "autoproxy_member" && v.Value == nil
	})
}

// pointAtMember: to point at a member that is gone is to point at none, be it
// gone before or after.
func pointAtMember(tx *Tx, r *row) error {
	named, _ := r.values[r.column("autoproxy_member")].(string)
	gone, err := memberDeleted(tx, r.tenant, named)
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE autoproxy SET autoproxy_member = iif(?, NULL, named_member)
		WHERE system_uuid = ? AND guild_id = ? AND channel_id = ?`, gone, r.key[0], r.key[1], r.key[2])
}

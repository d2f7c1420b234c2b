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
	Handlers: map[string]Handler{
		schemas.PKAutoproxyUpdate: on(readAutoproxy, foldAutoproxy),
		schemas.AutoproxyObserved: on(readAutoproxy, foldAutoproxy),
	},
	Quiet: quietColumns,
}

var autoproxyEntity = entity{
	table: "autoproxy", keys: []string{"system_uuid", "guild_id", "channel_id"},
	fields: schemas.PKAutoproxyFields, columnOf: map[string]string{"autoproxy_member": "named_member"}, derived: "autoproxy_member",
	shape: []string{"autoproxy_mode", "autoproxy_member", "last_latch_timestamp"},
}.prepare()

// autoproxySaid is what an event says about one channel, or a whole server.
type autoproxySaid struct {
	said
	guild, channel string
}

func readAutoproxy(e schemas.Recorded) (d autoproxySaid, err error) {
	var object schemas.Object
	if e.Type == schemas.AutoproxyObserved {
		object, d.values, d.us, err = observed(e, schemas.PKAutoproxyFields)
		d.values = withoutHidden(d.values)
	} else if object, err = dataObject(e); err == nil {
		d.values, err = object.Fields(schemas.PKAutoproxyFields)
	}
	if err == nil {
		d.guild, err = object.Text("guild_id")
	}
	if err == nil {
		d.channel, err = object.Text("channel_id")
	}
	return d, err
}

func foldAutoproxy(tx *Tx, t *tenant, e schemas.Recorded, d autoproxySaid) error {
	r, err := t.row(tx, autoproxyEntity, d.guild, d.channel)
	if err != nil {
		return err
	}
	var fault error
	t.change(tx, r, func(r *row) {
		if e.Type == schemas.AutoproxyObserved {
			r.observe(d.values, d.us, e.ID)
		} else {
			r.set(d.values, versionOf(rankUpdate, e))
			r.see(e.Time.UnixMicro())
		}
		if !r.changed("autoproxy_member") {
			return
		}
		gone := false
		if uuid, is := namedMember(r).(string); is {
			gone, fault = t.memberGone(tx, uuid)
		}
		pointAt(r, gone)
	})
	return fault
}

// namedMember is the member that the row names, be it gone or not; or nil.
func namedMember(r *row) any { return r.values[r.column("autoproxy_member")] }

// pointAt: to point at a member that is gone is to point at none, be it gone
// before or after.
func pointAt(r *row, gone bool) {
	is := namedMember(r)
	if gone {
		is = nil
	}
	if r.derived != is {
		r.derived, r.dirty = is, true
	}
}

// withoutHidden leaves out the member that the API hides in front mode: there
// it is null, whoever it is.
func withoutHidden(values []schemas.Value) []schemas.Value {
	front := slices.ContainsFunc(values, func(v schemas.Value) bool { return v.Field.Name == "autoproxy_mode" && v.Value == "front" })
	return slices.DeleteFunc(values, func(v schemas.Value) bool {
		return front && v.Field.Name == "autoproxy_member" && v.Value == nil
	})
}

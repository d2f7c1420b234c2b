package pluralkit

import (
	_ "embed"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed autoproxy.sql
var autoproxySQL string

// Autoproxy is how each system proxies by itself, in each Discord server.
var Autoproxy = engine.Projection{
	Name: "autoproxy", Source: schemas.PluralKit, Version: 2,
	Schema: autoproxySQL,
	Handlers: map[string]engine.Handler{
		schemas.PKAutoproxyUpdate: on(readAutoproxy, foldAutoproxy),
		schemas.AutoproxyObserved: on(readAutoproxy, foldAutoproxy),
	},
	Quiet: quietColumns,
}

var autoproxyEntity = merge.Entity{
	Table: "autoproxy", Keys: []string{"system_uuid", "guild_id", "channel_id"},
	Fields: schemas.PKAutoproxyFields, ColumnOf: map[string]string{"autoproxy_member": "named_member"}, Derived: "autoproxy_member",
	Shape: []string{"autoproxy_mode", "autoproxy_member", "last_latch_timestamp"},
}.Prepare()

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

func foldAutoproxy(tx *engine.Tx, t *tenant, e schemas.Recorded, d autoproxySaid) error {
	r, err := t.row(tx, autoproxyEntity, d.guild, d.channel)
	if err != nil {
		return err
	}
	var fault error
	t.change(tx, r, func(r *merge.Row) {
		if e.Type == schemas.AutoproxyObserved {
			r.Observe(d.values, d.us, e.ID)
		} else {
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
			r.See(e.Time.UnixMicro())
		}
		if !r.Changed("autoproxy_member") {
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
func namedMember(r *merge.Row) any { return r.Values[r.Column("autoproxy_member")] }

// pointAt: to point at a member that is gone is to point at none, be it gone
// before or after.
func pointAt(r *merge.Row, gone bool) {
	is := namedMember(r)
	if gone {
		is = nil
	}
	if r.Derived != is {
		r.Derived, r.Dirty = is, true
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

package pluralkit

import (
	_ "embed"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed groups.sql
var groupsSQL string

// Groups is every group of every system, deleted ones as tombstones, and who
// is in them. PluralKit never announces memberships: they are known only as
// far as its API was asked.
var Groups = engine.Projection{
	Name: "groups", Source: schemas.PluralKit, Version: 5,
	Schema: groupsSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKGroupCreate: on(readGroup, foldGroup),
		schemas.PKGroupUpdate: on(readGroup, foldGroup),
		schemas.PKGroupDelete: on(readGroup, foldGroup),
		schemas.GroupObserved: on(readGroup, foldGroup),
		schemas.GroupImported: on(readGroup, foldGroup),
		schemas.GroupAbsent:   on(readGroup, foldGroup),
	},
	Quiet: quietColumns,
	Queries: []engine.Query{{
		Name: "groups", Path: "groups",
		Doc: "The system's groups with the uuids of their members, as PluralKit's API shows them to the owner, by name.",
		SQL: selectGroup + ` WHERE system_uuid = :tenant ORDER BY name COLLATE NOCASE, uuid LIMIT 1000`,
	}, {
		Name: "group", Path: "groups/{ref}", One: true,
		Doc:    "One group with the uuids of its members.",
		Params: []engine.Param{{Name: "ref", Doc: "The group's uuid, or its short id, in any case and with or without a dash."}},
		SQL: selectGroup + ` WHERE system_uuid = :tenant AND uuid IN (SELECT lower(:ref) UNION ALL
				SELECT uuid FROM groups WHERE +system_uuid = :tenant AND id = replace(lower(:ref), '-', ''))
			ORDER BY uuid = lower(:ref) DESC, uuid LIMIT 1`,
	}},
	ShortID: schemas.PluralKitShortID,
}

var selectGroup = `SELECT ` + shownFields(schemas.PKGroupObject, `(SELECT s.id FROM systems s WHERE s.system_uuid = g.system_uuid)`) + `,
	(SELECT json_group_array(member_uuid) FROM (SELECT member_uuid FROM group_members
		WHERE system_uuid = g.system_uuid AND group_uuid = g.uuid ORDER BY member_uuid LIMIT 2000)) AS members_json, ` + shownPrivacy(schemas.PKGroupObject) + ` FROM current_groups g`

// groupMembersField is who the API said is in a group: sorted uuids, those
// included that are gone since.
var groupMembersField = schemas.Field{Name: "members", Kind: schemas.List}

var groupEntity = merge.Entity{
	Table: "groups", Keys: []string{"system_uuid", "uuid"}, Deletes: true, Absents: true,
	Fields:   append(slices.Clone(schemas.PKGroupObjectFields), groupMembersField),
	Defaults: schemas.PKGroupObject.Created(),
	Shape:    schemas.PKGroupObject.Names(),
	Privacy:  schemas.PKGroupObject.PrivacySettings(),
}.Prepare()

func readGroup(e schemas.Recorded) (d said, err error) {
	if err := merge.CheckID("groups", e.Subject); err != nil {
		return d, err
	}
	switch e.Type {
	case schemas.GroupAbsent:
		_, d.us, err = absent(e)
		return d, err
	case schemas.GroupObserved, schemas.GroupImported:
		d.values, d.us, err = observedAs(e, groupEntity.Fields, e.Subject)
		if err == nil {
			err = normaliseMembers(d.values)
		}
		return d, err
	}
	d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKGroupFields)
	return d, err
}

func foldGroup(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	switch e.Type {
	case schemas.GroupObserved, schemas.GroupImported:
		if err := t.sight(tx, e.Subject, d); err != nil {
			return err
		}
	}
	return t.mergeGroup(tx, e, func(r *merge.Row) {
		switch e.Type {
		case schemas.PKGroupCreate:
			r.See(e.Time.UnixMicro())
			r.Set(d.values, merge.VersionOf(merge.RankCreate, e))
			r.Fallback()
		case schemas.PKGroupUpdate:
			r.See(e.Time.UnixMicro())
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
		case schemas.PKGroupDelete:
			r.Delete(e)
		case schemas.GroupObserved, schemas.GroupImported:
			r.Observe(d.values, d.us, e.ID)
		case schemas.GroupAbsent:
			r.Miss(d.us)
		}
	})
}

package projections

import (
	_ "embed"
	"slices"

	"switchlog/schemas"
)

//go:embed groups.sql
var groupsSQL string

// Groups is every group of every system, deleted ones as tombstones, and who
// is in them. PluralKit never announces memberships: they are known only as
// far as its API was asked.
var Groups = Projection{
	Name: "groups", Source: schemas.PluralKit, Version: 4, // 4: readable times before 1970
	Schema: groupsSQL,
	Fold:   foldGroup,
	Queries: []Query{{
		Name: "groups", Path: "groups",
		Doc: "The system's groups with the uuids of their members, as PluralKit's API shows them to the owner, by name.",
		SQL: selectGroup + ` WHERE system_uuid = :tenant ORDER BY name COLLATE NOCASE, uuid LIMIT 1000`,
	}, {
		Name: "group", Path: "groups/{ref}", One: true,
		Doc:    "One group with the uuids of its members.",
		Params: []Param{{Name: "ref", Doc: "The group's uuid, or its short id, in any case and with or without a dash."}},
		SQL: selectGroup + ` WHERE +system_uuid = :tenant AND uuid IN (SELECT lower(:ref) UNION ALL
				SELECT uuid FROM groups WHERE system_uuid = :tenant AND id = replace(lower(:ref), '-', ''))
			ORDER BY uuid = lower(:ref) DESC, uuid LIMIT 1`,
	}},
}

var selectGroup = `SELECT ` + shownFields(schemas.PKGroupObject, `(SELECT s.id FROM systems s WHERE s.uuid = g.system_uuid)`) + `,
	(SELECT json_group_array(member_uuid) FROM (SELECT member_uuid FROM group_members
		WHERE group_uuid = g.uuid ORDER BY member_uuid LIMIT 2000)) AS members_json, ` + shownPrivacy(schemas.PKGroupObject) + ` FROM current_groups g`

// groupMembersField is who the API said is in a group: sorted uuids, those
// included that are gone since.
var groupMembersField = schemas.Field{Name: "members", Kind: schemas.List}

var groupEntity = entity{
	table: "groups", keys: []string{"uuid"}, owned: true, deletes: true, absents: true,
	fields:   append(slices.Clone(schemas.PKGroupObjectFields), groupMembersField),
	defaults: schemas.PKGroupObject.Created(),
	shape:    schemas.PKGroupObject.Names(),
	privacy:  schemas.PKGroupObject.PrivacySettings(),
}.prepare()

func foldGroup(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKGroupCreate, schemas.PKGroupUpdate, schemas.PKGroupDelete:
		values, err := schemas.DecodeFields(e.Type, e.Data, schemas.PKGroupFields)
		if err != nil {
			return err
		}
		return mergeGroup(tx, e, func(r *row) {
			if e.Type == schemas.PKGroupDelete {
				r.delete(e)
				return
			}
			r.see(e.Time.UnixMicro())
			if e.Type == schemas.PKGroupUpdate {
				r.set(values, versionOf(rankUpdate, e))
				return
			}
			r.set(values, versionOf(rankCreate, e))
			r.fallback()
		})
	case schemas.GroupObserved, schemas.GroupImported:
		return foldGroupObserved(tx, e)
	case schemas.GroupAbsent:
		_, us, err := absent(e)
		if err != nil {
			return err
		}
		return mergeGroup(tx, e, func(r *row) { r.miss(us) })
	}
	return nil
}

func foldGroupObserved(tx *Tx, e schemas.Recorded) error {
	object, values, us, err := observed(e, groupEntity.fields)
	if err == nil {
		err = isItself(object, "uuid", e.Subject)
	}
	if err == nil {
		err = normaliseMembers(values)
	}
	if err != nil {
		return err
	}
	if err := sight(tx, e, values, us); err != nil {
		return err
	}
	return mergeGroup(tx, e, func(r *row) { r.observe(values, us, e.ID) })
}

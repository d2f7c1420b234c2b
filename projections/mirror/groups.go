package mirror

import (
	"switchlog/projections/engine"
	"switchlog/schemas"
)

var (
	groupByUUID    = claimedEntity(groupShape, "groups", "uuid")
	groupByID      = claimedEntity(groupShape, "groups", "id")
	groupsOfSystem = `SELECT ` + groupShape.columns + ` FROM groups e
		WHERE e.system_uuid = ? AND e.deleted_us IS NULL` + listOrder
	groupsOfMember = `SELECT ` + groupShape.columns + ` FROM group_members g JOIN groups e ON e.system_uuid = g.system_uuid AND e.uuid = g.group_uuid
		WHERE g.member_uuid = ? AND g.system_uuid = ? AND e.deleted_us IS NULL` + listOrder
)

const (
	visibility = `SELECT uuid FROM members
		WHERE system_uuid = ? AND deleted_us IS NULL AND visibility = 'public' LIMIT 10001`
	uuidsOfGroup = `SELECT member_uuid FROM group_members WHERE group_uuid = ? AND system_uuid = ?
		ORDER BY member_uuid LIMIT 10001`
)

func (q *request) group(ref string) (engine.Row, *system, error) {
	return q.find(ref, groupByUUID, groupByID, groupShape, errNoGroup)
}

func getGroup(q *request) ([]byte, error) {
	row, s, err := q.group(q.args[0])
	if err != nil {
		return nil, err
	}
	return groupShape.append(nil, row, eyes{owner: s.owner, system: s.id}), nil
}

func getGroups(q *request) ([]byte, error) {
	s, err := q.onSystem(schemas.PKGroupListPrivacy, errGroupsHidden)
	if err != nil {
		return nil, err
	}
	withMembers, err := q.flag("with_members")
	if err != nil {
		return nil, err
	}
	if !withMembers {
		return q.list(groupShape, s, nil, groupsOfSystem, s.uuid)
	}
	visible := map[string]bool{} // of the members; the owner sees all of them
	if !s.owner {
		if visible, err = q.visibleMembers(s); err != nil {
			return nil, err
		}
	}
	with := func(g engine.Row) ([]string, error) { return q.groupMembers(s, g, visible) }
	return q.list(groupShape, s, with, groupsOfSystem, s.uuid)
}

func getMemberGroups(q *request) ([]byte, error) {
	row, s, err := q.member(q.args[0])
	if err != nil {
		return nil, err
	}
	if !s.sees(schemas.PKGroupListPrivacy) {
		return nil, errGroupsHidden
	}
	return q.list(groupShape, s, nil, groupsOfMember, row.Text(memberShape.uuid), s.uuid)
}

// visibleMembers are the uuids of those whom all may see in lists.
func (q *request) visibleMembers(s *system) (map[string]bool, error) {
	visible := map[string]bool{}
	err := q.tx.Each(visibility, []any{s.uuid}, func(r engine.Row) error {
		visible[r.Text(0)] = true
		return nil
	})
	return visible, err
}

// groupMembers are the uuids of those in a group whom the viewer may see, in
// the order of the uuids; never nil.
func (q *request) groupMembers(s *system, g engine.Row, visible map[string]bool) ([]string, error) {
	uuids := []string{}
	if !s.owner && !groupShape.open(g, schemas.PKGroupMembersPrivacy) {
		return uuids, nil
	}
	err := q.tx.Each(uuidsOfGroup, []any{g.Text(groupShape.uuid), s.uuid}, func(r engine.Row) error {
		if s.owner || visible[r.Text(0)] {
			uuids = append(uuids, r.Text(0))
		}
		return nil
	})
	return uuids, err
}

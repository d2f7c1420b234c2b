package mirror

import (
	"errors"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// maxList is how many members or groups there are in a list at most. PluralKit
// has 1,000 and 250 unless its staff allows more.
const maxList = 10_000

// Lists are in no order at PluralKit. Ours are as the entities were made.
const listOrder = ` ORDER BY e.created_us IS NULL, e.created_us, e.uuid LIMIT 10001`

// claimedEntity is the member or group of an id, or of a uuid, and its system.
func claimedEntity(of *shape, table, column string) string {
	said := `observed_us`
	if column == "id" { // which PluralKit's API says, or the system itself
		said = `CASE WHEN versions ->> '$.id' IS NULL THEN observed_us END`
	}
	return `SELECT ` + of.columns + `, e.system_uuid FROM ` + table + ` e JOIN (` + claimed(`SELECT system_uuid AS system, uuid AS thing, `+said+` AS said
		FROM `+table+` WHERE `+column+` = ?1 AND deleted_us IS NULL`) + `) k ON e.system_uuid = k.system AND e.uuid = k.thing`
}

var (
	memberByUUID = claimedEntity(memberShape, "members", "uuid")
	memberByID   = claimedEntity(memberShape, "members", "id")
	memberOf     = `SELECT ` + memberShape.columns + `, e.system_uuid FROM members e
		WHERE e.system_uuid = ? AND e.uuid = ? AND e.deleted_us IS NULL`
	membersOfSystem = `SELECT ` + memberShape.columns + ` FROM members e
		WHERE e.system_uuid = ? AND e.deleted_us IS NULL` + listOrder
	membersOfGroup = `SELECT ` + memberShape.columns + ` FROM group_members g JOIN members e ON e.system_uuid = g.system_uuid AND e.uuid = g.member_uuid
		WHERE g.group_uuid = ? AND g.system_uuid = ? AND e.deleted_us IS NULL` + listOrder
)

// find finds a member or group and the system it belongs to.
func (q *request) find(ref, byUUID, byID string, of *shape, none error) (engine.Row, *system, error) {
	short, _ := schemas.PluralKitShortID(ref) // empty, which nobody has, if it is none
	query, args := byID, []any{short, q.viewer.owns}
	if uuid, isUUID := schemas.PluralKitUUID(ref); isUUID {
		query, args[0] = byUUID, uuid
	}
	row, err := q.tx.Get(query, args...)
	if err != nil {
		return nil, nil, err
	}
	if row == nil {
		return nil, nil, none
	}
	s, err := q.findSystem(systemByUUID, row.Text(of.width))
	if errors.Is(err, errNoSystem) { // it is deleted, with all it had
		err = none
	}
	return row, s, err
}

func (q *request) member(ref string) (engine.Row, *system, error) {
	return q.find(ref, memberByUUID, memberByID, memberShape, errNoMember)
}

func getMember(q *request) ([]byte, error) {
	row, s, err := q.member(q.args[0])
	if err != nil {
		return nil, err
	}
	return memberShape.append(nil, row, eyes{owner: s.owner, system: s.id}), nil
}

func getMembers(q *request) ([]byte, error) {
	s, err := q.onSystem(schemas.PKMemberListPrivacy, errMembersHidden)
	if err != nil {
		return nil, err
	}
	return q.list(memberShape, s, nil, membersOfSystem, s.uuid)
}

func getGroupMembers(q *request) ([]byte, error) {
	row, s, err := q.group(q.args[0])
	if err != nil {
		return nil, err
	}
	if !s.owner && !groupShape.open(row, schemas.PKGroupMembersPrivacy) {
		return nil, errGroupMembersHidden
	}
	return q.list(memberShape, s, nil, membersOfGroup, row.Text(groupShape.uuid), s.uuid)
}

// list answers with all rows of a query that the viewer may see in a list. of
// is members or groups; with, if it is not nil, gives the members of a group.
func (q *request) list(of *shape, s *system, with func(engine.Row) ([]string, error), query string, args ...any) ([]byte, error) {
	b := make([]byte, 1, 4096)
	b[0] = '['
	n := 0
	err := q.tx.Each(query, args, func(r engine.Row) error {
		if !s.owner && !of.open(r, schemas.PKVisibility) {
			return nil
		}
		e := eyes{owner: s.owner, system: s.id}
		if with != nil {
			var err error
			if e.members, err = with(r); err != nil {
				return err
			}
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = of.append(b, r, e)
		if n > maxList || len(b) > maxBytes {
			return errTooLarge
		}
		return nil
	})
	return append(b, ']'), err
}

var memberGuild = `SELECT ` + memberGuildShape.columns + ` FROM member_guilds e
	WHERE e.member_uuid = ? AND e.guild_id = ? AND e.system_uuid = ? AND e.deleted_us IS NULL`

func getMemberGuild(q *request) ([]byte, error) {
	if !q.viewer.known {
		return nil, errUnauthorized
	}
	row, s, err := q.member(q.args[0])
	switch {
	case err != nil:
		return nil, err
	case !s.owner:
		return nil, errMemberNotYours
	case !allDigits(q.args[1]):
		return nil, errBadRequest
	}
	return q.one(memberGuildShape, errNoMemberGuild, memberGuild, row.Text(memberShape.uuid), q.args[1], s.uuid)
}

// one answers with the only row of a query, which its owner asks for.
func (q *request) one(of *shape, none error, query string, args ...any) ([]byte, error) {
	row, err := q.tx.Get(query, args...)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, none
	}
	return of.append(nil, row, eyes{owner: true}), nil
}

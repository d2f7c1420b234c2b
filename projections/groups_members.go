package projections

import (
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/schemas"
)

// mergeGroup lets merge change the group's row, and brings its members in
// step.
func mergeGroup(tx *Tx, e schemas.Recorded, merge func(*row)) error {
	r, err := tx.row(groupEntity, e.Route.Tenant, e.Subject)
	if err != nil {
		return err
	}
	merge(r)
	if err := tx.write(r); err != nil {
		return err
	}
	if e.Type == schemas.GroupObserved || e.Type == schemas.GroupImported || r.deleted != (r.deletedUS != nil) {
		if err := settleAndShow(tx, r); err != nil {
			return err
		}
	}
	return tx.announce(r, schemas.GroupChanged, "group")
}

// settleAndShow settles the group's members and lets the change tell of those
// that are not gone, before and after.
func settleAndShow(tx *Tx, r *row) error {
	before, err := membersOf(tx, r.key[0])
	if err != nil {
		return err
	}
	if err := settleGroup(tx, r.key[0]); err != nil {
		return err
	}
	after, err := membersOf(tx, r.key[0])
	if err != nil {
		return err
	}
	i := r.column(groupMembersField.Name)
	r.before, r.values, r.moved = slices.Clone(r.before), slices.Clone(r.values), true
	if r.before[i] != nil {
		r.before[i] = before
	}
	if r.values[i] != nil {
		r.values[i] = after
	}
	return nil
}

// membersOf is who is in the group: a JSON array of uuids, sorted.
func membersOf(tx *Tx, group string) (string, error) {
	var list []string
	err := tx.Each(`SELECT member_uuid FROM group_members WHERE group_uuid = ? ORDER BY member_uuid`, []any{group}, func(r Row) error {
		list = append(list, r.Text(0))
		return nil
	})
	return jsonList(list), err
}

// normaliseMembers sorts a list of members among values: PluralKit gives it in
// no order.
func normaliseMembers(values []schemas.Value) error {
	for i, v := range values {
		if v.Field.Name != groupMembersField.Name {
			continue
		}
		var list []string
		if err := json.Unmarshal([]byte(v.Value.(string)), &list); err != nil {
			return fmt.Errorf("%w: members: %w", schemas.ErrInvalid, err)
		}
		if slices.Contains(list, "") {
			return fmt.Errorf("%w: members: one without uuid", schemas.ErrInvalid)
		}
		slices.Sort(list)
		values[i].Value = jsonList(slices.Compact(list))
	}
	return nil
}

// sight notes when members were seen in a group. Sightings are never removed:
// a member that comes back was first seen when it was.
func sight(tx *Tx, e schemas.Recorded, values []schemas.Value, us int64) error {
	for _, v := range values {
		if v.Field.Name != groupMembersField.Name {
			continue
		}
		return tx.Exec(`INSERT INTO group_sightings (group_uuid, member_uuid, system_uuid, first_seen_us, last_seen_us)
			SELECT ?1, value, ?2, ?3, ?3 FROM json_each(?4) WHERE true
			ON CONFLICT (group_uuid, member_uuid) DO UPDATE SET first_seen_us = min(first_seen_us, excluded.first_seen_us),
				last_seen_us = max(last_seen_us, excluded.last_seen_us)`, e.Subject, e.Route.Tenant, us, v.Value)
	}
	return nil
}

// inGroup is who the API last said is in group ?1, less those that are gone;
// nobody is in a group that is gone.
const inGroup = `SELECT s.group_uuid, s.member_uuid, s.system_uuid, s.first_seen_us, s.last_seen_us
	FROM groups g CROSS JOIN json_each(g.members) l
	CROSS JOIN group_sightings s ON s.group_uuid = g.uuid AND s.member_uuid = l.value
	LEFT JOIN members m ON m.uuid = s.member_uuid AND m.system_uuid = g.system_uuid
	WHERE g.uuid = ?1 AND g.deleted_us IS NULL AND m.deleted_us IS NULL`

// settleGroup makes the group's rows in group_members what follows from the
// rest.
func settleGroup(tx *Tx, group string) error {
	err := tx.touchEach("group_members", `DELETE FROM group_members
		WHERE group_uuid = ?1 AND member_uuid NOT IN (SELECT member_uuid FROM (`+inGroup+`))
		RETURNING group_uuid || '/' || member_uuid`, group)
	if err != nil {
		return err
	}
	return tx.touchEach("group_members", `INSERT INTO group_members (group_uuid, member_uuid, system_uuid, first_seen_us, last_seen_us)
		`+inGroup+`
		ON CONFLICT (group_uuid, member_uuid) DO UPDATE SET first_seen_us = excluded.first_seen_us, last_seen_us = excluded.last_seen_us
			WHERE (first_seen_us, last_seen_us) <> (excluded.first_seen_us, excluded.last_seen_us)
		RETURNING group_uuid || '/' || member_uuid`, group)
}

// settleGroupsOf settles every group the member was ever seen in: it is gone,
// or there again.
func settleGroupsOf(tx *Tx, system, member string) error {
	var groups []string
	err := tx.Each(`SELECT group_uuid FROM group_sightings WHERE member_uuid = ? AND system_uuid = ? ORDER BY group_uuid`,
		[]any{member, system}, func(r Row) error {
			groups = append(groups, r.Text(0))
			return nil
		})
	if err != nil {
		return err
	}
	for _, group := range groups {
		if err := settleGroup(tx, group); err != nil {
			return err
		}
	}
	return nil
}

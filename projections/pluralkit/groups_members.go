package pluralkit

import (
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

// mergeGroup lets merge change the group's row, and brings its members in
// step.
func (t *tenant) mergeGroup(tx *engine.Tx, e schemas.Recorded, merge func(*merge.Row)) error {
	r, err := t.row(tx, groupEntity, e.Subject)
	if err != nil {
		return err
	}
	t.change(tx, r, merge)
	was, is := r.Before(), r.Values
	if e.Type == schemas.GroupObserved || e.Type == schemas.GroupImported || r.WasDeleted != (r.DeletedUS != nil) {
		if was, is, err = t.settleAndShow(tx, r); err != nil {
			return err
		}
	}
	return r.AnnounceAs(tx, schemas.GroupChanged, "group", was, is, !slices.Equal(was, is))
}

// settleAndShow settles the group's members, and gives its values with those
// that are not gone, before and after.
func (t *tenant) settleAndShow(tx *engine.Tx, r *merge.Row) (was, is []any, err error) {
	group := r.Key[1]
	before, err := t.membersOf(tx, group)
	if err == nil {
		err = t.settleGroup(tx, group)
	}
	if err != nil {
		return nil, nil, err
	}
	after, err := t.membersOf(tx, group)
	if err != nil {
		return nil, nil, err
	}
	i := r.Column(groupMembersField.Name)
	was, is = r.Before(), slices.Clone(r.Values)
	if was[i] != nil {
		was[i] = before
	}
	if is[i] != nil {
		is[i] = after
	}
	return was, is, nil
}

// membersOf is who is in the group: a JSON array of uuids, sorted.
func (t *tenant) membersOf(tx *engine.Tx, group string) (string, error) {
	rows, err := tx.Rows(`SELECT member_uuid FROM group_members WHERE system_uuid = ? AND group_uuid = ? ORDER BY member_uuid`, t.system, group)
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.Text(0)
	}
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
func (t *tenant) sight(tx *engine.Tx, group string, d said) error {
	for _, v := range d.values {
		if v.Field.Name != groupMembersField.Name {
			continue
		}
		return tx.Exec(`INSERT INTO group_sightings (system_uuid, group_uuid, member_uuid, first_seen_us, last_seen_us)
			SELECT ?1, ?2, value, ?3, ?3 FROM json_each(?4) WHERE true
			ON CONFLICT (system_uuid, group_uuid, member_uuid) DO UPDATE SET first_seen_us = min(first_seen_us, excluded.first_seen_us),
				last_seen_us = max(last_seen_us, excluded.last_seen_us)`, t.system, group, d.us, v.Value)
	}
	return nil
}

// inGroup is who the API last said is in group ?2 of system ?1, less those that
// are gone; nobody is in a group that is gone.
const inGroup = `SELECT s.system_uuid, s.group_uuid, s.member_uuid, s.first_seen_us, s.last_seen_us
	FROM groups g CROSS JOIN json_each(g.members) l
	CROSS JOIN group_sightings s ON s.system_uuid = g.system_uuid AND s.group_uuid = g.uuid AND s.member_uuid = l.value
	LEFT JOIN members m ON m.system_uuid = g.system_uuid AND m.uuid = s.member_uuid
	WHERE g.system_uuid = ?1 AND g.uuid = ?2 AND g.deleted_us IS NULL AND m.deleted_us IS NULL`

// settleGroup makes the group's rows in group_members what follows from the
// rest.
func (t *tenant) settleGroup(tx *engine.Tx, group string) error {
	if err := t.flushRows(tx); err != nil {
		return err
	}
	err := tx.Exec(`DELETE FROM group_members
		WHERE system_uuid = ?1 AND group_uuid = ?2 AND member_uuid NOT IN (SELECT member_uuid FROM (`+inGroup+`))`, t.system, group)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO group_members (system_uuid, group_uuid, member_uuid, first_seen_us, last_seen_us)
		`+inGroup+`
		ON CONFLICT (system_uuid, group_uuid, member_uuid) DO UPDATE SET first_seen_us = excluded.first_seen_us, last_seen_us = excluded.last_seen_us`,
		t.system, group)
}

// settleGroupsOf settles every group the member was ever seen in: it is gone,
// or there again.
func (t *tenant) settleGroupsOf(tx *engine.Tx, member string) error {
	groups, err := tx.Rows(`SELECT group_uuid FROM group_sightings WHERE system_uuid = ? AND member_uuid = ? ORDER BY group_uuid`, t.system, member)
	if err != nil {
		return err
	}
	for _, r := range groups {
		if err := t.settleGroup(tx, r.Text(0)); err != nil {
			return err
		}
	}
	return nil
}

package mirror

import (
	"switchlog/projections/engine"
	"switchlog/schemas"
)

// A page of history: whoever it shows is named by short id, hidden members
// too. Of switches with one timestamp the order is ours; PluralKit has none.
const switchPage = `SELECT w.uuid, w.timestamp_us,
		(SELECT json_group_array(coalesce(m.id, l.uuid) ORDER BY l.place)
			FROM (SELECT value AS uuid, min(key) AS place FROM json_each(w.members) GROUP BY value) l
			LEFT JOIN members m ON m.system_uuid = w.system_uuid AND m.uuid = l.uuid WHERE m.deleted_us IS NULL)
	FROM switches w WHERE w.system_uuid = ? AND w.listed = 1 AND w.timestamp_us < ?
	ORDER BY w.timestamp_us DESC, w.uuid DESC LIMIT ?`

func getSwitches(q *request) ([]byte, error) {
	s, err := q.onSystem(schemas.PKFrontHistoryPrivacy, errHistoryHidden)
	if err != nil {
		return nil, err
	}
	before, err := q.before()
	if err != nil {
		return nil, err
	}
	limit, err := q.limit()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 1, 4096)
	b[0] = '['
	err = q.tx.Each(switchPage, []any{s.uuid, before, limit}, func(r engine.Row) error {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendSwitch(b, r.Text(0), r.Int(1))
		b = append(append(b, r.Text(2)...), '}')
		if len(b) > maxBytes {
			return errTooLarge
		}
		return nil
	})
	return append(b, ']'), err
}

// appendSwitch writes a switch up to its members.
func appendSwitch(b []byte, uuid string, us int64) []byte {
	b = appendString(append(b, `{"id":`...), uuid)
	b = appendInstant(append(b, `,"timestamp":`...), us)
	return append(b, `,"members":`...)
}

// selectFront is one switch with a row for each member in order, or one without
// a member: its uuid, its time, and from where its members are. A member we know
// nothing of has its uuid.
func selectFront(from, member, position string) string {
	return `SELECT ` + memberShape.columns + `, w.uuid, w.timestamp_us, ` + member + ` FROM ` + from + `
		LEFT JOIN members e ON e.system_uuid = ?1 AND e.uuid = ` + member + `
		ORDER BY ` + position + ` LIMIT 10001`
}

var (
	// The list that fronts has: it is as quick however many switches there were.
	currentFront = selectFront(`(SELECT switch_uuid AS uuid, since_us AS timestamp_us, members FROM fronts WHERE system_uuid = ?1) w
		LEFT JOIN json_each(w.members) list`, `list.value`, `list.key`)
	oneSwitch = selectFront(`(SELECT s.uuid, s.timestamp_us, (SELECT json_group_array(l.uuid ORDER BY l.place)
			FROM (SELECT value AS uuid, min(key) AS place FROM json_each(s.members) GROUP BY value) l
			LEFT JOIN members m ON m.system_uuid = ?1 AND m.uuid = l.uuid WHERE m.deleted_us IS NULL) AS members
		FROM switches s WHERE s.system_uuid = ?1 AND s.uuid = ?2 AND s.listed = 1) w
		LEFT JOIN json_each(w.members) list`, `list.value`, `list.key`)
)

// whoHasSwitch is whether the system has the switch, else whether any other has.
const whoHasSwitch = `SELECT EXISTS (SELECT 1 FROM switches WHERE system_uuid = ?1 AND uuid = ?2 AND listed = 1),
	EXISTS (SELECT 1 FROM switches WHERE uuid = ?2 AND listed = 1)`

// getFronters answers with the latest switch, also if it is in the future.
func getFronters(q *request) ([]byte, error) {
	s, err := q.onSystem(schemas.PKFrontPrivacy, errFrontersHidden)
	if err != nil {
		return nil, err
	}
	body, err := q.front(s, currentFront, s.uuid)
	if body == nil && err == nil {
		err = errNoContent
	}
	return body, err
}

// getSwitch: an id that is no uuid makes PluralKit's SQL fail.
func getSwitch(q *request) ([]byte, error) {
	s, err := q.system(q.args[0])
	if err != nil {
		return nil, err
	}
	uuid, isUUID := schemas.PluralKitUUID(q.args[1])
	if !isUUID {
		return nil, errInternal
	}
	row, err := q.tx.Get(whoHasSwitch, s.uuid, uuid)
	switch {
	case err != nil:
		return nil, err
	case row.Int(1) == 0:
		return nil, errNoSwitch
	case row.Int(0) == 0 || !s.sees(schemas.PKFrontHistoryPrivacy):
		return nil, errSwitchHidden
	}
	return q.front(s, oneSwitch, s.uuid, uuid)
}

// front writes a switch with its members; nil if there is none.
func (q *request) front(s *system, query string, args ...any) (b []byte, err error) {
	n := memberShape.width
	members := 0
	err = q.tx.Each(query, args, func(r engine.Row) error {
		if b == nil {
			b = append(appendSwitch(make([]byte, 0, 2048), r.Text(n), r.Int(n+1)), '[')
		}
		if r.Null(n + 2) {
			return nil
		}
		if members++; members > 1 {
			b = append(b, ',')
		}
		r[memberShape.uuid] = r[n+2]
		b = memberShape.append(b, r, eyes{owner: s.owner, system: s.id})
		if members > maxList || len(b) > maxBytes {
			return errTooLarge
		}
		return nil
	})
	if b == nil || err != nil {
		return nil, err
	}
	return append(b, ']', '}'), nil
}

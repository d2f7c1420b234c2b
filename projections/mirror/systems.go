package mirror

import (
	"errors"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// A system that somebody asks about, as far as it is known.
type system struct {
	uuid, id string // id is the uuid until the short id is known
	row      engine.Row
	owner    bool // the viewer owns it
}

// selectSystem finds a system by an expression for its uuid. There is one as
// soon as anything of it was seen: its own row may come much later.
func selectSystem(uuid string) string {
	return `SELECT ` + systemShape.columns + `, k.uuid,
		e.uuid IS NOT NULL OR EXISTS (SELECT 1 FROM members WHERE system_uuid = k.uuid)
			OR EXISTS (SELECT 1 FROM switches WHERE system_uuid = k.uuid),
		e.deleted_us IS NOT NULL
		FROM (SELECT ` + uuid + ` AS uuid) k LEFT JOIN systems e ON e.system_uuid = k.uuid WHERE k.uuid IS NOT NULL`
}

// PluralKit's API addresses systems by short id and account, and other things by
// ids alone, without a system. A system may send what it likes with its own token,
// and so may claim what is another's. So of several that claim a thing the answer
// is about, in this order: the viewer's own; one of which PluralKit's API said so,
// the newest if there are more; one that PluralKit's API knows; else about the only
// one. If that leaves more than one, there is no answer.

// claimed chooses among the claims that a query lists: rows with system, the
// system's uuid; said, when the API said so (NULL: never); and what else is
// needed. The viewer's own system is ?2.
func claimed(claims string) string {
	return `SELECT * FROM (
		SELECT c.*, count(*) OVER (PARTITION BY c.level) AS rivals FROM (
			SELECT q.*, CASE WHEN q.system = ?2 THEN 0 WHEN q.said IS NOT NULL THEN 1
				WHEN EXISTS (SELECT 1 FROM systems o WHERE o.system_uuid = q.system AND o.observed_id IS NOT NULL) THEN 2 ELSE 3 END AS level
			FROM (` + claims + `) q) c
		ORDER BY level, said DESC, system LIMIT 1)
		WHERE level < 2 OR rivals = 1`
}

var (
	systemByUUID = selectSystem(`?1`)
	systemByID   = selectSystem(`(SELECT system FROM (` + claimed(`SELECT system_uuid AS system,
			CASE WHEN versions ->> '$.id' IS NULL THEN observed_us END AS said
		FROM systems WHERE id = ?1 AND deleted_us IS NULL`) + `))`)
	systemByAccount = selectSystem(`(SELECT system FROM (` + claimed(`SELECT system_uuid AS system, observed_us AS said
		FROM accounts WHERE id = ?1 AND deleted_us IS NULL AND linked IS NOT 0`) + `))`)
)

// loneSystem is the uuid of the only system there is. Each of the six looks at
// one end of an index.
const loneSystem = `SELECT min(uuid) FROM (
		SELECT min(uuid) AS uuid FROM systems UNION ALL SELECT max(uuid) FROM systems UNION ALL
		SELECT min(system_uuid) FROM members UNION ALL SELECT max(system_uuid) FROM members UNION ALL
		SELECT min(system_uuid) FROM switches UNION ALL SELECT max(system_uuid) FROM switches)
	HAVING min(uuid) = max(uuid)`

// system finds whom a ref means: @me, an account, a uuid or a short id.
func (q *request) system(ref string) (*system, error) {
	switch uuid, isUUID := schemas.PluralKitUUID(ref); {
	case ref == "@me":
		return q.me()
	case allDigits(ref):
		return q.findSystem(systemByAccount, ref, q.viewer.owns)
	case isUUID:
		return q.findSystem(systemByUUID, uuid)
	}
	short, _ := schemas.PluralKitShortID(ref) // empty, which nobody has, if it is none
	return q.findSystem(systemByID, short, q.viewer.owns)
}

// me is the viewer's own system. The operator's is the only one there is.
func (q *request) me() (*system, error) {
	uuid, ok := schemas.PluralKitUUID(q.viewer.owns)
	if q.viewer.known && q.viewer.owns == "" {
		only, err := q.tx.Get(loneSystem)
		if err != nil {
			return nil, err
		}
		if only == nil {
			q.Logger.Warn("mirror: the operator asked for @me, and there is not just one system " +
				"(hint: use its short id instead of @me, or a token of its own: switchlog access add)")
			return nil, errNotOne
		}
		uuid, ok = only.Text(0), true
	}
	if !ok {
		return nil, errUnauthorized
	}
	s, err := q.findSystem(systemByUUID, uuid)
	if errors.Is(err, errNoSystem) { // it is deleted, and at PluralKit its token with it
		err = errUnauthorized
	}
	return s, err
}

func (q *request) findSystem(query string, args ...any) (*system, error) {
	row, err := q.tx.Get(query, args...)
	if err != nil {
		return nil, err
	}
	n := systemShape.width
	if row == nil || row.Int(n+1) == 0 && row.Text(n) != q.viewer.owns || row.Int(n+2) != 0 {
		return nil, errNoSystem
	}
	row[systemShape.uuid] = row[n]
	return &system{uuid: row.Text(n), id: systemShape.id(row), row: row, owner: q.viewer.owner(row.Text(n))}, nil
}

// sees reports whether the viewer sees what a privacy field of the system covers.
func (s *system) sees(field string) bool { return s.owner || systemShape.open(s.row, field) }

// onSystem finds the system of the route, and refuses if the privacy field
// hides what is asked.
func (q *request) onSystem(field string, hidden error) (*system, error) {
	s, err := q.system(q.args[0])
	if err != nil {
		return nil, err
	}
	if !s.sees(field) {
		return nil, hidden
	}
	return s, nil
}

func getSystem(q *request) ([]byte, error) {
	s, err := q.system(q.args[0])
	if err != nil {
		return nil, err
	}
	return systemShape.append(nil, s.row, eyes{owner: s.owner}), nil
}

var (
	ownSettings    = `SELECT ` + settingsShape.columns + ` FROM system_settings e WHERE e.system_uuid = ?`
	publicSettings = `SELECT ` + publicSettingsShape.columns + ` FROM system_settings e WHERE e.system_uuid = ?`
)

func getSettings(q *request) ([]byte, error) {
	s, err := q.system(q.args[0])
	if err != nil {
		return nil, err
	}
	of, query := publicSettingsShape, publicSettings
	if s.owner {
		of, query = settingsShape, ownSettings
	}
	row, err := q.tx.Get(query, s.uuid)
	if err != nil {
		return nil, err
	}
	if row == nil { // nobody has ever changed any
		row = make(engine.Row, of.width)
	}
	return of.append(nil, row, eyes{owner: s.owner}), nil
}

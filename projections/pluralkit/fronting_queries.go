package pluralkit

import (
	"switchlog/projections/engine"
	"switchlog/schemas"
)

// frontingQueries read the timeline newest first. A limit is at most 1,000:
// SQLite takes a negative one for none at all, hence the max.
var frontingQueries = []engine.Query{{
	Name: "fronters",
	Path: "fronters",
	Doc:  "Who fronts, or who fronted at a time; since when, by which switch.",
	One:  true,
	Params: []engine.Param{
		{Name: "at", Kind: schemas.Time, Doc: "Who fronted then; without it, by the latest switch of all, also if that is in the future."},
	},
	SQL: `SELECT :tenant AS system_uuid, latest.uuid AS switch_uuid, ` + instant("latest.timestamp_us") + ` AS since, latest.timestamp_us AS since_us,
			coalesce((SELECT json_group_array(json_object('uuid', l.uuid, 'id', m.id, 'name', m.name,
					'display_name', m.display_name, 'pronouns', m.pronouns, 'color', m.color, 'avatar_url', m.avatar_url)
					ORDER BY l.place)
				FROM ` + membersIn("latest") + `), '[]') AS members_json
		FROM (SELECT 1) LEFT JOIN (SELECT uuid, members, timestamp_us FROM switches
			WHERE system_uuid = :tenant AND listed = 1 AND timestamp_us <= coalesce(:at, 9223372036854775807)
			ORDER BY timestamp_us DESC, uuid DESC LIMIT 1) latest`,
}, {
	Name: "front",
	Path: "front",
	Doc:  "Who fronts, or fronted at a time, and since when each: a member's whole run through consecutive switches.",
	One:  true,
	Params: []engine.Param{
		{Name: "at", Kind: schemas.Time, Doc: "Who fronted then; without it, by the latest switch of all, also if that is in the future."},
	},
	SQL: `SELECT :tenant AS system_uuid, (SELECT name FROM systems WHERE system_uuid = :tenant AND deleted_us IS NULL) AS name,
			latest.uuid AS switch_uuid, ` + instant("latest.timestamp_us") + ` AS since, latest.timestamp_us AS since_us,
			coalesce((SELECT json_group_array(json_object('uuid', f.uuid, 'id', f.id, 'name', f.name, 'display_name', f.display_name,
					'pronouns', f.pronouns, 'color', f.color, 'avatar_url', f.avatar_url, 'since', ` + instant("f.since_us") + `, 'since_us', f.since_us) ORDER BY f.place)
				FROM (SELECT l.uuid, l.place, m.id, m.name, m.display_name, m.pronouns, m.color, m.avatar_url,
					coalesce((SELECT max(s.timestamp_us) FROM switch_stints s WHERE s.system_uuid = :tenant AND s.member_uuid = l.uuid
						AND s.starts = 1 AND s.timestamp_us <= latest.timestamp_us), latest.timestamp_us) AS since_us
					FROM ` + membersIn("latest") + `) f), '[]') AS members_json
		FROM (SELECT 1) LEFT JOIN (SELECT uuid, members, timestamp_us FROM switches
			WHERE system_uuid = :tenant AND listed = 1 AND timestamp_us <= coalesce(:at, 9223372036854775807)
			ORDER BY timestamp_us DESC, uuid DESC LIMIT 1) latest`,
}, {
	Name: "switches",
	Path: "switches",
	Doc:  "The switches, newest first, with the uuids of their members in order.",
	Params: []engine.Param{
		{Name: "before", Kind: schemas.Time, Doc: "Only switches before this time. For the next page give the last timestamp plus one microsecond, and pass over what you have: timestamps may be equal."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
	SQL: `SELECT w.uuid AS id, ` + instant("w.timestamp_us") + ` AS timestamp, w.timestamp_us,
			(SELECT json_group_array(l.uuid ORDER BY l.place) FROM ` + membersIn("w") + `) AS members_json
		FROM switches w
		WHERE w.system_uuid = :tenant AND w.listed = 1 AND w.timestamp_us < coalesce(:before, 9223372036854775807)
		ORDER BY w.timestamp_us DESC, w.uuid DESC LIMIT max(0, min(:limit, 1000))`,
}, {
	Name: "timeline",
	Path: "timeline",
	Doc:  "Who fronted from when to when, newest first; ended is null for the latest switch.",
	Params: []engine.Param{
		{Name: "before", Kind: schemas.Time, Doc: "Only switches that started before this time."},
		{Name: "after", Kind: schemas.Time, Doc: "Only switches that had not ended by this time; the one current then is among them."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
	SQL: `SELECT w.uuid AS switch_uuid, ` + instant("w.timestamp_us") + ` AS started, ` + instant("w.ended_us") + ` AS ended,
			(w.ended_us - w.timestamp_us) / 1000000.0 AS duration_seconds,
			(SELECT json_group_array(json_object('uuid', l.uuid, 'name', m.name, 'display_name', m.display_name, 'color', m.color) ORDER BY l.place) FROM ` + membersIn("w") + `) AS members_json
		FROM switches w
		WHERE w.system_uuid = :tenant AND w.listed = 1 AND w.timestamp_us < coalesce(:before, 9223372036854775807)
			AND w.timestamp_us >= coalesce((SELECT max(p.timestamp_us) FROM switches p
				WHERE p.system_uuid = :tenant AND p.listed = 1 AND p.timestamp_us <= :after), -9223372036854775808)
			AND (:after IS NULL OR w.ended_us IS NULL OR w.ended_us > :after)
		ORDER BY w.timestamp_us DESC, w.uuid DESC LIMIT max(0, min(:limit, 1000))`,
}, statsQuery}

// membersIn is who is in a switch: l has uuid and place, m what is known of the
// member. Of a member that is twice in the list the first place counts, and
// those that are deleted are left out.
func membersIn(w string) string {
	return `(SELECT value AS uuid, min(key) AS place FROM json_each(` + w + `.members) GROUP BY value) l
		LEFT JOIN members m ON m.system_uuid = :tenant AND m.uuid = l.uuid WHERE m.deleted_us IS NULL`
}

// instant writes microseconds readably; also those before 1970.
func instant(us string) string {
	micros := `((` + us + ` % 1000000 + 1000000) % 1000000)`
	return `strftime('%Y-%m-%dT%H:%M:%S', (` + us + ` - ` + micros + `) / 1000000, 'unixepoch') || printf('.%06dZ', ` + micros + `)`
}

package projections

import "switchlog/schemas"

// frontingQueries read the timeline newest first. A limit is at most 1,000:
// SQLite takes a negative one for none at all, hence the max.
var frontingQueries = []Query{{
	Name: "fronters",
	Path: "fronters",
	Doc:  "Who fronts, or who fronted at a time; since when, by which switch.",
	One:  true,
	Params: []Param{
		{Name: "at", Kind: schemas.Time, Doc: "Who fronted then; without it, by the latest switch of all, also if that is in the future."},
	},
	SQL: `SELECT :tenant AS system_uuid, latest.switch_uuid, latest.started AS since, latest.started_us AS since_us,
			coalesce((SELECT json_group_array(json_object('uuid', sm.member_uuid, 'id', m.id, 'name', m.name,
					'display_name', m.display_name, 'pronouns', m.pronouns, 'color', m.color, 'avatar_url', m.avatar_url)
					ORDER BY sm.position)
				FROM switch_stints sm
				LEFT JOIN members m ON m.uuid = sm.member_uuid AND m.system_uuid = sm.system_uuid
				WHERE sm.system_uuid = :tenant AND sm.timestamp_us = latest.started_us AND sm.switch_uuid = latest.switch_uuid), '[]') AS members_json
		FROM (SELECT 1) LEFT JOIN (SELECT switch_uuid, started, started_us FROM switch_timeline
			WHERE system_uuid = :tenant AND started_us <= coalesce(:at, 9223372036854775807)
			ORDER BY started_us DESC, switch_uuid DESC LIMIT 1) latest`,
}, {
	Name: "switches",
	Path: "switches",
	Doc:  "The switches, newest first, with the uuids of their members in order.",
	Params: []Param{
		{Name: "before", Kind: schemas.Time, Doc: "Only switches before this time. For the next page give the last timestamp plus one microsecond, and pass over what you have: timestamps may be equal."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
	SQL: `SELECT w.switch_uuid AS id, w.started AS timestamp, w.started_us AS timestamp_us,
			(SELECT json_group_array(sm.member_uuid ORDER BY sm.position)
				FROM switch_stints sm
				WHERE sm.system_uuid = :tenant AND sm.timestamp_us = w.started_us AND sm.switch_uuid = w.switch_uuid) AS members_json
		FROM switch_timeline w
		WHERE w.system_uuid = :tenant AND w.started_us < coalesce(:before, 9223372036854775807)
		ORDER BY w.started_us DESC, w.switch_uuid DESC LIMIT max(0, min(:limit, 1000))`,
}, {
	Name: "timeline",
	Path: "timeline",
	Doc:  "Who fronted from when to when, newest first; ended is null for the latest switch.",
	Params: []Param{
		{Name: "before", Kind: schemas.Time, Doc: "Only switches that started before this time."},
		{Name: "after", Kind: schemas.Time, Doc: "Only switches that had not ended by this time; the one current then is among them."},
		{Name: "limit", Kind: schemas.Int, Default: "100", Doc: "How many at most, up to 1,000."},
	},
	SQL: `SELECT w.switch_uuid, w.started, w.ended, w.duration_us / 1000000.0 AS duration_seconds,
			(SELECT json_group_array(json_object('uuid', sm.member_uuid, 'name', m.name) ORDER BY sm.position)
				FROM switch_stints sm
				LEFT JOIN members m ON m.uuid = sm.member_uuid AND m.system_uuid = sm.system_uuid
				WHERE sm.system_uuid = :tenant AND sm.timestamp_us = w.started_us AND sm.switch_uuid = w.switch_uuid) AS members_json
		FROM switch_timeline w
		WHERE w.system_uuid = :tenant AND w.started_us < coalesce(:before, 9223372036854775807)
			AND w.started_us >= coalesce((SELECT max(p.started_us) FROM switch_timeline p
				WHERE p.system_uuid = :tenant AND p.started_us <= :after), -9223372036854775808)
			AND (:after IS NULL OR w.ended_us IS NULL OR w.ended_us > :after)
		ORDER BY w.started_us DESC, w.switch_uuid DESC LIMIT max(0, min(:limit, 1000))`,
}}

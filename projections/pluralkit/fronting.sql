-- Who fronts and who fronted. Every table is kept event by event: a switch
-- that comes, moves or goes touches its neighbours in time and nothing else.
--
-- "Listed" are the switches PluralKit would show: not deleted, and both their
-- timestamp and their members are known. They are ordered by timestamp_us,
-- then uuid. The second is a tie-break of our own: PluralKit has none.

-- A switch, listed or not. A row is never removed.
CREATE TABLE switches (
	system_uuid     TEXT NOT NULL,
	uuid            TEXT NOT NULL,
	timestamp_us    INTEGER,
	ended_us        INTEGER,
	members         TEXT,
	ordered         INTEGER NOT NULL, -- 1: members is in the true order
	first_us        INTEGER,
	seen_us         INTEGER,
	observed_us     INTEGER,
	absent_us       INTEGER,
	removed_us      INTEGER, -- its own delete event, which is final
	deleted_us      INTEGER, -- when it went, by the first of what took it
	listed          INTEGER NOT NULL,
	stand_in        INTEGER NOT NULL, -- 1: a file told of it; the uuid is none of PluralKit's
	real_uuid       TEXT, -- of a stand-in: the switch that has its place, which is why it is not listed
	timestamp_rank  INTEGER NOT NULL,
	timestamp_at_us INTEGER NOT NULL,
	timestamp_event TEXT NOT NULL,
	members_rank    INTEGER NOT NULL,
	members_at_us   INTEGER NOT NULL,
	members_event   TEXT NOT NULL,
	PRIMARY KEY (system_uuid, uuid)
) STRICT;

-- For uuids of which nobody knows whose they are.
CREATE INDEX switches_by_uuid ON switches (uuid);

-- Neighbours in time, found without a look at the rows; and what went from a time.
CREATE INDEX switches_in_time ON switches (system_uuid, listed, timestamp_us, uuid);

-- A timestamp that was said of a switch of which more than one was said: what a
-- file tells of that time is that switch, wherever it was moved.
CREATE TABLE switch_moves (
	system_uuid  TEXT NOT NULL,
	timestamp_us INTEGER NOT NULL,
	switch_uuid  TEXT NOT NULL,
	PRIMARY KEY (system_uuid, timestamp_us, switch_uuid)
) STRICT, WITHOUT ROWID;

-- What stands in at a time; what lost its place.
CREATE INDEX switches_stand_ins ON switches (system_uuid, timestamp_us) WHERE stand_in = 1;
CREATE INDEX switches_replaced ON switches (system_uuid, timestamp_us) WHERE real_uuid IS NOT NULL;

-- What a DELETE_ALL_SWITCHES that was overtaken by a later one meets.
CREATE INDEX switches_deleted ON switches (system_uuid, deleted_us) WHERE deleted_us IS NOT NULL;

-- A member of a listed switch, where deleted members have no row; who is in a
-- switch, and in which order, its own row says. The key is what a member's
-- stretches are read by: where they begin, and where each ends.
CREATE TABLE switch_stints (
	system_uuid  TEXT NOT NULL,
	member_uuid  TEXT NOT NULL,
	timestamp_us INTEGER NOT NULL,
	switch_uuid  TEXT NOT NULL,
	starts       INTEGER NOT NULL, -- 1: the listed switch before this one has it not
	ends         INTEGER NOT NULL, -- 1: the one after
	PRIMARY KEY (system_uuid, member_uuid, timestamp_us, switch_uuid)
) STRICT, WITHOUT ROWID;

-- A DELETE_ALL_SWITCHES: what was first heard of before it is deleted by it,
-- but for what the API had later.
CREATE TABLE switch_purges (
	system_uuid TEXT NOT NULL,
	purged_us   INTEGER NOT NULL,
	PRIMARY KEY (system_uuid, purged_us)
) STRICT, WITHOUT ROWID;

-- The last listed switch of a system. No row: there is none.
CREATE TABLE fronts (
	system_uuid TEXT PRIMARY KEY,
	switch_uuid TEXT NOT NULL,
	since_us    INTEGER NOT NULL,
	members     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A member of a listed switch, in the order of the switch's list. Deleted members
-- have no row; position counts them all the same, so it never depends on what
-- else has arrived. Of a member that is twice in a list the first place counts.
CREATE VIEW switch_members AS
SELECT w.uuid AS switch_uuid, CAST(l.key AS INTEGER) AS position, s.member_uuid, w.system_uuid, w.timestamp_us, s.starts, s.ends
FROM switches w
JOIN json_each(w.members) l
JOIN switch_stints s ON s.system_uuid = w.system_uuid AND s.member_uuid = l.value AND s.timestamp_us = w.timestamp_us AND s.switch_uuid = w.uuid
WHERE w.listed = 1 AND NOT EXISTS (SELECT 1 FROM json_each(w.members) d WHERE d.value = l.value AND d.key < l.key);

-- A member that fronts now.
CREATE VIEW current_fronters AS
SELECT f.system_uuid, f.switch_uuid, CAST(l.key AS INTEGER) AS position, CAST(l.value AS TEXT) AS member_uuid, m.name, f.since_us,
	strftime('%Y-%m-%dT%H:%M:%S', (f.since_us - (f.since_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (f.since_us % 1000000 + 1000000) % 1000000) AS since,
	m.id, m.display_name, m.pronouns, m.color, m.avatar_url
FROM fronts f
JOIN json_each(f.members) l
LEFT JOIN members m ON m.system_uuid = f.system_uuid AND m.uuid = l.value;

-- A listed switch, from its timestamp to that of the next.
CREATE VIEW switch_timeline AS
SELECT w.system_uuid, w.uuid AS switch_uuid, w.timestamp_us AS started_us, w.ended_us,
	-- ORDER BY inside group_concat would keep SQLite before 3.44 from reading the
	-- file at all.
	coalesce((SELECT group_concat(name, ', ') FROM (
		SELECT coalesce(m.name, l.value) AS name
		FROM json_each(w.members) l
		LEFT JOIN members m ON m.system_uuid = w.system_uuid AND m.uuid = l.value
		WHERE m.deleted_us IS NULL
		GROUP BY l.value ORDER BY min(l.key))), '') AS members,
	strftime('%Y-%m-%dT%H:%M:%S', (w.timestamp_us - (w.timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (w.timestamp_us % 1000000 + 1000000) % 1000000) AS started,
	strftime('%Y-%m-%dT%H:%M:%S', (w.ended_us - (w.ended_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (w.ended_us % 1000000 + 1000000) % 1000000) AS ended,
	w.ended_us - w.timestamp_us AS duration_us,
	iif(w.ended_us IS NULL, NULL, printf('%s%02d:%02d:%02d',
		iif(w.ended_us - w.timestamp_us < 86400000000, '', ((w.ended_us - w.timestamp_us) / 86400000000) || ' d '),
		(w.ended_us - w.timestamp_us) / 3600000000 % 24, (w.ended_us - w.timestamp_us) / 60000000 % 60,
		(w.ended_us - w.timestamp_us) / 1000000 % 60)) AS duration
FROM switches w
WHERE w.listed = 1;

-- A member's stretch: from the first of adjacent switches that have it to the
-- end of the last, w.
CREATE VIEW front_intervals AS
SELECT s.system_uuid, s.member_uuid, s.timestamp_us AS started_us, w.ended_us,
	(SELECT m.name FROM members m WHERE m.system_uuid = s.system_uuid AND m.uuid = s.member_uuid) AS name,
	strftime('%Y-%m-%dT%H:%M:%S', (s.timestamp_us - (s.timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (s.timestamp_us % 1000000 + 1000000) % 1000000) AS started,
	strftime('%Y-%m-%dT%H:%M:%S', (w.ended_us - (w.ended_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (w.ended_us % 1000000 + 1000000) % 1000000) AS ended,
	w.ended_us - s.timestamp_us AS duration_us,
	iif(w.ended_us IS NULL, NULL, printf('%s%02d:%02d:%02d',
		iif(w.ended_us - s.timestamp_us < 86400000000, '', ((w.ended_us - s.timestamp_us) / 86400000000) || ' d '),
		(w.ended_us - s.timestamp_us) / 3600000000 % 24, (w.ended_us - s.timestamp_us) / 60000000 % 60,
		(w.ended_us - s.timestamp_us) / 1000000 % 60)) AS duration
FROM switch_stints s
JOIN switches w ON w.system_uuid = s.system_uuid AND w.uuid = (SELECT e.switch_uuid FROM switch_stints e
	WHERE e.system_uuid = s.system_uuid AND e.member_uuid = s.member_uuid AND e.ends = 1
		AND (e.timestamp_us, e.switch_uuid) >= (s.timestamp_us, s.switch_uuid)
	ORDER BY e.timestamp_us, e.switch_uuid LIMIT 1)
WHERE s.starts = 1;

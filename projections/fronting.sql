-- Who fronts and who fronted. Every table is kept event by event: a switch
-- that comes, moves or goes touches its neighbours in time and nothing else.
--
-- "Listed" are the switches PluralKit would show: not deleted, and both their
-- timestamp and their members are known. They are ordered by timestamp_us,
-- then uuid. The second is a tie-break of our own: PluralKit has none.

-- A switch, listed or not. A row is never removed.
CREATE TABLE switches (
	uuid            TEXT PRIMARY KEY NOT NULL,
	system_uuid     TEXT NOT NULL,
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
	members_event   TEXT NOT NULL
) STRICT;

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

-- A member of a listed switch. Deleted members have no row; position counts
-- them all the same, so it never depends on what else has arrived. The key is in
-- order of time: what is new is written beside what was new before, however much
-- there is. By uuid alone, switch_members finds it.
CREATE TABLE switch_stints (
	switch_uuid  TEXT NOT NULL,
	position     INTEGER NOT NULL,
	member_uuid  TEXT NOT NULL,
	system_uuid  TEXT NOT NULL,
	timestamp_us INTEGER NOT NULL,
	starts       INTEGER NOT NULL,
	ends         INTEGER NOT NULL,
	PRIMARY KEY (system_uuid, timestamp_us, switch_uuid, position)
) STRICT, WITHOUT ROWID;

-- What a member that goes leaves, and where its stretches begin; where one ends is
-- found without a look at what is between. front_intervals reads both.
CREATE INDEX switch_stints_member ON switch_stints (system_uuid, member_uuid, timestamp_us, switch_uuid, starts);
CREATE INDEX switch_stints_ends ON switch_stints (system_uuid, member_uuid, timestamp_us, switch_uuid) WHERE ends = 1;

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

-- A member of a listed switch, found by the switch's uuid.
CREATE VIEW switch_members AS
SELECT w.uuid AS switch_uuid, s.position, s.member_uuid, s.system_uuid, s.timestamp_us, s.starts, s.ends
FROM switches w
JOIN switch_stints s ON s.system_uuid = w.system_uuid AND s.timestamp_us = w.timestamp_us AND s.switch_uuid = w.uuid;

-- A member that fronts now.
CREATE VIEW current_fronters AS
SELECT f.system_uuid, f.switch_uuid, sm.position, sm.member_uuid, m.name, f.since_us,
	strftime('%Y-%m-%dT%H:%M:%S', (f.since_us - (f.since_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (f.since_us % 1000000 + 1000000) % 1000000) AS since,
	m.id, m.display_name, m.pronouns, m.color, m.avatar_url
FROM fronts f
JOIN switch_stints sm ON sm.system_uuid = f.system_uuid AND sm.timestamp_us = f.since_us AND sm.switch_uuid = f.switch_uuid
LEFT JOIN members m ON m.uuid = sm.member_uuid AND m.system_uuid = f.system_uuid;

-- A listed switch, from its timestamp to that of the next.
CREATE VIEW switch_timeline AS
SELECT w.system_uuid, w.uuid AS switch_uuid, w.timestamp_us AS started_us, w.ended_us,
	-- ORDER BY inside group_concat would keep SQLite before 3.44 from reading the
	-- file at all.
	coalesce((SELECT group_concat(name, ', ') FROM (
		SELECT coalesce(m.name, sm.member_uuid) AS name
		FROM switch_stints sm
		LEFT JOIN members m ON m.uuid = sm.member_uuid AND m.system_uuid = sm.system_uuid
		WHERE sm.system_uuid = w.system_uuid AND sm.timestamp_us = w.timestamp_us AND sm.switch_uuid = w.uuid
		ORDER BY sm.position)), '') AS members,
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
	(SELECT m.name FROM members m WHERE m.uuid = s.member_uuid AND m.system_uuid = s.system_uuid) AS name,
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
JOIN switches w ON w.uuid = (SELECT e.switch_uuid FROM switch_stints e INDEXED BY switch_stints_ends
	WHERE e.system_uuid = s.system_uuid AND e.member_uuid = s.member_uuid AND e.ends = 1
		AND (e.timestamp_us, e.switch_uuid) >= (s.timestamp_us, s.switch_uuid)
	ORDER BY e.timestamp_us, e.switch_uuid LIMIT 1)
WHERE s.starts = 1;

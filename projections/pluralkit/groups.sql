-- A group of a system. Fields that no event has told of are NULL; a deleted
-- group keeps its row, with deleted_us set.
CREATE TABLE groups (
	system_uuid         TEXT NOT NULL,
	uuid                TEXT NOT NULL,
	id                  TEXT, -- PluralKit's short id; may change, and be another's later
	name                TEXT,
	display_name        TEXT,
	description         TEXT,
	icon                TEXT,
	banner              TEXT,
	color               TEXT,
	name_privacy        TEXT,
	description_privacy TEXT,
	banner_privacy      TEXT,
	icon_privacy        TEXT,
	list_privacy        TEXT,
	metadata_privacy    TEXT,
	visibility          TEXT,
	created_us          INTEGER,
	members             TEXT, -- a JSON array of uuids: who is in it, by the API; those included that are gone since
	versions            TEXT NOT NULL,
	observed_us         INTEGER,
	observed_id         TEXT,
	seen_us             INTEGER,
	absent_us           INTEGER,
	deleted_us          INTEGER,
	PRIMARY KEY (system_uuid, uuid)
) STRICT, WITHOUT ROWID;

-- For short ids and uuids of which nobody knows whose they are.
CREATE INDEX groups_by_id ON groups (id);
CREATE INDEX groups_by_uuid ON groups (uuid);

-- A member that is in a group; neither is deleted.
CREATE TABLE group_members (
	system_uuid   TEXT NOT NULL,
	group_uuid    TEXT NOT NULL,
	member_uuid   TEXT NOT NULL,
	first_seen_us INTEGER NOT NULL, -- when it was first seen there
	last_seen_us  INTEGER NOT NULL, -- and last
	PRIMARY KEY (system_uuid, group_uuid, member_uuid)
) STRICT, WITHOUT ROWID;

-- For what a person asks of a member.
CREATE INDEX group_members_by_member ON group_members (system_uuid, member_uuid);

-- When a member was seen in a group, also if it left since, or is gone.
CREATE TABLE group_sightings (
	system_uuid   TEXT NOT NULL,
	group_uuid    TEXT NOT NULL,
	member_uuid   TEXT NOT NULL,
	first_seen_us INTEGER NOT NULL,
	last_seen_us  INTEGER NOT NULL,
	PRIMARY KEY (system_uuid, group_uuid, member_uuid)
) STRICT, WITHOUT ROWID;

-- For what a member leaves when it goes, and finds when it comes back.
CREATE INDEX group_sightings_by_member ON group_sightings (system_uuid, member_uuid);

-- Groups that are not deleted, without the bookkeeping, with readable times.
CREATE VIEW current_groups AS
SELECT uuid, system_uuid, id, name, display_name,
	coalesce(display_name, name) AS shown_name,
	description, icon, banner, color,
	name_privacy, description_privacy, banner_privacy, icon_privacy, list_privacy, metadata_privacy, visibility,
	(SELECT count(*) FROM group_members WHERE system_uuid = groups.system_uuid AND group_uuid = groups.uuid) AS member_count,
	created_us,
	strftime('%Y-%m-%dT%H:%M:%S', (created_us - (created_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (created_us % 1000000 + 1000000) % 1000000) AS created
FROM groups
WHERE deleted_us IS NULL;

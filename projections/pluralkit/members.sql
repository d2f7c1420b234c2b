-- A member of a system. Fields that no event has told of are NULL; a deleted
-- member keeps its row, with deleted_us set.
CREATE TABLE members (
	system_uuid               TEXT NOT NULL,
	uuid                      TEXT NOT NULL,
	id                        TEXT,    -- PluralKit's short id; may change, and be another's later
	name                      TEXT,
	display_name              TEXT,
	avatar_url                TEXT,
	webhook_avatar_url        TEXT,
	banner                    TEXT,
	color                     TEXT,
	birthday                  TEXT,    -- YYYY-MM-DD; year 0004 or 0001: no year
	pronouns                  TEXT,
	description               TEXT,
	proxy_tags                TEXT,    -- a JSON array of {prefix, suffix}
	keep_proxy                INTEGER,
	tts                       INTEGER,
	visibility                TEXT,
	name_privacy              TEXT,
	description_privacy       TEXT,
	banner_privacy            TEXT,
	pronoun_privacy           TEXT,
	birthday_privacy          TEXT,
	avatar_privacy            TEXT,
	proxy_privacy             TEXT,
	metadata_privacy          TEXT,
	created_us                INTEGER,
	autoproxy_enabled         INTEGER,
	message_count             INTEGER,
	last_message_timestamp_us INTEGER,
	versions                  TEXT NOT NULL,
	snapshot_us               INTEGER,
	snapshot_id               TEXT,
	observed_us               INTEGER,
	observed_id               TEXT,
	seen_us                   INTEGER,
	absent_us                 INTEGER,
	deleted_us                INTEGER,
	PRIMARY KEY (system_uuid, uuid)
) STRICT, WITHOUT ROWID;

-- For short ids and uuids of which nobody knows whose they are.
CREATE INDEX members_by_id ON members (id);
CREATE INDEX members_by_uuid ON members (uuid);

-- A proxy tag of a member that is not deleted: what its list holds.
CREATE TABLE proxy_tags (
	system_uuid TEXT NOT NULL,
	member_uuid TEXT NOT NULL,
	position    INTEGER NOT NULL, -- from 0, as PluralKit lists them
	prefix      TEXT,
	suffix      TEXT,
	PRIMARY KEY (system_uuid, member_uuid, position)
) STRICT, WITHOUT ROWID;

-- Members that are not deleted, without the bookkeeping, with readable times.
CREATE VIEW current_members AS
SELECT uuid, system_uuid, id, name, display_name,
	coalesce(display_name, name) AS shown_name,
	avatar_url, webhook_avatar_url, banner, color, birthday, pronouns, description,
	proxy_tags, keep_proxy, tts, autoproxy_enabled,
	visibility, name_privacy, description_privacy, banner_privacy, pronoun_privacy, birthday_privacy,
	avatar_privacy, proxy_privacy, metadata_privacy,
	message_count,
	created_us,
	strftime('%Y-%m-%dT%H:%M:%S', (created_us - (created_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (created_us % 1000000 + 1000000) % 1000000) AS created,
	last_message_timestamp_us,
	strftime('%Y-%m-%dT%H:%M:%S', (last_message_timestamp_us - (last_message_timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (last_message_timestamp_us % 1000000 + 1000000) % 1000000) AS last_message_timestamp
FROM members
WHERE deleted_us IS NULL;

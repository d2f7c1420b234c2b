-- A PluralKit system that has a source, or of which there is an event. Fields
-- that no event has told of are NULL; one that is
-- gone keeps its row, with deleted_us set.
CREATE TABLE systems (
	system_uuid           TEXT NOT NULL, -- as every PluralKit table has it
	uuid                  TEXT NOT NULL, -- the same
	id                    TEXT,          -- PluralKit's short id; may change
	name                  TEXT,
	description           TEXT,
	tag                   TEXT,
	pronouns              TEXT,
	avatar_url            TEXT,
	banner                TEXT,
	color                 TEXT,
	name_privacy          TEXT,
	avatar_privacy        TEXT,
	description_privacy   TEXT,
	banner_privacy        TEXT,
	pronoun_privacy       TEXT,
	member_list_privacy   TEXT,
	group_list_privacy    TEXT,
	front_privacy         TEXT,
	front_history_privacy TEXT,
	created_us            INTEGER,
	versions              TEXT NOT NULL,
	snapshot_us           INTEGER,
	snapshot_id           TEXT,
	observed_us           INTEGER,
	observed_id           TEXT,
	seen_us               INTEGER,
	absent_us             INTEGER,
	deleted_us            INTEGER,
	PRIMARY KEY (system_uuid, uuid)
) STRICT, WITHOUT ROWID;

-- For short ids, of which nobody knows whose they are.
CREATE INDEX systems_by_id ON systems (id);

-- What a system has set for one Discord server. NULL: no event has told (or,
-- where the field itself may be null, that it is).
CREATE TABLE system_guilds (
	system_uuid      TEXT NOT NULL,
	guild_id         TEXT NOT NULL,
	proxying_enabled INTEGER,
	tag              TEXT,
	tag_enabled      INTEGER,
	avatar_url       TEXT,
	display_name     TEXT,
	name_format      TEXT,
	versions         TEXT NOT NULL,
	observed_us      INTEGER,
	observed_id      TEXT,
	seen_us          INTEGER,
	absent_us        INTEGER,
	deleted_us       INTEGER, -- set: it has no settings there any more
	PRIMARY KEY (system_uuid, guild_id)
) STRICT, WITHOUT ROWID;

-- What a member has set for one Discord server.
CREATE TABLE member_guilds (
	system_uuid  TEXT NOT NULL,
	member_uuid  TEXT NOT NULL,
	guild_id     TEXT NOT NULL,
	display_name TEXT,
	avatar_url   TEXT,
	keep_proxy   INTEGER, -- NULL: as the member's own
	versions     TEXT NOT NULL,
	observed_us  INTEGER,
	observed_id  TEXT,
	seen_us      INTEGER,
	absent_us    INTEGER,
	deleted_us   INTEGER, -- set: it has no settings there any more, or is gone itself
	PRIMARY KEY (system_uuid, member_uuid, guild_id)
) STRICT, WITHOUT ROWID;

-- A proxied message. One that is gone keeps its row, with deleted_us set; it
-- is empty if the message was never announced.
CREATE TABLE messages (
	system_uuid  TEXT NOT NULL,
	id           TEXT NOT NULL,    -- the Discord message id
	member_uuid  TEXT,             -- NULL: the member was gone when the message was announced
	timestamp_us INTEGER,          -- whole seconds: PluralKit reads it off the id
	original     TEXT,             -- id of the message that was proxied; '' if PluralKit named none
	sender       TEXT,             -- id of the Discord account that sent it
	channel      TEXT,
	guild        TEXT,
	seen_us      INTEGER,          -- when we accepted the event that told of it
	absent_us    INTEGER,
	deleted_us   INTEGER,
	PRIMARY KEY (system_uuid, id)
) STRICT, WITHOUT ROWID;

-- For ids of which nobody knows whose they are.
CREATE INDEX messages_by_id ON messages (id);

-- A Discord server in which a system was proxied: there are settings to ask for.
CREATE TABLE message_guilds (
	system_uuid TEXT NOT NULL,
	guild_id    TEXT NOT NULL,
	PRIMARY KEY (system_uuid, guild_id)
) STRICT, WITHOUT ROWID;

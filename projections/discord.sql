-- A user who has authorized the application at some time. The authorization
-- is the newest one; taken back, the row stays.
CREATE TABLE discord_authorizations (
	application_id   TEXT NOT NULL,
	user_id          TEXT NOT NULL,
	username         TEXT,
	global_name      TEXT,
	scopes           TEXT,    -- JSON array
	integration_type INTEGER, -- 0: for a server, 1: for the user
	guild_id         TEXT,
	guild_name       TEXT,
	authorized_us    INTEGER, -- Discord's time, as all here
	deauthorized_us  INTEGER,
	versions         TEXT NOT NULL,
	PRIMARY KEY (application_id, user_id)
) STRICT, WITHOUT ROWID;

-- Users whose authorization stands.
CREATE VIEW current_discord_authorizations AS
SELECT application_id, user_id, username, global_name, scopes, integration_type, guild_id, guild_name,
	authorized_us,
	strftime('%Y-%m-%dT%H:%M:%S', (authorized_us - (authorized_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (authorized_us % 1000000 + 1000000) % 1000000) AS authorized
FROM discord_authorizations
WHERE authorized_us IS NOT NULL AND (deauthorized_us IS NULL OR deauthorized_us < authorized_us);

-- An entitlement: what a user or a server has bought or was given. One that
-- was taken back keeps its row, with deleted_us set.
CREATE TABLE discord_entitlements (
	application_id  TEXT NOT NULL,
	id              TEXT NOT NULL,
	sku_id          TEXT,
	user_id         TEXT,
	guild_id        TEXT,
	type            INTEGER,
	consumed        INTEGER,
	starts_at_us    INTEGER,
	ends_at_us      INTEGER, -- NULL: it does not end, as far as is known
	subscription_id TEXT,
	promotion_id    TEXT,
	gift_code_flags INTEGER,
	versions        TEXT NOT NULL,
	deleted_us      INTEGER,
	PRIMARY KEY (application_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX discord_entitlements_by_user ON discord_entitlements (application_id, user_id);

-- Entitlements that were not taken back, with readable times. One that has
-- ended is among them: a view has no clock.
CREATE VIEW current_discord_entitlements AS
SELECT application_id, id, sku_id, user_id, guild_id, type, consumed,
	starts_at_us,
	strftime('%Y-%m-%dT%H:%M:%S', (starts_at_us - (starts_at_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (starts_at_us % 1000000 + 1000000) % 1000000) AS starts_at,
	ends_at_us,
	strftime('%Y-%m-%dT%H:%M:%S', (ends_at_us - (ends_at_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (ends_at_us % 1000000 + 1000000) % 1000000) AS ends_at,
	subscription_id, promotion_id, gift_code_flags
FROM discord_entitlements
WHERE deleted_us IS NULL;

-- A message in a lobby, or a direct one of a game. A deleted one keeps its
-- row, with deleted_us set and without content.
CREATE TABLE discord_messages (
	application_id      TEXT NOT NULL,
	id                  TEXT NOT NULL,
	lobby_id            TEXT,
	channel_id          TEXT,
	recipient_id        TEXT,
	type                INTEGER,
	flags               INTEGER,
	content             TEXT,
	timestamp_us        INTEGER,
	edited_timestamp_us INTEGER,
	kind                TEXT, -- lobby or direct
	author_id           TEXT,
	author_username     TEXT,
	author_global_name  TEXT,
	versions            TEXT NOT NULL,
	deleted_us          INTEGER,
	PRIMARY KEY (application_id, id)
) STRICT, WITHOUT ROWID;

-- Messages that are not deleted, with readable times.
CREATE VIEW current_discord_messages AS
SELECT application_id, id, kind, lobby_id, channel_id, recipient_id, type, flags, content,
	author_id, author_username, author_global_name,
	timestamp_us,
	strftime('%Y-%m-%dT%H:%M:%S', (timestamp_us - (timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (timestamp_us % 1000000 + 1000000) % 1000000) AS timestamp,
	edited_timestamp_us,
	strftime('%Y-%m-%dT%H:%M:%S', (edited_timestamp_us - (edited_timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (edited_timestamp_us % 1000000 + 1000000) % 1000000) AS edited_timestamp
FROM discord_messages
WHERE deleted_us IS NULL;

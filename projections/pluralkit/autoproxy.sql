-- How a system proxies by itself in a Discord server.
CREATE TABLE autoproxy (
	system_uuid             TEXT NOT NULL,
	guild_id                TEXT NOT NULL, -- '' if PluralKit named none
	channel_id              TEXT NOT NULL, -- '' for the whole server, which is all PluralKit does
	autoproxy_mode          TEXT,          -- off, front, latch, member
	autoproxy_member        TEXT,          -- uuid; NULL: none, not known, or deleted
	named_member            TEXT,          -- the same, also if that member is gone
	last_latch_timestamp_us INTEGER,
	versions                TEXT NOT NULL,
	observed_us             INTEGER,
	observed_id             TEXT,
	seen_us                 INTEGER,
	PRIMARY KEY (system_uuid, guild_id, channel_id)
) STRICT, WITHOUT ROWID;

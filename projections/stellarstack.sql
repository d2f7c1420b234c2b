-- A server of a StellarStack panel, as last heard of. A deleted one keeps its
-- row, with deleted_us set.
CREATE TABLE stellarstack_servers (
	source     TEXT NOT NULL,
	server_id  TEXT NOT NULL, -- of an unsigned source the name: its messages have no id
	name       TEXT,
	status     TEXT,
	state      TEXT,
	since_us   INTEGER,
	verified   INTEGER NOT NULL,
	versions   TEXT NOT NULL,
	deleted_us INTEGER,
	PRIMARY KEY (source, server_id)
) STRICT, WITHOUT ROWID;

-- An event of a StellarStack panel. The same thing told twice, by two webhooks
-- or again by hand, is one row.
CREATE TABLE stellarstack_events (
	source       TEXT NOT NULL,
	timestamp_us INTEGER NOT NULL, -- StellarStack's; without one, when we accepted it
	event        TEXT NOT NULL,
	server_id    TEXT NOT NULL,    -- '' if it is about none
	data         TEXT NOT NULL,    -- JSON object
	server_name  TEXT,
	status       TEXT,
	verified     INTEGER NOT NULL,
	id           TEXT NOT NULL,    -- of our event, the first that told
	received_us  INTEGER NOT NULL,
	PRIMARY KEY (source, timestamp_us, event, server_id, data)
) STRICT, WITHOUT ROWID;

-- Servers that are not deleted, with readable times.
CREATE VIEW current_stellarstack_servers AS
SELECT source, server_id, name, status, state, since_us,
	strftime('%Y-%m-%dT%H:%M:%S', (since_us - (since_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (since_us % 1000000 + 1000000) % 1000000) AS since,
	verified
FROM stellarstack_servers
WHERE deleted_us IS NULL;

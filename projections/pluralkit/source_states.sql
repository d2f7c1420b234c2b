-- What a source of PluralKit became, as a look at its API found: its webhooks stopped,
-- say. There is a row for each such event; the newest says how it stands.
CREATE TABLE source_states (
	system_uuid TEXT NOT NULL,
	since_us    INTEGER NOT NULL, -- for which moment the API was asked
	event_id    TEXT NOT NULL,
	state       TEXT NOT NULL,
	PRIMARY KEY (system_uuid, since_us, event_id)
) STRICT, WITHOUT ROWID;

-- How each source stands.
CREATE VIEW current_source_states AS
SELECT s.system_uuid, s.state,
	strftime('%Y-%m-%dT%H:%M:%S', (s.since_us - (s.since_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
		|| printf('.%06dZ', (s.since_us % 1000000 + 1000000) % 1000000) AS since,
	s.since_us, s.event_id
FROM (SELECT DISTINCT system_uuid FROM source_states) t
JOIN source_states s ON s.system_uuid = t.system_uuid AND (s.since_us, s.event_id) =
	(SELECT since_us, event_id FROM source_states WHERE system_uuid = t.system_uuid ORDER BY since_us DESC, event_id DESC LIMIT 1);

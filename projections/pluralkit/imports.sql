-- A successful import of a file into PluralKit.
CREATE TABLE imports (
	system_uuid TEXT NOT NULL,
	event_id    TEXT NOT NULL,
	time_us     INTEGER NOT NULL, -- when we accepted the event
	PRIMARY KEY (system_uuid, event_id)
) STRICT, WITHOUT ROWID;

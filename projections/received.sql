-- A message of a sender that is nobody in particular, of the kinds standard,
-- token and cloudevents. What was sent twice under one id is one row, that of
-- the earlier time.
CREATE TABLE received (
	source          TEXT NOT NULL, -- kind of the source that took it in
	tenant          TEXT NOT NULL, -- that source's name
	sender          TEXT NOT NULL, -- the event's own source: what a sender of CloudEvents says, else the URN of the source
	id              TEXT NOT NULL,
	type            TEXT NOT NULL, -- the sender's, else {source}.message.receive
	subject         TEXT,
	time_us         INTEGER NOT NULL, -- when it was accepted, or what a sender of CloudEvents says
	seq             INTEGER NOT NULL, -- sequence in the log of the event the row is from: the order of arrival
	dataschema      TEXT,
	datacontenttype TEXT,          -- NULL: no data
	extensions      TEXT NOT NULL, -- JSON object of the attributes a sender of CloudEvents added
	data            TEXT,          -- JSON; of other text a JSON string; NULL: no data, or bytes
	data_bytes      BLOB,
	PRIMARY KEY (source, tenant, sender, id)
) STRICT;
CREATE INDEX received_in_order ON received (source, tenant, seq);

-- A proxied message.
CREATE TABLE messages (
	id           TEXT PRIMARY KEY, -- the Discord message id
	system_uuid  TEXT NOT NULL,
	member_uuid  TEXT,             -- NULL: the member was gone when the message was announced
	timestamp_us INTEGER NOT NULL, -- whole seconds: PluralKit reads it off the id
	original     TEXT NOT NULL,    -- id of the message that was proxied; '' if PluralKit named none
	sender       TEXT NOT NULL,    -- id of the Discord account that sent it
	channel      TEXT NOT NULL,
	guild        TEXT
) STRICT, WITHOUT ROWID;

-- Tables of the engine itself: how far it has read, what it could not apply,
-- what is to be sent, and who made the rows.
--
-- positions, skipped, outbox and meta are read from files of other versions
-- too. They may get more columns, never lose one.

-- How far the log is folded into this file. One row: everything here moves in
-- one transaction, so there is one position.
CREATE TABLE positions (
	name     TEXT PRIMARY KEY,
	seq      INTEGER NOT NULL,
	event_id TEXT NOT NULL,
	epoch    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An event that broke the contract of its type, and why. Its data is in the
-- log; a rebuild with better code applies it.
CREATE TABLE skipped (
	seq         INTEGER PRIMARY KEY,
	type        TEXT NOT NULL,
	reason      TEXT NOT NULL,
	event_id    TEXT NOT NULL,
	source      TEXT NOT NULL,
	tenant      TEXT NOT NULL,
	recorded_us INTEGER NOT NULL
) STRICT;

-- What is to be sent, in order of (seq, n); a row is deleted once it is sent.
-- A change (subject, msg_id, body), an entry of the FRONTERS bucket, or both.
CREATE TABLE outbox (
	seq          INTEGER NOT NULL,
	n            INTEGER NOT NULL,
	subject      TEXT NOT NULL,
	msg_id       TEXT NOT NULL,
	body         BLOB,
	fronters_key TEXT NOT NULL,
	fronters     BLOB,
	PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- Which tables and folds made the rows: a hash of them. One row.
CREATE TABLE meta (
	version TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- A Discord account that was linked to a system, unlinked from it, or
-- configured by it, or that the API told of.
CREATE TABLE accounts (
	system_uuid     TEXT NOT NULL,
	id              TEXT NOT NULL, -- the Discord user id
	linked          INTEGER,       -- NULL: it was named as one, nothing more told
	allow_autoproxy INTEGER,
	versions        TEXT NOT NULL,
	observed_us     INTEGER,
	observed_id     TEXT,
	seen_us         INTEGER,       -- when anything was last heard of it
	deleted_us      INTEGER,       -- when it was unlinked; NULL again when it is linked again
	PRIMARY KEY (system_uuid, id)
) STRICT, WITHOUT ROWID;

-- For whose an account is.
CREATE INDEX accounts_by_id ON accounts (id);

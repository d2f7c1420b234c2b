-- An outgoing webhook: which events a person asked to have posted to which
-- URL. A deleted one keeps its row, with deleted_us set and little else.
CREATE TABLE webhooks (
	id               TEXT PRIMARY KEY,
	owner            TEXT NOT NULL,
	name             TEXT NOT NULL,
	provider         TEXT NOT NULL,
	url              TEXT NOT NULL, -- what is secret in it is ***
	events           TEXT NOT NULL, -- a JSON array
	source           TEXT,
	tenant           TEXT,
	server_id        TEXT,
	condition        TEXT,
	enabled          INTEGER NOT NULL,
	disabled_reason  TEXT,          -- NULL: a person did, or it is enabled
	rate             REAL,
	ordered          INTEGER NOT NULL,
	debounce_s       INTEGER,       -- NULL: changes do not wait for later ones
	owner_only       INTEGER NOT NULL,
	template         TEXT,
	options          TEXT NOT NULL, -- a JSON object
	variables        TEXT NOT NULL, -- a JSON object
	created_us       INTEGER NOT NULL,
	updated_us       INTEGER NOT NULL,
	event_id         TEXT NOT NULL, -- of the event that updated_us is of
	failing_since_us INTEGER,       -- of the first attempt that failed since one did not
	due              INTEGER NOT NULL, -- deliveries that wait
	finished         INTEGER NOT NULL, -- deliveries that do not, and are kept
	dropped          INTEGER NOT NULL, -- deliveries cancelled because too many waited
	deleted_us       INTEGER
) STRICT, WITHOUT ROWID;

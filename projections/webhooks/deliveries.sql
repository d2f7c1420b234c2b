-- One event on its way to one webhook, or what became of it. Of those that are
-- finished the latest 1,000 of each webhook are kept.
CREATE TABLE deliveries (
	ordinal         INTEGER PRIMARY KEY, -- in the order in which they came to be
	webhook         TEXT NOT NULL,
	id              TEXT NOT NULL,
	message_id      TEXT NOT NULL, -- what the receiver tells doubles by
	kind            TEXT NOT NULL, -- live, retry or replay
	retry_of        TEXT,          -- of a retry: id of the delivery it repeats
	status          TEXT NOT NULL, -- due, delivered, failed, refused or cancelled
	seq             INTEGER NOT NULL, -- of the event in the log, or of the one that caused the change
	n               INTEGER NOT NULL, -- 0: the event itself; from 1: a change it caused
	source          TEXT NOT NULL,
	tenant          TEXT NOT NULL,
	event_name      TEXT NOT NULL, -- front.changed
	event_id        TEXT NOT NULL,
	event           TEXT NOT NULL, -- the CloudEvent as the receiver may see it
	ordering_key            TEXT,          -- whose order is kept, while it is due; NULL: nobody's
	debounced       TEXT,          -- subject of a change that waits, or waited, for later ones; NULL: it did not
	attempts        INTEGER NOT NULL,
	created_us      INTEGER NOT NULL,
	next_us         INTEGER,       -- when the next attempt may be made; NULL: none will be
	last_attempt_us INTEGER,
	duration_ms     INTEGER,       -- of the last attempt
	delivered_us    INTEGER,
	status_code     INTEGER,       -- of the last answer; NULL: there was none
	response        TEXT,          -- its beginning, or why there was none, or why it was cancelled
	request         TEXT           -- what was asked of the receiver, as JSON
) STRICT;

CREATE UNIQUE INDEX deliveries_id ON deliveries (webhook, id);

-- What a sender asks for, in the order of its attempts.
CREATE INDEX deliveries_due ON deliveries (webhook, next_us, seq, n) WHERE status = 'due';

-- The same where order is kept.
CREATE INDEX deliveries_ordering_keys ON deliveries (webhook, ordering_key, seq, n, next_us) WHERE status = 'due' AND ordering_key IS NOT NULL;

-- The change that a later one of the same subject replaces.
CREATE INDEX deliveries_debounced ON deliveries (webhook, debounced, source, tenant, event_name) WHERE status = 'due' AND debounced IS NOT NULL;

-- The oldest that waits, to be cancelled when too many do.
CREATE INDEX deliveries_waiting ON deliveries (webhook, ordinal) WHERE status = 'due';

-- History, oldest first.
CREATE INDEX deliveries_finished ON deliveries (webhook, ordinal, status) WHERE status <> 'due';

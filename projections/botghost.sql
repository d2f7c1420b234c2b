-- A call of a webhook that was meant for a BotGhost bot.
CREATE TABLE botghost_triggers (
	bot_id      TEXT NOT NULL,
	id          TEXT NOT NULL,    -- of our event
	event_id    TEXT NOT NULL,    -- BotGhost's, from the path
	variables   TEXT NOT NULL,    -- JSON object: placeholder, with its braces → text or null
	received_us INTEGER NOT NULL,
	PRIMARY KEY (bot_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX botghost_triggers_by_event ON botghost_triggers (bot_id, event_id, received_us);

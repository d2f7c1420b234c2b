-- How a system has configured PluralKit. NULL: no event has told (or, where
-- the field itself may be null, that it is).
CREATE TABLE system_settings (
	system_uuid                 TEXT PRIMARY KEY,
	timezone                    TEXT,
	pings_enabled               INTEGER,
	latch_timeout               INTEGER, -- seconds; 0: never
	member_default_private      INTEGER,
	group_default_private       INTEGER,
	show_private_info           INTEGER,
	member_limit                INTEGER,
	group_limit                 INTEGER,
	description_templates       TEXT,    -- a JSON array of strings
	case_sensitive_proxy_tags   INTEGER,
	proxy_error_message_enabled INTEGER,
	hid_display_split           INTEGER,
	hid_display_caps            INTEGER,
	hid_list_padding            TEXT,
	card_show_color_hex         INTEGER,
	proxy_switch                TEXT,
	name_format                 TEXT,
	versions                    TEXT NOT NULL,
	observed_us                 INTEGER,
	observed_id                 TEXT,
	seen_us                     INTEGER
) STRICT, WITHOUT ROWID;

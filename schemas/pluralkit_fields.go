package schemas

import "slices"

// The fields of PluralKit's objects, in the order PluralKit sends them. The
// tables of projections and the JSON Schemas are held against these lists.
//
// Source: PluralKit's patch models; see the notes beside each.
var (
	// PKSystemFields: UPDATE_SYSTEM. "id" is the system's new short id.
	PKSystemFields = slices.Concat([]Field{
		{Name: "name", Null: true},
		{Name: "id"},
		{Name: "description", Null: true},
		{Name: "tag", Null: true},
		{Name: "pronouns", Null: true},
		{Name: "avatar_url", Null: true},
		{Name: "banner", Null: true},
		{Name: "color", Null: true},
	}, privacy("name_privacy", "avatar_privacy", "description_privacy", "banner_privacy", "pronoun_privacy",
		"member_list_privacy", "group_list_privacy", "front_privacy", "front_history_privacy"))

	// PKSystemObjectFields: what only a whole system object has besides.
	// webhook_url is not among them: it is a secret and never gets this far.
	PKSystemObjectFields = slices.Concat(PKSystemFields, []Field{{Name: "created", Kind: Time, Null: true}})

	// PKSettingsFields: UPDATE_SETTINGS. latch_timeout is in seconds; null is
	// PluralKit's default (6 hours), 0 is never.
	PKSettingsFields = []Field{
		{Name: "timezone"},
		{Name: "pings_enabled", Kind: Bool},
		{Name: "latch_timeout", Kind: Int, Null: true},
		{Name: "member_default_private", Kind: Bool},
		{Name: "group_default_private", Kind: Bool},
		{Name: "show_private_info", Kind: Bool},
		{Name: "member_limit", Kind: Int},
		{Name: "group_limit", Kind: Int},
		{Name: "description_templates", Kind: List},
		{Name: "case_sensitive_proxy_tags", Kind: Bool},
		{Name: "proxy_error_message_enabled", Kind: Bool},
		{Name: "hid_display_split", Kind: Bool},
		{Name: "hid_display_caps", Kind: Bool},
		{Name: "hid_list_padding"},
		{Name: "card_show_color_hex", Kind: Bool},
		{Name: "proxy_switch"},
		{Name: "name_format", Null: true},
	}

	// PKMemberFields: CREATE_MEMBER and UPDATE_MEMBER. "id" is the member's
	// new short id; a create never has it. birthday is YYYY-MM-DD, year 0004
	// (or 0001, older) meaning none. proxy_tags is always the whole new list.
	PKMemberFields = slices.Concat([]Field{
		{Name: "name"},
		{Name: "id"},
		{Name: "display_name", Null: true},
		{Name: "avatar_url", Null: true},
		{Name: "webhook_avatar_url", Null: true},
		{Name: "banner", Null: true},
		{Name: "color", Null: true},
		{Name: "birthday", Null: true},
		{Name: "pronouns", Null: true},
		{Name: "description", Null: true},
		{Name: "proxy_tags", Kind: List},
		{Name: "keep_proxy", Kind: Bool},
		{Name: "tts", Kind: Bool},
	}, privacy("visibility", "name_privacy", "description_privacy", "banner_privacy", "pronoun_privacy",
		"birthday_privacy", "avatar_privacy", "proxy_privacy", "metadata_privacy"))

	// PKMemberObjectFields: what only a whole member object has besides.
	PKMemberObjectFields = slices.Concat(PKMemberFields, []Field{
		{Name: "created", Kind: Time, Null: true},
		{Name: "autoproxy_enabled", Kind: Bool, Null: true},
		{Name: "message_count", Kind: Int, Null: true},
		{Name: "last_message_timestamp", Kind: Time, Null: true},
	})

	// PKGroupFields: CREATE_GROUP and UPDATE_GROUP. Membership is never in it.
	PKGroupFields = slices.Concat([]Field{
		{Name: "name"},
		{Name: "id"},
		{Name: "display_name", Null: true},
		{Name: "description", Null: true},
		{Name: "icon", Null: true},
		{Name: "banner", Null: true},
		{Name: "color", Null: true},
	}, privacy("name_privacy", "description_privacy", "banner_privacy", "icon_privacy", "list_privacy",
		"metadata_privacy", "visibility"))

	// PKGroupObjectFields: what only a whole group object has besides.
	PKGroupObjectFields = slices.Concat(PKGroupFields, []Field{{Name: "created", Kind: Time, Null: true}})

	// PKSystemGuildFields: UPDATE_SYSTEM_GUILD, besides its guild_id.
	PKSystemGuildFields = []Field{
		{Name: "proxying_enabled", Kind: Bool},
		{Name: "tag", Null: true},
		{Name: "tag_enabled", Kind: Bool},
		{Name: "avatar_url", Null: true},
		{Name: "display_name", Null: true},
		{Name: "name_format", Null: true},
	}

	// PKMemberGuildFields: UPDATE_MEMBER_GUILD about a member, besides its
	// guild_id. keep_proxy null means: as the member's own setting says.
	PKMemberGuildFields = []Field{
		{Name: "display_name", Null: true},
		{Name: "avatar_url", Null: true},
		{Name: "keep_proxy", Kind: Bool, Null: true},
	}

	// PKAccountFields: UPDATE_MEMBER_GUILD about a Discord account. Often the
	// data is {}: PluralKit sends one whenever the account writes to the bot.
	PKAccountFields = []Field{{Name: "allow_autoproxy", Kind: Bool}}

	// PKAutoproxyFields: UPDATE_AUTOPROXY, besides guild_id and channel_id.
	// autoproxy_member is a uuid here (a short id in the API).
	PKAutoproxyFields = []Field{
		{Name: "autoproxy_mode"},
		{Name: "autoproxy_member", Null: true},
		{Name: "last_latch_timestamp", Kind: Time, Null: true},
	}
)

func privacy(names ...string) []Field {
	fields := make([]Field, len(names))
	for i, name := range names {
		fields[i] = Field{Name: name, In: "privacy"}
	}
	return fields
}

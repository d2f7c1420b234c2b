package mirror

// The objects of PluralKit's API v2. The order of members is part of what
// PluralKit shows; in privacy it differs from that of its events. What PluralKit
// never has as null has a value here for as long as nobody has told of it: the
// one that a new entity has.

var systemShape = shape{
	parts: []part{
		{name: "id", kind: shortID},
		{name: "uuid"},
		{name: "name", hide: "name_privacy"},
		{name: "description", hide: "description_privacy"},
		{name: "tag"},
		{name: "pronouns", hide: "pronoun_privacy"},
		{name: "avatar_url", kind: picture, hide: "avatar_privacy"},
		{name: "banner", kind: picture, hide: "banner_privacy"},
		{name: "color"},
		{name: "created", kind: instant},
		{name: "webhook_url", kind: webhook},
	},
	privacy: []string{"name_privacy", "avatar_privacy", "description_privacy", "banner_privacy", "pronoun_privacy",
		"member_list_privacy", "group_list_privacy", "front_privacy", "front_history_privacy"},
}.prepare("e.snapshot_id IS NOT NULL OR e.observed_id IS NOT NULL")

var memberShape = shape{
	parts: []part{
		{name: "id", kind: shortID},
		{name: "uuid"},
		{name: "system", kind: systemID},
		{name: "name", kind: name, hide: "name_privacy"},
		{name: "display_name", kind: displayName, hide: "name_privacy"},
		{name: "color"},
		{name: "birthday", hide: "birthday_privacy"},
		{name: "pronouns", hide: "pronoun_privacy"},
		{name: "avatar_url", kind: picture, hide: "avatar_privacy"},
		{name: "webhook_avatar_url", kind: picture, hide: "avatar_privacy"},
		{name: "banner", kind: picture, hide: "banner_privacy"},
		{name: "description", hide: "description_privacy"},
		{name: "created", kind: instant, hide: "metadata_privacy"},
		{name: "keep_proxy", kind: flag, unknown: "false"},
		{name: "tts", kind: flag, unknown: "false"},
		{name: "autoproxy_enabled", kind: ownFlag, unknown: "true"},
		{name: "message_count", kind: number, hide: "metadata_privacy", unknown: "0"},
		{name: "last_message_timestamp", kind: instant, hide: "metadata_privacy"},
		{name: "proxy_tags", kind: tags, hide: "proxy_privacy", unknown: "[]"},
	},
	privacy: []string{"visibility", "name_privacy", "description_privacy", "banner_privacy", "birthday_privacy",
		"pronoun_privacy", "avatar_privacy", "metadata_privacy", "proxy_privacy"},
}.prepare("e.snapshot_id IS NOT NULL OR e.observed_id IS NOT NULL")

var groupShape = shape{
	parts: []part{
		{name: "id", kind: shortID},
		{name: "uuid"},
		{name: "name", kind: name, hide: "name_privacy"},
		{name: "system", kind: systemID},
		{name: "display_name", kind: displayName, hide: "name_privacy"},
		{name: "description", hide: "description_privacy"},
		{name: "icon", kind: picture, hide: "icon_privacy"},
		{name: "banner", kind: picture, hide: "banner_privacy"},
		{name: "color"},
		{name: "created", kind: instant, hide: "metadata_privacy"},
		{name: "members", kind: groupList},
	},
	privacy: []string{"name_privacy", "description_privacy", "banner_privacy", "icon_privacy", "list_privacy",
		"metadata_privacy", "visibility"},
}.prepare("e.observed_id IS NOT NULL")

// settingsShape is what PluralKit's gateway answers: it has no
// card_show_color_hex, and the default of a name format that is not set.
var settingsShape = shape{
	parts: []part{
		{name: "timezone", unknown: `"UTC"`},
		{name: "pings_enabled", kind: flag, unknown: "true"},
		{name: "latch_timeout", kind: number},
		{name: "member_default_private", kind: flag, unknown: "false"},
		{name: "group_default_private", kind: flag, unknown: "false"},
		{name: "show_private_info", kind: flag, unknown: "true"},
		{name: "member_limit", kind: number, unknown: "1000"},
		{name: "group_limit", kind: number, unknown: "250"},
		{name: "case_sensitive_proxy_tags", kind: flag, unknown: "true"},
		{name: "proxy_error_message_enabled", kind: flag, unknown: "true"},
		{name: "hid_display_split", kind: flag, unknown: "false"},
		{name: "hid_display_caps", kind: flag, unknown: "false"},
		{name: "hid_list_padding", unknown: `"off"`},
		{name: "proxy_switch", unknown: `"off"`},
		{name: "name_format", unknown: `"{name} {tag}"`},
		{name: "description_templates", kind: list, unknown: "[]"},
	},
}.prepare("")

// publicSettingsShape is what others are shown of the settings.
var publicSettingsShape = settingsShape.only("pings_enabled", "latch_timeout", "case_sensitive_proxy_tags",
	"proxy_error_message_enabled", "hid_display_split", "hid_display_caps", "hid_list_padding", "proxy_switch",
	"name_format")

var systemGuildShape = shape{
	parts: []part{
		{name: "proxying_enabled", kind: flag, unknown: "true"},
		{name: "tag"},
		{name: "tag_enabled", kind: flag, unknown: "true"},
		{name: "avatar_url"},
		{name: "display_name"},
		{name: "name_format"},
	},
}.prepare("")

var memberGuildShape = shape{
	parts: []part{
		{name: "display_name"},
		{name: "avatar_url"},
		{name: "keep_proxy", kind: flag},
	},
}.prepare("")

// only is the shape with fewer members.
func (s *shape) only(names ...string) *shape {
	var fewer shape
	for _, n := range names {
		for _, p := range s.parts {
			if p.name == n {
				fewer.parts = append(fewer.parts, p)
			}
		}
	}
	return fewer.prepare("")
}

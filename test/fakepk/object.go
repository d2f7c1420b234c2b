package fakepk

import (
	"strings"
	"time"
)

// systemObject is a system as its owner or anybody else sees it.
func systemObject(s *System, owner bool) object {
	f := view{s.fields, owner}
	o := object{
		{"id", s.hid}, {"uuid", s.uuid}, {"name", f.get("name", "name_privacy")},
		{"description", f.get("description", "description_privacy")}, {"tag", s.fields["tag"]},
		{"pronouns", f.get("pronouns", "pronoun_privacy")}, {"avatar_url", f.image("avatar_url", "avatar_privacy")},
		{"banner", f.image("banner", "banner_privacy")}, {"color", s.fields["color"]}, {"created", s.created},
	}
	if owner {
		var webhook any
		if s.webhook != "" {
			webhook = s.webhook
		}
		o.put("webhook_url", webhook)
	}
	return append(o, f.privacy(systemPrivacy))
}

// memberObject is a member; in a message it has no system, so s is nil there.
func memberObject(m *member, s *System, owner bool) object {
	f := view{m.fields, owner}
	o := object{{"id", m.hid}, {"uuid", m.uuid}}
	if s != nil {
		o.put("system", s.hid)
	}
	o = append(o, f.names()...)
	var created, count, last, autoproxy any
	if f.sees("metadata_privacy") {
		created, count = m.created, m.messages
		last = orNoTime(m.lastMessage)
	}
	if owner {
		autoproxy = m.fields[autoproxyEnabled]
	}
	tags := []ProxyTag{}
	if f.sees("proxy_privacy") {
		tags = m.fields["proxy_tags"].([]ProxyTag)
	}
	return append(o,
		pair{"color", m.fields["color"]},
		pair{"birthday", f.get("birthday", "birthday_privacy")},
		pair{"pronouns", f.get("pronouns", "pronoun_privacy")},
		pair{"avatar_url", f.image("avatar_url", "avatar_privacy")},
		pair{"webhook_avatar_url", f.image("webhook_avatar_url", "avatar_privacy")},
		pair{"banner", f.image("banner", "banner_privacy")},
		pair{"description", f.get("description", "description_privacy")},
		pair{"created", created},
		pair{"keep_proxy", m.fields["keep_proxy"]},
		pair{"tts", m.fields["tts"]},
		pair{autoproxyEnabled, autoproxy},
		pair{"message_count", count},
		pair{"last_message_timestamp", last},
		pair{"proxy_tags", tags},
		f.privacy(memberObjectPrivacy),
	)
}

// groupObject is a group; members is nil unless they were asked for.
func groupObject(g *group, s *System, members []string, owner bool) object {
	f := view{g.fields, owner}
	names := f.names()
	var created any
	if f.sees("metadata_privacy") {
		created = g.created
	}
	o := object{
		{"id", g.hid}, {"uuid", g.uuid}, names[0], {"system", s.hid}, names[1],
		{"description", f.get("description", "description_privacy")}, {"icon", f.image("icon", "icon_privacy")},
		{"banner", f.image("banner", "banner_privacy")}, {"color", g.fields["color"]}, {"created", created},
	}
	if members != nil {
		o.put("members", members)
	}
	return append(o, f.privacy(groupPrivacy))
}

// groupMembers are the uuids of those in a group whom the viewer may see, in heap order; never nil.
func groupMembers(s *System, g *group, owner bool) []string {
	list := []string{}
	if !owner && g.fields.private("list_privacy") {
		return list
	}
	for _, l := range s.links {
		if l.group == g && (owner || !l.member.fields.private("visibility")) {
			list = append(list, l.member.uuid)
		}
	}
	return list
}

// settingsObject is what the gateway answers: no card_show_color_hex, and the default for a name format that is not
// set. Others see nine keys.
func settingsObject(f Fields, owner bool) object {
	order := []string{"timezone", "pings_enabled", "latch_timeout", "member_default_private", "group_default_private",
		"show_private_info", "member_limit", "group_limit", "case_sensitive_proxy_tags", "proxy_error_message_enabled",
		"hid_display_split", "hid_display_caps", "hid_list_padding", "proxy_switch", "name_format", "description_templates"}
	if !owner {
		order = []string{"pings_enabled", "latch_timeout", "case_sensitive_proxy_tags", "proxy_error_message_enabled",
			"hid_display_split", "hid_display_caps", "hid_list_padding", "proxy_switch", "name_format"}
	}
	f = f.clone()
	if f["name_format"] == nil {
		f["name_format"] = "{name} {tag}"
	}
	return inOrder(order, f)
}

func systemGuildObject(f Fields) object { return patch(systemGuildColumns, nil, f) }
func memberGuildObject(f Fields) object { return patch(memberGuildColumns, nil, f) }

// autoproxyObject names the member by short id, and never in front mode.
func autoproxyObject(a *autoproxySetting) object {
	if a == nil {
		a = &autoproxySetting{mode: "off"}
	}
	var member any
	if a.member != nil && a.mode != "front" {
		member = a.member.hid
	}
	return object{{"autoproxy_mode", a.mode}, {"autoproxy_member", member}, {"last_latch_timestamp", orNoTime(a.latched)}}
}

// messageObject has the shape of the event; both snapshots are null when the member is gone.
func messageObject(m *message, owner bool) object {
	var system, member any
	if m.system != nil {
		system, member = systemObject(m.system, owner), memberObject(m.member, nil, owner)
	}
	return append(m.head(), pair{"system", system}, pair{"member", member})
}

func orNoTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// A view is an entity's fields as somebody sees them.
type view struct {
	fields Fields
	owner  bool
}

func (v view) sees(privacyKey string) bool { return v.owner || !v.fields.private(privacyKey) }

func (v view) get(key, privacyKey string) any {
	if !v.sees(privacyKey) {
		return nil
	}
	return v.fields[key]
}

// names hides a private name behind the display name, when there is one.
func (v view) names() object {
	name, display := v.fields["name"], v.fields["display_name"]
	if !v.sees("name_privacy") {
		if display != nil {
			name = display
		}
		display = nil
	}
	return object{{"name", name}, {"display_name", display}}
}

const (
	mediaProxy = "https://media.discordapp.net/attachments/"
	mediaCDN   = "https://cdn.discordapp.com/attachments/"
)

// image is an address as the API shows it: Discord's media proxy is taken off, with its query. Update events carry
// what is stored.
func (v view) image(key, privacyKey string) any {
	u, ok := v.get(key, privacyKey).(string)
	if !ok {
		return nil
	}
	if rest, ok := strings.CutPrefix(u, mediaProxy); ok {
		rest, _, _ = strings.Cut(rest, "?")
		return mediaCDN + rest
	}
	return u
}

// privacy is null for all but the owner.
func (v view) privacy(order []string) pair {
	if !v.owner {
		return pair{"privacy", nil}
	}
	return pair{"privacy", inOrder(order, v.fields["privacy"].(Fields))}
}

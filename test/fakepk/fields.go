package fakepk

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"
)

// Fields are values by PluralKit's own key: what a user sets in an edit, or what an entity is. Values are string, bool,
// int, nil (cleared), []ProxyTag, []string, and under "privacy" Fields of "public" or "private". A key that is absent
// is left as it was.
type Fields map[string]any

// A ProxyTag goes around a message. Both nil is allowed by PluralKit's API, so it is here.
type ProxyTag struct {
	Prefix *string `json:"prefix"`
	Suffix *string `json:"suffix"`
}

// Tag makes a ProxyTag; an empty string is none.
func Tag(prefix, suffix string) ProxyTag {
	var t ProxyTag
	if prefix != "" {
		t.Prefix = &prefix
	}
	if suffix != "" {
		t.Suffix = &suffix
	}
	return t
}

// A column is a key that an edit may carry and what may stand there. The order of columns in a table is the order in
// which a dispatch event carries them.
type column struct {
	name  string
	check func(v any) (any, bool)
}

var (
	systemPrivacy = []string{"name_privacy", "avatar_privacy", "description_privacy", "banner_privacy", "pronoun_privacy",
		"member_list_privacy", "group_list_privacy", "front_privacy", "front_history_privacy"}
	memberPrivacy = []string{"visibility", "name_privacy", "description_privacy", "banner_privacy", "pronoun_privacy",
		"birthday_privacy", "avatar_privacy", "proxy_privacy", "metadata_privacy"}
	// The whole member object has another order than its patch.
	memberObjectPrivacy = []string{"visibility", "name_privacy", "description_privacy", "banner_privacy", "birthday_privacy",
		"pronoun_privacy", "avatar_privacy", "metadata_privacy", "proxy_privacy"}
	groupPrivacy = []string{"name_privacy", "description_privacy", "banner_privacy", "icon_privacy", "list_privacy",
		"metadata_privacy", "visibility"}
)

var systemColumns = []column{
	{"name", optional(text(100))}, {"id", hidText}, {"description", optional(text(1000))}, {"tag", optional(text(79))},
	{"pronouns", optional(text(100))}, {"avatar_url", optional(link)}, {"banner", optional(link)}, {"color", optional(color)},
	{"privacy", privacy(systemPrivacy)},
}

var settingsColumns = []column{
	{"timezone", text(100)}, {"pings_enabled", boolean}, {"latch_timeout", optional(number)},
	{"member_default_private", boolean}, {"group_default_private", boolean}, {"show_private_info", boolean},
	{"member_limit", number}, {"group_limit", number}, {"description_templates", templates},
	{"case_sensitive_proxy_tags", boolean}, {"proxy_error_message_enabled", boolean}, {"hid_display_split", boolean},
	{"hid_display_caps", boolean}, {"hid_list_padding", oneOf("off", "left", "right")}, {"card_show_color_hex", boolean},
	{"proxy_switch", oneOf("off", "new", "add")}, {"name_format", optional(text(256))},
}

var memberColumns = []column{
	{"name", text(100)}, {"id", hidText}, {"display_name", optional(text(100))}, {"avatar_url", optional(link)},
	{"webhook_avatar_url", optional(link)}, {"banner", optional(link)}, {"color", optional(color)},
	{"birthday", optional(date)}, {"pronouns", optional(text(100))}, {"description", optional(text(1000))},
	{"proxy_tags", proxyTags}, {"keep_proxy", boolean}, {"tts", boolean}, {"privacy", privacy(memberPrivacy)},
	{autoproxyEnabled, boolean},
}

// autoproxyEnabled is a key that can be edited and is never dispatched.
const autoproxyEnabled = "autoproxy_enabled"

var groupColumns = []column{
	{"name", text(100)}, {"id", hidText}, {"display_name", optional(text(100))}, {"description", optional(text(1000))},
	{"icon", optional(link)}, {"banner", optional(link)}, {"color", optional(color)}, {"privacy", privacy(groupPrivacy)},
}

var systemGuildColumns = []column{
	{"proxying_enabled", boolean}, {"tag", optional(text(79))}, {"tag_enabled", boolean}, {"avatar_url", optional(link)},
	{"display_name", optional(text(100))}, {"name_format", optional(text(256))},
}

var memberGuildColumns = []column{
	{"display_name", optional(text(100))}, {"avatar_url", optional(link)}, {"keep_proxy", optional(boolean)},
}

// check returns what will be stored for in, or PluralKit's refusal. It copies.
func check(columns []column, in Fields) (Fields, error) {
	out := Fields{}
	for _, c := range columns {
		v, ok := in[c.name]
		if !ok {
			continue
		}
		stored, ok := c.check(v)
		if !ok {
			return nil, refused(400, 40001, fmt.Sprintf("Error parsing JSON model: %s cannot be %v", c.name, v))
		}
		out[c.name] = stored
	}
	for name := range in {
		if _, ok := out[name]; !ok {
			return nil, refused(400, 40001, fmt.Sprintf("Error parsing JSON model: no field %q", name))
		}
	}
	return out, nil
}

// patch is the data of an UPDATE event: the keys of f in order, privacy in the order of its table.
func patch(columns []column, privacyOrder []string, f Fields) object {
	o := object{}
	for _, c := range columns {
		v, ok := f[c.name]
		switch {
		case !ok || c.name == autoproxyEnabled:
		case c.name == "privacy":
			if p := inOrder(privacyOrder, v.(Fields)); len(p) > 0 {
				o.put("privacy", p)
			}
		default:
			o.put(c.name, v)
		}
	}
	return o
}

// inOrder is f as an object with the keys of order that it has.
func inOrder(order []string, f Fields) object {
	o := object{}
	for _, k := range order {
		if v, ok := f[k]; ok {
			o.put(k, v)
		}
	}
	return o
}

// merge sets what p carries.
func (f Fields) merge(p Fields) {
	for k, v := range p {
		if more, ok := v.(Fields); ok {
			have, _ := f[k].(Fields)
			have = maps.Clone(have)
			if have == nil {
				have = Fields{}
			}
			maps.Copy(have, more)
			v = have
		}
		f[k] = v
	}
}

func (f Fields) clone() Fields {
	c := Fields{}
	c.merge(f)
	return c
}

// private reports whether the entity hides what the given privacy key covers.
func (f Fields) private(key string) bool {
	p, _ := f["privacy"].(Fields)
	return p[key] == "private"
}

// all is every privacy key at one level.
func all(order []string, level string) Fields {
	f := Fields{}
	for _, k := range order {
		f[k] = level
	}
	return f
}

func optional(check func(any) (any, bool)) func(any) (any, bool) {
	return func(v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		return check(v)
	}
}

// text counts in UTF-16 units, as C# does.
func text(limit int) func(any) (any, bool) {
	return func(v any) (any, bool) {
		s, ok := v.(string)
		return s, ok && s != "" && len(utf16.Encode([]rune(s))) <= limit
	}
}

func link(v any) (any, bool) {
	s, ok := v.(string)
	return s, ok && strings.HasPrefix(s, "https://") && len(s) <= 256
}

var (
	colorForm = regexp.MustCompile(`^[0-9a-fA-F]{6}$`)
	hidForm   = regexp.MustCompile(`^[a-z]{5,6}$`)
)

func color(v any) (any, bool) {
	s, ok := v.(string)
	return strings.ToLower(s), ok && colorForm.MatchString(s)
}

func hidText(v any) (any, bool) {
	s, ok := v.(string)
	return s, ok && hidForm.MatchString(s)
}

func date(v any) (any, bool) {
	s, ok := v.(string)
	_, err := time.Parse(time.DateOnly, s)
	return s, ok && err == nil
}

func boolean(v any) (any, bool) {
	b, ok := v.(bool)
	return b, ok
}

func number(v any) (any, bool) {
	n, ok := v.(int)
	return n, ok && n >= 0
}

func oneOf(values ...string) func(any) (any, bool) {
	return func(v any) (any, bool) {
		for _, s := range values {
			if s == v {
				return s, true
			}
		}
		return nil, false
	}
}

func templates(v any) (any, bool) {
	list, ok := v.([]string)
	return append([]string{}, list...), ok && len(list) <= 3
}

// proxyTags keeps the whole new list; an empty prefix or suffix becomes null.
func proxyTags(v any) (any, bool) {
	list, ok := v.([]ProxyTag)
	if !ok || len(list) > 100 {
		return nil, false
	}
	out := make([]ProxyTag, 0, len(list))
	for _, t := range list {
		prefix, suffix := deref(t.Prefix), deref(t.Suffix)
		if len([]rune(prefix+"text"+suffix)) > 100 {
			return nil, false
		}
		out = append(out, Tag(prefix, suffix))
	}
	return out, true
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func privacy(order []string) func(any) (any, bool) {
	return func(v any) (any, bool) {
		f, ok := v.(Fields)
		if !ok || len(inOrder(order, f)) != len(f) {
			return nil, false
		}
		for _, level := range f {
			if level != "public" && level != "private" {
				return nil, false
			}
		}
		return maps.Clone(f), true
	}
}

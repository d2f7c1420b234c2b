package deliver

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"switchlog/schemas"
)

// embed is Discord's embed object, as much of it as we use.
type embed struct {
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Color       int          `json:"color"`
	Fields      []embedField `json:"fields,omitempty"`
	Thumbnail   *embedImage  `json:"thumbnail,omitempty"`
	Footer      *embedFooter `json:"footer,omitempty"`
	Timestamp   string       `json:"timestamp,omitempty"`
}

type embedField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type embedImage struct {
	URL string `json:"url"`
}

type embedFooter struct {
	Text string `json:"text"`
}

// Colours. All but the last are those StellarStack shows.
const (
	green  = 0x00ff00
	red    = 0xff0000
	yellow = 0xffff00
	blue   = 0x0099ff
	grey   = 0x95a5a6 // nobody fronts
)

const bell = "\U0001F514 "

func embedOf(v *values) embed {
	e := embed{Footer: &embedFooter{"switchlog"}}
	if !v.d.Event.Time.IsZero() {
		e.Timestamp = schemas.FormatTime(v.d.Event.Time)
	}
	switch {
	case v.d.Kind == schemas.DeliveryTest:
		e.Title, e.Color = bell+"Test", blue
		e.Description = testText
	case v.after != nil || v.before != nil:
		frontEmbed(&e, v)
	case v.change != nil:
		changeEmbed(&e, v)
	default:
		eventEmbed(&e, v)
	}
	return e
}

// frontEmbed says who fronts now, in the colours of the first of them.
func frontEmbed(e *embed, v *values) {
	now, was := v.front(), v.frontBefore()
	e.Title, e.Color = "Switched out", grey
	if len(now) > 0 {
		e.Title, e.Color = markdown(names(now)), blue
		if c, ok := color(now[0].color); ok {
			e.Color = c
		}
		if isImageURL(now[0].avatar) {
			e.Thumbnail = &embedImage{now[0].avatar}
		}
	}
	if v.before != nil {
		e.Description = side(was) + " → **" + side(now) + "**"
	}
}

// side is one side of "A → B".
func side(list []person) string {
	if len(list) == 0 {
		return nobody
	}
	return markdown(names(list))
}

// changeEmbed lists what is different.
func changeEmbed(e *embed, v *values) {
	e.Title, e.Color = bell+titleOf(v.d.Event.Route.EventName()), colorOf(v.d.Event.Route.EventName())
	e.Description = markdown(v.entityName())
	before, _ := decode(v.change.Before).(map[string]any)
	after, _ := decode(v.change.After).(map[string]any)
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		was, is := scalar(before[k]), scalar(after[k])
		if was == is || k == "uuid" {
			continue
		}
		e.Fields = append(e.Fields, embedField{markdown(capital(k)), dash(was) + " → " + dash(is), false})
	}
}

func dash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "–"
	}
	return markdown(cut16(s, maxDiscordValue/2-8))
}

// eventEmbed shows any other event as StellarStack shows its own: the name, and
// a field for each plain value in the data.
func eventEmbed(e *embed, v *values) {
	name := v.d.Event.Route.EventName()
	e.Title, e.Color = bell+titleOf(name), colorOf(name)
	data, _ := v.data.(map[string]any)
	if server, ok := data["server"].(map[string]any); ok {
		e.add("Server", server["name"])
		e.add("Status", server["status"])
	}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if k != "event" && k != "timestamp" {
			e.add(capital(k), data[k])
		}
	}
	if inner, ok := data["data"].(map[string]any); ok {
		for _, k := range slices.Sorted(maps.Keys(inner)) {
			e.add(capital(k), inner[k])
		}
	}
	if len(e.Fields) == 0 {
		e.Description = markdown(v.d.Event.Type)
	}
}

// add shows a plain value that is not empty.
func (e *embed) add(name string, value any) {
	switch value.(type) {
	case nil, map[string]any, []any:
		return
	}
	if s := strings.TrimSpace(scalar(value)); s != "" {
		e.Fields = append(e.Fields, embedField{markdown(name), markdown(s), true})
	}
}

// titleOf makes "Server Auto_shutdown" of server.auto_shutdown.
func titleOf(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = capital(part)
	}
	return markdown(strings.Join(parts, " "))
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// colorOf is StellarStack's choice, by what the name contains, and for our own
// verbs the same.
func colorOf(name string) int {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case has("started", "created", "completed", ".create"):
		return green
	case has("stopped", "deleted", "failed", ".delete"):
		return red
	case has("warning"):
		return yellow
	}
	return blue
}

// color reads a colour as PluralKit has it: six hex digits.
func color(hex string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 24)
	return int(n), err == nil && len(strings.TrimPrefix(hex, "#")) == 6
}

// testText is what a trial says.
const testText = "This is a test. If you can read it, this webhook works."

package pluralkit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// groupFields are what is compared of a group: its members too.
var groupFields = append(slices.Clone(schemas.PKGroupObjectFields), schemas.Field{Name: "members", Kind: schemas.List})

// unsaidFields are those of which webhooks tell nothing, or only by chance in
// the snapshot of a message.
var unsaidFields = map[string]bool{"id": true, "created": true, "autoproxy_enabled": true, "message_count": true,
	"last_message_timestamp": true, "members": true}

// imageFields may hold an address of Discord's media proxy. The API shows such
// a one as it is behind the proxy; webhooks carry it as it was given.
var imageFields = map[string]bool{"avatar_url": true, "webhook_avatar_url": true, "banner": true, "icon": true}

const (
	mediaProxy = "https://media.discordapp.net/attachments/"
	mediaCDN   = "https://cdn.discordapp.com/attachments/"

	// defaultNameFormat is what the API shows for a name_format that is not set.
	defaultNameFormat = "{name} {tag}"
)

// tidy is an object as an observation carries it: less what the owner's view
// repeats, times in microseconds.
func tidy(o schemas.Object, fields []schemas.Field) schemas.Object {
	t := maps.Clone(o)
	delete(t, "system")
	for _, f := range fields {
		raw, ok := t[f.Name]
		if f.Kind != schemas.Time || !ok || isNull(raw) {
			continue
		}
		if us, ok := micros(raw); ok {
			t[f.Name] = text(schemas.FormatTime(time.UnixMicro(us)))
		}
	}
	return t
}

func tidyGroup(g Group) schemas.Object {
	t := tidy(g.JSON, schemas.PKGroupObjectFields)
	members := slices.Clone(g.Members)
	slices.Sort(members)
	t["members"] = marshal(slices.Compact(members))
	return t
}

// marshal is for what is JSON in any case.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("pluralkit: no JSON: " + err.Error())
	}
	return b
}

func text(s string) json.RawMessage { return marshal(s) }

// differing names the fields of which PluralKit says something else than we
// hold. What it does not say is unknown, and not different.
func differing(said, held schemas.Object, fields []schemas.Field) []string {
	var names []string
	saidIn, heldIn := inner(said), inner(held)
	for _, f := range fields {
		from, to := said, held
		if f.In != "" {
			from, to = saidIn, heldIn
		}
		if raw, told := from[f.Name]; told && !same(f, raw, to[f.Name]) {
			names = append(names, f.Name)
		}
	}
	return names
}

// inner is the one object there is in an object.
func inner(o schemas.Object) schemas.Object {
	var in schemas.Object
	if raw, ok := o["privacy"]; ok {
		_ = json.Unmarshal(raw, &in) // what is no object has no members
	}
	return in
}

// same reports whether two values mean the same; absent is null.
func same(f schemas.Field, said, held json.RawMessage) bool {
	if f.Name == "name_format" {
		said, held = orDefault(said), orDefault(held)
	}
	switch a, b := said == nil || isNull(said), held == nil || isNull(held); {
	case a || b:
		return a == b
	case bytes.Equal(said, held):
		return true
	}
	if f.Kind == schemas.Time {
		a, okA := micros(said)
		b, okB := micros(held)
		return okA && okB && a == b
	}
	var a, b any
	if json.Unmarshal(said, &a) != nil || json.Unmarshal(held, &b) != nil {
		return false
	}
	if imageFields[f.Name] {
		a, b = image(a), image(b)
	}
	return reflect.DeepEqual(a, b)
}

func orDefault(raw json.RawMessage) json.RawMessage {
	if raw == nil || isNull(raw) {
		return text(defaultNameFormat)
	}
	return raw
}

// image is an address as the API shows it.
func image(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if rest, proxied := strings.CutPrefix(s, mediaProxy); proxied {
		rest, _, _ = strings.Cut(rest, "?")
		return mediaCDN + rest
	}
	return s
}

func micros(raw json.RawMessage) (int64, bool) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return 0, false
	}
	us, err := schemas.ParseTime(s)
	return us, err == nil
}

// findingOf says what it means that these fields are different: only what no
// webhook tells, only what was not known, or more.
func findingOf(names []string, held schemas.Object) finding {
	in := inner(held)
	told, known := false, false
	for _, name := range names {
		told = told || !unsaidFields[name]
		raw := held[name]
		if raw == nil {
			raw = in[name]
		}
		known = known || raw != nil && !isNull(raw)
	}
	switch {
	case !told:
		return unsaid
	case !known:
		return missing
	}
	return wrong
}

func joined(names []string) string { return strings.Join(names, ", ") }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

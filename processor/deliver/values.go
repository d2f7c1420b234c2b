package deliver

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"switchlog/schemas"
)

// dataPrefix begins the name of any value in the event's data:
// data.after.members.0.name.
const dataPrefix = "data."

// value is something of a delivery that a template or a variable may name.
type value struct {
	name string
	of   func(*values) string
}

// named are the values with a name of their own, in the order they are shown.
var named = []value{
	{"event", func(v *values) string { return v.d.Event.Route.EventName() }},
	{"type", func(v *values) string { return v.d.Event.Type }},
	{"id", func(v *values) string { return v.d.Event.ID }},
	{"message", func(v *values) string { return v.d.MessageID }},
	{"source", func(v *values) string { return v.d.Event.Route.Source }},
	{"tenant", func(v *values) string { return v.d.Event.Route.Tenant }},
	{"subject", func(v *values) string { return v.d.Event.Subject }},
	{"time", func(v *values) string { return schemas.FormatTime(v.d.Event.Time) }},
	{"name", (*values).entityName},
	{"front.names", func(v *values) string { return names(v.front()) }},
	{"front.before", func(v *values) string { return names(v.frontBefore()) }},
	{"front.first", func(v *values) string { return first(v.front()).name }},
	{"front.pronouns", func(v *values) string { return first(v.front()).pronouns }},
	{"front.color", func(v *values) string { return first(v.front()).color }},
	{"front.avatar", func(v *values) string { return first(v.front()).avatar }},
	{"front.count", func(v *values) string {
		if v.change == nil || v.d.Event.Type != schemas.FrontChanged {
			return ""
		}
		return strconv.Itoa(len(v.front()))
	}},
	{"front.since", func(v *values) string {
		if v.after == nil {
			return ""
		}
		return v.after.Since
	}},
}

// isValueName reports whether a template or variable may use a name.
func isValueName(name string) bool {
	if path, ok := strings.CutPrefix(name, dataPrefix); ok {
		return path != "" && !slices.Contains(strings.Split(path, "."), "")
	}
	return slices.ContainsFunc(named, func(v value) bool { return v.name == name })
}

// valueNames is the list for people.
func valueNames() string {
	var list []string
	for _, v := range named {
		list = append(list, v.name)
	}
	return strings.Join(append(list, dataPrefix+"…"), ", ")
}

// values reads a delivery's event, once, for whoever makes text of it.
type values struct {
	d      *schemas.Delivery
	data   any             // decoded; numbers are json.Number
	change *schemas.Change // nil: it is none
	before *schemas.Front  // of a front.changed
	after  *schemas.Front
}

func valuesOf(d *schemas.Delivery) *values {
	v := &values{d: d}
	if len(d.Event.Data) == 0 {
		return v
	}
	v.data = decode(d.Event.Data)
	if d.Event.Route.Verb != "changed" || !strings.HasPrefix(d.Event.Type, "switchlog.") {
		return v
	}
	c, err := schemas.Decode[schemas.Change](d.Event)
	if err != nil {
		return v // shown as any event is
	}
	v.change = &c
	if d.Event.Type == schemas.FrontChanged {
		v.before, v.after = front(c.Before), front(c.After)
	}
	return v
}

func decode(raw json.RawMessage) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil // binary or no JSON: there are no values in it
	}
	return v
}

func front(raw json.RawMessage) *schemas.Front {
	var f *schemas.Front
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil
	}
	return f
}

// get is the value of a name; empty if the event has none.
func (v *values) get(name string) string {
	if path, ok := strings.CutPrefix(name, dataPrefix); ok {
		return scalar(walk(v.data, strings.Split(path, ".")))
	}
	for _, n := range named {
		if n.name == name {
			return n.of(v)
		}
	}
	return ""
}

// walk follows a path into decoded JSON; nil if it leads nowhere.
func walk(at any, path []string) any {
	for _, step := range path {
		switch x := at.(type) {
		case map[string]any:
			at = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			at = x[i]
		default:
			return nil
		}
	}
	return at
}

// scalar writes a value as text; objects and lists as JSON.
func scalar(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic("deliver: decoded JSON that is no JSON: " + err.Error())
	}
	return string(b)
}

// person is a fronter as people are told of them.
type person struct{ name, pronouns, color, avatar string }

func (v *values) front() []person       { return people(v.after) }
func (v *values) frontBefore() []person { return people(v.before) }

func people(f *schemas.Front) []person {
	if f == nil {
		return nil
	}
	list := make([]person, 0, len(f.Members))
	for _, m := range f.Members {
		p := person{pronouns: text(m.Pronouns), color: text(m.Color), avatar: text(m.AvatarURL)}
		p.name = strings.TrimSpace(text(m.DisplayName))
		if p.name == "" {
			p.name = strings.TrimSpace(text(m.Name))
		}
		if p.name == "" {
			p.name = unknownName
		}
		list = append(list, p)
	}
	return list
}

// unknownName stands for a member whose name we do not know.
const unknownName = "(unknown)"

// nobody is how an empty front is called.
const nobody = "nobody"

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func first(list []person) person {
	if len(list) == 0 {
		return person{}
	}
	return list[0]
}

func names(list []person) string {
	all := make([]string, 0, len(list))
	for _, p := range list {
		all = append(all, p.name)
	}
	return strings.Join(all, ", ")
}

// entityName is the best name there is in the data for what it is about.
func (v *values) entityName() string {
	for _, path := range []string{"after.display_name", "after.name", "before.display_name", "before.name",
		"display_name", "name", "server.name"} {
		if s := scalar(walk(v.data, strings.Split(path, "."))); s != "" {
			return s
		}
	}
	return ""
}

package mirror

import (
	"slices"
	"strconv"
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// kind is what a member of an object is made of.
type kind int

const (
	text      kind = iota // a string
	picture               // the address of an image
	instant               // microseconds
	flag                  // true or false
	number                // a whole number
	tags                  // proxy tags, kept as JSON
	list                  // a list of strings, kept as JSON
	shortID               // the short id, or the uuid until that is known
	systemID              // of the system it belongs to
	webhook               // webhook_url, which only an owner is shown, and we have not: null
	groupList             // the members of a group, when asked for
)

// A part is one member of an object. Who may see it is the field's to say.
type part struct {
	name  string
	kind  kind
	field schemas.ObjectField // zero: all see it

	column int // in the row; -1: it has none
	guard  int // the column of the field's privacy setting; -1: it has none
}

// A shape is an object of PluralKit's: its members in order.
type shape struct {
	parts   []part
	privacy []string // settings in the member "privacy", which is the last; nil: there is none

	columns  string // of a SELECT, with the alias e: the parts and the privacy settings
	width    int    // how many columns there are
	settings int    // the column of the first privacy setting
	uuid     int    // the column of the uuid
	display  int    // the column of the display name
	created  int    // the column of when it was made: only a whole object says it
}

// prepare finds out what to select, and where it then is.
func (s shape) prepare() *shape {
	var columns []string
	s.uuid, s.display, s.created = -1, -1, -1
	add := func(sql string) int {
		columns = append(columns, sql)
		return len(columns) - 1
	}
	for i := range s.parts {
		p := &s.parts[i]
		p.column, p.guard = -1, -1
		switch p.kind {
		case systemID, webhook, groupList:
			continue
		case instant:
			p.column = add("e." + p.name + "_us")
		default:
			p.column = add("e." + p.name)
		}
		switch p.name {
		case "uuid":
			s.uuid = p.column
		case "display_name":
			s.display = p.column
		case "created":
			s.created = p.column
		}
	}
	s.settings = len(columns)
	for _, setting := range s.privacy {
		add("e." + setting)
	}
	for i := range s.parts {
		if guard := s.parts[i].field.Guard; guard != "" {
			s.parts[i].guard = s.setting(guard)
		}
	}
	s.columns, s.width = strings.Join(columns, ", "), len(columns)
	return &s
}

// setting is the column of a privacy setting.
func (s *shape) setting(name string) int {
	i := slices.Index(s.privacy, name)
	if i < 0 {
		panic("mirror: no privacy setting " + name)
	}
	return s.settings + i
}

// eyes are whose the view is, and what is not in the row.
type eyes struct {
	owner   bool
	system  string   // short id of the system; empty: the object is without
	members []string // of the group; nil: the object is without
}

// open reports whether all may see what a privacy setting guards.
func (s *shape) open(r engine.Row, setting string) bool {
	return schemas.IsPublic(r.Text(s.setting(setting)))
}

// append writes the object of a row.
func (s *shape) append(b []byte, r engine.Row, e eyes) []byte {
	b = append(b, '{')
	for i := range s.parts {
		b = s.appendPart(b, &s.parts[i], r, e)
	}
	switch {
	case s.privacy == nil:
		return append(b, '}')
	case !e.owner:
		return append(b, `,"privacy":null}`...)
	}
	b = append(b, `,"privacy":{`...)
	for i, setting := range s.privacy {
		// Of one that is not known we say how we treat it.
		b = appendString(appendKey(b, setting), textOr(r, s.settings+i, "private"))
	}
	return append(b, '}', '}')
}

func (s *shape) appendPart(b []byte, p *part, r engine.Row, e eyes) []byte {
	switch p.kind {
	case systemID:
		if e.system == "" {
			return b
		}
		return appendString(appendKey(b, p.name), e.system)
	case webhook:
		if !e.owner {
			return b
		}
		return append(appendKey(b, p.name), "null"...)
	case groupList:
		if e.members == nil {
			return b
		}
		b = append(appendKey(b, p.name), '[')
		for i, uuid := range e.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, uuid)
		}
		return append(b, ']')
	}
	b = appendKey(b, p.name)
	shown := e.owner || p.field.ShowsOthers(p.guard >= 0 && schemas.IsPublic(r.Text(p.guard)))
	switch {
	case !shown && p.field.Stands:
		return appendString(b, schemas.PublicName(textOrNil(r, s.display), textOrNil(r, p.column), textOrNil(r, 0), r.Text(s.uuid), !r.Null(s.created)))
	case !shown:
		return append(b, jsonOr(p.field.Closed, "null")...)
	case r.Null(p.column) && p.kind == shortID:
		return appendString(b, r.Text(s.uuid))
	case r.Null(p.column):
		return append(b, jsonOr(p.field.Unknown, "null")...)
	}
	return appendColumn(b, p.kind, r, p.column)
}

func jsonOr(json, otherwise string) string {
	if json == "" {
		return otherwise
	}
	return json
}

func textOrNil(r engine.Row, i int) *string {
	if r.Null(i) {
		return nil
	}
	text := r.Text(i)
	return &text
}

// id is the short id, or the uuid until that is known: PluralKit takes both
// wherever it takes one.
func (s *shape) id(r engine.Row) string { return textOr(r, 0, r.Text(s.uuid)) }

func appendColumn(b []byte, k kind, r engine.Row, i int) []byte {
	switch k {
	case picture:
		return appendString(b, image(r.Text(i)))
	case instant:
		return appendInstant(b, r.Int(i))
	case flag:
		return strconv.AppendBool(b, r.Int(i) != 0)
	case number:
		return strconv.AppendInt(b, r.Int(i), 10)
	case tags:
		return appendTags(b, r.Text(i))
	case list:
		return appendStrings(b, r.Text(i))
	default:
		return appendString(b, r.Text(i))
	}
}

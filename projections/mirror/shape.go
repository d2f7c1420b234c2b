package mirror

import (
	"strconv"
	"strings"

	"switchlog/projections"
)

// kind is what a member of an object is made of.
type kind int

const (
	text        kind = iota // a string
	picture                 // the address of an image
	instant                 // microseconds
	flag                    // true or false
	ownFlag                 // the same, which only the owner is shown
	number                  // a whole number
	tags                    // proxy tags, kept as JSON
	list                    // a list of strings, kept as JSON
	shortID                 // the short id, or the uuid until that is known
	name                    // shown as the display name where it is private
	displayName             // the same, not shown then
	systemID                // of the system it belongs to
	webhook                 // webhook_url, which only an owner is shown, and we have not: null
	groupList               // the members of a group, when asked for
)

// A part is one member of an object.
type part struct {
	name    string
	kind    kind
	hide    string // the privacy field that hides it from all but the owner; empty: none does
	unknown string // JSON for what no event has told; empty: null

	column  int // in the row; -1: it has none
	privacy int // the column of hide; -1: none
}

// A shape is an object of PluralKit's: its members in order.
type shape struct {
	parts   []part
	privacy []string // fields of the member "privacy", which is the last; nil: there is none

	columns  string // of a SELECT, with the alias e: the parts, the privacy fields and what told of them
	versions int    // the column of versions; the one after it says whether the whole was ever seen
	uuid     int    // the column of the uuid
	display  int    // the column of the display name
}

// prepare finds out what to select, and where it then is. whole is SQL for
// whether the whole object was ever seen; empty, if the shape has no privacy.
func (s shape) prepare(whole string) *shape {
	var columns []string
	s.uuid, s.display = -1, -1
	add := func(sql string) int {
		columns = append(columns, sql)
		return len(columns) - 1
	}
	for i := range s.parts {
		p := &s.parts[i]
		p.column, p.privacy = -1, -1
		switch p.kind {
		case systemID, webhook, groupList:
			continue
		case instant:
			p.column = add("e." + p.name + "_us")
		default:
			p.column = add("e." + p.name)
		}
		switch {
		case p.name == "uuid":
			s.uuid = p.column
		case p.kind == displayName:
			s.display = p.column
		}
	}
	if s.privacy != nil {
		at := map[string]int{}
		for _, field := range s.privacy {
			at[field] = add("e." + field)
		}
		for i := range s.parts {
			if hide := s.parts[i].hide; hide != "" {
				s.parts[i].privacy = at[hide]
			}
		}
		s.versions = add("e.versions")
		add(whole)
	}
	s.columns = strings.Join(columns, ", ")
	return &s
}

// width is how many columns there are.
func (s *shape) width() int {
	if s.privacy == nil {
		return len(s.parts)
	}
	return s.versions + 2
}

// eyes are whose the view is, and what is not in the row.
type eyes struct {
	owner   bool
	system  string   // short id of the system; empty: the object is without
	members []string // of the group; nil: the object is without
}

// told reports whether an event told of a field.
func (s *shape) told(r projections.Row, field string) bool {
	return projections.Told(r.Text(s.versions), r.Int(s.versions+1) != 0, field)
}

// open reports whether all may see what a privacy field covers: only if it is
// known to be public.
func (s *shape) open(r projections.Row, field string) bool {
	for i, f := range s.privacy {
		if f == field {
			return r.Text(s.versions-len(s.privacy)+i) == "public" && s.told(r, field)
		}
	}
	panic("mirror: no privacy field " + field)
}

// append writes the object of a row.
func (s *shape) append(b []byte, r projections.Row, e eyes) []byte {
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
	for i, field := range s.privacy {
		// Of one that is not known we say how we treat it.
		b = appendString(appendKey(b, field), textOr(r, s.versions-len(s.privacy)+i, "private"))
	}
	return append(b, '}', '}')
}

func (s *shape) appendPart(b []byte, p *part, r projections.Row, e eyes) []byte {
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
	hidden := !e.owner && (p.kind == ownFlag || p.privacy >= 0 && !s.open(r, p.hide))
	switch {
	case p.kind == name && hidden:
		return appendString(b, s.publicName(p, r))
	case hidden && p.kind == tags:
		return append(b, "[]"...)
	case hidden:
		return append(b, "null"...)
	case r.Null(p.column) && p.kind == shortID:
		return appendString(b, r.Text(s.uuid))
	case r.Null(p.column) && p.unknown != "":
		return append(b, p.unknown...)
	case r.Null(p.column):
		return append(b, "null"...)
	}
	return appendColumn(b, p.kind, r, p.column)
}

// publicName stands for a private name: the display name, or if there is none
// the name itself, which is how PluralKit does it. If we cannot know whether
// there is one, it is the id.
func (s *shape) publicName(p *part, r projections.Row) string {
	switch {
	case !r.Null(s.display):
		return r.Text(s.display)
	case s.told(r, "display_name") && !r.Null(p.column):
		return r.Text(p.column)
	}
	return s.id(r)
}

// id is the short id, or the uuid until that is known: PluralKit takes both
// wherever it takes one.
func (s *shape) id(r projections.Row) string { return textOr(r, 0, r.Text(s.uuid)) }

func appendColumn(b []byte, k kind, r projections.Row, i int) []byte {
	switch k {
	case picture:
		return appendString(b, image(r.Text(i)))
	case instant:
		return appendInstant(b, r.Int(i))
	case flag, ownFlag:
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

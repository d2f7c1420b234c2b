package schemas

import (
	"bytes"
	"slices"
)

// Redaction is what is left out of JSON: members with one of the names, at any
// depth, and members whose name contains Text; a string that contains Text becomes
// "***".
type Redaction struct {
	Names []string // of ASCII letters and _
	Text  []byte   // empty: none
}

// Hides reports whether a member of that name, as it is written between its quotes, is
// left out.
func (r *Redaction) Hides(name []byte) bool {
	return r.contains(name) || slices.ContainsFunc(r.Names, func(n string) bool { return Spells(name, n) })
}

// contains reports whether a string, as it is written between its quotes, contains
// Text.
func (r *Redaction) contains(raw []byte) bool {
	if len(r.Text) == 0 || len(raw) < len(r.Text) {
		return false
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		s, _ := Unquote(slices.Concat([]byte{'"'}, raw, []byte{'"'}))
		raw = []byte(s)
	}
	return bytes.Contains(raw, r.Text)
}

// cut is a part of the text that is left out, and what stands in its place.
type cut struct {
	from, to int
	with     string
}

// Redacted is a part of the text that was passed, less what Redact says. All
// other bytes are as they were. If nothing is left out it is a part of Text.
func (s *Scanner) Redacted(from, to int) []byte {
	var out []byte
	done := from
	for _, c := range s.cuts {
		if c.from >= from && c.to <= to {
			out = append(append(out, s.Text[done:c.from]...), c.with...)
			done = c.to
		}
	}
	if done == from {
		return s.Text[from:to]
	}
	return append(out, s.Text[done:to]...)
}

func (s *Scanner) cut(from, to int, with string) { s.cuts = append(s.cuts, cut{from, to, with}) }

// text moves behind a string, and cuts it out if it must not be seen.
func (s *Scanner) text() bool {
	from := s.at
	if !s.str() {
		return false
	}
	if s.Redact != nil && s.Redact.contains(s.Text[from+1:s.at-1]) {
		s.cut(from, s.at, `"***"`)
	}
	return true
}

// hidden moves behind the value of a member that is left out, and cuts it out with
// all since from.
func (s *Scanner) hidden(from, levels int) bool {
	redact := s.Redact
	s.Redact = nil
	ok := s.value(levels)
	s.Redact = redact
	s.cut(from, s.at, "")
	return ok
}

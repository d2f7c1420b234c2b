package ingest

import (
	"bytes"
	"slices"
)

// minSecretBytes is the length from which on a token is looked for in text.
// A shorter one could be part of anybody's words.
const minSecretBytes = 16

// redact returns one JSON value less its secrets: members with one of the
// names are taken out at any depth, and so is a member whose name holds
// token; a string that holds it becomes "***". All other bytes stay as they
// are. If there was nothing to remove the result is value itself.
//
// value must be JSON that a scanner has passed. Law 9.
func redact(value []byte, names []string, token string) []byte {
	if len(token) < minSecretBytes {
		token = ""
	}
	if !mayHold(value, names, token) {
		return value
	}
	r := redactor{scanner: scanner{text: value}, names: names, token: []byte(token)}
	r.space()
	r.value()
	if r.done == 0 {
		return value
	}
	return append(r.out, value[r.done:]...)
}

// mayHold is the quick answer for nearly all values: what none of the words
// is in, and no escape could hide one in, needs no walk.
func mayHold(value []byte, names []string, token string) bool {
	if bytes.IndexByte(value, '\\') >= 0 || (token != "" && bytes.Contains(value, []byte(token))) {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return bytes.Contains(value, []byte(n)) })
}

type redactor struct {
	scanner
	names []string
	token []byte
	out   []byte // what is kept of text[:done]
	done  int
}

func (r *redactor) value() {
	switch from := r.at; r.peek() {
	case '{':
		r.object()
	case '[':
		r.at++
		for first := true; r.element(first); first = false {
			r.value()
		}
	case '"':
		if raw, _ := r.str(); r.holdsToken(raw) {
			r.replace(from, r.at, `"***"`)
		}
	default:
		r.skip(0)
	}
}

func (r *redactor) object() {
	r.at++
	kept := false
	for first := true; ; first = false {
		before := r.at // after the brace or the last value: a comma follows it, unless first
		name, more := r.next(first)
		if !more {
			return
		}
		if r.secret(name) {
			r.skip(maxDepth)
			r.replace(before, r.at, "")
			continue
		}
		if !first && !kept {
			r.replace(before, r.name, "") // the comma after members that are gone
		}
		kept = true
		r.value()
	}
}

func (r *redactor) replace(from, to int, with string) {
	r.out = append(append(r.out, r.text[r.done:from]...), with...)
	r.done = to
}

func (r *redactor) secret(name []byte) bool {
	return slices.ContainsFunc(r.names, func(n string) bool { return spells(name, n) }) || r.holdsToken(name)
}

func (r *redactor) holdsToken(raw []byte) bool {
	if len(r.token) == 0 || len(raw) < len(r.token) {
		return false
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		s, _ := text(append(append([]byte{'"'}, raw...), '"'))
		raw = []byte(s)
	}
	return bytes.Contains(raw, r.token)
}

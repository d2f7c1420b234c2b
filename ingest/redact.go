package ingest

import (
	"bytes"
	"slices"

	"switchlog/schemas"
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
	s := scan(value)
	s.Redact = &schemas.Redaction{Names: names, Text: []byte(token)}
	s.Peek() // behind the space
	s.Skip()
	return s.Redacted(0, len(value))
}

// mayHold is the quick answer for nearly all values: what none of the words
// is in, and no escape could hide one in, needs no walk.
func mayHold(value []byte, names []string, token string) bool {
	if bytes.IndexByte(value, '\\') >= 0 || (token != "" && bytes.Contains(value, []byte(token))) {
		return true
	}
	return slices.ContainsFunc(names, func(n string) bool { return bytes.Contains(value, []byte(n)) })
}

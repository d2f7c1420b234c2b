package ingest

import (
	"fmt"
	"net/http"
	"unicode/utf8"

	"switchlog/schemas"
)

// maxDepth is how deep JSON from outside may nest. PluralKit's deepest body
// has four levels; the limit keeps the stack small whatever is sent.
const maxDepth = 128

// scan begins a walk over JSON from outside.
func scan(text []byte) schemas.Scanner { return schemas.Scanner{Text: text, MaxDepth: maxDepth} }

// scanFault is what is wrong with text that was to be what; nil: nothing.
func scanFault(s *schemas.Scanner, what string) error {
	switch err := s.Err(); {
	case err == nil:
		return nil
	case s.TooDeep():
		return overLimit{http.StatusBadRequest, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	return fmt.Errorf("%w: not %s", schemas.ErrInvalid, what)
}

// validJSON is json.Valid, with maxDepth.
func validJSON(body []byte) bool { return schemas.IsJSON(body, maxDepth) }

// checkJSON says why a body is no JSON that can be kept.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	s := scan(body)
	s.Peek() // behind the space
	s.Skip()
	return scanFault(&s, "JSON")
}

package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"switchlog/schemas"
)

// maxDepth is how deep JSON from outside may nest. PluralKit's deepest body
// has four levels; the limit keeps the stack small whatever is sent.
const maxDepth = 128

// scanner walks JSON text (RFC 8259, as strict as json.Valid but for
// maxDepth) without building anything: a stranger's body must cost nothing
// but the walk. Fields of a scanner that went wrong are of no more use: bad
// stays true, and every method reports false.
//
// jsontext's decoder is quicker (about twice, on a switch), but goes 10,000
// levels deep on the stack of a stranger's request before it objects.
type scanner struct {
	text []byte
	at   int  // index of the next byte
	name int  // index of the opening quote of the last member's name
	bad  bool // this is not JSON
	deep bool // and that because it is nested deeper than maxDepth
}

// open enters the object at the beginning of the text.
func (s *scanner) open() bool {
	s.space()
	return s.eat('{') || s.fail()
}

// next moves to the value of the object's next member and returns the
// member's name as it is written between its quotes. It reports false at the
// end of the object, and on a fault.
func (s *scanner) next(first bool) (name []byte, ok bool) {
	s.space()
	if s.bad || s.eat('}') {
		return nil, false
	}
	if !first {
		if !s.eat(',') {
			return nil, s.fail()
		}
		s.space()
	}
	s.name = s.at
	if name, ok = s.str(); !ok {
		return nil, false
	}
	s.space()
	if !s.eat(':') {
		return nil, s.fail()
	}
	s.space()
	return name, true
}

// end reports whether nothing but space is left.
func (s *scanner) end() bool {
	s.space()
	return !s.bad && s.at == len(s.text)
}

// skip moves past one value in which depth levels may open, and returns it.
func (s *scanner) skip(depth int) (value []byte, ok bool) {
	from := s.at
	switch s.peek() {
	case '{':
		if depth == 0 {
			return nil, s.tooDeep()
		}
		s.at++
		for first := true; ; first = false {
			if _, more := s.next(first); !more {
				break
			}
			if _, ok := s.skip(depth - 1); !ok {
				return nil, false
			}
		}
	case '[':
		if depth == 0 {
			return nil, s.tooDeep()
		}
		s.at++
		for first := true; s.element(first); first = false {
			if _, ok := s.skip(depth - 1); !ok {
				return nil, false
			}
		}
	case '"':
		s.str()
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.number()
	}
	return s.text[from:s.at], !s.bad
}

// element moves to an array's next element; false at its end, and on a fault.
func (s *scanner) element(first bool) bool {
	s.space()
	if s.eat(']') {
		return false
	}
	if !first && !s.eat(',') {
		return s.fail()
	}
	s.space()
	return true
}

// str moves past a string and returns what is between its quotes.
func (s *scanner) str() (raw []byte, ok bool) {
	if !s.eat('"') {
		return nil, s.fail()
	}
	from, at := s.at, s.at
	for at < len(s.text) {
		if plain[s.text[at]] {
			at++
			continue
		}
		if s.at = at; s.eat('"') {
			return s.text[from:at], true
		}
		if !s.escape() {
			break
		}
		at = s.at
	}
	return nil, s.fail()
}

// plain are the bytes that stand for themselves inside a string.
var plain = func() (p [256]bool) {
	for c := range p {
		p[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return p
}()

func (s *scanner) escape() bool {
	if s.peek() != '\\' || s.at+1 >= len(s.text) {
		return false
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		if _, ok := escapedUnit(s.text[s.at:]); ok {
			s.at += 6
			return true
		}
	}
	return false
}

func (s *scanner) number() {
	s.eat('-')
	if !s.eat('0') && !s.digits() {
		s.fail()
	}
	if s.eat('.') && !s.digits() {
		s.fail()
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		if !s.digits() {
			s.fail()
		}
	}
}

func (s *scanner) digits() bool {
	from := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at > from
}

func (s *scanner) word(w string) {
	if !bytes.HasPrefix(s.text[s.at:], []byte(w)) {
		s.fail()
		return
	}
	s.at += len(w)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		if c := s.text[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.at++
	}
}

// peek is the next byte; 0, which no JSON begins with, at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) eat(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) fail() bool {
	s.bad = true
	return false
}

func (s *scanner) tooDeep() bool {
	s.deep = true
	return s.fail()
}

// fault is what is wrong with text that was to be what.
func (s *scanner) fault(what string) error {
	if s.deep {
		return overLimit{http.StatusBadRequest, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	return fmt.Errorf("%w: not %s", schemas.ErrInvalid, what)
}

// escapedUnit reads the escape \uXXXX at the beginning of b.
func escapedUnit(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// spells reports whether raw, a string as it is written between its quotes,
// means want: a name of ASCII letters and _, which may be written as they
// are or as \uXXXX, and in no other way.
func spells(raw []byte, want string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == want
	}
	for i := range len(want) {
		switch r, escaped := escapedUnit(raw); {
		case escaped && r == rune(want[i]):
			raw = raw[6:]
		case len(raw) > 0 && raw[0] == want[i]:
			raw = raw[1:]
		default:
			return false
		}
	}
	return len(raw) == 0
}

// text reads a value that the scanner has passed, if it is a string.
func text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		panic("ingest: a scanned string that is none: " + strconv.Itoa(len(value)) + " bytes")
	}
	return s, true
}

func isNull(value []byte) bool { return string(value) == "null" }

// validJSON is json.Valid, with maxDepth.
func validJSON(body []byte) bool {
	s := scanner{text: body}
	s.space()
	s.skip(maxDepth)
	return s.end()
}

// checkJSON says why a body is no JSON that can be kept.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	s := scanner{text: body}
	s.space()
	s.skip(maxDepth)
	if !s.end() {
		return s.fault("JSON")
	}
	return nil
}

// hasLoneSurrogate reports whether a value that the scanner has passed has half
// of a surrogate pair in it. Such a half is no character: decoded, any two of
// them are the same.
func hasLoneSurrogate(value []byte) bool {
	for {
		at := bytes.IndexByte(value, '\\')
		if at < 0 {
			return false
		}
		value = value[at:]
		r, escaped := escapedUnit(value)
		if !escaped {
			value = value[2:] // another escape; a string never ends in a backslash
			continue
		}
		if value = value[6:]; !utf16.IsSurrogate(r) {
			continue
		}
		low, _ := escapedUnit(value)
		if utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		value = value[6:]
	}
}

package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may be nested; encoding/json has the same limit.
const maxDepth = 10000

// A scanner walks over JSON text once and accepts exactly what encoding/json
// accepts (FuzzScan holds one against the other). It exists because replay is
// mostly reading envelopes, and a map of raw members costs several times as
// much.
type scanner struct {
	text []byte
	at   int // the next byte to read
}

// members calls f with the name and the raw value of each member of the
// object that text is. Both are slices of text; the name is without quotes,
// but with its escapes.
func (s *scanner) members(f func(name, value []byte) error) error {
	s.space()
	if !s.next('{') {
		return s.fault("an object should begin")
	}
	s.space()
	for more := !s.next('}'); more; {
		s.space()
		begin := s.at
		if !s.str() {
			return s.fault("a member's name should be")
		}
		name := s.text[begin+1 : s.at-1]
		s.space()
		if !s.next(':') {
			return s.fault("a colon should be")
		}
		s.space()
		begin = s.at
		if !s.value(1) {
			return s.fault("a value should be")
		}
		if err := f(name, s.text[begin:s.at]); err != nil {
			return err
		}
		s.space()
		if more = s.next(','); !more && !s.next('}') {
			return s.fault("the object should go on or end")
		}
	}
	s.space()
	if s.at != len(s.text) {
		return s.fault("nothing should follow")
	}
	return nil
}

func (s *scanner) fault(what string) error {
	return fmt.Errorf("%w: not JSON: %s at byte %d", ErrInvalid, what, s.at)
}

// value moves behind one value that is nested depth deep, and reports whether
// there was one.
func (s *scanner) value(depth int) bool {
	if s.at == len(s.text) {
		return false
	}
	switch s.text[s.at] {
	case '"':
		return s.str()
	case '{':
		return depth < maxDepth && s.list('}', true, depth+1)
	case '[':
		return depth < maxDepth && s.list(']', false, depth+1)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// list moves behind an object or array that ends in end.
func (s *scanner) list(end byte, named bool, depth int) bool {
	s.at++ // { or [
	s.space()
	if s.next(end) {
		return true
	}
	for {
		if named {
			if !s.str() {
				return false
			}
			s.space()
			if !s.next(':') {
				return false
			}
			s.space()
		}
		if !s.value(depth) {
			return false
		}
		s.space()
		if !s.next(',') {
			return s.next(end)
		}
		s.space()
	}
}

// str moves behind a string.
func (s *scanner) str() bool {
	if !s.next('"') {
		return false
	}
	for i, text := s.at, s.text; i < len(text); i++ {
		switch c := text[i]; {
		case c > '\\', c >= ' ' && c != '"' && c != '\\':
		case c == '"':
			s.at = i + 1
			return true
		case c == '\\':
			if s.at = i; !s.escape() {
				return false
			}
			i = s.at - 1
		default: // a control character
			return false
		}
	}
	s.at = len(s.text)
	return false
}

// escape moves behind a backslash and what it escapes.
func (s *scanner) escape() bool {
	s.at++ // the backslash
	if s.at == len(s.text) {
		return false
	}
	c := s.text[s.at]
	s.at++
	if c != 'u' {
		return bytes.IndexByte([]byte(`"\/bfnrt`), c) >= 0
	}
	for range 4 {
		if s.at == len(s.text) {
			return false
		}
		c := s.text[s.at] | 0x20 // lower case
		if (c < '0' || c > '9' || s.text[s.at] < '0') && (c < 'a' || c > 'f') {
			return false
		}
		s.at++
	}
	return true
}

// number moves behind a number.
func (s *scanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	if s.next('.') && !s.digits() {
		return false
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		return s.digits()
	}
	return true
}

// digits moves behind one digit or more.
func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > begin
}

func (s *scanner) word(w string) bool {
	if len(s.text)-s.at < len(w) || string(s.text[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next moves behind c if it is next.
func (s *scanner) next(c byte) bool {
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// isJSON reports whether text is one JSON value that an event can hold.
func isJSON(text []byte) bool {
	s := scanner{text: text}
	s.space()
	if !s.value(1) {
		return false
	}
	s.space()
	return s.at == len(text)
}

// isUnicode reports whether a string, as it is written, has both halves of each
// surrogate pair. A lone one is decoded as U+FFFD, like any other.
func isUnicode(value []byte) bool {
	for at := 0; at < len(value); at++ {
		if value[at] != '\\' {
			continue
		}
		if at++; value[at] != 'u' {
			continue
		}
		r := codeUnit(value[at-1:])
		if at += 4; !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, codeUnit(value[at+1:])) == utf8.RuneError {
			return false
		}
		at += 6
	}
	return true
}

// codeUnit reads the escape \uXXXX at the beginning of text; 0: it is none.
func codeUnit(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

// unquote gives the text of what stood between quotes.
func unquote(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw), nil
	}
	var s string
	quoted := append(append([]byte{'"'}, raw...), '"')
	if err := json.Unmarshal(quoted, &s); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return s, nil
}

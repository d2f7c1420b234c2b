package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Spells reports whether raw, a string as it is written between its quotes,
// means want: a name of ASCII letters and _, which may be written as they are or
// as \uXXXX, and in no other way.
func Spells(raw []byte, want string) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == want
	}
	for i := range len(want) {
		switch r, escaped := codeUnit(raw); {
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

// Unquote is what a value that a Scanner has passed says, if it is a string. Whether
// its bytes are UTF-8 is for the caller to check.
func Unquote(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	raw := value[1 : len(value)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	s, err := unquote(raw)
	if err != nil {
		panic(fmt.Sprintf("schemas: a string that a Scanner has passed is none: %d bytes", len(value)))
	}
	return s, true
}

// IsNull reports whether a value is null.
func IsNull(value []byte) bool { return string(value) == "null" }

// HasLoneSurrogate reports whether a value that a Scanner has passed has half of
// a surrogate pair in it. Such a half is no character: it is decoded as U+FFFD,
// like any other, and two texts that differ in it would be one.
func HasLoneSurrogate(value []byte) bool {
	for {
		at := bytes.IndexByte(value, '\\')
		if at < 0 {
			return false
		}
		value = value[at:]
		r, escaped := codeUnit(value)
		if !escaped {
			value = value[2:] // another escape; a string never ends in a backslash
			continue
		}
		if value = value[6:]; !utf16.IsSurrogate(r) {
			continue
		}
		low, _ := codeUnit(value)
		if utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		value = value[6:]
	}
}

// codeUnit reads the escape \uXXXX at the beginning of text.
func codeUnit(text []byte) (r rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
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

package ingest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"switchlog/schemas"
)

// decodeAttribute reads an attribute from the value of a ce- header: quoted
// strings first (older senders wrote them), then percent signs, once each
// (CloudEvents HTTP binding, 3.1.3.2). What does not come out as UTF-8 is
// ErrInvalid; so an overlong encoding of a character is.
//
// The SDK neither writes nor reads either of them. What it sends comes through
// unchanged, if only it has no quotes and no percent sign before two
// hexadecimal digits.
func decodeAttribute(value string) (string, error) {
	decoded := unpercent(unquoted(value))
	if !utf8.ValidString(decoded) {
		return "", fmt.Errorf("%w: an attribute is not UTF-8", schemas.ErrInvalid)
	}
	return decoded, nil
}

// unquoted takes the quotes off quoted strings, and the backslashes inside of
// them. A quote that is never closed is no quoted string, but a quote.
func unquoted(s string) string {
	if strings.IndexByte(s, '"') < 0 {
		return s
	}
	var b strings.Builder
	for {
		before, rest, opens := strings.Cut(s, `"`)
		inside, after, closes := cutQuoted(rest)
		if !opens || !closes {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(before)
		b.WriteString(inside)
		s = after
	}
}

// cutQuoted cuts s behind the quote that ends a quoted string.
func cutQuoted(s string) (inside, after string, closes bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", s, false
}

// unpercent decodes %XX, once. A percent sign before anything else is itself.
func unpercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok := hexDigit(s[i+1])
			low, ok2 := hexDigit(s[i+2])
			if ok && ok2 {
				b = append(b, high<<4|low)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

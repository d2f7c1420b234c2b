package fakepk

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// An object is a JSON object whose keys keep their order: PluralKit's key order is part of what this package promises.
type object []pair

type pair struct {
	key   string
	value any
}

func (o *object) put(key string, value any) { *o = append(*o, pair{key, value}) }

// appendJSON writes v as PluralKit's C# serialiser does: compact, non-ASCII raw.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case time.Time:
		return appendString(b, stamp(v))
	case object:
		b = append(b, '{')
		for i, p := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, p.key)
			b = append(b, ':')
			b = appendJSON(b, p.value)
		}
		return append(b, '}')
	case []object:
		return appendList(b, v)
	case []string:
		return appendList(b, v)
	case []int64:
		return appendList(b, v)
	case []ProxyTag:
		tags := make([]object, len(v))
		for i, t := range v {
			tags[i] = object{{"prefix", orNull(t.Prefix)}, {"suffix", orNull(t.Suffix)}}
		}
		return appendList(b, tags)
	default:
		panic(fmt.Sprintf("fakepk: no JSON for %T %v", v, v))
	}
}

func appendList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, e)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendString escapes what Newtonsoft.Json escapes: quotes, backslash, controls, and the three line separators
// U+0085, U+2028 and U+2029. Everything else is raw, `<` and `&` too.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			if r < 0x20 || r == 0x85 || r == 0x2028 || r == 0x2029 {
				b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			} else {
				b = utf8.AppendRune(b, r)
			}
		}
	}
	return append(b, '"')
}

// stamp is PluralKit's timestamp: ISO 8601 in UTC, the fraction trimmed of zeros and left out when there is none.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999999Z") }

// orNull is s, or null when there is none.
func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

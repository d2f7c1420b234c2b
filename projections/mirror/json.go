package mirror

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/projections/engine"
)

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string as PluralKit does: quotes, backslash,
// controls and the line separators U+0085, U+2028 and U+2029 are escaped, all
// else is raw.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0 // s is written up to here
	for i, r := range s {
		if r >= ' ' && r != '"' && r != '\\' && r != 0x85 && r != 0x2028 && r != 0x2029 && r != utf8.RuneError {
			continue
		}
		b = append(b, s[plain:i]...)
		_, size := utf8.DecodeRuneInString(s[i:])
		plain = i + size
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
		case utf8.RuneError: // written again, for it may stand for bytes that are no text
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		}
	}
	return append(append(b, s[plain:]...), '"')
}

// appendKey writes the name of a member of an object, after a comma if it is
// not the first. Names are ours.
func appendKey(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), name...)
	return append(b, '"', ':')
}

// appendInstant writes a time as PluralKit does: in UTC, without the zeros at
// the end of the fraction.
func appendInstant(b []byte, us int64) []byte {
	return append(time.UnixMicro(us).UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.999999Z"), '"')
}

// appendStrings writes a list that we keep as JSON. One that holds anything
// but strings is no list of PluralKit's, and none is written.
func appendStrings(b []byte, list string) []byte {
	var texts []string
	if json.Unmarshal([]byte(list), &texts) != nil {
		return append(b, "[]"...)
	}
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, text)
	}
	return append(b, ']')
}

// appendTags writes a list of proxy tags that we keep as JSON.
func appendTags(b []byte, list string) []byte {
	var tags []struct{ Prefix, Suffix *string }
	if list != "[]" && json.Unmarshal([]byte(list), &tags) != nil {
		panic("mirror: proxy tags that are no JSON: " + list) // the fold has written it
	}
	b = append(b, '[')
	for i, tag := range tags {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"prefix":`...), tag.Prefix)
		b = append(appendText(append(b, `,"suffix":`...), tag.Suffix), '}')
	}
	return append(b, ']')
}

func appendText(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return appendString(b, *s)
}

// Discord's media proxy, which PluralKit takes off image addresses in its API,
// with their query. Its events carry what is stored.
const (
	mediaProxy = "https://media.discordapp.net/attachments/"
	mediaCDN   = "https://cdn.discordapp.com/attachments/"
)

func image(url string) string {
	rest, proxied := strings.CutPrefix(url, mediaProxy)
	if !proxied {
		return url
	}
	rest, _, _ = strings.Cut(rest, "?")
	return mediaCDN + rest
}

// textOr is a column of text, or what stands for it when it is NULL.
func textOr(r engine.Row, i int, otherwise string) string {
	if r.Null(i) {
		return otherwise
	}
	return r.Text(i)
}

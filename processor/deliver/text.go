package deliver

import (
	"strings"
	"unicode"
)

// visible is text that others wrote without what cannot be seen and is obeyed:
// control characters other than line breaks and tabs, and characters that
// change the direction of what follows. Receivers show it to people, some in a
// terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= '\u2028' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// oneLine is visible text without line breaks and tabs.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return -1
		}
		return r
	}, visible(s))
}

// markdown shows text that others wrote in Discord as it is: what Discord would
// read as markup (also a heading, a list, a quote, a mention or a link) loses
// its meaning. Names are often of such characters.
func markdown(s string) string {
	var b strings.Builder
	start := true // of a line: # is a heading there, - and + an item
	text := visible(s)
	for i, r := range text {
		link := r == ':' && strings.HasPrefix(text[i:], "://")
		if link || strings.ContainsRune("\\*_~|`<>[]", r) || start && strings.ContainsRune("#-+", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		start = r == '\n' || start && (r == ' ' || r == '\t')
	}
	return b.String()
}

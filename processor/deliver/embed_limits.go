package deliver

import (
	"strings"
	"unicode/utf8"
)

// Discord's limits, in UTF-16 code units, as its client counts. Longer is
// refused whole.
const (
	maxDiscordContent     = 2000
	maxDiscordName        = 80
	maxDiscordTitle       = 256
	maxDiscordDescription = 4096
	maxDiscordFields      = 25
	maxDiscordFieldName   = 256
	maxDiscordValue       = 1024
	maxDiscordFooter      = 2048
	maxDiscordEmbed       = 6000 // title, description, fields and footer of a message together
)

// fit cuts an embed to what Discord takes. Texts are cut at their end; of too
// many fields the last are left out. An empty text is none: Discord refuses it.
func (e embed) fit() embed {
	e.Title = cut16(tidy(e.Title), maxDiscordTitle)
	e.Description = cut16(tidy(e.Description), maxDiscordDescription)
	if e.Footer != nil {
		e.Footer = &embedFooter{cut16(tidy(e.Footer.Text), maxDiscordFooter)}
	}
	left := maxDiscordEmbed - length16(e.Title) - length16(e.Description)
	if e.Footer != nil {
		left -= length16(e.Footer.Text)
	}
	var fields []embedField
	for _, f := range e.Fields {
		f.Name, f.Value = cut16(tidy(f.Name), maxDiscordFieldName), cut16(tidy(f.Value), maxDiscordValue)
		if f.Name == "" || f.Value == "" {
			continue
		}
		left -= length16(f.Name) + length16(f.Value)
		if left < 0 || len(fields) == maxDiscordFields {
			break
		}
		fields = append(fields, f)
	}
	e.Fields = fields
	return e
}

// tidy drops what cannot be seen: Discord trims before it looks whether there
// is something.
func tidy(s string) string { return strings.TrimSpace(visible(s)) }

// length16 is the length of s in UTF-16 code units.
func length16(s string) int {
	n := 0
	for _, r := range s {
		n += units16(r)
	}
	return n
}

func units16(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

const ellipsis = "…"

// cut16 cuts s to at most limit UTF-16 code units, between characters, and
// shows that it did. A backslash that guarded what was cut goes too.
func cut16(s string, limit int) string {
	if len(s) <= limit || length16(s) <= limit {
		return s
	}
	n, end := 1, 0 // 1: the ellipsis
	for i, r := range s {
		if n += units16(r); n > limit {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	s = s[:end]
	if odd := len(s) - len(strings.TrimRight(s, `\`)); odd%2 == 1 {
		s = s[:len(s)-1]
	}
	return s + ellipsis
}

// clip cuts s to at most limit characters.
func clip(s string, limit int) string {
	for i := range s {
		if limit == 0 {
			return s[:i]
		}
		limit--
	}
	return s
}

package ui

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// person is a member as pages show one: name or initials, and a badge of
// initials on the member's colour.
type person struct {
	UUID     string
	Name     string
	Initials string
	Pronouns string
	Fill     string // #rrggbb
	Ink      string // black or white, whichever reads better on Fill
	Picture  string // https address; empty: the badge is shown
	Link     string // of the member's page; empty: none
}

// person shows a member as the view wants it.
func (v *view) person(m member) person {
	p := person{UUID: m.UUID, Initials: initials(m.shown()), Fill: fill(m.Color)}
	p.Ink = ink(p.Fill)
	if v.Base != "" && m.UUID != "" {
		p.Link = v.Base + "/members/" + m.UUID
	}
	if v.Discreet {
		p.Name = p.Initials
		return p
	}
	p.Name, p.Pronouns = visible(m.shown()), m.Pronouns
	if v.Avatars && strings.HasPrefix(m.AvatarURL, "https://") {
		p.Picture = m.AvatarURL
	}
	return p
}

// visible is a name that can be seen: one of invisible letters alone is
// replaced.
func visible(name string) string {
	if strings.IndexFunc(name, seen) < 0 {
		return "(no visible name)"
	}
	return name
}

func seen(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.In(r, unicode.Cf, unicode.Mn, unicode.Me) && r != '\u3164' && r != '\u115f' && r != '\u1160' && r != '\uffa0' && r != '\u2800'
}

// initials are the first letters of the first two words, with the marks that
// belong to them.
func initials(name string) string {
	var b strings.Builder
	n := 0
	for word := range strings.FieldsSeq(name) {
		first := strings.IndexFunc(word, func(r rune) bool {
			return unicode.IsLetter(r) && seen(r) || unicode.IsNumber(r) || unicode.In(r, unicode.So)
		})
		if first < 0 {
			continue
		}
		r, size := utf8.DecodeRuneInString(word[first:])
		b.WriteRune(unicode.ToUpper(r))
		for _, mark := range word[first+size:] {
			if !unicode.In(mark, unicode.Mn) {
				break
			}
			b.WriteRune(mark)
		}
		if n++; n == 2 {
			break
		}
	}
	if n == 0 {
		return "?"
	}
	return b.String()
}

// noColor is for members without a colour: a grey that reads on both themes.
const noColor = "#6b7280"

// fill is a member's colour; anything that is not six hex digits is none.
func fill(color string) string {
	if _, err := strconv.ParseUint(color, 16, 32); len(color) != 6 || err != nil {
		return noColor
	}
	return "#" + strings.ToLower(color)
}

// ink is black or white, whichever has the larger contrast to a colour. The better one
// has 4.5:1 at least, whatever the colour.
func ink(color string) string {
	if l := luminance(color); (l+0.05)*(l+0.05) > 1.05*0.05 {
		return "#000000"
	}
	return "#ffffff"
}

// luminance is the relative luminance of #rrggbb as WCAG defines it.
func luminance(color string) float64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil {
		return 0
	}
	part := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// phrase is a sentence with names in it. A name may be written from right to
// left, so each stands in an element of its own.
type phrase []piece

// piece is a part of a sentence: words of ours, or a name.
type piece struct{ Text, Name string }

// say makes a phrase of words and names in turns, words first.
func say(parts ...string) phrase {
	var p phrase
	for i, part := range parts {
		switch {
		case part == "":
		case i%2 == 0:
			p = append(p, piece{Text: part})
		default:
			p = append(p, piece{Name: part})
		}
	}
	return p
}

// list joins names as a sentence has them; of many, the last are a number.
func list(names []string) phrase {
	var p phrase
	more := max(0, len(names)-maxSpoken)
	names = names[:len(names)-more]
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1 && more == 0:
			p = append(p, piece{Text: " and "})
		case i > 0:
			p = append(p, piece{Text: ", "})
		}
		p = append(p, piece{Name: name})
	}
	if more > 0 {
		p = append(p, piece{Text: " and " + strconv.Itoa(more) + " more"})
	}
	return p
}

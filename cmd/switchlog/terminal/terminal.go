// Package terminal writes for people: text that fits their terminal, in tables
// and lines, without what a terminal would obey: what others wrote never reaches
// it as control characters. Anything but a terminal gets all text. It knows
// nothing of what the text says.
package terminal

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// screenWidth is the width of a terminal that does not say how wide it is.
const screenWidth = 80

// File gives the file behind a stream if it is a terminal.
func File(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// Width is how many columns a stream's terminal has; 0: it is no terminal,
// and nothing is to be cut.
func Width(stream any) int {
	f, ok := File(stream)
	if !ok {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return screenWidth
}

// Color is a colour of text on a terminal (SGR code).
type Color string

// The colours there are.
const (
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
	Bold   Color = "1"
	Dim    Color = "2"
)

// Paint colours text if the stream is a terminal.
func Paint(stream any, c Color, text string) string {
	if _, ok := File(stream); !ok {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Plain shows text that others wrote on one line: control characters, which a
// terminal would obey, characters that change the direction of what follows, and
// those that cannot be seen become U+FFFD; line ends and tabs become spaces. What
// joins letters and emoji stays: names are written with it.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unseen, r):
			return '\ufffd'
		}
		return r
	}, text)
}

// unseen are marks of direction, and characters without width that join nothing.
var unseen = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x061c, Hi: 0x061c, Stride: 1}, {Lo: 0x180e, Hi: 0x180e, Stride: 1}, {Lo: 0x200b, Hi: 0x200b, Stride: 1}, {Lo: 0x200e, Hi: 0x200f, Stride: 1},
	{Lo: 0x202a, Hi: 0x202e, Stride: 1}, {Lo: 0x2060, Hi: 0x206f, Stride: 1}, {Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, {Lo: 0xfff9, Hi: 0xfffb, Stride: 1},
}}

// PlainLines is Plain of each line.
func PlainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Plain(line)
	}
	return strings.Join(lines, "\n")
}

// PlainJSON writes JSON on w: as it is, but on a terminal with the escapes of
// JSON, which mean the same, for what Plain would not show.
func PlainJSON(w io.Writer) io.Writer {
	if _, ok := File(w); ok {
		return EscapedJSON(w)
	}
	return w
}

// EscapedJSON writes JSON on w, with the escapes of JSON for what Plain would
// not show. Each write is of whole characters.
func EscapedJSON(w io.Writer) io.Writer { return jsonEscaper{w} }

type jsonEscaper struct{ w io.Writer }

// Write expects whole characters, as who writes values or lines has them.
func (e jsonEscaper) Write(b []byte) (int, error) {
	var out strings.Builder
	for _, r := range string(b) {
		if shown := Plain(string(r)); r == '\n' || shown == string(r) {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, "\\u%04x", r)
		}
	}
	if _, err := io.WriteString(e.w, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Cells is how many columns of a terminal a text takes.
func Cells(text string) int {
	n := 0
	for _, r := range text {
		n += runeCells(r)
	}
	return n
}

func runeCells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// Cut shortens a text to so many columns; what is cut off ends in an ellipsis.
func Cut(text string, columns int) string {
	if Cells(text) <= columns {
		return text
	}
	n := 0
	for i, r := range text {
		if n += runeCells(r); n >= columns {
			return text[:i] + "…"
		}
	}
	return text
}

// PrintWrapped writes a sentence after a mark, in lines that fit the terminal
// and begin below the sentence.
func PrintWrapped(w io.Writer, mark, sentence string) {
	indent := Cells(ansi.ReplaceAllString(mark, ""))
	text := Plain(sentence)
	if screen := Width(w); screen > 0 {
		text = strings.ReplaceAll(Reflow(text, max(screen-indent, 20)), "\n", "\n"+strings.Repeat(" ", indent))
	}
	fmt.Fprintln(w, mark+text)
}

// ansi matches the colours that Paint writes.
var ansi = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// Reflow breaks paragraphs into lines of at most columns. Lines that are
// indented stay as they are: they are commands, or steps.
func Reflow(text string, columns int) string {
	var out []string
	line := ""
	flush := func() {
		if line != "" {
			out = append(out, line)
			line = ""
		}
	}
	for _, given := range strings.Split(text, "\n") {
		if given == "" || strings.HasPrefix(given, " ") || strings.HasPrefix(given, "\t") {
			flush()
			out = append(out, given)
			continue
		}
		for _, word := range strings.Fields(given) {
			if line != "" && Cells(line)+1+Cells(word) > columns {
				flush()
			}
			line = strings.TrimPrefix(line+" "+word, " ")
		}
	}
	flush()
	return strings.Join(out, "\n")
}

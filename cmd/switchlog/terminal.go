package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/width"
)

// screenWidth is the width of a terminal that does not say how wide it is.
const screenWidth = 80

// terminal gives the file behind a stream if it is a terminal.
func terminal(stream any) (*os.File, bool) {
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// widthOf is how many columns a stream's terminal has; 0: it is no terminal,
// and nothing is to be cut.
func widthOf(stream any) int {
	f, ok := terminal(stream)
	if !ok {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return screenWidth
}

// color is a colour of text on a terminal (SGR code).
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	bold   color = "1"
	dim    color = "2"
)

// paint colours text if the stream is a terminal.
func paint(stream any, c color, text string) string {
	if _, ok := terminal(stream); !ok {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// plain shows text that others wrote on one line: control characters, which a
// terminal would obey, and characters that change the direction of what follows
// become U+FFFD; line ends and tabs become spaces.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return '\ufffd'
		}
		return r
	}, text)
}

// plainLines is plain of each line.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = plain(line)
	}
	return strings.Join(lines, "\n")
}

// plainJSON writes JSON on w: as it is, but on a terminal with the escapes of
// JSON, which mean the same, for what plain would not show.
func plainJSON(w io.Writer) io.Writer {
	if _, ok := terminal(w); ok {
		return jsonEscaper{w}
	}
	return w
}

type jsonEscaper struct{ w io.Writer }

// Write expects whole characters, as who writes values or lines has them.
func (e jsonEscaper) Write(b []byte) (int, error) {
	var out strings.Builder
	for _, r := range string(b) {
		if shown := plain(string(r)); r == '\n' || shown == string(r) {
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

// cells is how many columns of a terminal a text takes.
func cells(text string) int {
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

// cut shortens a text to so many columns; what is cut off ends in an ellipsis.
func cut(text string, columns int) string {
	if cells(text) <= columns {
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

// maxSecretBytes is far above any secret there is.
const maxSecretBytes = 8 << 10

// readSecret reads a secret from a file; - is standard input. Where that is a
// terminal, a person is asked for what, and what is typed is not shown.
func readSecret(cmd *cobra.Command, what, file string) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return secretFrom(f, file)
	}
	if _, ok := terminal(cmd.InOrStdin()); ok {
		return askSecret(cmd, what, "")
	}
	return secretFrom(cmd.InOrStdin(), "standard input")
}

func secretFrom(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecretBytes+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretBytes {
		return "", fmt.Errorf("%s is too large for a secret (hint: it should hold the secret and nothing else)", name)
	}
	return strings.TrimSpace(string(b)), nil
}

// askSecret asks a person at a terminal for a secret, which is not shown.
// Without a terminal it fails, and names the flag that gives the secret.
func askSecret(cmd *cobra.Command, what, flag string) (string, error) {
	f, ok := terminal(cmd.InOrStdin())
	if !ok {
		return "", fmt.Errorf("%w: no secret given, the %s (hint: %s)", errUsage, what, flag)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s (not shown): ", what)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	return strings.TrimSpace(string(b)), err
}

// confirm asks a person before something is destroyed.
func confirm(cmd *cobra.Command, yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if f, ok := cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return false, fmt.Errorf("%w: this needs an answer (hint: --yes)", errUsage)
	}
	fmt.Fprint(cmd.ErrOrStderr(), question, " [y/N] ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "nothing was changed")
	return false, nil
}

package test

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The words below are put together, so that this file does not contain what
// it looks for.

// unfinished matches the marks people leave where work is missing.
var unfinished = regexp.MustCompile(`\b(` + "TO" + `DO|` + "FIX" + `ME|` + "X" + `XX)\b`)

// machinePath matches an absolute path that exists on one machine only.
var machinePath = regexp.MustCompile("(^|[\\s\"'`=(:,])" + `(/(home|root|work|Users|workspace)/[\w.-]+|file:///[a-z]+/\w+|C:\\Users\\)`)

// registryHost matches where a machine fetches modules and packages from:
// that is the machine's own setting.
var registryHost = regexp.MustCompile(`(` + "GO" + `PROXY *=|proxy\.` + `golang\.org|sum\.` + `golang\.org|` +
	`go` + `proxy\.(io|cn)|registry\.` + `npmjs|` + `pypi\.` + `org|deb\.` + `debian\.org|crates\.` + `io)`)

// marks are what no line of a file may contain.
var marks = []struct {
	what  string
	re    *regexp.Regexp
	parts []string // one of them is in all that re matches; to look for it takes a hundredth of the time
	hint  string
}{
	{"a mark of unfinished work", unfinished, []string{"TO" + "DO", "FIX" + "ME", "X" + "XX"}, "finish it, or write it into the tracker"},
	{"a path of one machine", machinePath, []string{"/ho" + "me/", "/ro" + "ot/", "/wo" + "rk/", "/Us" + "ers/", "/works" + "pace/", "file" + ":///", `C:\` + "Users"},
		"a relative path, or one the caller passes in"},
	{"a package registry", registryHost, []string{"GO" + "PROXY", "golang" + ".org", "go" + "proxy.", "registry" + ".npmjs", "pypi" + ".org", "deb." + "debian", "crates" + ".io"}, "leave it to the machine's settings"},
}

func TestNoMarks(t *testing.T) {
	t.Parallel()
	for _, name := range texts(t) {
		if name == "go.sum" || inTestdata(name) { // hashes; what others sent
			continue
		}
		text := string(read(t, name))
		for _, m := range marks {
			if !slices.ContainsFunc(m.parts, func(part string) bool { return strings.Contains(text, part) }) {
				continue
			}
			for i, line := range strings.Split(text, "\n") {
				if found := m.re.FindString(line); found != "" {
					t.Errorf("%s:%d: %s: %q (hint: %s)", name, i+1, m.what, strings.TrimSpace(found), m.hint)
				}
			}
		}
	}
}

// TestMarks: the patterns above find what they should and no more.
func TestMarks(t *testing.T) {
	for _, tc := range []struct {
		re    *regexp.Regexp
		line  string
		found bool
	}{
		{unfinished, "// TO" + "DO: later", true},
		{unfinished, "// FIX" + "ME", true},
		{unfinished, "every other byte becomes =XX", false},
		{unfinished, "mastodon TO" + "DOS", false},
		{machinePath, `dir := "/ho` + `me/alex/src"`, true},
		{machinePath, "see /wo" + "rk/notes.md", true},
		{machinePath, "https://example.com/home/page", false},
		{machinePath, "/home", false},
		{registryHost, "GO" + "PROXY=off", true},
		{registryHost, "https://proxy." + "golang.org/x", true},
		{registryHost, "https://pkg.go.dev/net/http", false},
	} {
		if got := tc.re.MatchString(tc.line); got != tc.found {
			t.Errorf("%q: found = %v, want %v", tc.line, got, tc.found)
		}
		for _, m := range marks {
			if m.re == tc.re && tc.found && !slices.ContainsFunc(m.parts, func(part string) bool { return strings.Contains(tc.line, part) }) {
				t.Errorf("%q: none of %q is in it", tc.line, m.parts)
			}
		}
	}
}

// maxFileLines is where a file has come to hold two things.
const maxFileLines = 500

// longFiles may be longer, with the reason.
var longFiles = map[string]string{
	"go.sum":                   "written by go",
	"schemas/contract_test.go": "two tables, a line for each event type; the tests are the smaller part",
	"projections/README.md":    "every table and column there is; people search it",
	"CONTRIBUTING.md":          "its walk through a new source holds whole files, which a test builds",
}

// written are the endings of files that people write and read from top to
// bottom. Samples and generated descriptions are as long as they are.
var written = []string{"", ".css", ".go", ".html", ".js", ".md", ".sh", ".sql"}

func TestFilesAreShort(t *testing.T) {
	for _, name := range texts(t) {
		if !slices.Contains(written, path.Ext(name)) || inTestdata(name) || longFiles[name] != "" {
			continue
		}
		body := read(t, name)
		if isGenerated(body) {
			continue
		}
		if n := bytes.Count(body, []byte("\n")); n > maxFileLines {
			t.Errorf("%s has %d lines, want at most %d (hint: split it, or say in longFiles why not)", name, n, maxFileLines)
		}
	}
}

var generated = regexp.MustCompile(`(?m)^(//|#|--) Code generated .* DO NOT EDIT\.$`)

func isGenerated(body []byte) bool { return generated.Match(body) }

// TestTextIsClean: no spaces at the end of lines, one newline at the end of the
// file. Go files are gofmt's.
func TestTextIsClean(t *testing.T) {
	for _, name := range texts(t) {
		if inTestdata(name) || path.Ext(name) == ".go" || name == "LICENSE" {
			continue
		}
		body := string(read(t, name))
		if body != "" && (!strings.HasSuffix(body, "\n") || strings.HasSuffix(body, "\n\n")) {
			t.Errorf("%s: want exactly one newline at the end", name)
		}
		for i, line := range strings.Split(body, "\n") {
			if strings.TrimRight(line, " \t\r") != line {
				t.Errorf("%s:%d: space at the end of the line", name, i+1)
			}
		}
	}
}

// TestNoReplace: a replaced module is another program than go.mod says.
func TestNoReplace(t *testing.T) {
	for i, line := range strings.Split(string(read(t, "go.mod")), "\n") {
		if f := strings.Fields(line); len(f) > 0 && (f[0] == "replace" || f[0] == "exclude") {
			t.Errorf("go.mod:%d: %s", i+1, strings.TrimSpace(line))
		}
	}
}

// texts is tracked without binary files.
func texts(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(tracked(t), func(name string) bool {
		body := read(t, name)
		return bytes.IndexByte(body[:min(len(body), 8000)], 0) >= 0
	})
}

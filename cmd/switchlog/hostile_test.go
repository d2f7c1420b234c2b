package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"switchlog/cmd/switchlog/terminal"
)

func writeTestFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestHostileText: what others wrote, or what a person pasted, never reaches a
// terminal as control characters: in answers with their heads, and in errors.
func TestHostileText(t *testing.T) {
	const hostile = "a\x1b]0;t\x07\u009b31m\u202eb\x7f"
	clean := func(what, out string) {
		t.Helper()
		if out == "" || terminal.PlainLines(out) != out {
			t.Errorf("%s: got %q", what, out)
		}
	}
	var out bytes.Buffer
	answer, err := tableOf([]byte(`[{` + strconv.Quote("k\u009b") + `:"a\u001b]0;t\u0007\u009b31m"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tab := range map[string]*terminal.Table{
		"query": answer,
		"sql":   sqlAnswer{Columns: []string{hostile}, Rows: [][]any{{hostile}}}.table(),
	} {
		for _, print := range []func() error{func() error { return tab.Print(&out) }, func() error { return tab.CSV(&out) }} {
			out.Reset()
			if err := print(); err != nil {
				t.Fatal(err)
			}
			clean(name, out.String())
		}
	}
	var stdout, stderr bytes.Buffer
	for _, args := range [][]string{{hostile}, {"status", "--data", hostile}, {"import", hostile}, {"status", "--" + hostile}, {"query", "x", hostile}, {"tail", "--server", hostile}} {
		stderr.Reset()
		if code := run(t.Context(), append([]string{"switchlog"}, args...), nil, strings.NewReader(""), &stdout, &stderr); code == 0 {
			t.Errorf("%q: got exit code 0", args)
		}
		clean("an error", stderr.String())
	}
}

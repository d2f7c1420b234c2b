package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
)

func writeTestFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTableFits: a table is as wide as the terminal at most, whatever is in it:
// its widest columns are cut, and rows with too many of them become lines.
func TestTableFits(t *testing.T) {
	long := strings.Repeat("harbour", 30)
	for _, c := range []struct {
		name   string
		cells  []any
		screen int
		want   string // of the first row
	}{
		{"fits", []any{"a", "b", 3}, 80, "a   b   3"},
		{"one wide column", []any{"a", long, 3}, 30, "a   " + strings.Repeat("harbour", 3) + "…  3"},
		{"no terminal", []any{"a", long, 3}, 0, "a   " + long + "  3"},
		{"wide letters", []any{"a", strings.Repeat("港", 40), 3}, 30, "a   " + strings.Repeat("港", 10) + "…   3"},
		{"control characters", []any{"a\x1b[31m", "b\nc\td", "\u202eabc"}, 80, "a\ufffd[31m  b c d  \ufffdabc"},
	} {
		tab := newTable("A1", "B1", "C1")
		tab.add(c.cells...)
		var out strings.Builder
		if err := tab.printFitted(&out, c.screen); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) != 3 || lines[1] != c.want {
			t.Errorf("%s: got %q, want %q", c.name, lines, c.want)
		}
	}
	many := newTable("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
	for range 2 {
		many.add(long, long, long, long, long, long, long, long, long, long)
	}
	var out strings.Builder
	if err := many.printFitted(&out, 80); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 21 {
		t.Errorf("many columns: got %d lines, want a line for each cell and one between the rows:\n%s", got, &out)
	}
	for line := range strings.Lines(out.String()) {
		if n := cells(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("many columns: a line of %d columns: %s", n, line)
		}
	}
}

// TestTableCSV: CSV has all text whole, and no control characters either.
func TestTableCSV(t *testing.T) {
	tab := newTable("name", "said")
	tab.add("Iris", `"hello", she said`)
	tab.add("a\x1bb", "")
	var out strings.Builder
	if err := tab.csv(&out); err != nil {
		t.Fatal(err)
	}
	if want := "name,said\nIris,\"\"\"hello\"\", she said\"\na\ufffdb,\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestHostileText: what others wrote, or what a person pasted, never reaches a
// terminal as control characters: in tables with their heads, in errors, and in
// JSON, where it stands as escapes that mean the same.
func TestHostileText(t *testing.T) {
	const hostile = "a\x1b]0;t\x07\u009b31m\u202eb\x7f"
	clean := func(what, out string) {
		t.Helper()
		if out == "" || plainLines(out) != out {
			t.Errorf("%s: got %q", what, out)
		}
	}
	var out bytes.Buffer
	answer, err := tableOf([]byte(`[{` + strconv.Quote("k\u009b") + `:"a\u001b]0;t\u0007\u009b31m"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for name, tab := range map[string]*table{
		"query": answer,
		"sql":   sqlAnswer{Columns: []string{hostile}, Rows: [][]any{{hostile}}}.table(),
	} {
		for _, print := range []func() error{func() error { return tab.print(&out) }, func() error { return tab.csv(&out) }, func() error { return tab.printRecords(&out, 40) }} {
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
	out.Reset()
	if err := json.NewEncoder(jsonEscaper{&out}).Encode(hostile); err != nil {
		t.Fatal(err)
	}
	clean("JSON", out.String())
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != hostile {
		t.Errorf("JSON: got back %q, %v, want %q", back, err, hostile)
	}
}

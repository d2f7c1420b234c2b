package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

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
		tab := NewTable("A1", "B1", "C1")
		tab.Add(c.cells...)
		var out strings.Builder
		if err := tab.printFitted(&out, c.screen); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(out.String(), "\n")
		if len(lines) != 3 || lines[1] != c.want {
			t.Errorf("%s: got %q, want %q", c.name, lines, c.want)
		}
	}
	many := NewTable("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
	for range 2 {
		many.Add(long, long, long, long, long, long, long, long, long, long)
	}
	var out strings.Builder
	if err := many.printFitted(&out, 80); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 21 {
		t.Errorf("many columns: got %d lines, want a line for each cell and one between the rows:\n%s", got, &out)
	}
	for line := range strings.Lines(out.String()) {
		if n := Cells(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("many columns: a line of %d columns: %s", n, line)
		}
	}
}

// TestTableCSV: CSV has all text whole, and no control characters either.
func TestTableCSV(t *testing.T) {
	tab := NewTable("name", "said")
	tab.Add("Iris", `"hello", she said`)
	tab.Add("a\x1bb", "")
	var out strings.Builder
	if err := tab.CSV(&out); err != nil {
		t.Fatal(err)
	}
	if want := "name,said\nIris,\"\"\"hello\"\", she said\"\na\ufffdb,\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// TestHostileText: what others wrote never reaches a terminal as control
// characters: not in a table nor in its heads, and in JSON it stands as escapes
// that mean the same.
func TestHostileText(t *testing.T) {
	const hostile = "a\x1b]0;t\x07\u009b31m\u202eb\x7f"
	clean := func(what, out string) {
		t.Helper()
		if out == "" || PlainLines(out) != out {
			t.Errorf("%s: got %q", what, out)
		}
	}
	var out bytes.Buffer
	tab := NewTable(hostile)
	tab.Add(hostile)
	for _, print := range []func() error{func() error { return tab.Print(&out) }, func() error { return tab.CSV(&out) }, func() error { return tab.printRecords(&out, 40) }} {
		out.Reset()
		if err := print(); err != nil {
			t.Fatal(err)
		}
		clean("a table", out.String())
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

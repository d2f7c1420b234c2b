package test

import (
	"regexp"
	"strings"
	"testing"
)

// TestFaultTable: each row of DESIGN.md's table of faults names tests that
// there are.
func TestFaultTable(t *testing.T) {
	_, table, found := strings.Cut(string(read(t, "DESIGN.md")), "| proved by |\n")
	if !found {
		t.Fatal("DESIGN.md has no table of faults")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	all := map[string]bool{}
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testFunc.FindAllStringSubmatch(string(read(t, name)), -1) {
				all[m[1]] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for _, row := range strings.Split(table, "\n")[1:] {
		tests := named.FindAllStringSubmatch(row, -1)
		if len(tests) == 0 {
			t.Errorf("no test in: %s", row)
		}
		for _, m := range tests {
			if !all[m[1]] {
				t.Errorf("there is no %s, which proves: %s", m[1], row)
			}
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)

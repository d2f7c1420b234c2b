package test

import (
	"regexp"
	"strings"
	"testing"
)

// TestFaultTable: each fault that README.md lists names tests that there are.
func TestFaultTable(t *testing.T) {
	faults := strings.Split(string(read(t, "test/README.md")), "\n- ")[1:]
	if len(faults) < 40 {
		t.Errorf("test/README.md lists %d faults, want 40 at least", len(faults))
	}
	all := map[string]bool{}
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testFunc.FindAllStringSubmatch(string(read(t, name)), -1) {
				all[m[1]] = true
			}
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for _, fault := range faults {
		_, proof, _ := strings.Cut(fault, "*Proof:*")
		tests := named.FindAllStringSubmatch(proof, -1)
		if len(tests) == 0 {
			t.Errorf("no test proves: %s", fault)
		}
		for _, m := range tests {
			if !all[m[1]] {
				t.Errorf("there is no %s, which proves: %s", m[1], fault)
			}
		}
	}
}

var testFunc = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)

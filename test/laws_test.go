package test

import (
	"fmt"
	"go/ast"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// laws is how many there are in DESIGN.md, numbered from 1.
const laws = 10

// lawTest matches the name of a test of a law.
var lawTest = regexp.MustCompile(`^TestLaw([0-9]+)([^0-9]|$)`)

// TestEveryLawIsTested: each law is named by a test, and no test names a law
// that does not exist.
func TestEveryLawIsTested(t *testing.T) {
	tests := make([]string, laws+1) // by law: one test of it
	for _, f := range goFiles(t) {
		if !strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		f.funcs(func(fn *ast.FuncDecl) {
			m := lawTest.FindStringSubmatch(fn.Name.Name)
			if m == nil || fn.Recv != nil {
				return
			}
			n, err := strconv.Atoi(m[1])
			if err != nil || n < 1 || n > laws {
				t.Errorf("%s: %s names a law that does not exist; there are %d", f.at(fn), fn.Name.Name, laws)
				return
			}
			tests[n] = fn.Name.Name
		})
	}
	_, section, _ := strings.Cut(string(read(t, "DESIGN.md")), "\n## Laws\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for n := 1; n <= laws; n++ {
		if tests[n] == "" {
			t.Errorf("Law %d has no test (hint: name one TestLaw%d…)", n, n)
		}
		if !strings.Contains(section, fmt.Sprintf("\n%d. **", n)) {
			t.Errorf("Law %d is not in DESIGN.md", n)
		}
	}
	if strings.Contains(section, fmt.Sprintf("\n%d. **", laws+1)) {
		t.Errorf("DESIGN.md has a Law %d, want %d laws", laws+1, laws)
	}
}

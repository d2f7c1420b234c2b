package deliver

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeNamesAll: what templates and options can say is in the README.
func TestReadmeNamesAll(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## Passing it on\n")
	section, _, _ = strings.Cut(section, "\n## ")
	want := []string{strings.Trim(variableEventID, "{}"), dataPrefix}
	for _, v := range named {
		want = append(want, v.name)
	}
	for _, p := range providers {
		want = append(want, p.name)
		for _, o := range p.options {
			want = append(want, o.name)
		}
	}
	for _, name := range want {
		if !strings.Contains(section, "`"+name+"`") && !strings.Contains(section, "`{"+name+"}`") {
			t.Errorf("README.md, \"Passing it on\", says nothing of `%s`", name)
		}
	}
}

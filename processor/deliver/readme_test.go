package deliver

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeNamesAll: what templates and options can say is in README.md beside us.
func TestReadmeNamesAll(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	section := string(b)
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
			t.Errorf("README.md says nothing of `%s`", name)
		}
	}
}

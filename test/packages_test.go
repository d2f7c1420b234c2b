package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackagesAreListed: DESIGN.md's table of packages has each package of the
// product once, and says which of ours it may import as the import table does.
func TestPackagesAreListed(t *testing.T) {
	_, table, _ := strings.Cut(string(read(t, "DESIGN.md")), "| imports of ours |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	quoted := regexp.MustCompile("`([a-z/]+)`")
	listed := map[string]string{}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		name := strings.Trim(cells[0], " `")
		if _, twice := listed[name]; twice || len(cells) != 4 {
			t.Errorf("DESIGN.md: %s: got it twice, or %d cells, want 4", name, len(cells))
		}
		listed[name] = strings.TrimSpace(cells[len(cells)-1])
	}
	for _, r := range star {
		name := strings.Replace(r.pkg, "switchlog", "the root", 1)
		if strings.HasPrefix(r.pkg, "cmd/") {
			name = r.pkg
		}
		if strings.HasPrefix(name, "test/") {
			continue // helpers: test/doc.go says what they are
		}
		imports, there := listed[name]
		delete(listed, name)
		want := strings.Join(slices.Sorted(slices.Values(r.ours)), ", ")
		var names []string
		for _, m := range quoted.FindAllStringSubmatch(imports, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		switch got := strings.Join(names, ", "); {
		case !there:
			t.Errorf("DESIGN.md does not list %s", name)
		case slices.Contains(r.ours, anything) && imports == "all", want == "" && imports == "none":
		case got != want:
			t.Errorf("DESIGN.md: %s imports %q, the import table has %q", name, got, want)
		}
	}
	for name := range listed {
		t.Errorf("DESIGN.md lists %s, which is not in the import table", name)
	}
}

package projections

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFrontingReadme holds README.fronting.md against the tables and views.
func TestFrontingReadme(t *testing.T) {
	text, err := os.ReadFile("README.fronting.md")
	if err != nil {
		t.Fatal(err)
	}
	db := openFronting(t)
	heading := regexp.MustCompile("(?m)^### (?:table|view) `(\\w+)`$")
	column := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|")
	var named []string
	for i, section := range heading.Split(string(text), -1)[1:] {
		name := heading.FindAllStringSubmatch(string(text), -1)[i][1]
		named = append(named, name)
		var got []string
		for _, m := range column.FindAllStringSubmatch(section, -1) {
			got = append(got, m[1])
		}
		want := strings.Fields(selectRows(t, db, `SELECT name FROM pragma_table_info(?)`, name))
		if !slices.Equal(got, want) {
			t.Errorf("columns of %s: got %v, want %v", name, got, want)
		}
	}
	slices.Sort(named)
	want := strings.Fields(selectRows(t, db, `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
		AND name NOT IN ('members', 'meta', 'positions', 'skipped', 'entity_events', 'outbox') ORDER BY name`))
	if !slices.Equal(named, want) {
		t.Errorf("tables: got %v, want %v", named, want)
	}
}

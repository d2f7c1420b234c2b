package projections

import (
	"strings"
	"testing"
)

// TestQueriesOfAll: every query there is can be prepared and run, has an
// order and a limit and the parameters it names.
func TestQueriesOfAll(t *testing.T) {
	d := openTest(t, All)
	for _, source := range d.Sources() {
		for _, q := range d.Queries(source) {
			ways := map[bool]int{true: 1}
			if ways[q.SQL != ""]+ways[q.Compute != nil]+ways[q.History != nil] != 1 {
				t.Errorf("%s: want one of SQL, Compute and History", q.Name)
			}
			if q.SQL != "" && (!strings.Contains(q.SQL, "ORDER BY") || !strings.Contains(q.SQL, "LIMIT")) {
				t.Errorf("%s: no ORDER BY, or no LIMIT", q.Name)
			}
			if q.Doc == "" || q.Path == "" {
				t.Errorf("%s: no Doc, or no Path", q.Name)
			}
			for _, p := range q.Params {
				if q.SQL != "" && !strings.Contains(q.SQL, ":"+p.Name) || p.Doc == "" {
					t.Errorf("%s: parameter %s is not used, or has no Doc", q.Name, p.Name)
				}
			}
			if q.History != nil {
				continue
			}
			if _, err := d.Ask(t.Context(), source, q.Name, map[string]string{"tenant": "nobody"}); err != nil {
				t.Errorf("%s: %v", q.Name, err)
			}
		}
	}
}

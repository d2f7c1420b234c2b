package engine

import "testing"

// TestSteady: parameters get a plus, and nothing else does.
func TestSteady(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT 1`:                               `SELECT 1`,
		`WHERE a = ? AND b IN (?1, ?12)`:         `WHERE a = +? AND b IN (+?1, +?12)`,
		`VALUES (?, :tenant) LIMIT ?`:            `VALUES (+?, +:tenant) LIMIT +?`,
		`SELECT v ->> '$.a?:b', "x?", 'it''s ?'`: `SELECT v ->> '$.a?:b', "x?", 'it''s ?'`,
		"SELECT ? -- why? :so\n, ?":              "SELECT +? -- why? :so\n, +?",
		`a - ?`:                                  `a - +?`,
	} {
		if got := steady(query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

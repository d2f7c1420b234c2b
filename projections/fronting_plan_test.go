package projections

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// growing are the tables whose size is that of the history.
var growing = regexp.MustCompile(`\bSCAN (switches|switch_stints|members|fronts|w|s|e|f|p|m)\b|TEMP B-TREE FOR ORDER BY`)

// membersSorted is how the members of one switch are put in order.
var membersSorted = regexp.MustCompile(`(?m)^.*USE TEMP B-TREE FOR GROUP BY\n.*USE TEMP B-TREE FOR ORDER BY\n`)

var parameter = regexp.MustCompile(`:[a-z]+`)

// TestFrontingPlans holds every statement that folding random histories has
// prepared against N8: SQLite searches an index, and never scans or sorts.
func TestFrontingPlans(t *testing.T) {
	db := openFronting(t)
	var events []schemas.Recorded
	rapid.Check(t, func(rt *rapid.T) { events = append(events, genFronting(rt)...) })
	applyFronting(t, db, events, 5)
	var statements []string
	inFold(t, db, "test", uint64(len(events)+1), func(tx *engine.Tx) error {
		statements = tx.Statements()
		return nil
	})
	seen := 0
	for _, query := range statements {
		if !strings.Contains(query, "switch") && !strings.Contains(query, "front") {
			continue
		}
		seen++
		if plan := selectRows(t, db, `EXPLAIN QUERY PLAN `+query, anyArgs(query)...); growing.MatchString(plan) {
			t.Errorf("%s\n%s", query, plan)
		}
	}
	if seen < 14 {
		t.Errorf("only %d statements seen", seen)
	}
}

// TestFrontingViewPlans holds the questions people ask most against the same.
func TestFrontingViewPlans(t *testing.T) {
	db := openFronting(t)
	queries := []struct{ sql, by string }{ // by: what the plan must say
		{`SELECT * FROM current_fronters WHERE system_uuid = ?`, ""},
		{`SELECT * FROM switch_timeline WHERE system_uuid = ? AND started_us < ? ORDER BY started_us DESC, switch_uuid DESC LIMIT 10`, ""},
		{`SELECT * FROM front_intervals WHERE system_uuid = ? AND member_uuid = ? ORDER BY started_us DESC LIMIT 10`,
			"s USING PRIMARY KEY (system_uuid=? AND member_uuid=?)"},
		{`SELECT * FROM front_intervals WHERE system_uuid = ? AND started_us > ?`,
			"e USING PRIMARY KEY (system_uuid=? AND member_uuid=? AND timestamp_us>?)"},
		{`SELECT * FROM switch_members WHERE system_uuid = ? AND switch_uuid = ?`, "(system_uuid=? AND uuid=?)"},
		{`SELECT switch_uuid, timestamp_us FROM switch_stints WHERE system_uuid = ? AND member_uuid = ?`,
			"(system_uuid=? AND member_uuid=?)"},
	}
	for _, q := range pluralkit.Fronting.Queries {
		if q.SQL == "" {
			continue
		}
		queries = append(queries, struct{ sql, by string }{parameter.ReplaceAllString(q.SQL, "?"), ""})
	}
	for _, q := range queries {
		plan := selectRows(t, db, `EXPLAIN QUERY PLAN `+q.sql, anyArgs(q.sql)...)
		// The members of one switch are sorted in an aggregate; that is no sort of the history.
		plan = strings.ReplaceAll(plan, "USE TEMP B-TREE FOR group_concat(ORDER BY)", "")
		plan = strings.ReplaceAll(plan, "USE TEMP B-TREE FOR json_group_array(ORDER BY)", "")
		plan = membersSorted.ReplaceAllString(plan, "")
		if growing.MatchString(plan) || !strings.Contains(plan, q.by) {
			t.Errorf("%s\n%s\nwant: %s", q.sql, plan, q.by)
		}
		if q.by == "" {
			continue
		}
		// People ask with an SQLite of their own, which may be older and choose otherwise.
		theirs, err := exec.CommandContext(t.Context(), "sqlite3", "-readonly", db.Path(),
			`EXPLAIN QUERY PLAN `+strings.ReplaceAll(q.sql, "?", "'x'")).CombinedOutput()
		if err != nil || !strings.Contains(string(theirs), q.by) {
			t.Errorf("the sqlite3 shell: %v: %s\n%s\nwant: %s", err, q.sql, theirs, q.by)
		}
	}
}

// anyArgs are as many NULLs as the statement has parameters.
func anyArgs(query string) []any {
	return slices.Repeat([]any{nil}, strings.Count(query, "?"))
}

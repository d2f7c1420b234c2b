package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

func TestSQL(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 10, []schemas.Recorded{thing(1, tenantA, "update", "uuid-1", "one"), thing(2, tenantB, "update", "uuid-2", "two")})
	for _, c := range []struct {
		query string
		limit int
		want  string // columns, rows, truncated
	}{
		{`SELECT uuid, seen AS "how often", NULL, 0.5, x'01' FROM things ORDER BY uuid`, 0,
			`[uuid how often NULL 0.5 x'01'] [[uuid-1 1 <nil> 0.5 [1]] [uuid-2 1 <nil> 0.5 [1]]] false`},
		{`SELECT uuid FROM things ORDER BY uuid`, 1, `[uuid] [[uuid-1]] true`},
		{`SELECT uuid FROM things ORDER BY uuid`, 2, `[uuid] [[uuid-1] [uuid-2]] false`},
		{`SELECT uuid FROM things WHERE 0`, 5, `[uuid] [] false`},
		{"/* ; */ select ';' as \"a;b\" -- ; it's\n ; ;\n-- end", 5, `[a;b] [[;]] false`},
		{`WITH n(i) AS (VALUES (1), (2)) SELECT sum(i) AS s FROM n`, 5, `[s] [[3]] false`},
		{`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n`, 5, `[i] [[1] [2] [3]] false`},
		{`SELECT 1 AS [really?]`, 5, `[really?] [[1]] false`}, // a person's text is left as it is
		{`SELECT 1 /* it's a ? */ AS x, '?' AS y`, 5, `[x y] [[1 ?]] false`},
		{`SELECT 1 AS "a:b", 2 AS ` + "`c?`" + ` -- ?`, 5, `[a:b c?] [[1 2]] false`},
		{`VALUES (1)`, 5, `[column1] [[1]] false`},
		{`SELECT name FROM current_things ORDER BY 1 DESC LIMIT 1`, 5, `[name] [[two]] false`},
		{`SELECT name FROM pragma_table_info('tallies')`, 5, `[name] [[system_uuid] [kind] [n]] false`},
		{`PRAGMA index_list(things)`, 1, `[seq name unique origin partial] [[0 things_by_id 0 c 0]] true`},
		{`SELECT count(*) AS n FROM sqlite_schema WHERE name = 'things'`, 5, `[n] [[1]] false`},
	} {
		columns, rows, truncated, err := d.SQL(t.Context(), c.query, c.limit)
		if got := fmt.Sprint(columns, rows, truncated); got != c.want || err != nil {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", c.query, got, err, c.want)
		}
	}
}

func TestSQLRefuses(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 10, history(50))
	before := dumpAll(t, d)
	for _, c := range []struct{ query, want string }{
		{``, "there is no statement"},
		{` ; -- nothing`, "there is no statement"},
		{`SELECT 1; SELECT 2`, "more than one statement"},
		{`SELECT 1; DELETE FROM things`, "more than one statement"},
		{`SELECT 'it''s'; DROP TABLE things`, "more than one statement"},
		{"SELECT 1\x00; DROP TABLE things", "zero byte"},
		{`SELECT ` + strings.Repeat("1+", 40_000) + `1`, "over 65536 bytes"},
		{"\ufeff", "there is no statement"},
		{`SELEC 1`, `near "SELEC": syntax error`},
		{`SELECT nope FROM things`, "no such column: nope"},
		{`DELETE FROM things`, "only reading is allowed"},
		{`UPDATE things SET name = ''`, "only reading is allowed"},
		{`INSERT INTO tallies VALUES ('', '', 1)`, "only reading is allowed"},
		{`WITH x AS (SELECT 1) DELETE FROM things RETURNING uuid`, "only reading is allowed"},
		{`DROP TABLE things`, "only reading is allowed"},
		{`CREATE TEMP TABLE x (y)`, "only reading is allowed"},
		{`ATTACH '/tmp/other.db' AS other`, "only reading is allowed"},
		{`VACUUM INTO '/tmp/other.db'`, "only reading is allowed"},
		{`PRAGMA query_only = 0`, "only reading is allowed"},
		{`PRAGMA journal_mode = DELETE`, "only reading is allowed"},
		{`PRAGMA wal_checkpoint`, "only reading is allowed"},
		{`SELECT * FROM pragma_user_version`, "only reading is allowed"},
		{`BEGIN IMMEDIATE`, "only reading is allowed"},
		{`SAVEPOINT x`, "only reading is allowed"},
		{`SELECT load_extension('x')`, "not authorized"},
		{`SELECT zeroblob(100000000)`, "too big"},
	} {
		_, rows, _, err := d.SQL(t.Context(), c.query, 10)
		if !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, %v, want %s", c.query, rows, err, c.want)
		}
	}
	if got := dumpAll(t, d); got != before {
		t.Error("rows have changed")
	}
}

func TestSQLIsBounded(t *testing.T) {
	d := openTemp(t)
	const endless = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) `
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, _, err := d.SQL(ctx, endless+`SELECT max(i) FROM n`, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	_, rows, truncated, err := d.SQL(t.Context(), endless+`SELECT i FROM n`, 1<<30)
	if err != nil || len(rows) != maxSQLRows || !truncated {
		t.Errorf("got %d rows, %v, %v, want %d, truncated", len(rows), truncated, err, maxSQLRows)
	}
	_, rows, truncated, err = d.SQL(t.Context(), endless+`SELECT zeroblob(1000000) FROM n`, 1000)
	if err != nil || len(rows) != 8 || !truncated {
		t.Errorf("got %d rows, %v, %v, want 8, truncated", len(rows), truncated, err)
	}
}

// FuzzSQL: whatever a person types, nothing changes, and it is over soon.
func FuzzSQL(f *testing.F) {
	for _, seed := range []string{
		`SELECT 1`, `SELECT '`, `SELECT [;]; --`, "/*", `DELETE FROM things`, `PRAGMA table_info(things)`,
		`EXPLAIN QUERY PLAN SELECT * FROM things`, `ATTACH 'x' AS y`, `SELECT 1;;/**/DELETE FROM things`,
	} {
		f.Add(seed)
	}
	d := openTemp(f)
	apply(f, d, 10, history(20))
	before := dumpAll(f, d)
	f.Fuzz(func(t *testing.T, query string) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		columns, rows, _, err := d.SQL(ctx, query, 3)
		if err != nil && !errors.Is(err, schemas.ErrInvalid) && ctx.Err() == nil {
			t.Errorf("got %v, want it to be %v", err, schemas.ErrInvalid)
		}
		if err == nil && (len(columns) == 0 || len(rows) > 3) {
			t.Errorf("got columns %q, %d rows", columns, len(rows))
		}
		if got := dumpAll(t, d); got != before {
			t.Fatal("rows have changed")
		}
	})
}

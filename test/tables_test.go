package test

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// database opens the server's database as any program may while it runs.
func (s *server) database() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "projections.db")+"?mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	return db
}

// rows are the answer to a query, a line each, columns joined by "|".
func rows(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	answer, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer answer.Close()
	columns, err := answer.Columns()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for answer.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := answer.Scan(into...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(columns))
		for i, v := range values {
			cells[i] = "NULL"
			if v.Valid {
				cells[i] = v.String
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if err := answer.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// checkTables compares the tables after all samples, in the order of their
// names, with what PluralKit's rules say.
func checkTables(t *testing.T, s *server) {
	t.Helper()
	db := s.database()
	for _, c := range []struct {
		query string
		want  []string
	}{
		{`SELECT id, name, description, tag, pronouns, color, avatar_url, banner, name_privacy, front_privacy, created_us FROM systems`,
			// the snapshot in CREATE_MESSAGE fills created in and overrides nothing
			[]string{"harbor|Harbour House|We share one keyboard.|| HH|they/them|4f8a8b|NULL|NULL|private|private|1615714013589793"}},
		{`SELECT timezone, latch_timeout, member_limit, hid_list_padding, proxy_switch, name_format, description_templates FROM system_settings`,
			[]string{"Europe/Oslo|NULL|1500|left|add|NULL|[]"}},
		{`SELECT uuid, id, name, display_name, color, birthday, keep_proxy, tts, visibility, message_count, deleted_us IS NULL FROM members ORDER BY uuid`,
			[]string{
				"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1|alderr|Alder|NULL|3a7d44|0004-02-29|1|0|private|4182|1",       // what no update said is from the snapshot
				"1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62|NULL|Briar|Briar \"Thorn\"|a83279|1999-11-05|0|0|NULL|NULL|1", // updates only: the rest is not known
				"2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|0",               // a deletion alone leaves a tombstone
				"3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084|NULL|Dune|Dune 🏜️|c2a878|0004-02-29|0|0|public|0|1",           // created: PluralKit's defaults
			}},
		{`SELECT member_uuid, position, prefix, suffix FROM proxy_tags ORDER BY member_uuid, position`,
			[]string{"1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62|0|b:|NULL", "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084|0|d:|NULL"}},
		{`SELECT uuid, id, name, color, visibility, list_privacy, deleted_us IS NULL FROM groups ORDER BY uuid`,
			[]string{"a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90|garden|Gardeners|3a7d44|private|NULL|0", "b2e1d4f6-0a9b-4c8d-9d7e-6f5a4b3c2d01|NULL|Night shift|222244|public|private|1"}},
		{`SELECT uuid, name FROM current_members ORDER BY uuid`,
			[]string{"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1|Alder", "1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62|Briar", "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084|Dune"}},
		{`SELECT id, allow_autoproxy, deleted_us IS NULL FROM accounts ORDER BY id`,
			[]string{"1150000000000000003|0|1", "1150000000000000004|NULL|0"}},
		{`SELECT guild_id, proxying_enabled, tag, tag_enabled, display_name, name_format FROM system_guilds`,
			[]string{"1150000000000000001|0|NULL|0|Harbour (server)|{tag} {name}"}},
		{`SELECT member_uuid, guild_id, display_name, avatar_url, keep_proxy FROM member_guilds`,
			[]string{"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1|1150000000000000001|Alder (mod)|NULL|NULL"}},
		{`SELECT guild_id, channel_id, autoproxy_mode, autoproxy_member, last_latch_timestamp_us FROM autoproxy`,
			[]string{"1150000000000000001||off|NULL|1764349388447150"}},
		{`SELECT id, timestamp_us, original, sender, channel, guild FROM messages`,
			[]string{"1444000000000000005|1764346828000000|1443999997000000006|1150000000000000003|1150000000000000002|1150000000000000001"}},
		{`SELECT uuid, timestamp_us, deleted_us IS NULL FROM switches ORDER BY uuid`,
			[]string{ // moved and edited before they were deleted; a tenth of a microsecond is cut off
				"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01|1764348300123456|0", "d5a2f3e4-2b3c-4d4e-8f5a-6b7c8d9e0f12|1764372600500000|0", "e6b3a4f5-3c4d-4e5f-9a6b-7c8d9e0f1a23|1764399600000000|0",
			}},
		{`SELECT * FROM current_fronters`, []string{}},
		{`SELECT * FROM switch_timeline`, []string{}},
		{`SELECT count(*) FROM imports`, []string{"1"}},
	} {
		if got := rows(t, db, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.query, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if got := rows(t, db, `SELECT count(*) FROM skipped`); fmt.Sprint(got) != "[0]" {
		t.Errorf("skipped: got %v, want none: %v", got, rows(t, db, `SELECT seq, type, reason FROM skipped`))
	}
}

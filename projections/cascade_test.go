package projections

import (
	"context"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestDeleteTakesMemberships: what the API told of groups goes with the group
// and with the member, and nothing of another system goes with it.
func TestDeleteTakesMemberships(t *testing.T) {
	db := openTest(t, All)
	for i, c := range []struct{ event, want string }{
		{`{"type":"switchlog.group.observed","subject":"grp-1","data":{"asked":"2025-01-01T00:00:01Z","object":{"members":["mem-2","mem-1"]}}}`,
			`{"k":"grp-1/mem-1"} {"k":"grp-1/mem-2"}`},
		{`{"type":"switchlog.group.observed","subject":"grp-2","data":{"asked":"2025-01-01T00:00:01Z","object":{"members":["mem-1","mem-2","mem-1"]}}}`,
			`{"k":"grp-1/mem-1"} {"k":"grp-1/mem-2"} {"k":"grp-2/mem-1"} {"k":"grp-2/mem-2"}`},
		{`{"type":"switchlog.group.observed","tenant":"sys-2","subject":"grp-9","data":{"asked":"2025-01-01T00:00:01Z","object":{"members":["mem-9"]}}}`,
			`{"k":"grp-1/mem-1"} {"k":"grp-1/mem-2"} {"k":"grp-2/mem-1"} {"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
		{`{"type":"me.pluralkit.group.update","subject":"grp-2","data":{"name":"Two"}}`,
			`{"k":"grp-1/mem-1"} {"k":"grp-1/mem-2"} {"k":"grp-2/mem-1"} {"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
		{`{"type":"me.pluralkit.member.delete","subject":"mem-1","data":null}`,
			`{"k":"grp-1/mem-2"} {"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
		{`{"type":"me.pluralkit.group.delete","subject":"grp-1","data":null}`,
			`{"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
		{`{"type":"me.pluralkit.group.delete","subject":"grp-9","data":null}`, // a uuid of another system's, made up
			`{"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
		{`{"type":"me.pluralkit.member.delete","subject":"mem-9","data":null}`,
			`{"k":"grp-2/mem-2"} {"k":"grp-9/mem-9"}`},
	} {
		if err := db.Apply(context.Background(), "epoch", []schemas.Recorded{parseEvent(t, []byte(c.event), uint64(i+1))}); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(rowsOf(t, db, `SELECT group_uuid || '/' || member_uuid AS k FROM group_members ORDER BY 1`), " ")
		if got != c.want {
			t.Errorf("after %s\ngot:  %s\nwant: %s", c.event, got, c.want)
		}
	}
	got := strings.Join(rowsOf(t, db, `SELECT uuid, member_count FROM current_groups`), " ")
	if want := `{"uuid":"grp-2","member_count":1} {"uuid":"grp-9","member_count":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = strings.Join(ask(t, db, "group", map[string]string{"tenant": "sys-1", "ref": "grp-2"}), " ")
	if want := `"members":["mem-2"]`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

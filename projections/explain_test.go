package projections

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"switchlog/schemas"
)

func TestCauses(t *testing.T) {
	members := things
	members.Queries = nil
	members.Schema = strings.NewReplacer("things", "members").Replace(things.Schema)
	members.Fold = func(tx *Tx, e schemas.Recorded) error {
		err := tx.Exec(`INSERT OR REPLACE INTO members VALUES (?, ?, ?, '', 0, ?)`,
			e.Subject, e.Route.Tenant, e.Subject[:5], map[bool]any{true: int64(1)}[e.Route.Verb == "delete"])
		if err != nil {
			return err
		}
		return errors.Join(tx.Touch("members", e.Subject), tx.Touch("members", e.Subject))
	}
	d := openTemp(t, members)
	apply(t, d, 2, []schemas.Recorded{
		thing(1, tenantA, "update", "abcde-1", ""),
		thing(2, tenantA, "update", "other-1", ""),
		thing(3, tenantA, "update", "abcde-1", ""),
		thing(4, tenantA, "delete", "other-2", ""), // had the id that other-1 has now
		thing(5, tenantA, "update", "twice-1", ""),
		thing(6, tenantB, "update", "twice-2", ""),
	})
	for _, c := range []struct{ table, key, want string }{
		{"members", "abcde-1", "[1 3]"},
		{"members", "abcde", "[1 3]"},
		{"members", "AB-CDE", "[1 3]"},
		{"members", "other", "[2]"},
		{"members", "other-2", "[4]"},
		{"members", "nobody", "[]"},
		{"tallies", "nobody", "[]"},
		{"members", "twice", "more than one row had the short id twice"},
		{"nothing", "x", `there is no table "nothing"`},
		{`x"; DROP TABLE members`, "x", "there is no table"},
	} {
		causes, err := d.Causes(t.Context(), c.table, c.key)
		got := fmt.Sprint(causes)
		if err != nil && errors.Is(err, schemas.ErrInvalid) {
			got = err.Error()
		} else if err != nil {
			t.Errorf("%s %s: %v", c.table, c.key, err)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: got %s, want %s", c.table, c.key, got, c.want)
		}
	}
}

func TestSkippedAreListed(t *testing.T) {
	d := openTemp(t)
	events := history(100)
	broken := schemas.Recorded{Seq: 101, Fault: errors.New("no event at all " + strings.Repeat("é", 400))}
	apply(t, d, 50, append(events, broken))
	n, err := d.SkippedCount(t.Context())
	if err != nil || n != 5 {
		t.Errorf("got %d, %v, want 5", n, err)
	}
	skipped, err := d.Skipped(t.Context(), 2)
	if err != nil || len(skipped) != 2 {
		t.Fatalf("got %v, %v, want 2", skipped, err)
	}
	if got := skipped[0]; got.Seq != 101 || got.RecordedUS != 0 || !strings.HasPrefix(got.Reason, "invalid: no event at all é") || len(got.Reason) > 510 {
		t.Errorf("got %+v", got)
	}
	want := Skipped{Seq: 92, Type: "test.thing.bad", Reason: "invalid: name: it is bad", ID: "event-92", Source: "test",
		Tenant: tenantA, RecordedUS: events[91].Time.UnixMicro()}
	if got := skipped[1]; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

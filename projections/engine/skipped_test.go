package engine

import (
	"errors"
	"strings"
	"testing"

	"switchlog/schemas"
)

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

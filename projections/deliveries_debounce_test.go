package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"switchlog/schemas"
)

// fronts adds a switch to these members, at so many seconds after the log's
// beginning, and folds it.
func (l *hookLog) fronts(t *testing.T, db *DB, second int, members ...string) {
	t.Helper()
	uuid := fmt.Sprintf("sw-%d", len(l.events))
	l.add(schemas.Event{Type: schemas.PKSwitchCreate, Subject: uuid, Time: l.at(second), Route: schemas.PluralKitRoute(schemas.PKSwitchCreate, "sys"),
		Data: asJSON(map[string]any{"uuid": uuid, "timestamp": schemas.FormatTime(l.at(second)), "members": append([]string{}, members...)})})
	l.fold(t, db)
}

// waits is what is due to a webhook at some second, as "before>after", by uuid.
func waits(t *testing.T, db *DB, l *hookLog, second int) []string {
	t.Helper()
	d, err := db.DueDeliveries(t.Context(), "w", false, l.at(second), 100)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, d := range d.Deliveries {
		c, err := schemas.Decode[schemas.Change](d.Event)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, memberOf(t, c.Before)+">"+memberOf(t, c.After))
	}
	return got
}

func memberOf(t *testing.T, front json.RawMessage) string {
	t.Helper()
	var f *schemas.Front
	if err := json.Unmarshal(front, &f); err != nil {
		t.Fatal(err)
	}
	if f == nil || len(f.Members) == 0 {
		return "-"
	}
	return f.Members[0].UUID
}

// TestLaw5Debounce: of the changes within a window, which is counted by the
// events' own times, only the last is due, at the window's end, with what the
// receiver last knew before it.
func TestLaw5Debounce(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	s := hook("w", "front.changed")
	s.DebounceS, s.OwnerOnly = 20, true
	l.created(s)
	l.fronts(t, db, 100, "a")
	l.fronts(t, db, 105, "b")
	l.fronts(t, db, 119, "c")
	if got := waits(t, db, &l, 119); len(got) != 0 {
		t.Errorf("within the window: got %v due, want nothing", got)
	}
	if got := waits(t, db, &l, 120); !slices.Equal(got, []string{"->c"}) {
		t.Errorf("at its end: got %v, want the last alone, with what was before the first", got)
	}
	l.fronts(t, db, 120, "d") // another window, though nothing was sent yet
	l.fronts(t, db, 125, "c") // back again: how it stands is passed on
	if got := waits(t, db, &l, 1000); !slices.Equal(got, []string{"->c", "c>c"}) {
		t.Errorf("two windows: got %v, want one of each", got)
	}
	rows, total := deliveriesOf(t, db, "w", 100, 0)
	if total != 5 {
		t.Errorf("got %d deliveries, want 5", total)
	}
	for _, row := range rows {
		if row.Status != "due" && (row.Status != "cancelled" || row.Response == nil || *row.Response != "cancelled: replaced by a later change") {
			t.Errorf("got %s %v, want those that were replaced to say so", row.Status, row.Response)
		}
	}
}

// TestDebounceLeavesWhatWasAttempted: a change that was sent, or tried, is not
// replaced; the next one has a window of its own.
func TestDebounceLeavesWhatWasAttempted(t *testing.T) {
	for _, outcome := range []string{schemas.OutcomeDelivered, schemas.OutcomeFailed} {
		db := openTest(t, All)
		var l hookLog
		s := hook("w", "front.changed")
		s.DebounceS, s.OwnerOnly = 20, true
		l.created(s)
		l.fronts(t, db, 100, "a")
		rows, _ := deliveriesOf(t, db, "w", 1, 0)
		l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: rows[0].ID, Attempt: 1, Outcome: outcome, At: schemas.FormatTime(l.at(110))})
		l.fronts(t, db, 111, "b")
		d, err := db.DueDeliveries(t.Context(), "w", false, l.at(131), 10)
		if err != nil || len(d.Deliveries) == 0 {
			t.Fatalf("%s: got %+v, %v", outcome, d, err)
		}
		last := d.Deliveries[len(d.Deliveries)-1]
		if last.Due != l.at(131) {
			t.Errorf("%s: the next change is due %v, want %v", outcome, last.Due, l.at(131))
		}
	}
}

// TestDebounceOfConditions: what waits is withdrawn when the subject no longer
// is as the condition wants it; other subjects, other webhooks and events that
// are no changes do not wait for it.
func TestDebounceOfConditions(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	s := hook("w", "front.changed")
	s.DebounceS, s.OwnerOnly, s.Condition = 20, true, `data.after.members.exists(m, m.uuid == "a")`
	l.created(s)
	at := hook("now", "front.changed", "switch.create")
	at.OwnerOnly = true
	l.created(at)
	raw := hook("raw", "switch.create")
	raw.DebounceS, raw.OwnerOnly = 20, true
	l.created(raw)
	l.fronts(t, db, 100, "a")
	l.fronts(t, db, 105, "b")
	if got := waits(t, db, &l, 1000); len(got) != 0 {
		t.Errorf("a front that did not last: got %v, want nothing", got)
	}
	l.fronts(t, db, 110, "a")
	if got := waits(t, db, &l, 129); len(got) != 0 {
		t.Errorf("got %v before the new window's end", got)
	}
	if got := waits(t, db, &l, 130); !slices.Equal(got, []string{"b>a"}) {
		t.Errorf("got %v, want the last", got)
	}
	for webhook, want := range map[string]int{"now": 6, "raw": 3} {
		d, err := db.DueDeliveries(t.Context(), webhook, false, l.at(110), 10)
		if err != nil || len(d.Deliveries) != want {
			t.Errorf("%s: got %d due (%v), want %d at once", webhook, len(d.Deliveries), err, want)
		}
	}
}

// TestBrokenConditionIsKept: a stored condition that this version does not
// compile has its row and gets nothing; it is not in skipped, and the webhook
// is not what it was before.
func TestBrokenConditionIsKept(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	l.created(hook("w", "message.receive"))
	s := hook("w", "message.receive")
	s.Condition = `future(data)`
	l.updated(s)
	l.message("m")
	l.fold(t, db) // nothing is set aside
	if got, _ := due(t, db, "w", false, l.at(100), 10); len(got) > 0 {
		t.Errorf("got %v due, want nothing", got)
	}
	if got := selectRows(t, db, `SELECT condition FROM webhooks`); got != s.Condition+"\n" {
		t.Errorf("got %s, want the row with its condition", got)
	}
	s.Condition = ""
	l.updated(s)
	l.message("m")
	l.fold(t, db)
	if got, _ := due(t, db, "w", false, l.at(100), 10); len(got) != 1 {
		t.Errorf("after it was mended: got %v due, want one", got)
	}
}

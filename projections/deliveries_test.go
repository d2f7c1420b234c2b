package projections

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/projections/webhooks"
	"switchlog/schemas"
)

// TestDeliveryLife: due, failed, due again, taken; the second time changes
// nothing.
func TestDeliveryLife(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	l.created(hook("w", "message.receive"))
	e := l.message("m")
	l.fold(t, db)

	got, d := due(t, db, "w", false, l.at(2), 10)
	if len(got) != 1 || got[0] != "m 2.0" {
		t.Fatalf("got %v, want the message", got)
	}
	id := schemas.DeliveryID("w", e.Event)
	want := schemas.Delivery{ID: id, MessageID: id, Webhook: "w", Kind: schemas.DeliveryLive, Seq: 2,
		Created: e.Time, Due: e.Time}
	have := d.Deliveries[0]
	have.Event = schemas.Event{}
	if fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", have, want)
	}
	if ev := d.Deliveries[0].Event; fmt.Sprint(ev) != fmt.Sprint(e.Event) {
		t.Errorf("got the event %+v, want %+v", ev, e.Event)
	}
	if got, d := due(t, db, "w", false, l.at(2).Add(-time.Microsecond), 10); len(got) > 0 || !d.Next.Equal(e.Time) {
		t.Errorf("before it was accepted: got %v and next %v, want none and %v", got, d.Next, e.Time)
	}

	first := l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: id, Attempt: 1, Outcome: schemas.OutcomeFailed, Status: 503,
		Response: "busy", Duration: 12, Request: schemas.DeliveryDetails{Method: "POST", URL: "https://example.org/in", Bytes: 9}})
	l.fold(t, db)
	retry := first.Time.Add(5 * time.Minute)
	got, d = due(t, db, "w", false, retry.Add(-time.Microsecond), 10)
	if len(got) > 0 || !d.Next.Equal(retry) || !d.FailingSince.Equal(first.Time) {
		t.Errorf("got %v, next %v, failing since %v; want none, %v, %v", got, d.Next, d.FailingSince, retry, first.Time)
	}
	if got, d := due(t, db, "w", false, retry, 10); len(got) != 1 || d.Deliveries[0].Attempts != 1 || !d.Next.IsZero() {
		t.Errorf("got %v, %+v; want it with one attempt and nothing after it", got, d)
	}

	second := l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: id, Attempt: 2, Outcome: schemas.OutcomeDelivered, Status: 200, Response: "", Duration: 7})
	l.fold(t, db)
	rows, total := deliveriesOf(t, db, "w", 10, 0)
	if total != 1 || len(rows) != 1 {
		t.Fatalf("got %d rows of %d, want one", len(rows), total)
	}
	const wantRow = `{"id":"%s","webhookId":"w","event":"message.receive","payload":{"event":"message.receive","type":"token.message.receive",` +
		`"timestamp":"2025-06-01T00:00:02.000000Z","id":"e2","source":"token","tenant":"m","data":{"a":1}},"statusCode":200,"response":"",` +
		`"attempts":2,"deliveredAt":"2025-06-01T00:00:04.007Z","createdAt":"2025-06-01T00:00:02.000Z","status":"delivered","kind":"live",` +
		`"eventId":"e2","tenant":"m","source":"token","seq":2,"nextAttemptAt":null,"durationMs":7,"request":{"method":"","url":"","headers":null,"bytes":0}}`
	if got, want := string(asJSON(rows[0])), fmt.Sprintf(wantRow, id); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, d := due(t, db, "w", false, l.at(9e6), 10); !d.FailingSince.IsZero() || len(d.Deliveries) > 0 {
		t.Errorf("got %+v, want nothing due and nothing failing", d)
	}

	// Law 3: attempts that come again, and the event itself.
	before := rows[0]
	for _, again := range []schemas.Recorded{e, first, second} {
		l.add(again.Event)
	}
	l.fold(t, db)
	if rows, total := deliveriesOf(t, db, "w", 10, 0); total != 1 || string(asJSON(rows[0])) != string(asJSON(before)) {
		t.Errorf("after all came again: got %s of %d, want %s of 1", asJSON(rows), total, asJSON(before))
	}
}

// TestAttemptsEnd: what each outcome makes of a delivery.
func TestAttemptsEnd(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	l.created(hook("w", "message.receive"))
	outcomes := map[string]string{
		schemas.OutcomeDelivered: schemas.DeliveryStatusDelivered, schemas.OutcomeFailed: schemas.DeliveryStatusDue,
		schemas.OutcomeExhausted: schemas.DeliveryStatusFailed, schemas.OutcomeRefused: schemas.DeliveryStatusRefused,
	}
	ids := map[string]string{}
	for outcome := range outcomes {
		ids[outcome] = schemas.DeliveryID("w", l.message("m").Event)
	}
	cancelled := schemas.DeliveryID("w", l.message("m").Event)
	for outcome, id := range ids {
		l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: id, Attempt: 1, Outcome: outcome, Response: "r"})
	}
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: "nobody's", Attempt: 1, Outcome: schemas.OutcomeDelivered})
	l.attempt(schemas.DeliveryAttempt{Webhook: "nobody", Delivery: cancelled, Attempt: 1, Outcome: schemas.OutcomeDelivered})
	l.fold(t, db)
	for outcome, want := range outcomes {
		if got, err := db.Delivery(t.Context(), "w", ids[outcome]); err != nil || got.Status != want || (got.NextAttemptAt != nil) != (want == "due") {
			t.Errorf("%s: got %s (%v), want %s", outcome, asJSON(got), err, want)
		}
	}
	counts, err := db.CountDeliveries(t.Context())
	if want := map[string]int{"due": 2, "delivered": 1, "failed": 1, "refused": 1}; err != nil || fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("got %v (%v), want %v", counts, err, want)
	}

	// Disabled: what waited is called off. What was on its way then may arrive.
	off := hook("w", "message.receive")
	off.Enabled = false
	l.updated(off)
	l.fold(t, db)
	if got, _ := due(t, db, "w", false, l.at(9e6), 10); len(got) > 0 {
		t.Errorf("disabled: got %v due, want none", got)
	}
	got, err := db.Delivery(t.Context(), "w", cancelled)
	if err != nil || got.Status != schemas.DeliveryStatusCancelled || got.Response == nil || *got.Response != "cancelled: the webhook was disabled" {
		t.Errorf("got %s (%v), want it cancelled, and why", asJSON(got), err)
	}
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: cancelled, Attempt: 1, Outcome: schemas.OutcomeDelivered, Status: 200})
	failed := ids[schemas.OutcomeFailed]
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: failed, Attempt: 2, Outcome: schemas.OutcomeFailed, Status: 500})
	l.message("m")
	l.fold(t, db)
	for id, want := range map[string]string{cancelled: "delivered", failed: "cancelled"} {
		if got, err := db.Delivery(t.Context(), "w", id); err != nil || got.Status != want || got.NextAttemptAt != nil {
			t.Errorf("got %s (%v), want it %s", asJSON(got), err, want)
		}
	}
	if _, total := deliveriesOf(t, db, "w", 10, 0); total != 5 {
		t.Errorf("got %d deliveries, want the five from before it was disabled", total)
	}

	l.deleted("w")
	l.fold(t, db)
	if rows, total := deliveriesOf(t, db, "w", 10, 0); total != 0 || len(rows) != 0 {
		t.Errorf("deleted: got %d of %d deliveries, want none", len(rows), total)
	}
	if _, err := db.Delivery(t.Context(), "w", cancelled); !errors.Is(err, webhooks.ErrNoDelivery) {
		t.Errorf("deleted: got %v, want ErrNoDelivery", err)
	}
}

// TestRetryAndReplay: what a person asks for is a delivery of its own, with
// the receiver's key of the first.
func TestRetryAndReplay(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	s := hook("w", "message.receive")
	s.Ordered = true
	l.created(s)
	e := l.message("m")
	id := schemas.DeliveryID("w", e.Event)
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: id, Attempt: 1, Outcome: schemas.OutcomeRefused, Status: 404})
	l.fold(t, db)

	again, err := db.DeliveryAgain(t.Context(), "w", id)
	if err != nil || again.ID == id || again.MessageID != id || again.Kind != schemas.DeliveryRetry || again.Attempts != 0 || again.Event.ID != e.ID {
		t.Fatalf("got %+v (%v), want a retry of %s", again, err, id)
	}
	for range 2 { // the second time changes nothing
		l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: again.ID, Of: id, Kind: schemas.DeliveryRetry, Attempt: 1,
			Outcome: schemas.OutcomeFailed, Status: 500, Response: "no"})
	}
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: "other", Of: "gone", Kind: schemas.DeliveryRetry, Attempt: 1, Outcome: schemas.OutcomeDelivered})
	request := schemas.DeliveryRequest{Webhook: "w", Delivery: "r1", MessageID: id, Kind: schemas.DeliveryReplay, Seq: e.Seq,
		Event: asJSON(e.Event), Route: e.Route.LogSubject(), Due: schemas.FormatTime(l.at(100))}
	for range 2 {
		l.self(schemas.DeliveryRequested, "delivery", "requested", "w", request)
	}
	request.Webhook = "nobody"
	l.self(schemas.DeliveryRequested, "delivery", "requested", "nobody", request)
	l.fold(t, db)

	rows, total := deliveriesOf(t, db, "w", 10, 0)
	if total != 3 || len(rows) != 3 {
		t.Fatalf("got %d rows of %d, want three", len(rows), total)
	}
	for i, want := range []string{"r1 replay due 0", again.ID + " retry failed 1", id + " live refused 1"} {
		if got := fmt.Sprint(rows[i].ID, " ", rows[i].Kind, " ", rows[i].Status, " ", rows[i].Attempts); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if page, total := deliveriesOf(t, db, "w", 1, 1); total != 3 || len(page) != 1 || page[0].ID != again.ID {
		t.Errorf("got the page %s of %d, want the retry of 3", asJSON(page), total)
	}
	for _, ordered := range []bool{false, true} {
		got, d := due(t, db, "w", ordered, l.at(100), 10)
		if len(got) != 1 || d.Deliveries[0].MessageID != id || d.Deliveries[0].Kind != schemas.DeliveryReplay {
			t.Errorf("ordered %v: got %+v, want the replay with the key of the first", ordered, d)
		}
	}
}

// TestDueInOrder: in any order what waited longest is first; in order each
// tenant waits for its own, and no tenant for another.
func TestDueInOrder(t *testing.T) {
	db := openTest(t, All)
	var l hookLog
	s := hook("w", "message.receive")
	s.Ordered = true
	l.created(s)
	a1, b1, a2, b2, c1, a3 := l.message("a"), l.message("b"), l.message("a"), l.message("b"), l.message("c"), l.message("a")
	_, _, _, _ = a2, b2, c1, a3
	l.fold(t, db)
	now := l.at(100)
	check := func(ordered bool, limit int, want ...string) schemas.Due {
		t.Helper()
		got, d := due(t, db, "w", ordered, now, limit)
		if !slices.Equal(got, want) {
			t.Errorf("ordered %v, limit %d: got %v, want %v", ordered, limit, got, want)
		}
		return d
	}
	check(false, 10, "a 2.0", "b 3.0", "a 4.0", "b 5.0", "c 6.0", "a 7.0")
	check(true, 10, "a 2.0", "a 4.0", "a 7.0", "b 3.0", "b 5.0", "c 6.0")
	if d := check(false, 2, "a 2.0", "b 3.0"); !d.Next.Equal(l.at(4)) {
		t.Errorf("got next %v, want %v: there is more", d.Next, l.at(4))
	}
	if d := check(true, 3, "a 2.0", "b 3.0", "c 6.0"); !d.Next.Equal(l.at(4)) {
		t.Errorf("got next %v, want %v: there is more of a", d.Next, l.at(4))
	}
	if d := check(true, 2, "a 2.0", "b 3.0"); !d.Next.Equal(l.at(4)) {
		t.Errorf("got next %v, want %v", d.Next, l.at(4))
	}

	// The first of a must be tried again later: so must all that follow it.
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: schemas.DeliveryID("w", a1.Event), Attempt: 1,
		Outcome: schemas.OutcomeFailed, RetryAt: schemas.FormatTime(l.at(1000))})
	l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: schemas.DeliveryID("w", b1.Event), Attempt: 1, Outcome: schemas.OutcomeDelivered})
	l.fold(t, db)
	if d := check(true, 10, "b 5.0", "c 6.0"); !d.Next.Equal(l.at(1000)) {
		t.Errorf("got next %v, want %v", d.Next, l.at(1000))
	}
	check(false, 10, "a 4.0", "b 5.0", "c 6.0", "a 7.0")
	now = l.at(1000)
	check(true, 10, "b 5.0", "c 6.0", "a 2.0", "a 4.0", "a 7.0")

	// Order is given up, and taken up again.
	s.Ordered = false
	l.updated(s)
	l.fold(t, db)
	check(true, 10)
	check(false, 10, "a 4.0", "b 5.0", "c 6.0", "a 7.0", "a 2.0")
	s.Ordered = true
	l.updated(s)
	l.fold(t, db)
	check(true, 10, "b 5.0", "c 6.0", "a 2.0", "a 4.0", "a 7.0")
	if got, d := due(t, db, "nobody", false, now, 10); len(got) > 0 || !d.Next.IsZero() {
		t.Errorf("of a webhook that is not there: got %v, %v, want nothing", got, d.Next)
	}
}

// TestLaw10DeliveriesAreBounded: beyond 10,000 that wait the oldest is called
// off, and beyond 1,000 that do not the oldest goes.
func TestLaw10DeliveriesAreBounded(t *testing.T) {
	db := openTest(t, []engine.Projection{webhooks.Webhooks, webhooks.Deliveries})
	var l hookLog
	l.created(hook("w", "message.receive"))
	const over = 1200
	for range maxDueDeliveries + over {
		l.message("m")
	}
	l.fold(t, db)
	row := rowsOf(t, db, `SELECT due, finished, dropped, (SELECT count(*) FROM deliveries WHERE status = 'due') AS d,
		(SELECT count(*) FROM deliveries WHERE status = 'cancelled') AS c, (SELECT min(seq) FROM deliveries WHERE status = 'due') AS first,
		(SELECT min(seq) FROM deliveries) AS oldest, (SELECT min(response) FROM deliveries) AS response FROM webhooks`)
	want := fmt.Sprintf(`{"due":10000,"finished":1000,"dropped":%d,"d":10000,"c":1000,"first":%d,"oldest":%d,"response":"cancelled: over 10000 deliveries were waiting"}`,
		over, 2+over, 2+over-1000)
	if len(row) != 1 || row[0] != want {
		t.Errorf("got %v, want %s", row, want)
	}
	off := hook("w", "message.receive")
	off.Enabled = false
	l.updated(off)
	l.fold(t, db)
	row = rowsOf(t, db, `SELECT due, finished, (SELECT count(*) FROM deliveries) AS n, (SELECT min(seq) FROM deliveries) AS oldest FROM webhooks`)
	if want := fmt.Sprintf(`{"due":0,"finished":1000,"n":1000,"oldest":%d}`, 2+maxDueDeliveries+over-1000); len(row) != 1 || row[0] != want {
		t.Errorf("disabled: got %v, want %s", row, want)
	}
}

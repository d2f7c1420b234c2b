package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"switchlog/schemas"
)

// maxDueDeliveries is how many deliveries of one webhook wait at most.
const maxDueDeliveries = 10_000

// hookLog makes a log of events in the order they are made, one a second.
type hookLog struct {
	events []schemas.Recorded
}

var hookEpoch = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// at is when the event with that sequence was accepted.
func (l *hookLog) at(seq int) time.Time { return hookEpoch.Add(time.Duration(seq) * time.Second) }

func (l *hookLog) add(e schemas.Event) schemas.Recorded {
	seq := len(l.events) + 1
	if e.ID == "" {
		e.ID = fmt.Sprintf("e%d", seq)
	}
	if e.Time.IsZero() {
		e.Time = l.at(seq)
	}
	if e.Source == "" {
		e.Source = "urn:test:" + e.Route.Tenant
	}
	l.events = append(l.events, schemas.Recorded{Event: e, Seq: uint64(seq)})
	return l.events[seq-1]
}

func asJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// self adds an event of the registry.
func (l *hookLog) self(typ, noun, verb, subject string, data any) schemas.Recorded {
	return l.add(schemas.Event{Type: typ, Source: schemas.SelfURI, Subject: subject, Origin: schemas.OriginCommand,
		Data: asJSON(data), Route: schemas.RegistryRoute(noun, verb)})
}

func (l *hookLog) created(s schemas.Subscription) schemas.Recorded {
	return l.self(schemas.SubscriptionCreated, "subscription", "created", s.ID, s)
}

func (l *hookLog) updated(s schemas.Subscription) schemas.Recorded {
	return l.self(schemas.SubscriptionUpdated, "subscription", "updated", s.ID, s)
}

func (l *hookLog) deleted(id string) schemas.Recorded {
	return l.self(schemas.SubscriptionDeleted, "subscription", "deleted", id, schemas.Subscription{ID: id})
}

// message adds an event of a sender with a shared token: nothing follows from
// it but itself.
func (l *hookLog) message(tenant string) schemas.Recorded {
	return l.add(schemas.Event{Type: schemas.TokenReceive, Data: json.RawMessage(`{"a":1}`), Route: schemas.GenericRoute(schemas.SharedToken, tenant)})
}

// attempt adds an attempt of a delivery.
func (l *hookLog) attempt(d schemas.DeliveryAttempt) schemas.Recorded {
	at := l.at(len(l.events) + 1)
	if d.At == "" {
		d.At = schemas.FormatTime(at)
	}
	if d.Kind == "" {
		d.Kind = schemas.DeliveryLive
	}
	if d.Outcome == schemas.OutcomeFailed && d.RetryAt == "" {
		d.RetryAt = schemas.FormatTime(at.Add(5 * time.Minute))
	}
	return l.add(schemas.Event{ID: fmt.Sprintf("%s.%d", d.Delivery, d.Attempt), Type: schemas.DeliveryAttempted, Source: schemas.SelfURI,
		Subject: d.Webhook, Data: asJSON(d), Route: schemas.RegistryRoute("delivery", "attempted")})
}

func hook(id string, events ...string) schemas.Subscription {
	return schemas.Subscription{ID: id, Provider: schemas.ProviderStandard, URL: "https://example.org/in", Events: events, Enabled: true}
}

// fold folds what of the log the database has not yet.
func (l *hookLog) fold(t testing.TB, db *DB) {
	t.Helper()
	if err := db.Apply(t.Context(), "epoch", l.events); err != nil {
		t.Fatal(err)
	}
	if n, err := db.SkippedCount(t.Context()); err != nil || n > 0 {
		skipped, _ := db.Skipped(t.Context(), 3)
		t.Fatalf("got %d events set aside (%v), want none: %v", n, err, skipped)
	}
}

// due is what is due at a time, as "tenant seq.n" each.
func due(t testing.TB, db *DB, webhook string, ordered bool, now time.Time, limit int) ([]string, schemas.Due) {
	t.Helper()
	d, err := db.DueDeliveries(t.Context(), webhook, ordered, now, limit)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, d := range d.Deliveries {
		got = append(got, fmt.Sprintf("%s %d.%d", d.Event.Route.Tenant, d.Seq, d.N))
	}
	return got, d
}

func deliveriesOf(t testing.TB, db *DB, webhook string, limit, offset int) ([]schemas.DeliveryRecord, int) {
	t.Helper()
	rows, total, err := db.Deliveries(t.Context(), webhook, limit, offset)
	if err != nil {
		t.Fatal(err)
	}
	return rows, total
}

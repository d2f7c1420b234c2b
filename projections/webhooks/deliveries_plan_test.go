package webhooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// byHand are the tables and indexes that grow with what is delivered, walked
// through or sorted.
var byHand = regexp.MustCompile(`\bSCAN (deliveries|d)\b|TEMP B-TREE FOR ORDER BY`)

// TestDeliveryPlans: whatever a fold or a sender asks, SQLite searches an index
// that has it in order.
func TestDeliveryPlans(t *testing.T) {
	var statements []string
	last := engine.Projection{Name: "last", Source: "last", Handlers: engine.Any(func(tx *engine.Tx, _ schemas.Recorded) error {
		err := reachBounds(tx)
		statements = tx.Statements()
		return err
	})}
	db, err := engine.Open(engine.Config{Path: filepath.Join(t.TempDir(), "projections.db"), Projections: []engine.Projection{Webhooks, Deliveries, last}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.Apply(t.Context(), "epoch", deliveryEvents(t)); err != nil {
		t.Fatal(err)
	}
	queries := []string{dueByTime, dueOfOrderingKey, historyOne, dueOne, historyPage}
	for _, query := range statements {
		if strings.Contains(query, "deliveries") {
			queries = append(queries, query)
		}
	}
	if len(queries) < 12 {
		t.Errorf("only %d statements seen", len(queries))
	}
	check := func(query string) {
		t.Helper()
		plan := planOf(t, db, query)
		if byHand.MatchString(plan) || strings.Contains(query, "deliveries") && !strings.Contains(plan, "deliveries") && !strings.HasPrefix(query, "INSERT") {
			t.Errorf("%s\n%s", query, plan)
		}
	}
	for _, query := range queries {
		// Ordinals of one webhook, of which there are at most 11,000, are sorted
		// for a page of its history; so is the page itself.
		if query == historyPage {
			continue
		}
		check(query)
	}
	for query, want := range map[string]string{
		orderingKeyHeads: "USING COVERING INDEX deliveries_ordering_keys",
		dueByTime:        "USING INDEX deliveries_due",
		dueOfOrderingKey: "USING INDEX deliveries_ordering_keys",
		historyPage:      "USING COVERING INDEX deliveries_finished",
		countAll:         "USING COVERING INDEX deliveries_finished",
	} {
		if plan := planOf(t, db, query); !strings.Contains(plan, want) {
			t.Errorf("%s\ngot  %s\nwant %s", query, plan, want)
		}
	}
}

// reachBounds prepares the statements for the two bounds, which other tests reach.
func reachBounds(tx *engine.Tx) error {
	_, err := waiting(tx, "w", "subject", schemas.Route{}, 0)
	return errors.Join(err,
		finished(tx, "w", maxFinishedDeliveries+1, 0),
		tx.Exec(`UPDATE webhooks SET due = ?`, maxDueDeliveries),
		delivery{webhook: "w"}.insert(tx),
		cancelOne(tx, "w", -1, "why"))
}

// deliveryEvents are a webhook's life: it is ordered and then not, its deliveries are
// attempted, it is disabled and deleted.
func deliveryEvents(t *testing.T) []schemas.Recorded {
	var events []schemas.Recorded
	add := func(e schemas.Event, data any) schemas.Event {
		seq := len(events) + 1
		if data != nil {
			raw, err := json.Marshal(data)
			if err != nil {
				t.Fatal(err)
			}
			e.Data = raw
		}
		e.ID, e.Time = fmt.Sprintf("e%d", seq), time.Unix(int64(seq), 0)
		events = append(events, schemas.Recorded{Event: e, Seq: uint64(seq)})
		return e
	}
	self := func(typ, noun, verb string, data any) {
		add(schemas.Event{Type: typ, Source: schemas.SelfURI, Subject: "w", Route: schemas.RegistryRoute(noun, verb)}, data)
	}
	message := func() schemas.Event {
		return add(schemas.Event{Type: "message", Source: "urn:sender", Route: schemas.GenericRoute(schemas.SharedToken, "m")}, nil)
	}
	s := schemas.Subscription{ID: "w", Provider: "standard", URL: "https://hooks.example/w", Events: []string{"message.receive"}, Enabled: true, OwnerOnly: true, Ordered: true}
	self(schemas.SubscriptionCreated, "subscription", "created", s)
	for range 3 {
		self(schemas.DeliveryAttempted, "delivery", "attempted", schemas.DeliveryAttempt{Webhook: "w", Delivery: schemas.DeliveryID("w", message()),
			Kind: schemas.DeliveryLive, Attempt: 1, Outcome: schemas.OutcomeDelivered, At: "2025-06-01T00:00:00Z"})
	}
	s.Ordered = false
	self(schemas.SubscriptionUpdated, "subscription", "updated", s)
	message()
	s.Enabled = false
	self(schemas.SubscriptionUpdated, "subscription", "updated", s)
	self(schemas.SubscriptionDeleted, "subscription", "deleted", s)
	add(schemas.Event{Type: "last", Route: schemas.Route{Source: "last"}}, nil)
	return events
}

// planOf is how SQLite would carry a statement out.
func planOf(t *testing.T, db *engine.DB, query string) string {
	t.Helper()
	query = numbered.ReplaceAllString(query, "?")
	args := slices.Repeat([]any{nil}, strings.Count(query, "?"))
	var plan strings.Builder
	err := db.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
		return tx.Each(`EXPLAIN QUERY PLAN `+query, args, func(r engine.Row) error {
			plan.WriteString(r.Text(3) + "\n")
			return nil
		})
	})
	if err != nil {
		t.Fatal(query, err)
	}
	return plan.String()
}

var numbered = regexp.MustCompile(`\?[0-9]+`)

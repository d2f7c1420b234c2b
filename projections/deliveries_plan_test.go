package projections

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// byHand are the tables and indexes that grow with what is delivered, walked
// through or sorted.
var byHand = regexp.MustCompile(`\bSCAN (deliveries|d)\b|TEMP B-TREE FOR ORDER BY`)

// TestDeliveryPlans: whatever a fold or a sender asks, SQLite searches an index
// that has it in order.
func TestDeliveryPlans(t *testing.T) {
	db := openTest(t, []Projection{Webhooks, Deliveries})
	var l hookLog
	s := hook("w", "message.receive")
	s.Ordered = true
	l.created(s)
	for range 3 {
		l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: schemas.DeliveryID("w", l.message("m").Event), Attempt: 1, Outcome: schemas.OutcomeDelivered})
	}
	s.Ordered = false
	l.updated(s)
	s.Enabled = false
	l.message("m")
	l.updated(s)
	l.deleted("w")
	l.fold(t, db)
	// The two bounds are reached by other tests; their statements are prepared here.
	d := delivery{webhook: "w"}
	if err := finished(db.tx, "w", maxFinishedDeliveries+1, 0); err != nil {
		t.Fatal(err)
	}
	if err := db.tx.Exec(`UPDATE webhooks SET due = ?`, maxDueDeliveries); err != nil {
		t.Fatal(err)
	}
	if err := d.insert(db.tx); err != nil {
		t.Fatal(err)
	}
	if _, err := waiting(db.tx, "w", "subject", schemas.Route{}, 0); err != nil {
		t.Fatal(err)
	}
	if err := cancelOne(db.tx, "w", -1, "why"); err != nil {
		t.Fatal(err)
	}
	queries := []string{dueByTime, dueOfOrderingKey, historyOne, dueOne, historyPage}
	for query := range db.tx.stmts {
		if strings.Contains(query, "deliveries") {
			queries = append(queries, query)
		}
	}
	if len(queries) < 12 {
		t.Errorf("only %d statements seen", len(queries))
	}
	check := func(query string, allowed ...string) {
		t.Helper()
		plan := selectRows(t, db, `EXPLAIN QUERY PLAN `+query, anyArgs(numbered.ReplaceAllString(query, "?"))...)
		for _, a := range allowed {
			plan = strings.ReplaceAll(plan, a, "")
		}
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
		if plan := selectRows(t, db, `EXPLAIN QUERY PLAN `+query, anyArgs(numbered.ReplaceAllString(query, "?"))...); !strings.Contains(plan, want) {
			t.Errorf("%s\ngot  %s\nwant %s", query, plan, want)
		}
	}
}

var numbered = regexp.MustCompile(`\?[0-9]+`)

// BenchmarkDeliveries folds events that 20 webhooks ask for, and one that none
// does, and has their senders ask what is due.
func BenchmarkDeliveries(b *testing.B) {
	for _, test := range []struct {
		name  string
		hooks int
		cond  string
	}{{"none", 0, ""}, {"1 hook", 1, ""}, {"20 hooks", 20, ""}, {"20 hooks, conditions", 20, `data.a == 2`}} {
		b.Run(test.name, func(b *testing.B) {
			db := openTest(b, All)
			var l hookLog
			for i := range test.hooks {
				s := hook(fmt.Sprintf("w%d", i), "message.receive")
				s.Condition = test.cond
				l.created(s)
			}
			l.fold(b, db)
			const batch = 500
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				b.StopTimer()
				for range min(batch, b.N-n) {
					l.message("m")
				}
				next := l.events[len(l.events)-min(batch, b.N-n):]
				b.StartTimer()
				if err := db.Apply(b.Context(), "epoch", next); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.StopTimer()
			if test.hooks == 0 {
				return
			}
			begun := time.Now()
			const asks = 100
			for range asks {
				due(b, db, "w0", false, l.at(1e7), 100)
			}
			b.ReportMetric(float64(time.Since(begun).Microseconds())/asks, "µs/due")
		})
	}
}

// BenchmarkDueInLanes asks what is due in order, with 10,000 waiting in one
// delivery behind one that must wait, or of 1,000 ordering keys.
func BenchmarkDueInLanes(b *testing.B) {
	for _, keys := range []int{1, 1000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			db := openTest(b, []Projection{Webhooks, Deliveries})
			var l hookLog
			s := hook("w", "message.receive")
			s.Ordered = true
			l.created(s)
			first := l.message("0")
			for i := range maxDueDeliveries - 1 {
				l.message(fmt.Sprint(i % keys))
			}
			l.attempt(schemas.DeliveryAttempt{Webhook: "w", Delivery: schemas.DeliveryID("w", first.Event), Attempt: 1,
				Outcome: schemas.OutcomeFailed, RetryAt: schemas.FormatTime(l.at(1e7))})
			l.fold(b, db)
			for b.Loop() {
				if _, err := db.DueDeliveries(b.Context(), "w", true, l.at(1e6), 100); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package projections

import (
	"fmt"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/projections/webhooks"
	"switchlog/schemas"
)

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
			db := openTest(b, []engine.Projection{webhooks.Webhooks, webhooks.Deliveries})
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

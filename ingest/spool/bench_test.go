package spool

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// payload is a typical event: a switch of PluralKit with two members.
func payload() schemas.Event {
	e := event(schemas.NewID())
	e.Source = schemas.PluralKitSystemURL + "0a1b2c3d-0000-4000-8000-000000000000"
	e.Subject = "0a1b2c3d-1111-4000-8000-000000000000"
	e.Route.Tenant = "0a1b2c3d-0000-4000-8000-000000000000"
	e.DataSchema = schemas.SchemaID(e.Type)
	e.Origin = schemas.OriginWebhook
	e.Data = []byte(`{"id":"0a1b2c3d-1111-4000-8000-000000000000","timestamp":"2026-11-21T20:15:00.123456Z",` +
		`"members":["0a1b2c3d-2222-4000-8000-000000000000","0a1b2c3d-3333-4000-8000-000000000000"]}`)
	return e
}

// takeAll is a log that has no cost, so that Forward's own is seen.
type takeAll struct {
	mu    sync.Mutex
	taken uint64
	until uint64
	done  chan struct{} // closed when until is reached
}

func (l *takeAll) Limit() int { return 0 }

func (l *takeAll) Recover(context.Context, string, schemas.Anchor) (schemas.Anchor, uint64, error) {
	return schemas.Anchor{Epoch: "e"}, 0, nil
}

func (l *takeAll) Append(_ context.Context, _ string, batch []schemas.Spooled) (schemas.Anchor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken += uint64(len(batch))
	if l.until != 0 && l.taken >= l.until {
		close(l.done)
		l.until = 0
	}
	return schemas.Anchor{Epoch: "e", Seq: l.taken, ID: batch[len(batch)-1].ID, Count: l.taken}, nil
}

func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		for _, repeats := range []time.Duration{0, time.Hour} {
			b.Run(fmt.Sprintf("callers=%d/remembered=%v", callers, repeats > 0), func(b *testing.B) {
				s := start(b, temp(b), &takeAll{})
				benchmarkAppend(b, s, callers, repeats)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, s *running, callers int, repeats time.Duration) {
	took := make([][]time.Duration, callers)
	var all sync.WaitGroup
	b.ResetTimer()
	for c := range callers {
		all.Go(func() {
			for range b.N/callers + 1 {
				e := payload()
				e.Repeats = repeats
				began := time.Now()
				if _, err := s.Append(context.Background(), e); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	one := slices.Concat(took...)
	slices.Sort(one)
	b.ReportMetric(float64(len(one))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(one[len(one)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(one[len(one)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkForward drains a backlog into a log that costs nothing.
func BenchmarkForward(b *testing.B) {
	s := start(b, temp(b), nil)
	events := make([]schemas.Event, 1000)
	n := 0
	for n < b.N {
		for i := range events {
			events[i] = payload()
		}
		s.mustAppend(len(events), events...)
		n += len(events)
	}
	log := &takeAll{until: uint64(n), done: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	var forwarder sync.WaitGroup
	b.ResetTimer()
	forwarder.Go(func() {
		if err := s.Forward(ctx, log); err != nil {
			b.Error(err)
		}
	})
	<-log.done
	b.StopTimer()
	stop()
	forwarder.Wait()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

package deliver

import (
	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// outcomeThrottled is the label of answers that asked to wait; the others are
// the outcomes of attempts.
const outcomeThrottled = "throttled"

// metrics count what a Sender does. Labels: providers and outcomes there are.
type metrics struct {
	attempts *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	disabled *prometheus.CounterVec // by why: gone, failing
	unnoted  prometheus.Counter
}

func newMetrics(r prometheus.Registerer, s *Sender) *metrics {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_deliver_attempts_total", Help: "Attempts to deliver, by provider and what came of them.",
		}, []string{"provider", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchlog_deliver_attempt_seconds", Help: "How long receivers take, by provider.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15},
		}, []string{"provider"}),
		disabled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_deliver_disabled_total", Help: "Subscriptions disabled by the sender: their receiver is gone, or was failing for days.",
		}, []string{"why"}),
		unnoted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_deliver_note_errors_total", Help: "Attempts that could not be noted at once; it is tried again.",
		}),
	}
	for _, p := range providers {
		m.seconds.WithLabelValues(p.name)
		for _, outcome := range []string{schemas.OutcomeDelivered, schemas.OutcomeFailed, schemas.OutcomeExhausted,
			schemas.OutcomeRefused, outcomeThrottled} {
			m.attempts.WithLabelValues(p.name, outcome)
		}
	}
	m.disabled.WithLabelValues("gone")
	m.disabled.WithLabelValues("failing")
	if r == nil {
		return m
	}
	gauge := func(name, help string, get func(Status) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			sum := 0
			for _, st := range s.Status() {
				sum += get(st)
			}
			return float64(sum)
		})
	}
	r.MustRegister(m.attempts, m.seconds, m.disabled, m.unnoted,
		gauge("switchlog_deliver_in_flight", "Attempts under way.", func(st Status) int { return st.InFlight }),
		gauge("switchlog_deliver_queued", "Deliveries that are due and taken up, but not begun.", func(st Status) int { return st.Queued }),
		gauge("switchlog_deliver_suspect", "Subscriptions that fail and are only probed.", func(st Status) int {
			if st.CircuitOpen {
				return 1
			}
			return 0
		}))
	return m
}

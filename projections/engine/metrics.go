package engine

import "github.com/prometheus/client_golang/prometheus"

// metrics is what the database tells of itself. There is one position for all
// projections, so there is nothing to label.
type metrics struct {
	events   prometheus.Counter
	skipped  prometheus.Gauge
	seconds  prometheus.Histogram
	batch    prometheus.Histogram
	position prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_projection_events_total",
			Help: "Events folded into the database, those set aside included.",
		}),
		skipped: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "switchlog_projection_skipped",
			Help: "Events that are set aside at present, because they break the contract of their type.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "switchlog_projection_apply_seconds",
			Help:    "Time to fold one batch and commit it.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "switchlog_projection_batch_events",
			Help:    "Events in one batch.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7), // 1 to 4096
		}),
		position: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "switchlog_projection_position",
			Help: "Sequence of the last event folded.",
		}),
	}
	if r != nil {
		r.MustRegister(m.events, m.skipped, m.seconds, m.batch, m.position)
	}
	return m
}

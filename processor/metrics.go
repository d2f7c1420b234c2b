package processor

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logMetrics count what a Log does.
type logMetrics struct {
	appended   *prometheus.CounterVec // by way: single, batch
	duplicates prometheus.Counter
	fallbacks  prometheus.Counter
	seconds    prometheus.Histogram
	gaps       prometheus.Counter
}

func newLogMetrics(r prometheus.Registerer) *logMetrics {
	m := &logMetrics{
		appended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_log_appended_total", Help: "Messages stored, by way: single publishes or atomic batches.",
		}, []string{"way"}),
		duplicates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_log_duplicates_total", Help: "Messages that were sent again and already stored.",
		}),
		fallbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_log_batch_fallbacks_total", Help: "Atomic batches that were refused and sent one by one instead.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchlog_log_append_seconds", Help: "Time to store what was handed over together.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_log_gaps_total", Help: "Gaps in the log's sequence that no erasure explains. Anything but 0 is an alarm.",
		}),
	}
	register(r, m.appended, m.duplicates, m.fallbacks, m.seconds, m.gaps)
	return m
}

// loopMetrics show how far a Loop is behind. What is folded, the sink counts.
type loopMetrics struct {
	faults prometheus.Counter
	errors prometheus.Counter
}

func newLoopMetrics(r prometheus.Registerer, status func() LoopStatus) *loopMetrics {
	m := &loopMetrics{
		faults: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_projection_faults_total", Help: "Messages in the log that are no event.",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_projection_apply_errors_total", Help: "Batches that were not applied and are tried again.",
		}),
	}
	register(r, m.faults, m.errors,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "switchlog_projection_lag_events", Help: "Events in the log that are not folded yet.",
		}, func() float64 { return float64(status().Lag()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "switchlog_projection_lag_seconds", Help: "Age of the last event folded while others wait; 0 when none does.",
		}, func() float64 { return status().LagTime(time.Now()).Seconds() }))
	return m
}

// changesMetrics count what a Changes sends.
type changesMetrics struct {
	sent    prometheus.Counter
	fronts  prometheus.Counter
	again   prometheus.Counter
	reduced prometheus.Counter
	refused prometheus.Counter
}

func newChangesMetrics(r prometheus.Registerer, status func() ChangesStatus) *changesMetrics {
	m := &changesMetrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_changes_sent_total", Help: "Changes published.",
		}),
		fronts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_changes_fronts_total", Help: "Entries put into the bucket FRONTERS.",
		}),
		again: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_changes_already_sent_total", Help: "Changes found to be published already, after a restart.",
		}),
		reduced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_changes_reduced_total", Help: "Changes and entries of the bucket FRONTERS sent with less in them, since the whole is larger than the server's max_payload.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "switchlog_changes_refused_total", Help: "Changes and entries of the bucket FRONTERS that are none; left out. Anything but 0 is a bug.",
		}),
	}
	register(r, m.sent, m.fronts, m.again, m.reduced, m.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "switchlog_changes_waiting_seconds", Help: "For how long changes have waited to be sent; 0 when none does.",
		}, func() float64 {
			if since := status().Since; !since.IsZero() {
				return max(0, time.Since(since).Seconds())
			}
			return 0
		}))
	return m
}

func register(r prometheus.Registerer, cs ...prometheus.Collector) {
	if r == nil {
		return
	}
	r.MustRegister(cs...)
}

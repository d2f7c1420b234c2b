package spool

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// metrics of a spool. The reasons of refusals are those of reason, no others.
type metrics struct {
	accepted, repeats, forwarded, forwardErrors, setAside prometheus.Counter

	refused       *prometheus.CounterVec
	commitSeconds prometheus.Histogram
	batchEvents   prometheus.Histogram
}

func newMetrics(to prometheus.Registerer, s *Spool) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string, value func(State) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(s.State()) })
	}
	m := &metrics{
		accepted:      counter("switchlog_spool_accepted_total", "Events stored in the spool."),
		repeats:       counter("switchlog_spool_repeats_total", "Events dropped because their ID was stored before."),
		forwarded:     counter("switchlog_forward_total", "Events the log has taken."),
		forwardErrors: counter("switchlog_forward_errors_total", "Times that the log could not be asked or took nothing."),
		setAside:      counter("switchlog_spool_set_aside_total", "Events set aside because the log's server does not take ones of their size."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_spool_refused_total", Help: "Calls of which nothing was stored, by reason.",
		}, []string{"reason"}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchlog_spool_commit_seconds", Help: "Time to store a batch, fsync included.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 15), // to 4 s
		}),
		batchEvents: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchlog_spool_batch_events", Help: "New events in a batch.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11), // to 1,024
		}),
	}
	if to == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.accepted, m.repeats, m.forwarded, m.forwardErrors, m.setAside, m.refused, m.commitSeconds, m.batchEvents,
		gauge("switchlog_spool_depth", "Events accepted and not yet in the log.",
			func(st State) float64 { return float64(st.Depth) }),
		gauge("switchlog_spool_aside_events", "Events that stand aside because they are larger than the log's server takes.",
			func(st State) float64 { return float64(st.Aside) }),
		gauge("switchlog_spool_oldest_seconds", "Age of the oldest event not yet in the log.",
			func(st State) float64 {
				if st.Oldest.IsZero() {
					return 0
				}
				return max(0, s.cfg.Now().Sub(st.Oldest).Seconds())
			}),
	} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}

// committed counts a batch that was tried.
func (m *metrics) committed(fresh, repeats int, took time.Duration, err error) {
	m.commitSeconds.Observe(took.Seconds())
	if err == nil {
		m.batchEvents.Observe(float64(fresh))
		m.accepted.Add(float64(fresh))
		m.repeats.Add(float64(repeats))
	}
}

// refuse counts a call that failed and returns its error.
func (s *Spool) refuse(err error) error {
	s.metrics.refused.WithLabelValues(reason(err)).Inc()
	return err
}

// reason is the label of a refusal.
func reason(err error) string {
	for _, known := range []struct {
		err  error
		name string
	}{
		{ErrBusy, "busy"},
		{ErrFull, "full"},
		{ErrStopped, "stopped"},
		{ErrDamaged, "damaged"},
		{schemas.ErrInvalid, "invalid"},
		{context.Canceled, "gave_up"},
		{context.DeadlineExceeded, "gave_up"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return "other"
}

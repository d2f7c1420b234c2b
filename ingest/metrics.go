package ingest

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How a request ended. These are the only values of the label "outcome".
const (
	outcomeAccepted     = "accepted"
	outcomeRepeat       = "repeat" // accepted before, nothing new stored
	outcomePing         = "ping"
	outcomeAsked        = "asked" // OPTIONS: may I send?
	outcomeUnauthorized = "unauthorized"
	outcomeNotFound     = "not_found" // of an address that its verified source does not have
	outcomeInvalid      = "invalid"
	outcomeMediaType    = "media_type"
	outcomeMethod       = "method"
	outcomeTooLarge     = "too_large"
	outcomeSlow         = "slow"
	outcomeBroken       = "broken" // the client went away inside its body
	outcomeBusy         = "busy"
	outcomeUnavailable  = "unavailable"
	outcomePanic        = "panic"
)

// outcomes is all of them: one that is missing here could not be counted.
var outcomes = []string{
	outcomeAccepted, outcomeRepeat, outcomePing, outcomeAsked, outcomeUnauthorized,
	outcomeNotFound, outcomeInvalid, outcomeMediaType, outcomeMethod, outcomeTooLarge,
	outcomeSlow, outcomeBroken, outcomeBusy, outcomeUnavailable, outcomePanic,
}

// metrics have no label that comes from a request: kinds are our list, and a
// tenant is nobody's business.
type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	pings     *prometheus.CounterVec
	lastEvent *prometheus.GaugeVec
	lastPing  *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	kind := []string{"kind"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_ingest_requests_total",
			Help: "Webhook requests by kind of source and how they ended.",
		}, []string{"kind", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "switchlog_ingest_seconds",
			Help:    "Time from the end of a webhook's header to our answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, kind),
		pings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_ingest_pings_total",
			Help: "Verified requests in which a provider only tried the connection.",
		}, kind),
		lastEvent: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchlog_ingest_last_event_timestamp_seconds",
			Help: "When an event was last accepted.",
		}, kind),
		lastPing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "switchlog_ingest_last_ping_timestamp_seconds",
			Help: "When a provider last tried the connection.",
		}, kind),
	}
	if r != nil {
		r.MustRegister(m.requests, m.seconds, m.pings, m.lastEvent, m.lastPing)
	}
	return m
}

// kindMetrics are the metrics of one kind of source. Each is looked up by its labels
// once, when it is first needed: one that never was is not shown.
type kindMetrics struct {
	requests            map[string]func() prometheus.Counter // by outcome
	seconds             func() prometheus.Observer
	pings               func() prometheus.Counter
	lastEvent, lastPing func() prometheus.Gauge
}

func (m *metrics) ofKind(kind string) *kindMetrics {
	k := &kindMetrics{
		requests:  map[string]func() prometheus.Counter{},
		seconds:   sync.OnceValue(func() prometheus.Observer { return m.seconds.WithLabelValues(kind) }),
		pings:     sync.OnceValue(func() prometheus.Counter { return m.pings.WithLabelValues(kind) }),
		lastEvent: sync.OnceValue(func() prometheus.Gauge { return m.lastEvent.WithLabelValues(kind) }),
		lastPing:  sync.OnceValue(func() prometheus.Gauge { return m.lastPing.WithLabelValues(kind) }),
	}
	for _, outcome := range outcomes {
		k.requests[outcome] = sync.OnceValue(func() prometheus.Counter { return m.requests.WithLabelValues(kind, outcome) })
	}
	return k
}

// done counts a request that ended at now.
func (k *kindMetrics) done(outcome string, now time.Time, took time.Duration) {
	k.requests[outcome]().Inc()
	k.seconds().Observe(took.Seconds())
	at := float64(now.UnixMilli()) / 1000
	switch outcome {
	case outcomeAccepted:
		k.lastEvent().Set(at)
	case outcomePing:
		k.pings().Inc()
		k.lastPing().Set(at)
	}
}

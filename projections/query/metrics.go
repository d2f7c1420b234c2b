package query

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Values of the label "query" besides the names of queries.
const (
	labelNone    = "none" // it never came to a query
	labelChanges = "changes"
	labelOpenAPI = "openapi"
	labelTenants = "tenants"
)

// metrics have no label that comes from a request: queries are those of our
// projections, codes those of refusal.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	streams  prometheus.Gauge
	replays  *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	return &metrics{
		requests: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_query_requests_total",
			Help: "Queries over HTTP and NATS, and streams of changes, by the code they were answered with.",
		}, []string{"query", "code"})),
		seconds: register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "switchlog_query_seconds",
			Help:    "Time to answer a query, including the wait for a position.",
			Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"query"})),
		streams: register(r, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "switchlog_sse_streams",
			Help: "Streams of changes that are open.",
		})),
		replays: register(r, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_replays_total",
			Help: "Replays over NATS by the code they ended with; 200 is complete.",
		}, []string{"code"})),
	}
}

// register registers a collector, or finds the one that the other door has
// registered: they count together.
func register[C prometheus.Collector](r prometheus.Registerer, c C) C {
	if r == nil {
		return c
	}
	err := r.Register(c)
	var before prometheus.AlreadyRegisteredError
	switch {
	case err == nil:
		return c
	case errors.As(err, &before):
		return before.ExistingCollector.(C)
	}
	panic("query: metrics: " + err.Error())
}

// asked counts a query that began at begin.
func (m *metrics) asked(query string, code int, begin time.Time) {
	m.requests.WithLabelValues(query, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(query).Observe(time.Since(begin).Seconds())
}

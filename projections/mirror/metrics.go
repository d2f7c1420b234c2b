package mirror

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// labelNone is the label of a request that no route is for.
const labelNone = "none"

// metrics have no label that comes from a request: routes are ours, codes
// those of refusals.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "switchlog_mirror_requests_total",
			Help: "Requests to the mirror of PluralKit's API by the code they were answered with.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "switchlog_mirror_seconds",
			Help:    "Time to answer a request to the mirror of PluralKit's API.",
			Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
	}
	if r != nil {
		r.MustRegister(m.requests, m.seconds)
	}
	return m
}

func (m *metrics) answered(route string, code int, begin time.Time) {
	m.requests.WithLabelValues(route, strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
}

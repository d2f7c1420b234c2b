package pluralkit

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// How a request ended. These are the only values of the label "outcome".
const (
	outcomeOK           = "ok"
	outcomeNotFound     = "not_found"
	outcomeUnauthorized = "unauthorized"
	outcomeAnonymous    = "anonymous"
	outcomeLimited      = "limited" // 429
	outcomeRefused      = "refused" // any other answer below 500 that is none
	outcomeFailed       = "failed"  // 5xx
	outcomeTimeout      = "timeout"
	outcomeBroken       = "broken"  // no answer, or not all of it
	outcomeInvalid      = "invalid" // not of the shape it should have
	outcomeTooLarge     = "too_large"
	outcomeCanceled     = "canceled" // the caller gave up
)

// ClientMetrics counts the requests of all clients that share it. The label
// "route" is the name of one of our routes.
type ClientMetrics struct {
	requests *prometheus.CounterVec
}

// NewClientMetrics registers with r; nil: nowhere.
func NewClientMetrics(r prometheus.Registerer) *ClientMetrics {
	m := &ClientMetrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "switchlog_pluralkit_requests_total",
		Help: "Requests to PluralKit's API by route and how they ended, each attempt for itself.",
	}, []string{"route", "outcome"})}
	if r != nil {
		r.MustRegister(m.requests)
	}
	return m
}

func (m *ClientMetrics) done(r *route, err error) {
	m.requests.WithLabelValues(r.name, outcomeOf(err)).Inc()
}

func outcomeOf(err error) string {
	var refused *APIError
	var failed *brokenError
	switch {
	case err == nil:
		return outcomeOK
	case errors.Is(err, ErrNotFound):
		return outcomeNotFound
	case errors.Is(err, ErrUnauthorized):
		return outcomeUnauthorized
	case errors.Is(err, ErrAnonymous):
		return outcomeAnonymous
	case errors.Is(err, ErrTooLarge):
		return outcomeTooLarge
	case errors.Is(err, schemas.ErrInvalid):
		return outcomeInvalid
	case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
		return outcomeLimited
	case refused != nil && refused.Status >= 500:
		return outcomeFailed
	case refused != nil:
		return outcomeRefused
	case errors.As(err, &failed) && failed.timeout:
		return outcomeTimeout
	case failed == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return outcomeCanceled
	}
	return outcomeBroken
}

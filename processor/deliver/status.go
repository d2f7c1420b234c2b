package deliver

import (
	"maps"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// Status is how the sending to one enabled subscription goes.
type Status struct {
	Subscription string    `json:"subscription"`
	InFlight     int       `json:"in_flight"`
	Queued       int       `json:"queued"`           // due and taken up; more may be due
	Failures     int       `json:"failures"`         // in a row
	CircuitOpen  bool      `json:"circuit_open"`     // it fails, and is only probed
	HalfOpenAt   time.Time `json:"half_open_at"`     // when it is tried next, while the circuit is open
	Throttled    int       `json:"throttled"`        // answers of "too many" in a row
	Last         string    `json:"last,omitempty"`   // outcome of the last attempt since we began, or "throttled"
	Status       int       `json:"status,omitempty"` // HTTP, of the last attempt
	Response     string    `json:"response,omitempty"`
}

// Sending is how it goes with one subscription, for whoever shows its
// deliveries. Of one that nothing is sent to it is the zero value.
func (s *Sender) Sending(subscription string) schemas.Sending {
	s.mu.Lock()
	w := s.workers[subscription]
	s.mu.Unlock()
	if w == nil {
		return schemas.Sending{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := schemas.Sending{Since: w.failing, Failures: w.st.Failures, Throttled: w.st.Throttled, Next: w.st.HalfOpenAt, Waiting: maps.Clone(w.waiting)}
	if out.Fails() {
		out.Status, out.Response = w.st.Status, w.st.Response
	}
	if w.gate != nil {
		if until := w.gate.pausedUntil(); until.After(time.Now()) && until.After(out.Next) {
			out.Next = until
		}
	}
	return out
}

// Status is how it goes with each subscription that has deliveries sent,
// in order of their ids.
func (s *Sender) Status() []Status {
	s.mu.Lock()
	list := make([]Status, 0, len(s.workers))
	for _, w := range s.workers {
		list = append(list, w.status())
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Subscription, b.Subscription) })
	return list
}

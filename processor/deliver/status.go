package deliver

import (
	"slices"
	"strings"
	"time"
)

// Status is how the sending to one enabled subscription goes.
type Status struct {
	Subscription string    `json:"subscription"`
	InFlight     int       `json:"in_flight"`
	Queued       int       `json:"queued"`           // due and taken up; more may be due
	Failures     int       `json:"failures"`         // in a row
	Suspect      bool      `json:"suspect"`          // it fails, and is only probed
	ProbeAt      time.Time `json:"probe_at"`         // when it is tried next, while suspect
	Last         string    `json:"last,omitempty"`   // outcome of the last attempt since we began
	Status       int       `json:"status,omitempty"` // HTTP, of the last attempt
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

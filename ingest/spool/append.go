package spool

import (
	"context"
	"fmt"
	"sync/atomic"

	"switchlog/schemas"
)

const (
	maxQueue      = 4096     // requests waiting for the writer
	maxQueueBytes = 64 << 20 // of their events

	maxCall      = 10_000   // events in one call
	maxCallBytes = 16 << 20 // of them

	// An event has 1 MiB at most, and NATS takes subjects that fit its control
	// line of 4 KiB. This limit is ours. What the log's server takes it says
	// itself, see Log.Limit; larger events stand aside.
	maxMessageBytes = 1<<20 - 8<<10 // subject, ID and body; 8 KiB are left for headers
	maxSubjectBytes = 1 << 10
	maxIDBytes      = 2 << 10
)

// request is one call of Append on its way through the writer.
type request struct {
	events []schemas.Event
	bytes  int64 // rough size

	// Of these at most one is set, and only by Forward.
	renew    *schemas.Anchor  // a new identity for the spool, see renew
	aside    *schemas.Spooled // to be set aside
	takeBack int              // what stands aside and has at most so many bytes is to go on; 0: nothing

	// Who has it: the caller, who may still give up, or the writer, who
	// will answer.
	claimed atomic.Bool

	messages []schemas.Message // of events
	given    int               // events of the call
	fresh    int               // of these, new
	err      error
	done     chan struct{} // closed when fresh and err are set
}

// Append stores events, all or none, and returns when they are fsynced. fresh
// is how many were new; the others repeat an ID that is still remembered (see
// schemas.Event.Repeats) or that stands earlier in the same call. Events
// without a time are stamped with the time of acceptance, which rises strictly.
//
// Any error means that nothing of this call was stored: ErrBusy, ErrFull,
// ErrStopped, the error of ctx, or schemas.ErrInvalid for an event that can
// not be encoded or is too large for the log. Once the writer has begun with a
// call, the end of ctx is no longer looked at: it returns with the truth, one
// transaction later. One doubt remains: if the disk fails during the commit
// and again when we look at what it did, the error may be wrong and the
// event stored; sent again with the same ID, it is dropped.
func (s *Spool) Append(ctx context.Context, events ...schemas.Event) (fresh int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	r := &request{events: events, done: make(chan struct{})}
	for i := range events {
		r.bytes += queuedSize(&events[i])
	}
	if len(events) > maxCall || r.bytes > maxCallBytes {
		return 0, s.refuse(fmt.Errorf("%w: %d events at once, limit %d and %d bytes (hint: send fewer)",
			schemas.ErrInvalid, len(events), maxCall, maxCallBytes))
	}
	if err := s.submit(ctx, r); err != nil {
		return 0, s.refuse(err)
	}
	return r.fresh, nil
}

// queuedSize is about what an event takes in the queue and, encoded, in the spool: all
// that its sender decides the length of, and 512 bytes for the rest.
func queuedSize(e *schemas.Event) int64 {
	n := 512 + len(e.Data) + len(e.Binary)*4/3 + len(e.ID) + len(e.Source) + len(e.Type) + len(e.Subject) + len(e.DataSchema) + len(e.DataContentType)
	for name, value := range e.Extensions {
		n += len(name) + 8
		if text, is := value.(string); is {
			n += len(text)
		}
	}
	return int64(n)
}

// submit hands r to the writer and waits for the answer.
func (s *Spool) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.queuedBytes.Add(r.bytes) > maxQueueBytes {
		s.queuedBytes.Add(-r.bytes)
		return ErrBusy
	}
	select {
	case s.queue <- r:
	default:
		s.queuedBytes.Add(-r.bytes)
		return ErrBusy
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
	case <-s.stopped:
		if r.claimed.CompareAndSwap(false, true) {
			return ErrStopped
		}
	}
	<-r.done // the writer has it and will answer
	return r.err
}

// encode makes the messages of r's events, stamping those without a time.
// It returns the last stamp.
// most is how many bytes one may have.
func (r *request) encode(nowUS, lastUS int64, most int) (int64, error) {
	r.messages = make([]schemas.Message, 0, len(r.events))
	var seen map[string]bool
	if len(r.events) > 1 {
		seen = make(map[string]bool, len(r.events))
	}
	events := r.events[:0:0]
	for _, e := range r.events {
		if e.Time.IsZero() {
			lastUS = max(nowUS, lastUS+1)
			e.Time = microTime(lastUS)
		}
		m, err := e.Message()
		if err != nil {
			return lastUS, err
		}
		if err := check(e, m, most); err != nil {
			return lastUS, err
		}
		if seen[m.ID] {
			continue
		}
		if seen != nil {
			seen[m.ID] = true
		}
		r.messages = append(r.messages, m)
		events = append(events, e)
	}
	r.events = events
	return lastUS, nil
}

// check refuses what the log would refuse for ever.
func check(e schemas.Event, m schemas.Message, most int) error {
	switch {
	case e.ID == "" || e.Source == "" || e.Type == "":
		return fmt.Errorf("%w: id, source or type is missing", schemas.ErrInvalid)
	case len(m.Subject) > maxSubjectBytes:
		return fmt.Errorf("%w: the subject has %d bytes, limit %d", schemas.ErrInvalid, len(m.Subject), maxSubjectBytes)
	case len(m.ID) > maxIDBytes:
		return fmt.Errorf("%w: the id has %d bytes, limit %d", schemas.ErrInvalid, len(m.ID), maxIDBytes)
	case size(m) > most:
		return fmt.Errorf("%w: the event has %d bytes, limit %d", schemas.ErrInvalid, size(m), most)
	}
	for i := range len(m.ID) {
		if c := m.ID[i]; c < ' ' || c == 0x7f {
			return fmt.Errorf("%w: the id holds a control character", schemas.ErrInvalid) // it travels in a header
		}
	}
	return nil
}

// size is what a message counts for in limits, in bytes: what it takes in a
// row, its lengths and its checksum included.
func size(m schemas.Message) int {
	n := checksumBytes
	for _, part := range [3]int{len(m.Subject), len(m.ID), len(m.Body)} {
		for n += part + 1; part >= 1<<7; part >>= 7 {
			n++
		}
	}
	return n
}

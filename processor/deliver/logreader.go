package deliver

import (
	"context"
	"fmt"
	"math"

	"switchlog/schemas"
)

// maxHeldChanges bounds, in bytes, the changes that a LogReader has in memory.
const maxHeldChanges = 64 << 20

// StoredLog is the log, and the changes that its events caused, to be read
// again. An error of fn ends the reading and is returned.
type StoredLog interface {
	// Span is the first and the last sequence of a part of the log, whose ends
	// are as people write them (see schemas.ParseBound; to may be empty).
	Span(ctx context.Context, from, to string) (first, last uint64, err error)
	// Events hands over the events from one sequence to another, in order.
	Events(ctx context.Context, first, last uint64, subject string, fn func(schemas.Recorded) error) error
	// Changes hands over what these events caused, in order: n counts, from 0,
	// what one of them caused.
	Changes(ctx context.Context, first, last uint64, subject string, fn func(cause uint64, n int, e schemas.Event) error) error
}

// LogReader finds in the log what a subscription would have been sent.
type LogReader struct {
	Log StoredLog

	// Matcher makes what reports whether a subscription asks for an event or a
	// change, and gives it as the receiver may see it.
	Matcher func(schemas.Subscription) (func(context.Context, schemas.Event) (seen schemas.Event, ok bool, err error), error)
}

// storedChange is a change that is handed over once the events before it are.
type storedChange struct {
	cause uint64
	n     int
	e     schemas.Event
}

// Matching hands to fn, in order, what a subscription would have been sent of
// the part of the log between from and to, as people write them. n is 0 for an
// event and counts from 1 the changes it caused; a change comes right behind its
// cause. An error of fn ends it and is returned. Changes of more than 64 MiB
// are schemas.ErrConflict.
//
// It reads the changes first, of which there are few, then the log.
func (r LogReader) Matching(ctx context.Context, s schemas.Subscription, from, to string, fn func(seq uint64, n int, e schemas.Event) error) error {
	first, last, err := r.Log.Span(ctx, from, to)
	if err != nil || first > last {
		return err
	}
	matches, err := r.Matcher(s)
	if err != nil {
		return err
	}
	var changes []storedChange
	bytes := 0
	err = r.Log.Changes(ctx, first, last, schemas.AnySubjects(schemas.LogChanges, s.Source, s.Tenant), func(cause uint64, n int, e schemas.Event) error {
		seen, ok, err := matches(ctx, e)
		if err != nil || !ok {
			return err
		}
		if bytes += len(seen.Data); bytes > maxHeldChanges {
			return fmt.Errorf("%w: too much matches (hint: a shorter span)", schemas.ErrConflict)
		}
		changes = append(changes, storedChange{cause, n + 1, seen})
		return nil
	})
	if err != nil {
		return err
	}
	handOver := func(upTo uint64) error { // changes of events up to there go out before what comes after it
		for len(changes) > 0 && changes[0].cause <= upTo {
			c := changes[0]
			changes = changes[1:]
			if err := fn(c.cause, c.n, c.e); err != nil {
				return err
			}
		}
		return nil
	}
	err = r.Log.Events(ctx, first, last, schemas.AnySubjects(schemas.LogEvents, s.Source, s.Tenant), func(e schemas.Recorded) error {
		if e.Fault != nil {
			return nil
		}
		seen, ok, err := matches(ctx, e.Event)
		if err == nil {
			err = handOver(e.Seq - 1)
		}
		if err != nil || !ok {
			return err
		}
		return fn(e.Seq, 0, seen)
	})
	if err != nil {
		return err
	}
	return handOver(math.MaxUint64)
}

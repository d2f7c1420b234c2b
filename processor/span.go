package processor

import (
	"context"
	"math"
	"time"

	"switchlog/schemas"
)

// Span reads the ends of a part of the log as people write them (see
// schemas.ParseBound): the first sequence and the last, both in it. A time as
// the end is the moment before which it ends. Empty: from the first event, and
// without an end. There is nothing in it if first is above last.
func (l *Log) Span(ctx context.Context, from, to string) (first, last uint64, err error) {
	first, last = 1, math.MaxUint64
	if from != "" {
		if first, _, err = l.bound(ctx, from); err != nil {
			return 0, 0, err
		}
	}
	if to != "" {
		var timed bool
		if last, timed, err = l.bound(ctx, to); err != nil {
			return 0, 0, err
		}
		if timed {
			last-- // what is stored at that time is not before it
		}
	}
	return max(first, 1), last, nil
}

// bound is the sequence a person means, or the first one at or after the time.
func (l *Log) bound(ctx context.Context, s string) (seq uint64, timed bool, err error) {
	b, err := schemas.ParseBound(s, time.Now())
	if err != nil {
		return 0, false, err
	}
	if b.Time.IsZero() {
		return b.Seq, false, nil
	}
	seq, err = l.SeqAt(ctx, b.Time)
	return seq, true, err
}

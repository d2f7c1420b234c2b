package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// ReadChanges hands to fn, in order, the changes that the events from o.From to
// o.To caused, with the sequence of the cause and a number that counts, from
// 0, what one cause brought about. What is published after it began is not read.
// An error of fn ends it and is returned.
func (l *Log) ReadChanges(ctx context.Context, o ReadOptions, fn func(seq uint64, n int, e schemas.Event) error) error {
	info, err := l.stream(ctx, schemas.StreamChanges)
	if err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	first, err := l.firstChange(ctx, o.From, info.State)
	if err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	f := feed{stream: schemas.StreamChanges, from: first}
	if o.Subject != "" {
		f.subjects = []string{o.Subject}
	}
	return l.read(ctx, f, info.State.LastSeq, func(m jetstream.Msg, _ meta) error {
		at, err := parseCause(m.Headers().Get(causeHeader))
		if err != nil {
			return err
		}
		if o.To != 0 && at.seq > o.To {
			return ErrEnd
		}
		e, err := schemas.ParseMessage(schemas.Message{Subject: m.Subject(), ID: m.Headers().Get(nats.MsgIdHdr), Body: m.Data()})
		if err != nil {
			return fmt.Errorf("changes: %w", err)
		}
		return fn(at.seq, at.n, e)
	})
}

// firstChange is where in the stream of changes those begin that the event at
// cause, or a later one, brought about. They are published in the order of
// their causes, so a few looks are enough.
func (l *Log) firstChange(ctx context.Context, cause uint64, s jetstream.StreamState) (uint64, error) {
	lo, hi := max(s.FirstSeq, 1), s.LastSeq+1
	if cause <= 1 {
		return lo, nil
	}
	for lo < hi {
		at := lo + (hi-lo)/2
		m, err := l.raw(ctx, schemas.StreamChanges, at)
		if errors.Is(err, ErrNotFound) { // erased: look on one side of it
			if m, at, err = l.nextChange(ctx, at, hi); err == nil && m == nil {
				hi = lo + (hi-lo)/2
				continue
			}
		}
		if err != nil {
			return 0, err
		}
		of, err := parseCause(m.Header.Get(causeHeader))
		if err != nil {
			return 0, err
		}
		if of.seq >= cause {
			hi = lo + (hi-lo)/2
		} else {
			lo = at + 1
		}
	}
	return lo, nil
}

// nextChange is the first message behind at and before end; nil: there is none.
func (l *Log) nextChange(ctx context.Context, at, end uint64) (*jetstream.RawStreamMsg, uint64, error) {
	for at++; at < end; at++ {
		m, err := l.raw(ctx, schemas.StreamChanges, at)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return m, at, err
		}
	}
	return nil, end, nil
}

package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// ErrNotFound says that the log has no message at a sequence: it is erased,
// or not written yet.
var ErrNotFound = errors.New("not in the log")

// ErrEnd can be returned by a reader's function to end a Read early, without
// an error.
var ErrEnd = errors.New("end of reading")

// ReadOptions say which part of the log to read.
type ReadOptions struct {
	From    uint64 // first sequence; 0: from the beginning
	To      uint64 // last sequence; 0: the last one there is when reading starts
	Subject string // filter, may have wildcards: log.events.{source}.{tenant}.>; empty: all
}

// Read hands the events of the log to fn, in order, and ends when the last one
// up to To was handed over, also if messages behind it are filtered out or
// erased. What is stored after Read began is not read. A message that is no
// event comes with Fault set. The Message is as stored; its bytes are fn's.
//
// What cannot be read though nobody erased it is left out, and the error says
// so at the end (schemas.ErrLogDamaged): what is left is still worth reading,
// but it is not the log. That is only seen without a Subject.
//
// An error of fn ends it and is returned. After a disconnect it goes on where
// it was, for as long as ctx lives.
func (l *Log) Read(ctx context.Context, o ReadOptions, fn func(schemas.Recorded, schemas.Message) error) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	to := info.Last
	if o.To != 0 {
		to = min(to, o.To)
	}
	f := feed{stream: schemas.StreamEvents, from: o.From}
	if o.Subject != "" {
		f.subjects = []string{o.Subject}
	}
	expected := max(o.From, 1)
	var damage error // the first; there may be thousands
	gap := func(seq uint64) error {
		if o.Subject != "" || seq == expected {
			return nil
		}
		err := l.explain(ctx, expected, seq)
		if !errors.Is(err, schemas.ErrLogDamaged) {
			return err
		}
		if damage == nil {
			damage = err
		}
		return nil
	}
	ended := false
	err = l.read(ctx, f, to, func(m jetstream.Msg, md meta) error {
		if err := gap(md.seq); err != nil {
			return err
		}
		expected = md.seq + 1
		stored := schemas.Message{Subject: m.Subject(), ID: m.Headers().Get(nats.MsgIdHdr), Body: m.Data()}
		err := fn(recorded(stored, md.seq), stored)
		ended = ended || err != nil
		return err
	})
	if err == nil && !ended && expected <= to {
		err = gap(to + 1)
	}
	return errors.Join(err, damage)
}

// read hands over what f says up to the sequence to, which must not lie
// beyond the end of the stream.
func (l *Log) read(ctx context.Context, f feed, to uint64, fn func(jetstream.Msg, meta) error) error {
	if max(f.from, 1) > to {
		return nil
	}
	f.atEnd = func() error { return ErrEnd }
	err := l.follow(ctx, f, func(m jetstream.Msg, md meta) error {
		if md.seq > to {
			return ErrEnd
		}
		if err := fn(m, md); err != nil {
			return err
		}
		if md.seq == to || md.pending == 0 {
			return ErrEnd
		}
		return nil
	})
	if errors.Is(err, ErrEnd) {
		return nil
	}
	return err
}

// recorded reads a stored message as an event.
func recorded(m schemas.Message, seq uint64) schemas.Recorded {
	e, err := schemas.ParseMessage(m)
	if err != nil {
		return schemas.Recorded{Event: e, Seq: seq, Fault: fmt.Errorf("log: seq %d: %w", seq, err)}
	}
	return schemas.Recorded{Event: e, Seq: seq}
}

// explain says why there is nothing from expected up to seq: nil if that was
// erased, schemas.ErrLogDamaged (counted) if not. A record that a bad disk has
// changed is one that the server still counts, and leaves out without a word.
func (l *Log) explain(ctx context.Context, expected, seq uint64) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	err = damaged(info)
	if seq > expected && info.Missing <= info.Erased {
		unread, askErr := l.unreadable(ctx, expected, seq)
		if askErr != nil {
			return askErr
		}
		if unread == 0 {
			return nil
		}
		err = fmt.Errorf("%w: event %d is there and cannot be read (hint: stop switchlog, put a good copy of the directory nats/ back, and look at the disk; do not rebuild before that)",
			schemas.ErrLogDamaged, unread)
	}
	l.metrics.gaps.Inc()
	return fmt.Errorf("log: from %d to %d: %w", expected, seq, err)
}

// unreadable is the first sequence from expected up to seq that the stream
// does not count as deleted; 0: there is none.
func (l *Log) unreadable(ctx context.Context, expected, seq uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s, err := l.js.Stream(ctx, schemas.StreamEvents)
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	for n := max(expected, info.State.FirstSeq); n < seq; n++ {
		if _, deleted := slices.BinarySearch(info.State.Deleted, n); !deleted {
			return n, nil
		}
	}
	return 0, nil
}

// Get gives the event at a sequence; ErrNotFound if there is none. A message
// that is no event comes with Fault set.
func (l *Log) Get(ctx context.Context, seq uint64) (schemas.Recorded, schemas.Message, error) {
	if seq == 0 {
		return schemas.Recorded{}, schemas.Message{}, fmt.Errorf("log: seq 0: %w", ErrNotFound)
	}
	m, err := l.raw(ctx, schemas.StreamEvents, seq)
	if err != nil {
		return schemas.Recorded{}, schemas.Message{}, fmt.Errorf("log: %w", err)
	}
	stored := schemas.Message{Subject: m.Subject, ID: m.Header.Get(nats.MsgIdHdr), Body: m.Data}
	return recorded(stored, seq), stored, nil
}

// LastOf is the last event whose subject matches, * and > standing for what
// they do in NATS; ErrNotFound if there is none.
func (l *Log) LastOf(ctx context.Context, subject string) (schemas.Recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s, err := l.js.Stream(ctx, schemas.StreamEvents)
	if err != nil {
		return schemas.Recorded{}, fmt.Errorf("log: %w", err)
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return schemas.Recorded{}, fmt.Errorf("log: %s: %w", subject, ErrNotFound)
	}
	if err != nil {
		return schemas.Recorded{}, fmt.Errorf("log: %w", err)
	}
	return recorded(schemas.Message{Subject: m.Subject, ID: m.Header.Get(nats.MsgIdHdr), Body: m.Data}, m.Sequence), nil
}

// Count is how many events the log has on a subject, which may have wildcards.
// It asks the server's index and reads nothing.
func (l *Log) Count(ctx context.Context, subject string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s, err := l.js.Stream(ctx, schemas.StreamEvents)
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return 0, fmt.Errorf("log: %s: %w", subject, err)
	}
	var n uint64
	for _, of := range info.State.Subjects {
		n += of
	}
	return n, nil
}

// SeqAt is the first sequence stored at or after t, by the clock of the log's
// server when it stored it, which is a moment after the event's own time. If
// there is none yet it is the sequence the next event will get.
func (l *Log) SeqAt(ctx context.Context, t time.Time) (uint64, error) {
	info, err := l.Info(ctx)
	if err != nil {
		return 0, err
	}
	if info.Messages == 0 || t.After(info.LastTime) {
		return info.Last + 1, nil
	}
	if t.Before(info.FirstTime) { // and years that the server's clock cannot say
		return info.First, nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	c, err := l.js.CreateConsumer(ctx, schemas.StreamEvents, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &t, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: forgetAfter, HeadersOnly: true,
	})
	if err != nil {
		return 0, fmt.Errorf("log: at %s: %w", schemas.FormatTime(t), err)
	}
	defer l.forget(schemas.StreamEvents, c)
	m, err := c.Next(jetstream.FetchMaxWait(l.timeout))
	if err != nil {
		return 0, fmt.Errorf("log: at %s: %w", schemas.FormatTime(t), err)
	}
	md, err := m.Metadata()
	if err != nil {
		return 0, fmt.Errorf("log: at %s: %w", schemas.FormatTime(t), err)
	}
	return md.Sequence.Stream, nil
}

// ErrPositionMismatch says that a projection was folded from another log than
// this one, or from one that went on differently.
var ErrPositionMismatch = errors.New("position does not fit the log")

const hintRebuild = "(hint: if this is the log you want, switchlog rebuild makes the projections anew from it)"

// Check holds a position against the log: the same epoch, and at that
// sequence the event with that id. Nil means reading may go on behind it.
func (l *Log) Check(ctx context.Context, p schemas.Position) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	if p.Seq == 0 && (p.Epoch == "" || p.Epoch == info.Epoch) {
		return nil
	}
	if p.Epoch != info.Epoch {
		return fmt.Errorf("log: %w: it is of epoch %s, the log of %s %s", ErrPositionMismatch, p.Epoch, info.Epoch, hintRebuild)
	}
	if p.Seq > info.Last {
		return fmt.Errorf("log: %w: it ends at %d, but %d was folded already %s", schemas.ErrLogDamaged, info.Last, p.Seq, hintGone)
	}
	r, _, err := l.Get(ctx, p.Seq)
	if errors.Is(err, ErrNotFound) {
		if info.Missing <= info.Erased {
			return nil // it was erased
		}
		return fmt.Errorf("log: %w", damaged(info))
	}
	if err != nil {
		return err
	}
	if r.ID != p.ID {
		return fmt.Errorf("log: %w: at %d it says event %s, the log has %s %s", ErrPositionMismatch, p.Seq, p.ID, r.ID, hintRebuild)
	}
	return nil
}

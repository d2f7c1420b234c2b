package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"switchlog/schemas"
)

const (
	// batchFrom is how many messages an atomic batch is worth its price for:
	// the server builds a file store on the side for each. BenchmarkAppend,
	// 2 cores, ext4: singles take 0.3 ms each; a batch of 8 takes 2.9 ms, of 16
	// 3.3 ms (singles 4.7), of 64 4.0 ms (20), of 1000 16 ms.
	batchFrom = 12

	// batchMax is the server's own limit for one batch.
	batchMax = 1000

	// wrongStream is a stream that cannot be: a name has no dot.
	wrongStream = "no.stream"
)

// Headers of an atomic batch (ADR-50).
const (
	batchIDHeader     = "Nats-Batch-Id"
	batchSeqHeader    = "Nats-Batch-Sequence"
	batchCommitHeader = "Nats-Batch-Commit"
)

// Error codes of JetStream that decide what happens next.
const (
	codeWrongStream = 10060
)

// batchRefused are the codes by which a server says that it will not take
// this batch, as a batch.
var batchRefused = map[int]bool{
	10174: true, // atomic publish is disabled
	10175: true, // sequence is missing
	10176: true, // batch is incomplete
	10177: true, // unsupported header
	10179: true, // invalid batch id
	10199: true, // too large
	10201: true, // contains a message id that is stored already
	10210: true, // too many batches in flight
}

// apiError is an error the server answers with. The stream was not changed.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d)", e.Description, e.ErrCode) }

// pubAck is the server's answer to a stored message, or a batch.
type pubAck struct {
	Stream    string    `json:"stream"`
	Seq       uint64    `json:"seq"`
	Duplicate bool      `json:"duplicate"`
	Batch     string    `json:"batch"`
	Count     int       `json:"count"`
	Err       *apiError `json:"error"`
}

// Append stores a batch in order and returns the anchor at its end. On error
// some, all or none may be stored, and Recover tells which.
//
// An event is stored once even if the answer was lost: Recover comes first
// and sees what is there, and what arrives later than that (from a server that
// was frozen) meets the same Nats-Msg-Id within the duplicate window.
func (l *Log) Append(ctx context.Context, spoolID string, batch []schemas.Spooled) (now schemas.Anchor, err error) {
	l.mu.Lock()
	epoch, missing, reconnects := l.epoch, l.missing, l.reconnects
	l.mu.Unlock()
	if epoch == "" {
		panic("processor: Append before Recover")
	}
	if len(batch) == 0 {
		return now, errors.New("log: append: nothing to append")
	}
	if l.nc.Stats().Reconnects != reconnects {
		// Who knows what the server is now: it may have lost its end, or
		// be another one.
		return now, errors.New("log: append: the connection was lost meanwhile (hint: call Recover)")
	}
	msgs := make([]*nats.Msg, len(batch))
	for i, s := range batch {
		msgs[i] = message(s.Message)
		msgs[i].Header.Set(spoolHeader, spoolID+"/"+strconv.FormatUint(s.Pos, 10))
	}
	start := time.Now()
	seq, id, err := l.store(ctx, schemas.StreamEvents, msgs)
	if err != nil {
		return now, fmt.Errorf("log: append: %w", err)
	}
	l.metrics.seconds.Observe(time.Since(start).Seconds())
	return schemas.Anchor{Epoch: epoch, Seq: seq, ID: id, Count: seq - missing}, nil
}

// message is m as it is published.
func message(m schemas.Message) *nats.Msg {
	return &nats.Msg{Subject: m.Subject, Data: m.Body, Header: nats.Header{
		nats.MsgIdHdr:  {m.ID},
		"Content-Type": {schemas.ContentType},
	}}
}

// store stores messages in order, and returns the highest sequence one of
// them has, with its id. Other publishers may store between them.
func (l *Log) store(ctx context.Context, stream string, msgs []*nats.Msg) (seq uint64, id string, err error) {
	for len(msgs) > 0 {
		n := min(len(msgs), batchMax)
		part := msgs[:n]
		msgs = msgs[n:]
		var at uint64
		var of string
		if n >= batchFrom && l.batches() {
			at, of, err = l.storeBatch(ctx, stream, part)
		} else {
			at, of, err = l.storeSingles(ctx, stream, part)
		}
		if err != nil {
			return 0, "", err
		}
		if at > seq {
			seq, id = at, of
		}
	}
	return seq, id, nil
}

func (l *Log) batches() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.singles
}

// storeSingles publishes one after the other: if one fails, none after it
// may be stored before it.
func (l *Log) storeSingles(ctx context.Context, stream string, msgs []*nats.Msg) (seq uint64, id string, err error) {
	for _, m := range msgs {
		m.Header.Set(nats.ExpectedStreamHdr, stream)
		ack, err := l.publish(ctx, stream, m)
		if err != nil {
			return 0, "", err
		}
		of := m.Header.Get(nats.MsgIdHdr)
		if ack.Duplicate {
			if err := l.same(ctx, stream, ack.Seq, of); err != nil {
				return 0, "", err
			}
			l.metrics.duplicates.Inc()
		} else {
			l.metrics.appended.WithLabelValues("single").Inc()
		}
		if ack.Seq > seq {
			seq, id = ack.Seq, of
		}
	}
	return seq, id, nil
}

// same holds that what the server calls a duplicate is in the log.
func (l *Log) same(ctx context.Context, stream string, seq uint64, id string) error {
	m, err := l.raw(ctx, stream, seq)
	if err != nil {
		return fmt.Errorf("duplicate of %d: %w", seq, err)
	}
	if got := m.Header.Get(nats.MsgIdHdr); got != id {
		return fmt.Errorf("%w: %s is said to be stored at %d, where %s is %s", schemas.ErrLogDamaged, id, seq, got, hintRestore)
	}
	return nil
}

// storeBatch publishes all as one atomic batch: one fsync, all or nothing.
// A batch the server does not want goes one by one.
func (l *Log) storeBatch(ctx context.Context, stream string, msgs []*nats.Msg) (seq uint64, id string, err error) {
	batch, last := nuid.Next(), len(msgs)-1
	for i, m := range msgs {
		m.Header.Set(nats.ExpectedStreamHdr, stream)
		m.Header.Set(batchIDHeader, batch)
		m.Header.Set(batchSeqHeader, strconv.Itoa(i+1))
		if i == last {
			break
		}
		if err := l.nc.PublishMsg(m); err != nil {
			return 0, "", fmt.Errorf("batch: %w", err) // without its end the server forgets it
		}
	}
	end := msgs[last]
	end.Header.Set(batchCommitHeader, "1")
	ack, err := l.publish(ctx, stream, end)
	for _, m := range msgs {
		m.Header.Del(batchIDHeader)
		m.Header.Del(batchSeqHeader)
		m.Header.Del(batchCommitHeader)
	}
	var refused *apiError
	if errors.As(err, &refused) && batchRefused[refused.ErrCode] {
		l.log.Debug("batch refused; sending one by one", "err", err)
		l.metrics.fallbacks.Inc()
		return l.storeSingles(ctx, stream, msgs)
	}
	if err != nil {
		return 0, "", fmt.Errorf("batch of %d: %w", len(msgs), err)
	}
	if ack.Batch != batch || ack.Count != len(msgs) {
		return 0, "", fmt.Errorf("batch of %d: the server answered %+v (hint: NATS 2.12 or newer is needed, 2.15 recommended)", len(msgs), ack)
	}
	l.metrics.appended.WithLabelValues("batch").Add(float64(len(msgs)))
	return ack.Seq, end.Header.Get(nats.MsgIdHdr), nil
}

// publish sends one message and waits for the answer. An *apiError says that
// it was refused; after any other error nobody knows.
func (l *Log) publish(ctx context.Context, stream string, m *nats.Msg) (pubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	var ack pubAck
	answer, err := l.nc.RequestMsgWithContext(ctx, m)
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		err = errAway
	}
	if err != nil {
		return ack, fmt.Errorf("publish: %w", err)
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return ack, fmt.Errorf("publish: answer: %w", err)
	}
	if ack.Err != nil {
		return ack, ack.Err
	}
	if ack.Stream != stream || ack.Seq == 0 {
		return ack, fmt.Errorf("publish: the server answered %+v, not for stream %s", ack, stream)
	}
	return ack, nil
}

// barrier returns when the stream has dealt with all that was published on
// this connection before. It sends a message that the stream must refuse,
// through the same door.
func (l *Log) barrier(ctx context.Context, subjects string) error {
	m := nats.NewMsg(subjects + ".barrier")
	m.Header.Set(nats.ExpectedStreamHdr, wrongStream)
	_, err := l.publish(ctx, wrongStream, m)
	var refused *apiError
	if errors.As(err, &refused) && refused.ErrCode == codeWrongStream {
		return nil
	}
	return fmt.Errorf("log: barrier: %w", err)
}

// raw gets a stored message by its sequence; ErrNotFound if there is none.
func (l *Log) raw(ctx context.Context, stream string, seq uint64) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s, err := l.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	m, err := s.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("seq %d: %w", seq, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("seq %d: %w", seq, err)
	}
	return m, nil
}

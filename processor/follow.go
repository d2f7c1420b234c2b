package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

const (
	// pullBytes is how much the server may send ahead of us. By bytes, since
	// a message may have 1 MB; 4 MiB are several thousand usual ones.
	pullBytes = 4 << 20

	// heartbeat is how often the server says that it is there; a reader that
	// hears nothing for twice as long starts anew.
	heartbeat = 2 * time.Second

	// forgetAfter is how long the server keeps a consumer that nobody reads.
	forgetAfter = 30 * time.Second

	retryMin = 50 * time.Millisecond
	retryMax = 5 * time.Second
)

// meta is what the log knows of a message besides its content.
type meta struct {
	seq     uint64
	pending uint64 // how many more there were when the server sent this one
	time    time.Time
}

// feed says what to read.
type feed struct {
	stream      string
	from        uint64 // first sequence; 0 counts as 1
	subjects    []string
	headersOnly bool

	// atEnd, if set, is called when the reader knows that nothing waits for
	// it: before the first message, or after silence.
	atEnd func() error
}

// follow hands every message from f.from on to fn, in order, none twice, until
// ctx ends or fn or f.atEnd returns an error, which it returns. It waits for
// new ones at the end, and goes on by itself after a disconnect.
//
// This is what nats.go calls an ordered consumer: nothing on the server but a
// consumer in memory without acknowledgements, replaced when the sequence
// of deliveries breaks. We keep it ourselves because nats.go's holds its lock
// while it tries again, and stopping one may take twenty seconds then.
func (l *Log) follow(ctx context.Context, f feed, fn func(jetstream.Msg, meta) error) error {
	f.from = max(f.from, 1)
	status := l.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer l.nc.RemoveStatusListener(status)
	wait := retryMin
	for {
		before := f.from
		err := l.consume(ctx, &f, status, fn)
		var stop *stopError
		switch {
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, nats.ErrConnectionClosed):
			return err
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("log: %w: stream %s is gone %s", schemas.ErrLogDamaged, f.stream, hintGone)
		}
		if f.from > before {
			wait = retryMin
		}
		l.log.Debug("log: reader starts anew", "stream", f.stream, "seq", f.from, "err", err)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, retryMax)
	}
}

// stopError carries what fn or atEnd returned.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// consume reads with one consumer until something breaks, and moves f.from
// past what was handed over.
func (l *Log) consume(ctx context.Context, f *feed, status <-chan nats.Status, fn func(jetstream.Msg, meta) error) error {
	c, err := l.consumer(ctx, *f)
	if err != nil {
		return err
	}
	defer l.forget(f.stream, c)

	// The callback runs in a goroutine of nats.go, one call at a time. It is
	// over before we return. Closed says only that no further call will begin
	// (it does not wait for one that has), so the callback holds a lock.
	broken := make(chan error, 1)
	give := func(err error) {
		select {
		case broken <- err:
		default: // something broke before
		}
	}
	var handled atomic.Uint64 // deliveries that fn is done with
	var mu sync.Mutex         // held by each call; guards over and f.from
	over := false
	cc, err := c.Consume(func(m jetstream.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		md, err := m.Metadata()
		switch {
		case err != nil:
		case md.Sequence.Consumer != handled.Load()+1:
			err = fmt.Errorf("delivery %d arrived after %d", md.Sequence.Consumer, handled.Load())
		default:
			if err = fn(m, meta{seq: md.Sequence.Stream, pending: md.NumPending, time: md.Timestamp}); err != nil {
				err = &stopError{err}
				break
			}
			f.from = md.Sequence.Stream + 1
			handled.Add(1)
			return
		}
		over = true
		give(err)
	}, jetstream.PullMaxBytes(pullBytes), jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { give(err) }))
	if err != nil {
		return err
	}
	err = l.watch(ctx, f, c, &handled, status, broken)
	cc.Stop()
	<-cc.Closed()
	mu.Lock()
	defer mu.Unlock()
	over = true
	// What the callback found counts for more than the reason to stop: it
	// may have come between.
	select {
	case found := <-broken:
		var stop *stopError
		if errors.As(found, &stop) {
			return found
		}
	default:
	}
	return err
}

// watch waits until the reader has to stop.
func (l *Log) watch(ctx context.Context, f *feed, c jetstream.Consumer, handled *atomic.Uint64, status <-chan nats.Status, broken <-chan error) error {
	var quiet <-chan time.Time
	if f.atEnd != nil {
		if c.CachedInfo().NumPending == 0 {
			return stopped(f.atEnd())
		}
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		quiet = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case s := <-status:
			if s == nats.CLOSED {
				return nats.ErrConnectionClosed
			}
			return errors.New("connected again")
		case <-quiet:
			// A message that vanished while we read (erased) leaves the
			// count of those to come too high, and nobody to correct it.
			over, err := l.drained(ctx, c, handled)
			if err != nil {
				return err
			}
			if over {
				return stopped(f.atEnd())
			}
		}
	}
}

func stopped(err error) error {
	if err == nil {
		panic("processor: a reader's end must be an error")
	}
	return &stopError{err}
}

// drained reports whether the server has nothing more for the consumer, and we
// are done with all it sent.
func (l *Log) drained(ctx context.Context, c jetstream.Consumer, handled *atomic.Uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	now, err := c.Info(ctx)
	if err != nil {
		return false, err
	}
	return now.NumPending == 0 && now.Delivered.Consumer == handled.Load(), nil
}

func (l *Log) consumer(ctx context.Context, f feed) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	c := jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.from,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: forgetAfter,
		HeadersOnly:       f.headersOnly,
	}
	if len(f.subjects) == 1 {
		c.FilterSubject = f.subjects[0]
	} else {
		c.FilterSubjects = f.subjects
	}
	return l.js.CreateConsumer(ctx, f.stream, c)
}

// forget tells the server that the consumer is not needed any more. If that
// does not reach it, it finds out by itself after forgetAfter.
func (l *Log) forget(stream string, c jetstream.Consumer) {
	if !l.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := l.js.DeleteConsumer(ctx, stream, c.CachedInfo().Name); err != nil {
		l.log.Debug("log: delete consumer", "stream", stream, "err", err)
	}
}

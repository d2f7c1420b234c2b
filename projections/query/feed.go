package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

const (
	apiTimeout = 5 * time.Second // for one question to JetStream

	// feedBytes is how much the server sends ahead of a client: more than one
	// message can have, and all that a slow client costs.
	feedBytes = 2 << 20

	feedHeartbeat = 5 * time.Second  // a feed that hears nothing for twice as long starts anew
	feedForget    = 30 * time.Second // how long the server keeps a consumer nobody reads

	feedRetryMin = 50 * time.Millisecond
	feedRetryMax = 5 * time.Second
)

// change is an event of the stream CHANGES.
type change struct {
	seq  uint64
	typ  string
	body []byte // the CloudEvent
}

// feed reads the changes of one tenant in order into a bounded channel, none
// missing and none twice, also across disconnects.
//
// It does what an ordered consumer of nats.go does: a consumer in memory without
// acknowledgements, replaced when something breaks. It does so itself because
// stopping one of nats.go's while the server is away takes many seconds,
// and a client that goes should be gone.
type feed struct {
	js      jetstream.JetStream
	log     *slog.Logger
	subject string
	route   schemas.Route
	next    uint64 // the sequence to go on at
	// show is a change as the reader may see it; nil: as it is.
	show func(context.Context, schemas.Event) (schemas.Event, bool, error)
	out  chan change
}

func newFeed(js jetstream.JetStream, log *slog.Logger, source, tenant string, from uint64) *feed {
	// Token leaves no wildcard in, so the filter is this tenant's alone (P7).
	subject := schemas.TenantSubjects(schemas.LogChanges, source, tenant)
	return &feed{js: js, log: log, subject: subject, route: schemas.Route{Source: source, Tenant: tenant}, next: from, out: make(chan change, streamBuffer)}
}

// run reads until ctx ends, or until the stream is not the one it was.
func (f *feed) run(ctx context.Context) error {
	status := f.js.Conn().StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer f.js.Conn().RemoveStatusListener(status)
	wait := feedRetryMin
	for {
		before := f.next
		err := f.attempt(ctx, status)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, errShorter), errors.Is(err, nats.ErrConnectionClosed):
			return err
		}
		if f.next > before {
			wait = feedRetryMin
		}
		f.log.Debug("stream of changes starts anew", "seq", f.next, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, feedRetryMax)
	}
}

// attempt reads until something breaks or the connection is a new one: what
// was asked of the server before may never be answered, and it may have
// forgotten the consumer.
func (f *feed) attempt(ctx context.Context, status <-chan nats.Status) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case s := <-status:
			if s == nats.CLOSED {
				cancel(nats.ErrConnectionClosed)
			} else {
				cancel(errReconnected)
			}
		case <-ctx.Done():
		}
	})
	err := f.consume(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	watch.Wait()
	return err
}

var errReconnected = errors.New("connected again")

var errShorter = errors.New("the stream is shorter than it was")

// consume reads with one consumer until something breaks.
func (f *feed) consume(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := f.consumer(ctx)
	if err != nil {
		return err
	}
	defer f.forget(c)
	broken := make(chan error, 1)
	give := func(err error) {
		select {
		case broken <- err:
		default: // something broke before
		}
	}
	// Closed says only that no further call will begin (it does not wait for one
	// that has): the lock is how we know that the callback is over.
	var mu sync.Mutex // held by each call; guards what follows
	handled, over := uint64(0), false
	cc, err := c.Consume(func(m jetstream.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		if err := f.hand(ctx, m, handled+1); err != nil {
			over = true
			give(err)
			return
		}
		handled++
	}, jetstream.PullMaxBytes(feedBytes), jetstream.PullExpiry(30*time.Second), jetstream.PullHeartbeat(feedHeartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { give(err) }))
	if err != nil {
		return err
	}
	select {
	case err = <-broken:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel() // the callback may be waiting for room
	cc.Stop()
	<-cc.Closed()
	mu.Lock()
	defer mu.Unlock()
	over = true
	return err
}

// hand passes on one message, which must be the given delivery, and moves next
// behind it. It waits for room: that is what holds the server back.
func (f *feed) hand(ctx context.Context, m jetstream.Msg, delivery uint64) error {
	md, err := m.Metadata()
	if err != nil {
		return err
	}
	if md.Sequence.Consumer != delivery {
		return fmt.Errorf("delivery %d arrived, not %d", md.Sequence.Consumer, delivery)
	}
	var e schemas.Event
	if err := e.UnmarshalJSON(m.Data()); err != nil {
		f.log.Error("stream of changes: passed over what is no event", "seq", md.Sequence.Stream, "err", err)
		f.next = md.Sequence.Stream + 1
		return nil
	}
	body := m.Data()
	if f.show != nil {
		e.Route = f.route
		shown, some, err := f.show(ctx, e)
		if err != nil {
			return err
		}
		if !some {
			f.next = md.Sequence.Stream + 1
			return nil
		}
		if body, err = shown.MarshalJSON(); err != nil {
			return err
		}
	}
	select {
	case f.out <- change{seq: md.Sequence.Stream, typ: e.Type, body: body}:
		f.next = md.Sequence.Stream + 1
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *feed) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	s, err := f.js.Stream(ctx, schemas.StreamChanges)
	if err != nil {
		return nil, err
	}
	if s.CachedInfo().State.LastSeq+1 < f.next {
		return nil, fmt.Errorf("%w: it ends at %d, %d was read already", errShorter, s.CachedInfo().State.LastSeq, f.next-1)
	}
	return s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubject:     f.subject,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       f.next,
		AckPolicy:         jetstream.AckNonePolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: feedForget,
	})
}

// forget tells the server that the consumer is not needed any more. If that
// does not reach it, it finds out by itself after feedForget.
func (f *feed) forget(c jetstream.Consumer) {
	if !f.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := f.js.DeleteConsumer(ctx, schemas.StreamChanges, c.CachedInfo().Name); err != nil {
		f.log.Debug("stream of changes: delete consumer", "err", err)
	}
}

package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// causeHeader says which entry of the outbox a change is: {seq}/{n}.
const causeHeader = "Switchlog-Cause"

// dueLimit is how many entries are taken from the outbox at once: as many as a
// fold that is far behind makes in one transaction, since each look at the outbox
// waits for one.
const dueLimit = batchEventsFar

// Outbox is what folds want others to hear. An entry is written in the fold's
// transaction and stays until it is sent.
type Outbox interface {
	// Due gives up to limit entries in order of (Seq, N); fewer if they are large.
	Due(ctx context.Context, limit int) ([]schemas.Outgoing, error)

	// Sent says that everything up to and including (seq, n) is out.
	Sent(ctx context.Context, seq uint64, n int) error
}

// ChangesConfig is what a Changes needs.
type ChangesConfig struct {
	Log     *Log
	Outbox  Outbox
	Ready   <-chan struct{} // nothing is sent before it is closed: Loop.CaughtUp
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Changes publishes what is in the outbox: each change once to the stream
// CHANGES, and who fronts now to the bucket FRONTERS.
type Changes struct {
	log     *Log
	outbox  Outbox
	ready   <-chan struct{}
	logger  *slog.Logger
	metrics *changesMetrics
	wake    chan struct{}

	mu     sync.Mutex // guards status
	status ChangesStatus
}

// ChangesStatus is how sending is.
type ChangesStatus struct {
	Err   error     // why nothing was sent at the last attempt; nil: it was, or nothing was due
	Since time.Time // when what is due now could first not be sent; zero: nothing is due
}

// Stuck reports whether something is due and has been for so long that a
// server that works would have taken it.
func (s ChangesStatus) Stuck(now time.Time) bool {
	return !s.Since.IsZero() && now.Sub(s.Since) >= stuckAfter
}

// stuckAfter is longer than a request to the server may take, so that a slow one
// is not reported.
const stuckAfter = 2 * requestWithin

// NewChanges makes a Changes.
func NewChanges(c ChangesConfig) *Changes {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	changes := &Changes{log: c.Log, outbox: c.Outbox, ready: c.Ready, logger: c.Logger, wake: make(chan struct{}, 1)}
	changes.metrics = newChangesMetrics(c.Metrics, changes.Status)
	return changes
}

// Status is how sending is.
func (c *Changes) Status() ChangesStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// due notes that something is to be sent, and when that began.
func (c *Changes) due() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Since.IsZero() {
		c.status.Since = time.Now()
	}
}

// failed notes that what is due was not sent; sent, that it was.
func (c *Changes) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Err = err
	if c.status.Since.IsZero() {
		c.status.Since = time.Now()
	}
}

func (c *Changes) sent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = ChangesStatus{}
}

// Wake says that there may be something to send. It does not block.
func (c *Changes) Wake() { signal(c.wake) }

// cause is the place of an entry in the outbox.
type cause struct {
	seq uint64
	n   int
}

func (a cause) after(b cause) bool { return a.seq > b.seq || a.seq == b.seq && a.n > b.n }

// Run sends what is due until ctx ends (then nil). It begins when Ready is
// closed. On an error it tries again and skips nothing. What is larger than the
// server's messages may be is sent in a smaller form, see schemas.FitChange: one
// system's front never stands in front of all others'.
func (c *Changes) Run(ctx context.Context) error {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return nil
	}
	wait := retryMin
	for {
		err := c.session(ctx, func() { wait = retryMin })
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, schemas.ErrLogDamaged), errors.Is(err, nats.ErrConnectionClosed):
			return fmt.Errorf("changes: %w", err)
		}
		c.failed(err)
		c.logger.Warn("changes: not sent; trying again", "err", err)
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// session looks up what was sent last and sends what comes after, until the
// first error. After that nobody knows what was sent, so it must look again.
func (c *Changes) session(ctx context.Context, progress func()) error {
	last, err := c.last(ctx)
	if err != nil {
		return err
	}
	for {
		due, err := c.outbox.Due(ctx, dueLimit)
		if err != nil {
			return fmt.Errorf("outbox: %w", err)
		}
		if len(due) == 0 {
			c.sent()
			progress()
			select {
			case <-c.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		c.due()
		// A batch once begun is finished, also while we shut down.
		if last, err = c.send(context.WithoutCancel(ctx), due, last); err != nil {
			return err
		}
		c.sent()
		progress()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// Sent is the sequence of the event that caused the last change published; 0
// if there was none yet. Whatever comes of events up to it is out.
func (c *Changes) Sent(ctx context.Context) (uint64, error) {
	last, err := c.last(ctx)
	if err != nil {
		return 0, fmt.Errorf("changes: %w", err)
	}
	return last.seq, nil
}

// last is the cause of the last change in the stream: what is not after it was
// published already, whatever the outbox says. The stream is asked behind
// a barrier, so nothing of ours is on its way any more.
func (c *Changes) last(ctx context.Context) (cause, error) {
	if _, err := c.log.ours(ctx, schemas.StreamChanges, schemas.LogChanges, schemas.Changes); err != nil {
		return cause{}, err
	}
	if err := c.log.barrier(ctx, schemas.LogChanges); err != nil {
		return cause{}, err
	}
	info, err := c.log.stream(ctx, schemas.StreamChanges)
	if err != nil {
		return cause{}, err
	}
	for seq := info.State.LastSeq; seq >= max(info.State.FirstSeq, 1); seq-- {
		m, err := c.log.raw(ctx, schemas.StreamChanges, seq)
		if errors.Is(err, ErrNotFound) {
			continue // erased
		}
		if err != nil {
			return cause{}, err
		}
		return parseCause(m.Header.Get(causeHeader))
	}
	return cause{}, nil
}

func parseCause(text string) (cause, error) {
	seq, n, _ := strings.Cut(text, "/")
	var at cause
	var err, err2 error
	at.seq, err = strconv.ParseUint(seq, 10, 64)
	at.n, err2 = strconv.Atoi(n)
	if err := errors.Join(err, err2); err != nil {
		return cause{}, fmt.Errorf("%w: the last message of stream %s has the %s %q, which is not ours (hint: did somebody publish to %s.>?)",
			schemas.ErrLogDamaged, schemas.StreamChanges, causeHeader, text, schemas.LogChanges)
	}
	return at, nil
}

// send publishes the due changes after last, puts the newest front of each
// tenant, and marks all as sent. It returns the new last.
func (c *Changes) send(ctx context.Context, due []schemas.Outgoing, last cause) (cause, error) {
	var msgs []*nats.Msg
	var keys []string
	fronts := map[string][]byte{}
	published := last
	for _, o := range due {
		at := cause{o.Seq, o.N}
		if o.FrontersKey != "" {
			if _, seen := fronts[o.FrontersKey]; !seen {
				keys = append(keys, o.FrontersKey)
			}
			fronts[o.FrontersKey] = o.Fronters
		}
		if o.Change == nil {
			continue
		}
		if !at.after(last) {
			c.metrics.again.Inc()
			continue
		}
		m, err := c.change(*o.Change, at)
		if err != nil { // it is no change, a bug of the fold: it would fail the same for ever
			c.logger.Error("changes: left out", "seq", o.Seq, "subject", o.Change.Subject, "err", err)
			c.metrics.refused.Inc()
			continue
		}
		msgs = append(msgs, m)
		published = at
	}
	if len(msgs) > 0 {
		if _, _, err := c.log.store(ctx, schemas.StreamChanges, msgs); err != nil {
			return last, err
		}
		c.metrics.sent.Add(float64(len(msgs)))
	}
	if err := c.putFronts(ctx, keys, fronts); err != nil {
		return last, err
	}
	end := due[len(due)-1]
	if err := c.outbox.Sent(ctx, end.Seq, end.N); err != nil {
		return last, fmt.Errorf("outbox: %w", err)
	}
	return published, nil
}

// change makes the message of a change event, in the form that the server takes.
func (c *Changes) change(stored schemas.Message, at cause) (*nats.Msg, error) {
	fitting, err := schemas.FitChange(stored, c.log.limit(schemas.StreamChanges))
	if err != nil {
		return nil, err
	}
	if len(fitting.Body) != len(stored.Body) {
		c.metrics.reduced.Inc()
	}
	m := message(fitting)
	m.Header.Set(causeHeader, fmt.Sprintf("%d/%d", at.seq, at.n))
	return m, nil
}

// putFronts writes the bucket. Doing it twice changes nothing: what is
// written is what is true.
func (c *Changes) putFronts(ctx context.Context, keys []string, fronts map[string][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	msgs := make([]*nats.Msg, 0, len(keys))
	for _, key := range keys {
		m := nats.NewMsg(frontersPrefix + schemas.Token(key))
		var err error
		if m.Data, err = schemas.FitFront(fronts[key], c.log.limit(frontersStream)-len(m.Subject)); err != nil {
			c.logger.Error("changes: entry left out", "bucket", schemas.BucketFronters, "key", key, "err", err)
			c.metrics.refused.Inc()
			continue
		}
		if len(m.Data) != len(fronts[key]) {
			c.metrics.reduced.Inc()
		}
		msgs = append(msgs, m)
	}
	if len(msgs) == 0 {
		return nil
	}
	if _, _, err := c.log.store(ctx, frontersStream, msgs); err != nil {
		return fmt.Errorf("bucket %s: %w", schemas.BucketFronters, err)
	}
	c.metrics.fronts.Add(float64(len(msgs)))
	return nil
}

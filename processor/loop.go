package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"switchlog/schemas"
)

// Limits of a batch. A transaction costs the same for one event as for
// many; more than a few hundred gain little, and make waiting longer.
const (
	batchEvents    = 500
	batchEventsFar = 2000 // while more than farBehind wait
	batchBytes     = 4 << 20
	farBehind      = 10_000
)

// queueBytes bounds what is read and decoded ahead of the sink.
const queueBytes = 2 * batchBytes

// Sink is what events are folded into. Its rows and its position change in
// one transaction (Law 4).
type Sink interface {
	// Position is how far the sink is; the zero value if it is empty.
	Position(ctx context.Context) (schemas.Position, error)

	// Apply folds a batch, the position included, in one transaction. The
	// batch follows the position in order; only erased sequences are left
	// out. An error means that it did not happen, or that nobody knows.
	Apply(ctx context.Context, epoch string, batch []schemas.Recorded) error
}

// LoopConfig is what a Loop needs.
type LoopConfig struct {
	Log     *Log
	Sink    Sink
	Applied func() // called after each batch; must not block; may be nil
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Loop reads the log in order and applies it to a sink.
type Loop struct {
	log     *Log
	sink    Sink
	applied func()
	logger  *slog.Logger
	metrics *loopMetrics

	turn     chan struct{} // has a token while nobody applies or holds
	held     uint64        // counts Holds; guarded by turn
	caughtUp chan struct{} // closed when the sink first reached the end

	mu     sync.Mutex // guards status
	status LoopStatus
}

// LoopStatus is how far a Loop is.
type LoopStatus struct {
	Epoch    string
	Position uint64    // last sequence applied
	Last     uint64    // last sequence known to be in the log
	At       time.Time // when the event at Position was stored; zero: not known
	CaughtUp bool      // it has reached the end of the log once since Run began
	Err      error     // why the last batch was not applied; nil: it was
}

// Lag is how many events wait to be applied.
func (s LoopStatus) Lag() uint64 { return s.Last - min(s.Position, s.Last) }

// LagTime is how far behind now the sink is: the age of the last event
// applied while others wait, else 0.
func (s LoopStatus) LagTime(now time.Time) time.Duration {
	if s.Lag() == 0 || s.At.IsZero() {
		return 0
	}
	return max(0, now.Sub(s.At))
}

// NewLoop makes a Loop.
func NewLoop(c LoopConfig) *Loop {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Applied == nil {
		c.Applied = func() {}
	}
	l := &Loop{
		log: c.Log, sink: c.Sink, applied: c.Applied, logger: c.Logger,
		turn: make(chan struct{}, 1), caughtUp: make(chan struct{}),
	}
	l.turn <- struct{}{}
	l.metrics = newLoopMetrics(c.Metrics, l.Status)
	return l
}

// CaughtUp is closed when the sink has reached the end of the log for the
// first time.
func (l *Loop) CaughtUp() <-chan struct{} { return l.caughtUp }

// Status is how far the loop is.
func (l *Loop) Status() LoopStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

func (l *Loop) update(change func(*LoopStatus)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.status)
}

// Hold runs fn while no batch is applied. The sink may be another one
// afterwards, at another position: the loop looks again.
func (l *Loop) Hold(ctx context.Context, fn func(context.Context) error) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		l.held++
		l.turn <- struct{}{}
	}()
	return fn(ctx)
}

// errElsewhere ends a session whose sink is not where the reader is.
var errElsewhere = errors.New("the sink is at another position")

// Run applies the log to the sink until ctx ends (then nil), or the log and
// the sink do not belong together: schemas.ErrLogDamaged or
// ErrPositionMismatch, which only a person can mend. A batch that does not go
// in is tried again for ever, and never stepped over.
func (l *Loop) Run(ctx context.Context) error {
	wait := retryMin
	for {
		err := l.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errElsewhere):
			wait = retryMin
			continue
		case errors.Is(err, schemas.ErrLogDamaged), errors.Is(err, ErrPositionMismatch), errors.Is(err, nats.ErrConnectionClosed):
			return fmt.Errorf("projections: %w", err)
		}
		l.logger.Warn("projections: reading the log", "err", err)
		l.update(func(s *LoopStatus) { s.Err = err })
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(2*wait, retryMax)
	}
}

// session reads and applies from the sink's position on. Reading (with
// decoding) and applying are two goroutines with a queue between.
func (l *Loop) session(ctx context.Context) error {
	held, pos, err := l.begin(ctx)
	if err != nil {
		return err
	}
	q := newQueue(2*batchEventsFar, queueBytes)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		expected := pos.Seq + 1
		return l.log.follow(ctx, feed{stream: schemas.StreamEvents, from: expected}, func(m jetstream.Msg, md meta) error {
			if md.seq != expected {
				if err := l.log.explain(ctx, expected, md.seq); err != nil {
					return err
				}
			}
			expected = md.seq + 1
			l.update(func(s *LoopStatus) { s.Last = max(s.Last, md.seq+md.pending) })
			stored := schemas.Message{Subject: m.Subject(), ID: m.Headers().Get(nats.MsgIdHdr), Body: m.Data()}
			return q.put(ctx, item{recorded(stored, md.seq), len(stored.Body), md.time, md.pending > 0})
		})
	})
	g.Go(func() error { return l.drain(ctx, q, held, pos) })
	return g.Wait()
}

// begin reads the sink's position and holds it against the log.
func (l *Loop) begin(ctx context.Context) (held uint64, pos schemas.Position, err error) {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return 0, pos, ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	pos, err = l.sink.Position(ctx)
	if err != nil {
		return 0, pos, fmt.Errorf("position: %w", err)
	}
	if err := l.log.Check(ctx, pos); err != nil {
		return 0, pos, err
	}
	info, err := l.log.Info(ctx)
	if err != nil {
		return 0, pos, err
	}
	at := info.FirstTime
	if pos.Seq > 0 {
		m, err := l.log.raw(ctx, schemas.StreamEvents, pos.Seq)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, pos, err
		}
		if err == nil {
			at = m.Time
		}
	}
	pos.Epoch = info.Epoch
	l.update(func(s *LoopStatus) {
		s.Epoch, s.Position, s.Last, s.At, s.Err = info.Epoch, pos.Seq, info.Last, at, nil
	})
	l.logger.Info("projections: reading the log", "seq", pos.Seq, "last", info.Last)
	return l.held, pos, nil
}

// drain applies what the queue gives, batch by batch.
func (l *Loop) drain(ctx context.Context, q *queue, held uint64, pos schemas.Position) error {
	target := l.Status().Last // where the log ended when we last looked
	var items []item
	var batch []schemas.Recorded
	for {
		var err error
		if target, err = l.reached(ctx, pos.Seq, target); err != nil {
			return err
		}
		limit := batchEvents
		if l.Status().Lag() > farBehind {
			limit = batchEventsFar
		}
		if items, err = q.take(ctx, items, limit, batchBytes); err != nil {
			return err
		}
		batch = batch[:0]
		faults := 0
		for _, it := range items {
			batch = append(batch, it.event)
			if it.event.Fault != nil {
				faults++
			}
		}
		if err := l.apply(ctx, held, pos.Epoch, batch); err != nil {
			return err
		}
		end := items[len(items)-1]
		pos.Seq = end.event.Seq
		l.update(func(s *LoopStatus) { s.Position, s.At, s.Err = pos.Seq, end.stored, nil })
		l.metrics.faults.Add(float64(faults))
		clear(items)
		clear(batch)
		l.applied()
	}
}

// reached closes caughtUp when the sink is at the end of the log: at the end
// as it was, and then not further than a batch from the end as it is.
func (l *Loop) reached(ctx context.Context, seq, target uint64) (uint64, error) {
	if l.Status().CaughtUp || seq < target {
		return target, nil
	}
	info, err := l.log.Info(ctx)
	if err != nil {
		return 0, err
	}
	if info.Last > seq+batchEvents {
		return info.Last, nil
	}
	l.update(func(s *LoopStatus) { s.CaughtUp = true })
	close(l.caughtUp)
	l.logger.Info("projections: caught up", "seq", seq)
	return 0, nil
}

// apply applies a batch, again and again until it is in. Once begun it is
// finished, also while we shut down. An answer may be lost: before trying
// again the sink is asked where it is.
func (l *Loop) apply(ctx context.Context, held uint64, epoch string, batch []schemas.Recorded) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		select {
		case <-l.turn:
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.held != held { // a Hold came between: it may be another sink now
			l.turn <- struct{}{}
			return errElsewhere
		}
		err := l.sink.Apply(context.WithoutCancel(ctx), epoch, batch)
		l.turn <- struct{}{}
		if err == nil {
			return nil
		}
		l.metrics.errors.Inc()
		l.logger.Error("projections: apply; trying again", "seq", batch[0].Seq, "events", len(batch), "err", err)
		l.update(func(s *LoopStatus) { s.Err = err })
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		pos, err := l.sink.Position(ctx)
		if err != nil {
			continue // it will say so again
		}
		if pos.Seq == batch[len(batch)-1].Seq {
			return nil // it had worked
		}
		if pos.Seq >= batch[0].Seq {
			return errElsewhere // a part of it is in: begin anew from there
		}
	}
}

package deliver

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"switchlog/schemas"
)

// Limits of one subscription.
const (
	fetchLimit  = 48 // deliveries taken up at a time: their events are in memory
	maxUnfolded = 32 // attempts noted but not seen in the projection; then we wait for it

	retryMin = 250 * time.Millisecond // after an error of ours
	retryMax = 10 * time.Second

	lookAgain = time.Second // when more is due than was taken up
	lookLater = time.Hour   // when nothing is known to come
)

// worker sends to one subscription. One goroutine runs it, and one each
// attempt; only the first touches what is not guarded.
type worker struct {
	s      *Sender
	id     string
	base   context.Context // outlives Run's by the grace
	limit  *rate.Limiter   // the subscription's own
	wake   chan struct{}   // there may be something new
	done   chan attempted
	ending chan struct{} // closed: the subscription is disabled or gone
	once   sync.Once     // closes ending

	queue    []schemas.Delivery // due and not begun, in order
	known    map[string]mark    // by delivery: what the projection may not show yet
	busyKeys map[string]bool    // with an attempt under way
	inFlight int
	stale    bool      // the projection may have something new
	next     time.Time // when something will be due; zero: not known
	retry    time.Time // not before: an error of ours
	wait     time.Duration

	failures   int       // in a row
	halfOpenAt time.Time // while the circuit is open

	mu      sync.Mutex // guards what follows
	sub     schemas.Subscription
	st      Status
	gate    *gate                      // of the last attempt
	waiting map[string]schemas.Waiting // by delivery: those that were asked to wait, and have not been noted since
	failing time.Time                  // since when, by the projection; zero: the last attempt went well
}

// mark is what we remember of a delivery that was begun: its row in the
// projection is skipped until it shows as many attempts.
type mark struct {
	key      string
	seq      uint64 // its place in the log
	n        int
	attempts int
	inFlight bool
	failed   bool // it will be tried again: in order, none may follow
}

// attempted is an attempt that has ended.
type attempted struct {
	d   schemas.Delivery
	r   result
	err error // ours: it was not made

	disabled bool // the subscription was disabled for what came back
}

func newWorker(s *Sender, sub schemas.Subscription, base context.Context) *worker {
	return &worker{
		limit: rate.NewLimiter(ownRate(sub), 1),
		s:     s, id: sub.ID, base: base, sub: sub, stale: true, known: map[string]mark{}, busyKeys: map[string]bool{}, wait: retryMin,
		wake: make(chan struct{}, 1), done: make(chan attempted), ending: make(chan struct{}),
		st: Status{Subscription: sub.ID}, waiting: map[string]schemas.Waiting{},
	}
}

// update takes a subscription that was changed.
func (w *worker) update(sub schemas.Subscription) {
	w.mu.Lock()
	changed := !reflect.DeepEqual(w.sub, sub)
	w.sub = sub
	w.mu.Unlock()
	w.limit.SetLimit(ownRate(sub))
	if changed {
		signal(w.wake)
	}
}

func ownRate(sub schemas.Subscription) rate.Limit {
	if sub.Rate <= 0 {
		return rate.Inf
	}
	return rate.Limit(sub.Rate)
}

func (w *worker) subscription() schemas.Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sub
}

// stop has the worker end when what has begun is finished.
func (w *worker) stop() { w.once.Do(func() { close(w.ending) }) }

func (w *worker) isEnding() bool {
	select {
	case <-w.ending:
		return true
	default:
		return false
	}
}

// run sends what is due until ctx ends or stop is called, and returns when
// what has begun is finished.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		sub := w.subscription()
		p, err := providerOf(sub.Provider)
		if err != nil {
			panic("deliver: " + err.Error()) // sync runs no worker for it
		}
		if !w.isEnding() {
			w.fetch(ctx, sub)
			w.start(ctx, sub, p)
		}
		w.publish()
		timer := time.NewTimer(w.until())
		select {
		case <-ctx.Done():
		case <-w.ending:
			cancel()
		case f := <-w.done:
			w.recordResult(f)
		case <-w.wake:
			w.stale = true
		case <-timer.C:
			w.stale = true
		}
		timer.Stop()
		if ctx.Err() != nil {
			for w.inFlight > 0 {
				w.recordResult(<-w.done)
			}
			return
		}
	}
}

// fetch asks what is due, if there may be something and there is room.
func (w *worker) fetch(ctx context.Context, sub schemas.Subscription) {
	now := time.Now()
	full := len(w.known)-w.inFlight >= maxUnfolded
	if !w.stale || now.Before(w.retry) || len(w.queue) > 0 && !full && !w.circuitOpen() || w.circuitOpen() && (w.inFlight > 0 || now.Before(w.halfOpenAt)) {
		return
	}
	select {
	case w.s.reads <- struct{}{}:
	case <-ctx.Done():
		return
	}
	due, err := w.s.due.DueDeliveries(ctx, w.id, sub.Ordered, now, fetchLimit)
	<-w.s.reads
	if err != nil {
		if ctx.Err() == nil {
			w.s.logger.Warn("deliver: what is due is not known; asking again", "subscription", w.id, "err", err)
			w.backOff()
		}
		return
	}
	w.wait = retryMin
	w.stale, w.next = false, due.Next
	w.mu.Lock()
	w.failing = due.FailingSince
	w.mu.Unlock()
	w.take(due.Deliveries, sub.Ordered)
	if !due.Next.IsZero() && !due.Next.After(now) {
		w.stale, w.next = true, time.Time{} // there is more: ask when these are begun
	}
}

func (w *worker) backOff() {
	w.stale, w.retry = true, time.Now().Add(w.wait)
	w.wait = min(2*w.wait, retryMax)
}

// take makes the queue of what is due, less what was begun already.
func (w *worker) take(due []schemas.Delivery, ordered bool) {
	w.queue = w.queue[:0]
	seen := make(map[string]bool, len(due))
	closed := map[string]bool{} // ordering keys in which the next is not known to be due
	heads := map[string]mark{}  // of busyKeys: the first that is due
	for _, d := range due {
		seen[d.ID] = true
		if _, has := heads[orderingKey(d)]; ordered && !has {
			heads[orderingKey(d)] = markOf(d)
		}
		m, begun := w.known[d.ID]
		if begun && (m.inFlight || d.Attempts < m.attempts) {
			if ordered && m.failed {
				closed[orderingKey(d)] = true
			}
			continue
		}
		delete(w.known, d.ID)
		if !closed[orderingKey(d)] {
			w.queue = append(w.queue, d)
		}
	}
	for id, m := range w.known {
		// A row that is not due any more has moved on. Of an ordering key only the
		// beginning was told; what lies behind it may just not be in it.
		if head, has := heads[m.key]; !seen[id] && !m.inFlight && (!has || m.before(head)) {
			delete(w.known, id)
		}
	}
}

func markOf(d schemas.Delivery) mark {
	return mark{key: orderingKey(d), seq: d.Seq, n: d.N, attempts: d.Attempts + 1}
}

func (m mark) before(o mark) bool { return m.seq < o.seq || m.seq == o.seq && m.n < o.n }

// orderingKey is what keeps its order: the events of one tenant of one source.
func orderingKey(d schemas.Delivery) string { return d.Event.Route.Source + "/" + d.Event.Route.Tenant }

func (w *worker) circuitOpen() bool { return w.failures >= circuitOpensAfter }

// start begins as many attempts as may be under way.
func (w *worker) start(ctx context.Context, sub schemas.Subscription, p provider) {
	limit := p.flight
	if w.circuitOpen() {
		limit = 1
		if time.Now().Before(w.halfOpenAt) {
			return
		}
	}
	for i := 0; i < len(w.queue) && w.inFlight < limit && len(w.known)-w.inFlight < maxUnfolded; {
		d := w.queue[i]
		if sub.Ordered && w.busyKeys[orderingKey(d)] {
			i++
			continue
		}
		w.queue = slices.Delete(w.queue, i, i+1)
		w.busyKeys[orderingKey(d)] = true
		m := markOf(d)
		m.inFlight = true
		w.known[d.ID] = m
		w.inFlight++
		open := w.circuitOpen()
		go func() { w.done <- w.makeAttempt(ctx, sub, d, open) }() // run waits for it
	}
}

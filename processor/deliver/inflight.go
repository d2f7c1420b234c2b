package deliver

import (
	"context"
	"errors"
	"slices"
	"time"

	"switchlog/schemas"
)

// makeAttempt makes one attempt and notes it. It waits its turn on ctx; what it has
// begun it finishes on the worker's base.
func (w *worker) makeAttempt(ctx context.Context, sub schemas.Subscription, d schemas.Delivery, circuitOpen bool) attempted {
	to, err := w.s.destination(sub)
	if err != nil {
		return attempted{d: d, err: err}
	}
	g, done := w.s.gateFor(to.provider, to.url, sub.ID)
	defer done()
	w.mu.Lock()
	w.gate = g
	w.mu.Unlock()
	if err := w.limit.Wait(ctx); err != nil {
		return attempted{d: d, err: err}
	}
	leave, err := w.s.enter(ctx, g, circuitOpen)
	if err != nil {
		return attempted{d: d, err: err}
	}
	r := w.s.attempt(w.base, sub, &d, g, to)
	leave()
	if err := w.base.Err(); err != nil && r.attempt.Outcome != schemas.OutcomeDelivered {
		return attempted{d: d, err: err} // we hung up: that says nothing of the receiver
	}
	w.s.count(to.provider, r)
	if r.throttled {
		return attempted{d: d, r: r}
	}
	if err := w.s.noteUntil(w.base, r.attempt); err != nil {
		return attempted{d: d, err: err}
	}
	return attempted{d: d, r: r, disabled: w.s.disable(w.base, sub, r, w.failingSince())}
}

// enter waits for the destination's gate, and then for a place among all.
func (s *Sender) enter(ctx context.Context, g *gate, circuitOpen bool) (leave func(), err error) {
	out, err := g.enter(ctx)
	if err != nil {
		return nil, err
	}
	slots := s.slots
	if circuitOpen {
		slots = s.openSlots
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots; out() }, nil
	case <-ctx.Done():
		out()
		return nil, ctx.Err()
	}
}

func (s *Sender) count(p provider, r result) {
	outcome := r.attempt.Outcome
	if r.limited {
		outcome = outcomeThrottled
	}
	s.metrics.attempts.WithLabelValues(p.name, outcome).Inc()
	s.metrics.seconds.WithLabelValues(p.name).Observe(float64(r.attempt.Duration) / 1000)
}

// noteUntil notes an attempt, however long that takes: it was made, and must
// not be made again for want of a note. Meanwhile it holds its place, so a
// spool that is full stops us soon.
func (s *Sender) noteUntil(ctx context.Context, a schemas.DeliveryAttempt) error {
	wait := retryMin
	for {
		_, err := s.notes.Append(ctx, note(a))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.metrics.unnoted.Inc()
		s.logger.Warn("deliver: an attempt is not noted yet; trying again", "subscription", a.Webhook, "attempt", a.Attempt, "err", err)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		wait = min(2*wait, retryMax)
	}
}

// disable stops a subscription whose receiver is gone, or has failed for days,
// and reports whether it did.
func (s *Sender) disable(ctx context.Context, sub schemas.Subscription, r result, since time.Time) bool {
	why, reason := "gone", r.gone
	bad := r.attempt.Outcome == schemas.OutcomeFailed || r.attempt.Outcome == schemas.OutcomeExhausted
	if reason == "" {
		if !bad || since.IsZero() || time.Since(since) < failingFor {
			return false
		}
		why, reason = "failing", disabledWhy(since, r.attempt)
	}
	if err := s.subs.Disable(ctx, sub.ID, reason); err != nil {
		s.logger.Error("deliver: a subscription is not disabled; the next failure tries again", "subscription", sub.ID, "err", err)
		return false
	}
	s.metrics.disabled.WithLabelValues(why).Inc()
	s.logger.Warn("deliver: subscription disabled", "subscription", sub.ID, "reason", reason)
	return true
}

func (w *worker) failingSince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failing
}

// recordResult takes note of an attempt that has ended.
func (w *worker) recordResult(f attempted) {
	w.inFlight--
	delete(w.busyKeys, orderingKey(f.d))
	switch {
	case f.err != nil:
		delete(w.known, f.d.ID)
		if w.base.Err() == nil && !errors.Is(f.err, context.Canceled) {
			w.s.logger.Warn("deliver: an attempt was not made; trying again", "subscription", w.id, "err", f.err)
		}
		w.backOff()
		return
	case f.r.throttled:
		w.note429(f)
		delete(w.known, f.d.ID)
		w.queue = slices.Insert(w.queue, 0, f.d) // its turn is still its turn
		return
	}
	failed := f.r.attempt.Outcome == schemas.OutcomeFailed
	m := markOf(f.d)
	m.failed = failed
	w.known[f.d.ID] = m
	if failed && w.subscription().Ordered {
		w.queue = slices.DeleteFunc(w.queue, func(d schemas.Delivery) bool { return orderingKey(d) == orderingKey(f.d) })
	}
	w.learn(f.r)
	if f.disabled {
		w.stop() // at once: the registry's word of it comes a moment later
	}
	w.mu.Lock()
	w.st.Last, w.st.Status, w.st.Response = f.r.attempt.Outcome, f.r.attempt.Status, clip(f.r.attempt.Response, maxShownResponse)
	if f.r.limited {
		w.st.Last = outcomeThrottled
		w.st.Throttled++
	} else {
		w.st.Throttled = 0
	}
	delete(w.waiting, f.d.ID)
	w.mu.Unlock()
}

// maxShownResponse is how much of an answer a status shows, in characters.
const maxShownResponse = 200

// note429 remembers an answer that asked to wait, for people: the log does not
// have it.
func (w *worker) note429(f attempted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := f.r.attempt
	w.st.Throttled++
	w.st.Last, w.st.Status, w.st.Response = outcomeThrottled, a.Status, clip(a.Response, maxShownResponse)
	if len(w.waiting) >= fetchLimit { // of deliveries that were called off since
		clear(w.waiting)
	}
	w.waiting[f.d.ID] = schemas.Waiting{Answers: w.waiting[f.d.ID].Answers + 1, Response: a.Response, At: time.Now()}
}

// learn counts failures in a row. A receiver that refuses is there; one that
// asks to wait is neither.
func (w *worker) learn(r result) {
	switch r.attempt.Outcome {
	case schemas.OutcomeDelivered, schemas.OutcomeRefused:
		w.failures = 0
	default:
		if r.limited {
			return
		}
		w.failures++
		if w.circuitOpen() {
			w.halfOpenAt = time.Now().Add(halfOpenIn(w.failures))
			w.stale = true // what is probed next is what is due then
		}
	}
}

// until is how long nothing needs to be done, unless something happens.
func (w *worker) until() time.Duration {
	now := time.Now()
	at := now.Add(lookLater)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	if w.inFlight > 0 {
		return at.Sub(now) // landing comes first
	}
	switch {
	case w.circuitOpen() && now.Before(w.halfOpenAt):
		sooner(w.halfOpenAt)
	case now.Before(w.retry):
		sooner(w.retry)
	case w.stale || len(w.queue) > 0:
		sooner(now.Add(lookAgain))
	default:
		sooner(w.next)
	}
	return max(at.Sub(now), time.Millisecond)
}

// publish shows how it goes.
func (w *worker) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.st.InFlight, w.st.Queued, w.st.Failures = w.inFlight, len(w.queue), w.failures
	w.st.CircuitOpen, w.st.HalfOpenAt = w.circuitOpen(), time.Time{}
	if w.circuitOpen() {
		w.st.HalfOpenAt = w.halfOpenAt
	}
}

func (w *worker) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.st
}

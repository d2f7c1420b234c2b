package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchlog/schemas"
)

// Once makes one attempt now, for a person who waits for it, and returns what
// came of it; a status of 0 means that there was no answer. A
// schemas.DeliveryRetry is noted, with the delivery it repeats as of; a
// schemas.DeliveryTest is not. Neither is tried again by itself. A
// subscription that is disabled may be tried too. An error means that nothing
// was sent, or that a retry could not be noted.
func (s *Sender) Once(ctx context.Context, d schemas.Delivery, of string) (schemas.DeliveryAttempt, error) {
	sub, err := s.subscription(d.Webhook)
	if err != nil {
		return schemas.DeliveryAttempt{}, err
	}
	to, err := s.destination(sub)
	if err != nil {
		return schemas.DeliveryAttempt{}, err
	}
	g, done := s.gateFor(to.provider, to.url, sub.ID)
	defer done()
	wait, cancel := context.WithTimeout(ctx, onceWait)
	leave, err := s.enter(wait, g, false)
	cancel()
	if err != nil {
		return schemas.DeliveryAttempt{}, fmt.Errorf("%w%s", ErrPaused, untilText(g.pausedUntil(), time.Now()))
	}
	r := s.attempt(ctx, sub, &d, g, to)
	leave()
	s.count(to.provider, r)
	r.attempt.Of = of
	if d.Kind == schemas.DeliveryTest {
		return r.attempt, nil
	}
	// It was made: whoever hung up meanwhile, it is noted.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if _, err := s.notes.Append(ctx, note(r.attempt)); err != nil {
		return r.attempt, fmt.Errorf("attempt of %s made, but not noted: %w", d.ID, err)
	}
	s.disable(ctx, sub, r, time.Time{})
	return r.attempt, nil
}

// ErrPaused is wrapped by the error for an attempt that was not made, since the
// receiver asked to wait, or has as many as it takes.
var ErrPaused = errors.New("the receiver takes no more at the moment")

func untilText(until, now time.Time) string {
	if !until.After(now) {
		return " (hint: try again soon)"
	}
	return fmt.Sprintf(": it asked to wait for %s more (hint: try again then)", until.Sub(now).Round(time.Second))
}

// onceWait is how long a person waits for their turn.
const onceWait = 10 * time.Second

func (s *Sender) subscription(id string) (schemas.Subscription, error) {
	for _, sub := range s.subs.Subscriptions() {
		if sub.ID == id {
			return sub, nil
		}
	}
	return schemas.Subscription{}, fmt.Errorf("%w: no subscription %s", schemas.ErrInvalid, id)
}

// TestType is the type of the event that a trial sends.
const TestType = "switchlog.webhook.test"

// NewTest makes the delivery of a trial.
func NewTest(subscription string) schemas.Delivery {
	now := time.Now().UTC()
	id := schemas.NewID()
	return schemas.Delivery{
		ID: id, MessageID: id, Webhook: subscription, Kind: schemas.DeliveryTest, Created: now, Due: now,
		Event: schemas.Event{
			ID: id, Source: schemas.SelfURI, Type: TestType, Subject: subscription, Time: now, Origin: schemas.OriginCommand,
			Data:  []byte(`{"message":"` + testText + `"}`),
			Route: schemas.RegistryRoute("webhook", "test"),
		},
	}
}

package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// world is what a Sender sees of the rest: subscriptions, what is due, and a
// place for notes. It folds as the projection does, at once unless held.
type world struct {
	t *testing.T

	mu       sync.Mutex // guards what follows
	subs     []schemas.Subscription
	secrets  map[string][]string // by subscription: the URL, then secrets
	rows     map[string][]*row   // by subscription, in order of the log; the first may be done
	byID     map[string]*row
	noted    []schemas.DeliveryAttempt
	held     bool // notes are kept, not folded
	waiting  []schemas.DeliveryAttempt
	failing  map[string]time.Time
	disabled map[string]string
	broken   error // of Append
	asked    int
	seq      uint64
	watchers []chan struct{}
	changed  chan struct{} // closed and replaced when a note comes
	sender   *Sender
}

type row struct {
	d       schemas.Delivery
	outcome string // empty: due
}

func newWorld(t *testing.T) *world {
	return &world{t: t, rows: map[string][]*row{}, byID: map[string]*row{}, secrets: map[string][]string{}, failing: map[string]time.Time{}, disabled: map[string]string{}, changed: make(chan struct{})}
}

// loopback is what tests may reach.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// start runs a Sender until the test ends, or stop is called.
func (w *world) start() (stop func()) {
	ready := make(chan struct{})
	close(ready)
	return w.startWhen(ready)
}

func (w *world) startWhen(ready chan struct{}) (stop func()) {
	s := New(Config{Subscriptions: w, Deliveries: w, Appender: w, Ready: ready, Allow: loopback})
	return w.run(s)
}

func (w *world) run(s *Sender) (stop func()) {
	w.mu.Lock()
	w.sender = s
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			w.t.Errorf("Run: got %v, want nil", err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.t.Cleanup(stop)
	return stop
}

// add makes a subscription; url is whole.
func (w *world) add(sub schemas.Subscription, url string, secrets ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sub.Enabled = true
	w.subs = append(w.subs, sub)
	w.secrets[sub.ID] = append([]string{url}, secrets...)
	w.announce()
}

// event makes an event due for a subscription, wakes the sender as a fold does,
// and returns its delivery.
func (w *world) event(sub, tenant string) schemas.Delivery {
	defer w.wake() // after the lock is given back
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seq++
	e := schemas.Event{
		ID: fmt.Sprintf("event-%d", w.seq), Source: "https://api.pluralkit.me/v2/systems/" + tenant, Type: "me.pluralkit.member.update",
		Subject: "m", Time: time.Now().UTC(), Origin: schemas.OriginWebhook, Data: json.RawMessage(fmt.Sprintf(`{"name":"N%d"}`, w.seq)),
		Route: schemas.Route{Source: schemas.PluralKit, Tenant: tenant, Noun: "member", Verb: "update"},
	}
	id := schemas.DeliveryID(sub, e)
	d := schemas.Delivery{ID: id, MessageID: id, Webhook: sub, Kind: schemas.DeliveryLive, Seq: w.seq, Event: e, Created: e.Time, Due: time.Now()}
	r := &row{d: d}
	w.rows[sub], w.byID[id] = append(w.rows[sub], r), r
	return d
}

func (w *world) wake() {
	w.mu.Lock()
	s := w.sender
	w.mu.Unlock()
	if s != nil {
		s.Wake()
	}
}

func (w *world) announce() {
	for _, c := range w.watchers {
		signal(c)
	}
}

func (w *world) Subscriptions() []schemas.Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.subs)
}

func (w *world) SubscriptionSecrets(id string) (string, []string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.secrets[id]
	if len(s) == 0 {
		return "", nil, errors.New("no such subscription")
	}
	return s[0], s[1:], nil
}

func (w *world) Watch() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers = append(w.watchers, c)
	return c, func() {}
}

func (w *world) Disable(_ context.Context, id, reason string) error {
	w.enable(id, false)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.disabled[id] = reason
	return nil
}

func (w *world) enable(id string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.subs {
		if w.subs[i].ID == id {
			w.subs[i].Enabled = on
		}
	}
	w.announce()
}

func (w *world) DueDeliveries(_ context.Context, sub string, ordered bool, now time.Time, limit int) (schemas.Due, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	due := schemas.Due{FailingSince: w.failing[sub]}
	closed := map[string]bool{}
	w.rows[sub] = slices.DeleteFunc(w.rows[sub], func(r *row) bool { return r.outcome != "" })
	for _, r := range w.rows[sub] {
		if ordered && closed[orderingKey(r.d)] {
			continue
		}
		if r.d.Due.After(now) {
			closed[orderingKey(r.d)] = true
			if due.Next.IsZero() || r.d.Due.Before(due.Next) {
				due.Next = r.d.Due
			}
			continue
		}
		due.Deliveries = append(due.Deliveries, r.d)
	}
	if !ordered {
		slices.SortStableFunc(due.Deliveries, func(a, b schemas.Delivery) int { return a.Due.Compare(b.Due) })
	}
	if len(due.Deliveries) > limit {
		due.Next = due.Deliveries[limit].Due
		due.Deliveries = due.Deliveries[:limit]
	}
	return due, nil
}

func (w *world) Append(_ context.Context, events ...schemas.Event) (int, error) {
	w.mu.Lock()
	defer w.wake()
	defer w.mu.Unlock()
	if w.broken != nil {
		return 0, w.broken
	}
	for _, e := range events {
		a, err := schemas.Decode[schemas.DeliveryAttempt](e)
		if err != nil || e.ID != fmt.Sprintf("%s.%d", a.Delivery, a.Attempt) || e.Type != schemas.DeliveryAttempted {
			w.t.Errorf("noted %+v: %v", e, err)
		}
		e.Time = time.Now()
		if err := e.Validate(); err != nil {
			w.t.Error(err)
		}
		w.noted = append(w.noted, a)
		if w.held {
			w.waiting = append(w.waiting, a)
			continue
		}
		w.fold(a)
	}
	close(w.changed)
	w.changed = make(chan struct{})
	return len(events), nil
}

// fold is what the projection makes of an attempt. w.mu is held.
func (w *world) fold(a schemas.DeliveryAttempt) {
	if r := w.byID[a.Delivery]; r != nil && a.Attempt > r.d.Attempts {
		r.d.Attempts = a.Attempt
		if a.Outcome != schemas.OutcomeFailed {
			r.outcome = a.Outcome
		}
		if at, err := time.Parse(time.RFC3339Nano, a.RetryAt); err == nil {
			r.d.Due = at
		}
	}
	switch a.Outcome {
	case schemas.OutcomeDelivered:
		delete(w.failing, a.Webhook)
	case schemas.OutcomeFailed, schemas.OutcomeExhausted:
		if w.failing[a.Webhook].IsZero() {
			w.failing[a.Webhook] = time.Now()
		}
	}
}

// hold keeps notes from being folded; release folds them.
func (w *world) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = true
}

func (w *world) release() {
	w.mu.Lock()
	w.held = false
	for _, a := range w.waiting {
		w.fold(a)
	}
	w.waiting = nil
	w.mu.Unlock()
	w.wake()
}

func (w *world) notes() []schemas.DeliveryAttempt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.noted)
}

// until waits for notes that satisfy ok.
func (w *world) until(what string, ok func([]schemas.DeliveryAttempt) bool) []schemas.DeliveryAttempt {
	w.t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for {
		w.mu.Lock()
		changed, noted := w.changed, slices.Clone(w.noted)
		w.mu.Unlock()
		if ok(noted) {
			return noted
		}
		select {
		case <-changed:
		case <-late.C:
			w.t.Fatalf("waited for %s; noted so far: %d, %+v", what, len(noted), tail(noted))
		}
	}
}

func tail(list []schemas.DeliveryAttempt) []schemas.DeliveryAttempt {
	return list[max(0, len(list)-5):]
}

// count waits for n notes.
func (w *world) count(n int) []schemas.DeliveryAttempt {
	w.t.Helper()
	return w.until(fmt.Sprintf("%d notes", n), func(noted []schemas.DeliveryAttempt) bool { return len(noted) >= n })
}

// with counts notes of a subscription with an outcome.
func with(noted []schemas.DeliveryAttempt, sub, outcome string) int {
	n := 0
	for _, a := range noted {
		if (sub == "" || a.Webhook == sub) && (outcome == "" || a.Outcome == outcome) {
			n++
		}
	}
	return n
}

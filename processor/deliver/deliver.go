package deliver

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// Subscriptions is which subscriptions there are, and their secrets.
type Subscriptions interface {
	// Subscriptions gives all, enabled or not.
	Subscriptions() []schemas.Subscription

	// SubscriptionSecrets gives the whole URL, and the secrets to sign with:
	// the current one first, then the one it replaced, while that is good.
	SubscriptionSecrets(id string) (url string, secrets []string, err error)

	// Disable stops a subscription and says why.
	Disable(ctx context.Context, id, reason string) error

	// Watch gives a channel that receives after each change, until stop.
	Watch() (changed <-chan struct{}, stop func())
}

// Deliveries is what the projection knows to be due.
type Deliveries interface {
	// DueDeliveries gives up to limit deliveries of a subscription that are
	// due now, those that have waited longest first, and when there will be
	// more: in the past, if there are more than limit. If ordered, of each
	// tenant what is first in the log and what follows it, in that order, once
	// the first is due.
	DueDeliveries(ctx context.Context, subscription string, ordered bool, now time.Time, limit int) (schemas.Due, error)
}

// Appender is where attempts are noted. It returns when they are durable.
type Appender interface {
	Append(ctx context.Context, events ...schemas.Event) (fresh int, err error)
}

// Config is what a Sender needs.
type Config struct {
	Subscriptions Subscriptions
	Deliveries    Deliveries
	Appender      Appender
	Ready         <-chan struct{} // nothing is sent before it is closed
	Allow         []netip.Prefix  // networks that may be reached though they are not public
	Logger        *slog.Logger
	Metrics       prometheus.Registerer
}

// Limits of all subscriptions together.
const (
	maxInFlight    = 256 // attempts at a time
	maxCircuitOpen = 32  // of them, of subscriptions that fail: hanging receivers take no more
	maxReads       = 4   // questions to the projection at a time

	grace = 5 * time.Second // for what has begun, when we stop
)

// Sender sends what is due.
type Sender struct {
	subs    Subscriptions
	due     Deliveries
	notes   Appender
	ready   <-chan struct{}
	allow   []netip.Prefix
	client  *http.Client
	logger  *slog.Logger
	metrics *metrics

	wake      chan struct{}
	ended     chan struct{} // a worker has ended
	slots     chan struct{} // a token for each attempt under way
	openSlots chan struct{} // likewise, of those whose circuit is open
	reads     chan struct{}

	mu      sync.Mutex // guards workers, gates and places
	workers map[string]*worker
	gates   map[string]*gate
	places  map[string]*place
}

// New makes a Sender.
func New(c Config) *Sender {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sender{
		subs: c.Subscriptions, due: c.Deliveries, notes: c.Appender, ready: c.Ready, allow: c.Allow,
		client: newClient(c.Allow, nil), logger: c.Logger,
		wake: make(chan struct{}, 1), ended: make(chan struct{}, 1),
		slots: make(chan struct{}, maxInFlight), openSlots: make(chan struct{}, maxCircuitOpen), reads: make(chan struct{}, maxReads),
		workers: map[string]*worker{}, gates: map[string]*gate{}, places: map[string]*place{},
	}
	s.metrics = newMetrics(c.Metrics, s)
	return s
}

// Wake says that there may be something new to send. It does not block.
func (s *Sender) Wake() { signal(s.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is on its way already
	}
}

// Between two rounds of questions lies a little time, and more the more
// subscriptions there are: while events rush in, rounds need not.
const (
	restMin       = 10 * time.Millisecond
	restPerWorker = 500 * time.Microsecond
)

// Run sends what is due until ctx ends (then nil). It begins when Ready is
// closed. What has begun when ctx ends is given 5 s to finish.
func (s *Sender) Run(ctx context.Context) error {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil
	}
	defer s.client.CloseIdleConnections()
	changed, stop := s.subs.Watch()
	defer stop()
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	s.sync(ctx, base, &running)
	var rest <-chan time.Time
	wake := s.wake
	for {
		select {
		case <-ctx.Done():
			late := time.AfterFunc(grace, cancel)
			defer late.Stop()
			running.Wait()
			return nil
		case <-changed:
			s.sync(ctx, base, &running)
		case <-s.ended:
			s.sync(ctx, base, &running)
		case <-wake:
			n := s.wakeAll()
			wake, rest = nil, time.After(restMin+time.Duration(n)*restPerWorker)
		case <-rest:
			wake, rest = s.wake, nil
		}
	}
}

// sync has a worker run for each enabled subscription, and for no other.
func (s *Sender) sync(ctx, base context.Context, running *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enabled := map[string]bool{}
	for _, sub := range s.subs.Subscriptions() {
		if _, err := providerOf(sub.Provider); !sub.Enabled || err != nil {
			continue // err: it was made by a later version of us
		}
		enabled[sub.ID] = true
		if w := s.workers[sub.ID]; w != nil {
			w.update(sub) // unless it is ending: then there is a new one after that
			continue
		}
		w := newWorker(s, sub, base)
		s.workers[sub.ID] = w
		running.Go(func() {
			w.run(ctx)
			s.mu.Lock()
			delete(s.workers, sub.ID)
			s.mu.Unlock()
			signal(s.ended)
		})
	}
	for id, w := range s.workers {
		if !enabled[id] {
			w.stop()
		}
	}
	s.pruneGates(time.Now())
}

func (s *Sender) wakeAll() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		signal(w.wake)
	}
	return len(s.workers)
}

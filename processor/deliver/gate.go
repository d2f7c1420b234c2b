package deliver

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// gate is what a destination takes, whoever sends to it: two subscriptions to
// one Discord webhook share what Discord allows it.
type gate struct {
	limiter *rate.Limiter // nil: no limit
	slots   chan struct{} // a token for each attempt under way
	place   *place        // the host, if it may pause all of its gates; or nil

	mu        sync.Mutex // guards what follows
	until     time.Time  // nothing is sent before
	throttles int        // answers of "too many" in a row
	users     int
	used      time.Time // last
}

// gateFor gives the gate of a destination; done gives it back.
func (s *Sender) gateFor(p provider, u *url.URL, subscription string) (g *gate, done func()) {
	key := p.name + " " + subscription
	if p.gate != nil {
		key = p.name + " " + p.gate(u)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g = s.gates[key]
	if g == nil {
		g = &gate{slots: make(chan struct{}, p.flight)}
		if p.place != nil {
			g.place = s.placeOf(p.name + " " + p.place(u))
		}
		if p.rate > 0 {
			g.limiter = rate.NewLimiter(rate.Limit(p.rate), p.burst)
		}
		s.gates[key] = g
	}
	g.users++
	return g, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		g.users--
		g.used = time.Now()
	}
}

// placeOf gives the place of that name. s.mu is held.
func (s *Sender) placeOf(key string) *place {
	if s.places[key] == nil {
		s.places[key] = newPlace()
	}
	return s.places[key]
}

// gateIdle is for how long a gate is remembered: longer than any pause.
const gateIdle = 30 * time.Minute

// pruneGates forgets gates that nobody used for long, and places without any. s.mu is held.
func (s *Sender) pruneGates(now time.Time) {
	for key, g := range s.gates {
		if g.users == 0 && now.Sub(g.used) > gateIdle {
			delete(s.gates, key)
		}
	}
	for key, p := range s.places {
		until, _ := p.paused()
		used := slices.ContainsFunc(slices.Collect(maps.Values(s.gates)), func(g *gate) bool { return g.place == p })
		if !used && now.After(until) {
			delete(s.places, key)
		}
	}
}

// enter waits until an attempt may be made; leave is called after it.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := func() { <-g.slots }
	if g.limiter != nil {
		if err := g.limiter.Wait(ctx); err != nil {
			free()
			return nil, err
		}
	}
	for {
		wait := time.Until(g.ownPause())
		if wait <= 0 {
			break
		}
		if !sleep(ctx, wait) {
			free()
			return nil, ctx.Err()
		}
	}
	out, err := g.place.enter(ctx)
	if err != nil {
		free()
		return nil, err
	}
	return func() { out(); free() }, nil
}

func (g *gate) ownPause() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.until
}

// pausedUntil is until when nothing passes: the destination, or all of its
// host, asked to wait.
func (g *gate) pausedUntil() time.Time {
	own := g.ownPause()
	if all, _ := g.place.paused(); all.After(own) {
		return all
	}
	return own
}

// pause lets nothing pass for a while.
func (g *gate) pause(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

// Answers of "too many requests" that say for how long, at most maxThrottle,
// are no failures: the attempt is made again and not noted, so many times.
const (
	maxThrottle  = 5 * time.Minute
	maxThrottles = 10
	minThrottle  = 10 * time.Second // when it is not said
)

// learn takes from an answer what the destination says of its limits. It
// reports how long to wait if the answer was "too many", and whether that
// is too often or too long to be taken for nothing.
func (g *gate) learn(status int, h http.Header, body []byte) (throttled bool, wait time.Duration, failure bool) {
	if status != http.StatusTooManyRequests {
		g.mu.Lock()
		g.throttles = 0
		g.mu.Unlock()
		if status != 0 {
			g.place.open()
		}
		if wait := spent(h); wait > 0 {
			g.pause(min(wait, maxThrottle))
		}
		if status == http.StatusServiceUnavailable {
			if wait, ok := retryAfter(h, time.Now()); ok {
				g.pause(min(wait, maxThrottle))
			}
		}
		return false, 0, false
	}
	g.mu.Lock()
	g.throttles++
	n := g.throttles
	g.mu.Unlock()
	wait, ok := throttleWait(h, body)
	switch {
	case g.place != nil && everyWebhook(h, body):
		wait = g.place.throttle(wait, ok)
	case g.place != nil:
		g.place.open() // it answered, and spoke of this webhook alone
	}
	if !ok && wait == 0 {
		wait = unsaid(n)
	}
	g.pause(min(wait, maxThrottle))
	return true, wait, wait > maxThrottle || n > maxThrottles
}

// spent is for how long Discord takes no more of this webhook: when nothing
// is left of what X-RateLimit-Limit says, until it is reset.
func spent(h http.Header) time.Duration {
	if h.Get("X-RateLimit-Remaining") != "0" {
		return 0
	}
	return seconds(h.Get("X-RateLimit-Reset-After"))
}

// seconds reads a number of seconds, fractions too; 0 if it is none.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f <= 0 || f != f {
		return 0
	}
	return time.Duration(min(f, day.Seconds()) * float64(time.Second))
}

// sleep waits for d. It is false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

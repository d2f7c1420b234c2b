package pluralkit

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// PluralKit gives each system, and each address, 10 reads a second, of which
// only 9 can come at once, and a refused one is paid for too. Ours are spread
// evenly, below that.
const (
	readsPerSecond = 8
	ofTheirs       = 0.8                    // our part of what an answer says the limit is
	ampleOfTheirs  = 0.6                    // of the limit remaining: no need to slow down
	maxAtOnce      = 4                      // requests under way
	minRefusedWait = 100 * time.Millisecond // a 429 may ask for 0, which is refused again
	period         = time.Second            // of X-RateLimit-Limit
	maxLimiters    = 256                    // tokens kept; one that has been idle is as good as new
)

// A tokenKey names a token without being one.
type tokenKey [sha256.Size]byte

func keyOf(token string) tokenKey { return sha256.Sum256([]byte(token)) }

// Limiters keeps the requests of a process within PluralKit's budgets: one for
// each token, however many clients use it, and one for our address, against
// which counts what is about no system of the token's. The zero value is not
// usable.
type Limiters struct {
	address *limiter

	mu      sync.Mutex // guards byToken and the users of each
	byToken map[tokenKey]*limiter
}

// NewLimiters makes one for a process.
func NewLimiters() *Limiters {
	return &Limiters{address: newLimiter(), byToken: map[tokenKey]*limiter{}}
}

// enter waits until a request may be sent. done must be called when its answer
// is read.
func (l *Limiters) enter(ctx context.Context, key tokenKey, r *route) (done func(), err error) {
	own := l.borrow(key)
	if err := own.enter(ctx); err != nil {
		l.giveBack(own)
		return nil, err
	}
	if r.anyone {
		if err := l.address.enter(ctx); err != nil {
			own.leave()
			l.giveBack(own)
			return nil, err
		}
	}
	return func() {
		if r.anyone {
			l.address.leave()
		}
		own.leave()
		l.giveBack(own)
	}, nil
}

// learn takes what an answer says of the budget; refused is how long a 429
// asked to stay away.
func (l *Limiters) learn(key tokenKey, r *route, h http.Header, refused time.Duration) {
	scope := h.Get("X-RateLimit-Scope")
	ours := strings.HasPrefix(scope, "own_")
	theirs := strings.HasPrefix(scope, "generic_")
	own := l.borrow(key)
	defer l.giveBack(own)
	// A refusal stops whoever sent the request, whatever it was counted on.
	own.hold(refused)
	if !theirs {
		own.learn(h)
	}
	if theirs || r.anyone {
		l.address.hold(refused)
	}
	if theirs || r.anyone && !ours {
		l.address.learn(h)
	}
}

func (l *Limiters) borrow(key tokenKey) *limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.byToken[key]
	if own == nil {
		if len(l.byToken) >= maxLimiters {
			for k, old := range l.byToken {
				if old.users == 0 && old.idle() {
					delete(l.byToken, k)
				}
			}
		}
		own = newLimiter()
		l.byToken[key] = own
	}
	own.users++
	return own
}

func (l *Limiters) giveBack(own *limiter) {
	l.mu.Lock()
	own.users--
	l.mu.Unlock()
}

// A limiter is one budget.
type limiter struct {
	users int           // guarded by Limiters.mu
	slots chan struct{} // taken by requests under way
	rate  *rate.Limiter

	mu    sync.Mutex // guards until
	until time.Time  // nothing is sent before
}

func newLimiter() *limiter {
	return &limiter{slots: make(chan struct{}, maxAtOnce), rate: rate.NewLimiter(readsPerSecond, 1)}
}

func (l *limiter) enter(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.turn(ctx); err != nil {
		l.leave()
		return err
	}
	return nil
}

func (l *limiter) leave() { <-l.slots }

// turn waits for its place in the row. Who was held back takes a new place: a
// hold must not end in all of them at once.
func (l *limiter) turn(ctx context.Context) error {
	for {
		if err := sleep(ctx, l.held()); err != nil {
			return err
		}
		place := l.rate.Reserve()
		if err := sleep(ctx, place.Delay()); err != nil {
			place.Cancel()
			return err
		}
		if l.held() <= 0 {
			return nil
		}
	}
}

func (l *limiter) held() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.until)
}

// hold sends nothing for d.
func (l *limiter) hold(d time.Duration) {
	if d <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(min(d, maxHold)); until.After(l.until) {
		l.until = until
	}
}

// maxHold is for a 429 that asks for longer than any budget of PluralKit's
// could need.
const maxHold = 15 * time.Minute

// idle reports whether it has been unused for so long that it is as new.
func (l *limiter) idle() bool { return l.held() <= 0 && l.rate.Tokens() >= 1 }

// learn takes the X-RateLimit headers. Reset is left alone: it is in whole
// seconds of another clock.
func (l *limiter) learn(h http.Header) {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	if err != nil || limit < 1 {
		return
	}
	if ours := min(readsPerSecond, rate.Limit(ofTheirs*float64(limit))); ours != l.rate.Limit() {
		l.rate.SetLimit(ours)
	}
	if remaining, err := strconv.Atoi(h.Get("X-RateLimit-Remaining")); err == nil {
		// Alone we never come this low: somebody else spends of this budget.
		// What is missing comes back while we wait. So those who do the same
		// each get their part, and nobody finds it empty.
		missing := time.Duration(ampleOfTheirs*float64(limit)) - time.Duration(max(remaining, 0))
		l.hold(missing * period / time.Duration(limit))
	}
}

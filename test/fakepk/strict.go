package fakepk

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Strict is how strict an API is. The zero value fails the test for a missing User-Agent, a write, the fourth 429, and
// any request before the time a 429 asked to wait for.
type Strict struct {
	// Refusals is how many 429s a client may run into; 0: 3, negative: any number. Injected ones do not count.
	Refusals int
	// IgnoreWait lets a client come back before the time it was told.
	IgnoreWait bool
	// RequireMe demands @me of a client that has a token, wherever it asks about its own system: with another ref a
	// lost token silently shows the public view. `GET /systems/{uuid}` is allowed once @me was answered with 401 (is
	// the system gone, or the token?), and an account id always (is it still linked?).
	RequireMe bool
}

// A wait is what a 429 asked for.
type wait struct{ since, until time.Time }

// underWay is how long after a 429 a request may still come in that was sent before the client could know of it.
const underWay = 20 * time.Millisecond

func (a *API) misuse(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.mu.Lock()
	a.misuses = append(a.misuses, text)
	a.mu.Unlock()
	a.tb.Errorf("fakepk: API misused: %s", text)
}

// strictRefs checks which ref a client uses for its own system.
func (a *API) strictRefs(q *request) {
	if !a.conf.Strict.RequireMe || !q.route.system || q.r.Header.Get("Authorization") == "" || q.args[0] == "@me" {
		return
	}
	if allDigits(q.args[0]) && q.route.pattern == "/systems/{ref}" {
		return
	}
	a.mu.Lock()
	noMe := a.noMe
	a.mu.Unlock()
	if noMe && q.route.pattern == "/systems/{ref}" {
		return
	}
	a.misuse("GET %s: must use @me", q.r.URL.Path)
}

// throttle takes one request from the budget. It returns the body of a 429, nil when there is room.
func (a *API) throttle(h http.Header, key, scope string, fault *Fault) []byte {
	now := a.conf.Now()
	v := a.limit.take(key, now)
	injected := fault.is(FaultThrottle)
	if injected {
		v.ok, v.remaining, v.retryAfter = false, 0, fault.RetryAfter
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(readRate))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(v.remaining, 0)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(v.reset.Unix(), 10)) // seconds, though the docs say milliseconds
	h.Set("X-RateLimit-Scope", scope)
	a.mu.Lock()
	told := a.blocked[key]
	early := now.Before(told.until) && now.Sub(told.since) > underWay
	if !v.ok {
		if !early {
			told.since = now
		}
		a.blocked[key] = wait{told.since, now.Add(v.retryAfter)}
		if !injected {
			a.refusals++
		}
	}
	refusals := a.refusals
	a.mu.Unlock()
	if early && !a.conf.Strict.IgnoreWait {
		a.misuse("%s: a request %v before the time a 429 gave", key, told.until.Sub(now))
	}
	if v.ok {
		return nil
	}
	allowed := a.conf.Strict.Refusals
	if allowed == 0 {
		allowed = 3
	}
	if allowed > 0 && refusals > allowed && !injected {
		a.misuse("%s: refused for the rate limit %d times", key, refusals)
	}
	return appendJSON(nil, object{{"message", "429: too many requests"},
		{"retry_after", (v.retryAfter + time.Millisecond - 1).Milliseconds()}, {"scope", scope}, {"code", 0}})
}

package pluralkit

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
	"unicode/utf8"
)

// A route is one kind of request.
type route struct {
	name   string // of the label "route"
	max    int64  // bytes of an answer
	anyone bool   // may count against our address instead of the token's system
	noAuth bool   // is asked without the token
	byUUID bool   // PluralKit answers 500 when it does not like the uuid
}

const (
	maxOneBytes  = 1 << 20  // a settings row has hundreds of bytes, a system a few thousand
	maxListBytes = 64 << 20 // a thousand members of a few KB each are the limit unless PluralKit's staff raised it
	maxErrBytes  = 16 << 10
)

// The requests there are.
var (
	routeSystem      = &route{name: "system", max: maxOneBytes}
	routeSettings    = &route{name: "settings", max: maxOneBytes}
	routeMembers     = &route{name: "members", max: maxListBytes}
	routeGroups      = &route{name: "groups", max: maxListBytes}
	routeFronters    = &route{name: "fronters", max: maxListBytes}
	routeSwitch      = &route{name: "switch", max: maxListBytes, byUUID: true}
	routeSwitches    = &route{name: "switches", max: maxListBytes}
	routeSystemGuild = &route{name: "system_guild", max: maxOneBytes}
	routeMemberGuild = &route{name: "member_guild", max: maxOneBytes, byUUID: true}
	routeAutoproxy   = &route{name: "autoproxy", max: maxOneBytes}
	routeAccount     = &route{name: "account", max: maxOneBytes, anyone: true}
	routeExists      = &route{name: "exists", max: maxOneBytes, anyone: true, noAuth: true}
	routeMessage     = &route{name: "message", max: maxOneBytes, anyone: true}
)

// get asks until there is an answer, or no point in asking again.
func get[T any](ctx context.Context, c *Client, r *route, path string, decode func([]byte) (T, error)) (T, error) {
	var tries tries
	for {
		v, err := attempt(ctx, c, r, path, decode)
		if err == nil {
			return v, nil
		}
		wait, again := tries.again(r, err)
		if !again {
			return *new(T), fmt.Errorf("pluralkit: %s: %w", r.name, err)
		}
		c.log.Debug("PluralKit is asked again", "route", r.name, "attempt", tries.n+1, "wait", wait, "err", err)
		if ended := sleep(ctx, wait); ended != nil {
			return *new(T), fmt.Errorf("pluralkit: %s: %w, after: %w", r.name, ended, err)
		}
	}
}

// attempt asks once.
func attempt[T any](ctx context.Context, c *Client, r *route, path string, decode func([]byte) (T, error)) (v T, err error) {
	done, err := c.limiters.enter(ctx, c.key, r)
	if err != nil {
		return v, fmt.Errorf("%w while waiting for the rate limit", err)
	}
	defer done()
	defer func() { c.metrics.done(r, err) }()
	body, err := c.ask(ctx, r, path)
	if err != nil {
		return v, err
	}
	return decode(body)
}

// ask gives the body of a good answer, nil when it says that there is nothing.
func (c *Client) ask(ctx context.Context, r *route, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if !r.noAuth {
		req.Header.Set("Authorization", c.token()) // no scheme word
	}
	c.requests.Add(1)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, broken(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		body, err := io.ReadAll(io.LimitReader(res.Body, maxErrBytes))
		e := refusal(res, body, c.token())
		c.limiters.learn(c.key, r, res.Header, e.Wait)
		if err != nil && !e.passes() { // what it means is in the part that is missing
			return nil, broken(ctx, err)
		}
		return nil, e
	}
	c.limiters.learn(c.key, r, res.Header, 0)
	if res.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	return readBody(ctx, res, r.max)
}

// errNotJSON is an answer that ends well and is no JSON: cut off by something
// that put its own end to it, or that something's own page.
var errNotJSON = errors.New("the answer is not JSON, or not all of it")

func readBody(ctx context.Context, res *http.Response, limit int64) ([]byte, error) {
	if res.ContentLength > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return nil, broken(ctx, err)
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	case !json.Valid(body) || !utf8.Valid(body):
		return nil, &brokenError{err: errNotJSON}
	}
	return body, nil
}

// How often one call asks again, and how long it waits in between.
const (
	maxFailures = 4                      // answers that did not come, and 5xx
	maxRefusals = 8                      // 429: each is over soon, but others take of the budget too
	maxWait     = time.Minute            // of a 429; for a longer one the caller has better things to do
	backoffFrom = 250 * time.Millisecond // doubled each time
	backoffTo   = 10 * time.Second
)

// tries counts what one call has been through.
type tries struct{ n, failures, refusals int }

// again reports whether asking again may help, and after how long. The wait is
// anything from nothing to a limit that doubles (full jitter), so that clients
// that failed together do not come back together. After a 429 the limiter
// holds all of them back for as long as was asked.
func (t *tries) again(r *route, err error) (wait time.Duration, ok bool) {
	t.n++
	var refused *APIError
	var certificate *tls.CertificateVerificationError
	var failed *brokenError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
		t.refusals++
		ok = t.refusals <= maxRefusals && refused.Wait <= maxWait
	case refused != nil && refused.Status == http.StatusInternalServerError && r.byUUID:
		t.failures++
		ok = t.failures <= 1
	case refused != nil && refused.passes(), errors.As(err, &failed) && !errors.As(err, &certificate):
		t.failures++
		ok = t.failures <= maxFailures
	}
	return rand.N(min(backoffFrom<<(t.n-1), backoffTo)), ok // #nosec G404 -- when to try again is no secret
}

// sleep waits for d, or for the end of ctx, whose error it gives.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

package deliver

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// place is a host that may tell our address as a whole to wait, whichever of
// its webhooks is asked: Discord's global limit, and its ban of an address. All
// gates of the host share it.
type place struct {
	turn chan struct{} // a token for whoever waits at the front

	mu        sync.Mutex // guards what follows
	until     time.Time  // nothing is sent before
	throttles int        // answers in a row that meant the whole host
}

func newPlace() *place { return &place{turn: make(chan struct{}, 1)} }

// enter waits until an attempt may be made; leave is called after it. While the
// host's last answer was that everybody must wait, one attempt is made at a
// time: as many webhooks as there are would each add to what Discord counts.
func (p *place) enter(ctx context.Context) (leave func(), err error) {
	if p == nil {
		return func() {}, nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	leave = func() { <-p.turn }
	for {
		until, blocked := p.paused()
		wait := time.Until(until)
		switch {
		case wait > 0:
			if !sleep(ctx, wait) {
				leave()
				return nil, ctx.Err()
			}
		case blocked:
			return leave, nil
		default:
			leave()
			return func() {}, nil
		}
	}
}

func (p *place) paused() (until time.Time, blocked bool) {
	if p == nil {
		return time.Time{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until, p.throttles > 0
}

// throttle lets nothing pass for as long as the answer says, at most a day, or
// longer each time if it does not say. It returns that time.
func (p *place) throttle(wait time.Duration, said bool) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttles++
	if !said {
		wait = unsaid(p.throttles)
	}
	if until := time.Now().Add(min(wait, day)); until.After(p.until) {
		p.until = until
	}
	return wait
}

// open says that the host takes requests of ours.
func (p *place) open() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttles = 0
}

// unsaid is the pause after so many answers of "too many" in a row that do not
// say for how long.
func unsaid(n int) time.Duration { return min(minThrottle<<min(n-1, 5), maxThrottle) }

// discordHosts are the names of one and the same Discord.
var discordHosts = []string{"discord.com", "discordapp.com", "ptb.discord.com", "canary.discord.com", "www.discord.com",
	"ptb.discordapp.com", "canary.discordapp.com"}

// discordPlace is whose limits a Discord URL counts against: Discord's, by
// whichever of its names, or those of the host that relays to it.
func discordPlace(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if slices.Contains(discordHosts, host) {
		return discordHosts[0]
	}
	if port := u.Port(); port != "" && port != "443" {
		return net.JoinHostPort(host, port)
	}
	return host
}

// everyWebhook reports whether an answer of 429 means our address and not the
// one webhook. Discord says so in the body or in a header. An answer without
// any word on a limit is from what stands before Discord: it bans addresses.
func everyWebhook(h http.Header, body []byte) bool {
	var says struct {
		Global bool `json:"global"`
	}
	var limit struct {
		RetryAfter json.Number `json:"retry_after"`
	}
	if json.Unmarshal(body, &says) == nil && says.Global || strings.EqualFold(h.Get("X-RateLimit-Global"), "true") ||
		strings.EqualFold(h.Get("X-RateLimit-Scope"), "global") {
		return true
	}
	known := json.Unmarshal(body, &limit) == nil && limit.RetryAfter != "" ||
		h.Get("X-RateLimit-Bucket") != "" || h.Get("X-RateLimit-Reset-After") != "" || h.Get("X-RateLimit-Scope") != ""
	return !known
}

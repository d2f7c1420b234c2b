package fakepk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a test that would have failed.
type recorder struct {
	testing.TB
	mu   sync.Mutex
	errs []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, fmt.Sprintf(format, args...))
}

// strictAPI serves with a clock of its own and notes what would have failed the test.
func strictAPI(t *testing.T, x *example, s Strict) (*API, *client, *Clock, *recorder) {
	t.Helper()
	clock, rec := NewClock(when("2025-11-28T00:00:00Z")), &recorder{TB: t}
	a := NewAPI(rec, x.w, APIConfig{Now: clock.Now, Strict: s})
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, &client{t, server.URL, x.Token()}, clock, rec
}

// TestBurst: nine reads of a burst are answered, the tenth is refused with 0 ms and has cost its share, the eleventh
// has to wait; the two kinds of bucket do not share.
func TestBurst(t *testing.T) {
	x := newExample(t, Config{})
	_, c, clock, _ := strictAPI(t, x, Strict{Refusals: -1, IgnoreWait: true})
	for i := range 9 {
		res, _ := c.do(http.MethodGet, "/v2/systems/@me")
		if got := res.Header.Get("X-RateLimit-Remaining"); res.StatusCode != 200 || got != fmt.Sprint(9-i) {
			t.Fatalf("read %d: got %d with %s remaining, want 200 with %d", i+1, res.StatusCode, got, 9-i)
		}
	}
	for _, want := range []string{"0", "100"} {
		res, body := c.do(http.MethodGet, "/v2/systems/@me")
		if res.StatusCode != 429 || body != `{"message":"429: too many requests","retry_after":`+want+`,"scope":"own_system_get","code":0}` {
			t.Errorf("got %d %s, want 429 with retry_after %s", res.StatusCode, body, want)
		}
		h := res.Header
		if h.Get("X-RateLimit-Limit") != "10" || h.Get("X-RateLimit-Remaining") != "0" || h.Get("X-RateLimit-Scope") != "own_system_get" ||
			h.Get("X-RateLimit-Reset") != fmt.Sprint(clock.Now().Unix()+1) {
			t.Errorf("got headers %v", h)
		}
	}
	if res, _ := c.as("").do(http.MethodGet, "/v2/systems/kfazoe"); res.StatusCode != 200 || res.Header.Get("X-RateLimit-Scope") != "generic_get" {
		t.Errorf("got %d %s for another bucket, want 200 generic_get", res.StatusCode, res.Header.Get("X-RateLimit-Scope"))
	}
	if res, _ := c.do(http.MethodGet, "/v2/members/abvenk"); res.StatusCode != 429 {
		t.Errorf("got %d, want one's own member in one's own bucket", res.StatusCode)
	}
	clock.Advance(200 * time.Millisecond)
	if res, _ := c.do(http.MethodGet, "/v2/systems/@me"); res.StatusCode != 200 {
		t.Errorf("got %d after 200 ms, want 200", res.StatusCode)
	}
}

// TestSmoothReads: eight a second are never refused.
func TestSmoothReads(t *testing.T) {
	x := newExample(t, Config{})
	_, c, clock, rec := strictAPI(t, x, Strict{})
	for range 40 {
		if res, _ := c.do(http.MethodGet, "/v2/systems/@me"); res.StatusCode != 200 {
			t.Fatalf("got %d, want 200", res.StatusCode)
		}
		clock.Advance(125 * time.Millisecond)
	}
	if len(rec.errs) > 0 {
		t.Errorf("got %v, want no misuse", rec.errs)
	}
}

func TestMisuse(t *testing.T) {
	burst := func(n int) func(*client, *Clock) {
		return func(c *client, _ *Clock) {
			for range n {
				c.get("/systems/@me")
			}
		}
	}
	for _, test := range []struct {
		name   string
		strict Strict
		do     func(*client, *Clock)
		want   string // in the first misuse; empty: none
	}{
		{"no user agent", Strict{}, func(c *client, _ *Clock) {
			req, _ := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+"/v2/systems/@me", nil)
			req.Header["User-Agent"] = nil
			req.Header.Set("User-Agent", "")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				c.t.Fatal(err)
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); res.StatusCode != 400 || len(body) != 0 || err != nil {
				c.t.Errorf("got %d %q %v, want 400 and nothing", res.StatusCode, body, err)
			}
		}, "no User-Agent"},
		{"write", Strict{}, func(c *client, _ *Clock) { c.do(http.MethodPatch, "/v2/systems/@me") }, "only be read"},
		{"three refusals", Strict{}, burst(12), ""},
		{"four refusals", Strict{}, burst(13), "4 times"},
		{"429 ignored", Strict{}, func(c *client, clock *Clock) {
			burst(11)(c, clock)
			clock.Advance(50 * time.Millisecond)
			c.get("/systems/@me")
		}, "before the time"},
		{"429 heeded", Strict{}, func(c *client, clock *Clock) {
			burst(11)(c, clock)
			clock.Advance(200 * time.Millisecond)
			c.get("/systems/@me")
		}, ""},
		{"uuid", Strict{RequireMe: true}, func(c *client, _ *Clock) { c.get("/systems/" + exSystem + "/members") }, "must use @me"},
		{"hid", Strict{RequireMe: true}, func(c *client, _ *Clock) { c.get("/systems/kfazoe") }, "must use @me"},
		{"account", Strict{RequireMe: true}, func(c *client, _ *Clock) { c.get("/systems/" + exAccount) }, ""},
		{"uuid after 401", Strict{RequireMe: true}, func(c *client, _ *Clock) {
			c = c.as("refreshed")
			c.get("/systems/@me")
			c.get("/systems/" + exSystem)
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := newExample(t, Config{})
			a, c, clock, rec := strictAPI(t, x, test.strict)
			c.t = t
			test.do(c, clock)
			got := a.Misuses()
			if len(got) != len(rec.errs) {
				t.Errorf("got %d failures, want one for each of %v", len(rec.errs), got)
			}
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) == 0 || !strings.Contains(got[0], test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	x := newExample(t, Config{})
	arrived := make(chan struct{}, 100)
	a, anon := serveAPI(t, x.w, APIConfig{Unlimited: true, Before: func(string) { arrived <- struct{}{} }})
	c := anon.as(x.Token())
	good := c.get("/systems/@me")

	a.Inject(Fault{Kind: FaultStatus, Route: "/systems/{ref}", Skip: 1, Times: 1})
	c.check("/systems/@me", good)
	c.check("/systems/@me/members", c.get("/systems/@me/members"))
	c.check("/systems/@me", `500 {"message":"500: Internal Server Error","code":0}`)
	c.check("/systems/@me", good)

	a.Inject(Fault{Kind: FaultThrottle, Times: 1, RetryAfter: 19 * time.Millisecond})
	c.check("/systems/@me", `429 {"message":"429: too many requests","retry_after":19,"scope":"own_system_get","code":0}`)

	a.Inject(Fault{Kind: FaultAnonymous})
	if got := c.get("/systems/@me"); !strings.HasPrefix(got, "401") {
		t.Errorf("got %s, want 401", got)
	}
	c.check("/systems/kfazoe", anon.get("/systems/kfazoe"))
	a.Heal()

	a.Inject(Fault{Kind: FaultRedacted})
	if got := c.get("/systems/@me"); !strings.HasSuffix(got, `"privacy":null}`) {
		t.Errorf("got %s, want the public view", got)
	}
	a.Heal()

	for _, kind := range []FaultKind{FaultTruncate, FaultHang} {
		a.Inject(Fault{Kind: kind, Times: 1})
		if err := c.broken(kind == FaultHang, arrived); err == nil {
			t.Errorf("fault %d: got an answer, want none", kind)
		}
	}
	c.check("/systems/@me", good)
	if got := a.Counts()["/systems/{ref}/members"]; got != 2 {
		t.Errorf("got %d requests for members, want 2", got)
	}
}

// broken asks for what will not be answered well. If that is because it hangs, it gives up once the request is there.
func (c *client) broken(hangs bool, arrived <-chan struct{}) error {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	if hangs {
		for len(arrived) > 0 {
			<-arrived
		}
		go func() {
			<-arrived
			cancel()
		}()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v2/systems/@me", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "fakepk-test/1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return errors.Join(json.NewDecoder(res.Body).Decode(new(any)), res.Body.Close())
}

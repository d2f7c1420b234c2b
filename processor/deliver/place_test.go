package deliver

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// TestDiscordPausesEveryWebhook: an answer of 429 that means our address keeps
// all webhooks of Discord back, by whatever name and version; one that means a
// webhook keeps back that one. After the pause one attempt at a time is made.
func TestDiscordPausesEveryWebhook(t *testing.T) {
	const (
		first  = "https://discord.com/api/webhooks/1150000000000000001/t"
		second = "https://discordapp.com/api/v10/webhooks/1150000000000000002/t"
		third  = "https://canary.discord.com/api/v9/webhooks/1150000000000000003/t"
		other  = "https://relay.example/webhooks/1150000000000000004/t"
	)
	for _, tc := range []struct {
		name   string
		header map[string]string
		body   string
		all    bool
		wait   time.Duration
	}{
		{"global in the body", nil, `{"retry_after": 40, "global": true}`, true, 40 * time.Second},
		{"global header", map[string]string{"X-RateLimit-Global": "true", "Retry-After": "40"}, ``, true, 40 * time.Second},
		{"global scope", map[string]string{"X-RateLimit-Scope": "global", "Retry-After": "40"}, `{"retry_after": 40}`, true, 40 * time.Second},
		{"a page of HTML", nil, "<!doctype html><title>Access denied</title>error code: 1015", true, minThrottle},
		{"a page with a long wait", map[string]string{"Retry-After": "3600"}, "<html>", true, time.Hour},
		{"a ban in JSON", nil, `{"code":0,"message":"You are being blocked from accessing our API temporarily"}`, true, minThrottle},
		{"nothing at all", nil, ``, true, minThrottle},
		{"this webhook alone", nil, `{"retry_after": 40, "global": false}`, false, 40 * time.Second},
		{"this webhook, by headers", map[string]string{"X-RateLimit-Reset-After": "40", "X-RateLimit-Bucket": "b"}, ``, false, 40 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var mu sync.Mutex
			calls := map[string]int{}
			bubble(t, func(r *http.Request, _ string) (int, map[string]string, string) {
				mu.Lock()
				defer mu.Unlock()
				calls[r.URL.Hostname()]++
				if r.URL.Hostname() == "discord.com" && calls["discord.com"] == 1 {
					return 429, tc.header, tc.body
				}
				return 204, nil, ""
			}, func(t *testing.T, w *world) {
				for id, to := range map[string]string{"a": first, "b": second, "c": third, "d": other} {
					w.add(schemas.Subscription{ID: id, Provider: schemas.ProviderDiscord}, to)
				}
				w.event("a", "t")
				pass(time.Second)
				for _, id := range []string{"b", "c", "d"} {
					w.event(id, "t")
				}
				pass(tc.wait - 3*time.Second)
				want := map[string]int{"discord.com": 1, "discordapp.com": 1, "canary.discord.com": 1, "relay.example": 1}
				if tc.all {
					want = map[string]int{"discord.com": 1, "relay.example": 1}
				}
				mu.Lock()
				if fmt.Sprint(calls) != fmt.Sprint(want) {
					t.Errorf("in the pause: got %v, want %v", calls, want)
				}
				mu.Unlock()
				if s := w.sender.Sending("b"); tc.all && !s.Next.After(time.Now()) {
					t.Errorf("another webhook: got %+v, want it to say until when it waits", s)
				}
				pass(5 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				if calls["discord.com"] < 2 && tc.wait <= maxThrottle || calls["discordapp.com"] != 1 || calls["canary.discord.com"] != 1 {
					t.Errorf("after it: got %v, want all of them", calls)
				}
			})
		})
	}
}

// TestDiscordBanIsProbedByOne: while Discord bans us, ten webhooks make no more
// attempts than one would.
func TestDiscordBanIsProbedByOne(t *testing.T) {
	var mu sync.Mutex
	calls := 0
	bubble(t, func(*http.Request, string) (int, map[string]string, string) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return 429, nil, "<html>banned</html>"
	}, func(t *testing.T, w *world) {
		for i := range 10 {
			id := fmt.Sprint("w", i)
			w.add(schemas.Subscription{ID: id, Provider: schemas.ProviderDiscord}, fmt.Sprintf("https://discord.com/api/webhooks/115000000000000000%d/t", i))
			w.event(id, "t")
		}
		pass(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		// Up to ten went out together before the first answer came; then one
		// each 5 min at most.
		if calls > 30 {
			t.Errorf("got %d attempts in an hour, want about one in 5 min", calls)
		}
	})
}

// TestSendingSaysWhy: of a webhook that only gets 429, and of one whose probes
// fail, one can see attempts, answer and next try.
func TestSendingSaysWhy(t *testing.T) {
	bubble(t, func(r *http.Request, _ string) (int, map[string]string, string) {
		if r.URL.Hostname() == "discord.com" {
			return 429, nil, `{"code":0,"message":"You are being blocked"}`
		}
		return 500, nil, "out of order"
	}, func(t *testing.T, w *world) {
		w.add(schemas.Subscription{ID: "d", Provider: schemas.ProviderDiscord}, "https://discord.com/api/webhooks/1150000000000000001/t")
		w.add(standardSub("s"), bubbleURL, testSecret)
		d := w.event("d", "t")
		for range 8 {
			w.event("s", "t")
		}
		pass(25 * time.Second)
		got := w.sender.Sending("d")
		if got.Throttled != 2 || got.Status != 429 || !strings.Contains(got.Response, "being blocked") || !got.Next.After(time.Now()) ||
			got.Waiting[d.ID].Answers != 2 {
			t.Errorf("only 429: got %+v", got)
		}
		got = w.sender.Sending("s")
		if got.Failures < circuitOpensAfter || got.Status != 500 || got.Response != "out of order" || !got.Next.After(time.Now()) {
			t.Errorf("failing: got %+v", got)
		}
		if got := w.sender.Sending("nobody"); got.Fails() || got.Waiting != nil {
			t.Errorf("nobody: got %+v", got)
		}
	})
}

func TestDiscordPlace(t *testing.T) {
	for _, text := range []string{"https://discord.com/api/webhooks/1150000000000000001/t", "https://DISCORD.com:443/api/v10/webhooks/1150000000000000001/t",
		"https://discordapp.com/api/v9/webhooks/1150000000000000001/t?thread_id=1150000000000000009", "https://ptb.discord.com./api/webhooks/1150000000000000001/other"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := discordGate(u), "discord.com 1150000000000000001"; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	u, err := url.Parse("http://127.0.0.1:8000/api/webhooks/1150000000000000001/t")
	if err != nil {
		t.Fatal(err)
	}
	if got := discordPlace(u); got != "127.0.0.1:8000" {
		t.Errorf("got %q", got)
	}
}

package deliver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchlog/schemas"
)

// wire answers requests without a socket, so that time can be a bubble's.
type wire func(*http.Request, string) (status int, header map[string]string, body string)

func (f wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent string
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		sent = string(b)
	}
	status, header, body := f(r, sent)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, fmt.Errorf("connection refused")
	}
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(bytes.NewBufferString(body)), Request: r}, nil
}

// bubble runs do with a Sender whose receivers are f, in a bubble.
func bubble(t *testing.T, f wire, do func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ready := make(chan struct{})
		close(ready)
		s := New(Config{Subscriptions: w, Deliveries: w, Appender: w, Ready: ready, Allow: loopback})
		s.client = &http.Client{Transport: f}
		stop := w.run(s)
		do(t, w)
		stop()
	})
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

const bubbleURL = "https://receiver.example/hook"

// TestLaw8NothingBeforeReady: what is due waits until the projection has
// caught up.
func TestLaw8NothingBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var calls atomic.Int32
		ready := make(chan struct{})
		s := New(Config{Subscriptions: w, Deliveries: w, Appender: w, Ready: ready})
		s.client = &http.Client{Transport: wire(func(*http.Request, string) (int, map[string]string, string) {
			calls.Add(1)
			return 200, nil, ""
		})}
		w.add(standardSub("a"), bubbleURL, testSecret)
		w.event("a", "t")
		stop := w.run(s)
		w.wake()
		pass(time.Hour)
		if n := calls.Load(); n != 0 || w.asked != 0 {
			t.Errorf("before Ready: %d sent, %d times asked, want none", n, w.asked)
		}
		close(ready)
		pass(time.Second)
		if n := calls.Load(); n != 1 {
			t.Errorf("after Ready: %d sent, want 1", n)
		}
		stop()
	})
}

// TestSchedule: one delivery to a receiver that always fails: nine attempts at
// the documented times, 10 % more or less, each with the same message id.
func TestSchedule(t *testing.T) {
	ids := map[string]int{}
	bubble(t, func(r *http.Request, _ string) (int, map[string]string, string) {
		ids[r.Header.Get("Webhook-Id")]++
		return 500, nil, "no"
	}, func(t *testing.T, w *world) {
		w.add(standardSub("a"), bubbleURL, testSecret)
		begun := time.Now()
		w.event("a", "t")
		pass(4 * day)
		notes := w.notes()
		if len(notes) != len(schedule)+1 {
			t.Fatalf("got %d attempts, want %d", len(notes), len(schedule)+1)
		}
		last := begun
		for i, a := range notes {
			at, err := time.Parse(time.RFC3339Nano, a.At)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("attempt %d after %v: %s", a.Attempt, at.Sub(begun).Round(time.Second), a.Outcome)
			if i > 0 {
				// A half-open probe may be a little later than it is due.
				if gap, want := at.Sub(last), schedule[i-1]; gap < want*9/10 || gap > want*11/10+halfOpenMax {
					t.Errorf("attempt %d: %v after the one before, want %v", a.Attempt, gap, want)
				}
			}
			last = at
			want := schemas.OutcomeFailed
			if i == len(schedule) {
				want = schemas.OutcomeExhausted
			}
			if a.Outcome != want || a.Attempt != i+1 {
				t.Errorf("got attempt %d %s, want %d %s", a.Attempt, a.Outcome, i+1, want)
			}
		}
		if len(ids) != 1 {
			t.Errorf("%d message ids, want 1", len(ids))
		}
	})
}

// TestJitter: the delay follows from the delivery, and lies within 10 %.
func TestJitter(t *testing.T) {
	low, high := time.Duration(1<<62), time.Duration(0)
	for i := range 2000 {
		id := fmt.Sprint(i)
		d, ok := retryIn(id, 2)
		again, _ := retryIn(id, 2)
		if !ok || d != again {
			t.Fatalf("got %v then %v, %v", d, again, ok)
		}
		low, high = min(low, d), max(high, d)
	}
	if want := schedule[1]; low < want*9/10 || high > want*11/10 || high-low < want/6 {
		t.Errorf("from %v to %v, want all between 90 %% and 110 %% of %v", low, high, want)
	}
	for _, n := range []int{-1, 0, len(schedule) + 1} {
		if d, ok := retryIn("x", n); ok {
			t.Errorf("after attempt %d: got %v, want none", n, d)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"", 0, false}, {"7", 7 * time.Second, true}, {"0", 0, true}, {"1.5", 1500 * time.Millisecond, true},
		{"99999999", day, true}, {"-5", 0, false}, {"NaN", 0, false}, {"Inf", day, true}, {"soon", 0, false},
		{"Fri, 02 Jan 2026 03:05:05 GMT", time.Minute, true}, {"Fri, 02 Jan 2026 03:00:00 GMT", 0, true},
		{"Fri, 02 Jan 2099 03:00:00 GMT", day, true},
	} {
		d, ok := retryAfter(http.Header{"Retry-After": {tc.text}}, now)
		if d != tc.want || ok != tc.ok {
			t.Errorf("%q: got %v, %v, want %v, %v", tc.text, d, ok, tc.want, tc.ok)
		}
	}
}

// TestRetryAfterIsHonoured: later than planned, if the receiver wants it.
func TestRetryAfterIsHonoured(t *testing.T) {
	var calls atomic.Int32
	bubble(t, func(*http.Request, string) (int, map[string]string, string) {
		if calls.Add(1) == 1 {
			return 503, map[string]string{"Retry-After": "120"}, ""
		}
		return 200, nil, ""
	}, func(t *testing.T, w *world) {
		w.add(standardSub("a"), bubbleURL, testSecret)
		w.event("a", "t")
		pass(119 * time.Second)
		if calls.Load() != 1 {
			t.Errorf("%d attempts within the time the receiver asked for, want 1", calls.Load())
		}
		pass(2 * time.Second)
		if calls.Load() != 2 {
			t.Errorf("%d attempts after it, want 2", calls.Load())
		}
	})
}

// TestThrottleIsNoFailure: 429 that says for how long is a pause of the whole
// destination; nothing is noted, no attempt is used up, the order stays.
func TestThrottleIsNoFailure(t *testing.T) {
	for _, tc := range []struct {
		provider, url, secret string
		header                map[string]string
		body                  string
		wait                  time.Duration
	}{
		{schemas.ProviderDiscord, "https://discord.com/api/webhooks/1150000000000000001/t", "", nil, `{"retry_after": 40.5, "global": false}`, 40500 * time.Millisecond},
		{schemas.ProviderStandard, bubbleURL, testSecret, map[string]string{"Retry-After": "40"}, "", 40 * time.Second},
		{schemas.ProviderNtfy, "https://ntfy.sh/topic", "", nil, `{"code":42901}`, minThrottle},
	} {
		calls := 0
		var mu sync.Mutex
		bubble(t, func(*http.Request, string) (int, map[string]string, string) {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls == 1 {
				return 429, tc.header, tc.body
			}
			return 200, nil, ""
		}, func(t *testing.T, w *world) {
			w.add(schemas.Subscription{ID: "a", Provider: tc.provider}, tc.url, tc.secret)
			w.event("a", "t")
			pass(tc.wait - time.Second)
			mu.Lock()
			if calls != 1 || len(w.notes()) != 0 {
				t.Errorf("%s: in the pause %d calls, %d notes, want 1 and none", tc.provider, calls, len(w.notes()))
			}
			mu.Unlock()
			pass(2 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if notes := w.notes(); calls != 2 || len(notes) != 1 || notes[0].Attempt != 1 || notes[0].Outcome != schemas.OutcomeDelivered {
				t.Errorf("%s: after it %d calls, %+v, want 2 and the first attempt delivered", tc.provider, calls, notes)
			}
		})
	}
}

// TestAlwaysThrottled: a receiver that never takes anything does not keep
// deliveries for ever.
func TestAlwaysThrottled(t *testing.T) {
	bubble(t, func(*http.Request, string) (int, map[string]string, string) { return 429, nil, "" }, func(t *testing.T, w *world) {
		w.add(standardSub("a"), bubbleURL, testSecret)
		w.event("a", "t")
		pass(6 * day)
		notes := w.notes()
		if n := len(notes); n != len(schedule)+1 || notes[n-1].Outcome != schemas.OutcomeExhausted || notes[n-1].Status != 429 {
			t.Errorf("got %d notes, the last %+v, want %d", n, tail(notes), len(schedule)+1)
		}
	})
}

// TestSuspect: after five failures in a row only one at a time is tried, after
// a growing pause; the others lose no attempts; when one succeeds all go out.
func TestSuspect(t *testing.T) {
	var mu sync.Mutex
	up, calls, together, most := false, 0, 0, 0
	bubble(t, func(*http.Request, string) (int, map[string]string, string) {
		mu.Lock()
		calls++
		together++
		most = max(most, together)
		status := 0
		if up {
			status = 204
		}
		mu.Unlock()
		pass := time.NewTimer(10 * time.Millisecond)
		<-pass.C
		mu.Lock()
		defer mu.Unlock()
		together--
		return status, nil, ""
	}, func(t *testing.T, w *world) {
		w.add(standardSub("a"), bubbleURL, testSecret)
		const n = 500
		for range n {
			w.event("a", "t")
		}
		pass(time.Second)
		mu.Lock()
		if calls > 16 {
			t.Errorf("%d attempts in the first second, want it to stop after a few", calls)
		}
		most = 0
		mu.Unlock()
		pass(time.Hour)
		mu.Lock()
		if most > 1 {
			t.Errorf("%d at a time, want 1", most)
		}
		if calls > 90 {
			t.Errorf("%d attempts in an hour, want about one a minute", calls)
		}
		mu.Unlock()
		if st := w.sender.Status(); len(st) != 1 || !st[0].CircuitOpen || st[0].Failures < circuitOpensAfter {
			t.Errorf("got %+v, want an open circuit", st)
		}
		mu.Lock()
		up = true
		mu.Unlock()
		pass(halfOpenMax + time.Minute)
		if got := with(w.notes(), "a", schemas.OutcomeDelivered); got < n-30 {
			t.Errorf("%d delivered within two minutes of its return, want nearly all of %d", got, n)
		}
		pass(2 * day)
		if got := with(w.notes(), "a", schemas.OutcomeDelivered); got != n {
			t.Errorf("%d delivered in the end, want %d", got, n)
		}
	})
}

// TestFailingForDays: without a success for five days it is disabled, with a
// reason one can read.
func TestFailingForDays(t *testing.T) {
	bubble(t, func(*http.Request, string) (int, map[string]string, string) { return 500, nil, "" }, func(t *testing.T, w *world) {
		w.add(standardSub("a"), bubbleURL, testSecret)
		for range 7 * 24 {
			w.event("a", "t")
			w.wake()
			pass(time.Hour)
		}
		w.mu.Lock()
		why := w.disabled["a"]
		w.mu.Unlock()
		if !strings.Contains(why, "failing since") || !strings.Contains(why, "500") {
			t.Errorf("got %q, want a reason", why)
		}
		notes := w.notes()
		first, _ := time.Parse(time.RFC3339Nano, notes[0].At)
		last, _ := time.Parse(time.RFC3339Nano, notes[len(notes)-1].At)
		if got := last.Sub(first); got < failingFor || got > failingFor+2*time.Hour {
			t.Errorf("tried for %v, want %v", got, failingFor)
		}
	})
}

// TestRate: a subscription's own rate, and what providers take.
func TestRate(t *testing.T) {
	for _, tc := range []struct {
		provider, url, secret string
		rate                  float64
		n                     int
		least, most           time.Duration
	}{
		{schemas.ProviderStandard, bubbleURL, testSecret, 0, 100, 0, time.Second},
		{schemas.ProviderStandard, bubbleURL, testSecret, 2, 11, 5 * time.Second, 6 * time.Second},
		{schemas.ProviderBotGhost, "https://api.botghost.com/webhook/1150000000000000010/ev", "key", 0, 10, 10 * time.Second, 11 * time.Second},
		{schemas.ProviderDiscord, "https://discord.com/api/webhooks/1150000000000000001/t", "", 0, 24, 10 * time.Second, 11 * time.Second},
		{schemas.ProviderDiscord, "https://discord.com/api/webhooks/1150000000000000001/t", "", 100, 24, 10 * time.Second, 11 * time.Second},
	} {
		bubble(t, func(*http.Request, string) (int, map[string]string, string) { return 200, nil, "" }, func(t *testing.T, w *world) {
			w.add(schemas.Subscription{ID: "a", Provider: tc.provider, Rate: tc.rate}, tc.url, tc.secret)
			for range tc.n {
				w.event("a", "t")
			}
			begun := time.Now()
			w.wake()
			w.count(tc.n)
			if took := time.Since(begun); took < tc.least || took > tc.most {
				t.Errorf("%s at %v/s: %d took %v, want %v to %v", tc.provider, tc.rate, tc.n, took, tc.least, tc.most)
			}
		})
	}
}

// TestOneBotTwoSubscriptions: what a bot takes is shared by all that send to it.
func TestOneBotTwoSubscriptions(t *testing.T) {
	var last time.Time
	bubble(t, func(*http.Request, string) (int, map[string]string, string) {
		if gap := time.Since(last); gap < time.Second {
			t.Errorf("%v after the one before, want a second", gap)
		}
		last = time.Now()
		return 200, nil, ""
	}, func(t *testing.T, w *world) {
		for i, id := range []string{"a", "b"} {
			w.add(schemas.Subscription{ID: id, Provider: schemas.ProviderBotGhost},
				fmt.Sprintf("https://api.botghost.com/webhook/1150000000000000010/ev%d", i), "key")
			for range 4 {
				w.event(id, "t")
			}
		}
		w.count(8)
	})
}

// TestOrdered: one tenant's events arrive in order though some fail at first,
// and no tenant waits for another.
func TestOrdered(t *testing.T) {
	var mu sync.Mutex
	got := map[string][]string{}
	failed := map[string]bool{}
	bubble(t, func(_ *http.Request, body string) (int, map[string]string, string) {
		var e schemas.Event
		if err := e.UnmarshalJSON([]byte(body)); err != nil {
			t.Errorf("%v: %s", err, body)
		}
		tenant := e.Source[len(e.Source)-1:]
		mu.Lock()
		defer mu.Unlock()
		if n := len(e.ID); tenant == "b" && e.ID[n-1]%4 == 0 && !failed[e.ID] { // event-2, 8, 14, 18, …
			failed[e.ID] = true
			return 500, nil, ""
		}
		got[tenant] = append(got[tenant], e.ID)
		return 200, nil, ""
	}, func(t *testing.T, w *world) {
		w.add(schemas.Subscription{ID: "a", Provider: schemas.ProviderCloudEvents, Ordered: true}, bubbleURL)
		want := map[string][]string{}
		for i := range 300 {
			tenant := string("abc"[i%3])
			want[tenant] = append(want[tenant], w.event("a", tenant).Event.ID)
		}
		w.wake()
		pass(4 * time.Second)
		mu.Lock()
		quick := len(got["a"]) + len(got["c"])
		mu.Unlock()
		if quick != 200 {
			t.Errorf("%d of the other tenants' 200 arrived while one failed", quick)
		}
		pass(30 * time.Minute) // the last of b comes a hundred times 5 s later
		mu.Lock()
		defer mu.Unlock()
		for tenant := range want {
			if fmt.Sprint(got[tenant]) != fmt.Sprint(want[tenant]) {
				t.Errorf("tenant %s: got %v, want %v", tenant, got[tenant], want[tenant])
			}
		}
	})
}

// TestOrderedWhileUnfolded: that an attempt has failed is known before it is
// folded: none may follow it, though the row still says that both are due.
func TestOrderedWhileUnfolded(t *testing.T) {
	var mu sync.Mutex
	var got []string
	bubble(t, func(_ *http.Request, body string) (int, map[string]string, string) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, body[:40])
		if len(got) == 1 {
			return 500, nil, ""
		}
		return 200, nil, ""
	}, func(t *testing.T, w *world) {
		w.hold()
		w.event("a", "t")
		w.add(schemas.Subscription{ID: "a", Provider: schemas.ProviderCloudEvents, Ordered: true}, bubbleURL)
		pass(time.Second)
		w.event("a", "t")
		w.wake()
		pass(time.Second)
		mu.Lock()
		if len(got) != 1 {
			t.Errorf("%d sent after the first failed, want none", len(got)-1)
		}
		mu.Unlock()
		w.release()
		pass(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(got) != 3 || got[0] != got[1] || got[1] == got[2] {
			t.Errorf("got %q, want the first twice, then the second", got)
		}
	})
}

// TestHangingIsLetBe: after the grace what hangs is given up and not noted.
func TestHangingIsLetBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ready := make(chan struct{})
		close(ready)
		s := New(Config{Subscriptions: w, Deliveries: w, Appender: w, Ready: ready})
		entered := make(chan struct{})
		s.client = &http.Client{Transport: wire(func(r *http.Request, _ string) (int, map[string]string, string) {
			close(entered)
			<-r.Context().Done()
			return 0, nil, ""
		})}
		w.add(standardSub("a"), bubbleURL, testSecret)
		w.event("a", "t")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		<-entered
		begun := time.Now()
		cancel()
		if err := <-ended; err != nil || time.Since(begun) != grace {
			t.Errorf("Run ended with %v after %v, want nil after %v", err, time.Since(begun), grace)
		}
		if notes := w.notes(); len(notes) != 0 {
			t.Errorf("noted %+v, want nothing: it will be sent again", notes)
		}
	})
}

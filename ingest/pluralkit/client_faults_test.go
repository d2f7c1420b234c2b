package pluralkit

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

const systemRoute = "/systems/{ref}"

// TestRetries: what may pass is asked again a few times, what may not is not.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name   string
		fault  fakepk.Fault
		asked  int
		status int // of the error; 0: none, or not an answer
		fails  bool
	}{
		{"one 500", fakepk.Fault{Kind: fakepk.FaultStatus, Times: 1}, 2, 0, false},
		{"four 503", fakepk.Fault{Kind: fakepk.FaultStatus, Status: 503, Times: 4}, 5, 0, false},
		{"always 502", fakepk.Fault{Kind: fakepk.FaultStatus, Status: 502}, 5, 502, true},
		{"501", fakepk.Fault{Kind: fakepk.FaultStatus, Status: 501}, 1, 501, true},
		{"400", fakepk.Fault{Kind: fakepk.FaultStatus, Status: 400}, 1, 400, true},
		{"401", fakepk.Fault{Kind: fakepk.FaultAnonymous}, 1, 401, true},
		{"cut off", fakepk.Fault{Kind: fakepk.FaultTruncate, Times: 4}, 5, 0, false},
		{"always cut off", fakepk.Fault{Kind: fakepk.FaultTruncate}, 5, 0, true},
		{"hangs once", fakepk.Fault{Kind: fakepk.FaultHang, Times: 1}, 2, 0, false},
		{"always hangs", fakepk.Fault{Kind: fakepk.FaultHang}, 5, 0, true},
		{"slow, but not too slow", fakepk.Fault{Kind: fakepk.FaultLatency, Latency: requestTimeout - time.Second}, 1, 0, false},
		{"too slow", fakepk.Fault{Kind: fakepk.FaultLatency, Latency: requestTimeout + time.Second}, 5, 0, true},
		{"some 429", fakepk.Fault{Kind: fakepk.FaultThrottle, Times: 8}, 9, 0, false},
		{"always 429", fakepk.Fault{Kind: fakepk.FaultThrottle}, 9, 429, true},
		{"429 for long", fakepk.Fault{Kind: fakepk.FaultThrottle, RetryAfter: 50 * time.Second, Times: 1}, 2, 0, false},
		{"429 for too long", fakepk.Fault{Kind: fakepk.FaultThrottle, RetryAfter: time.Hour}, 1, 429, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
				s.api.Inject(c.fault)
				_, err := s.System(t.Context())
				var refused *APIError
				errors.As(err, &refused)
				if (err != nil) != c.fails || refused != nil && refused.Status != c.status || refused == nil && c.status != 0 {
					t.Errorf("got %v, want fault %v, status %d", err, c.fails, c.status)
				}
				if got := s.api.Counts()[systemRoute]; got != c.asked {
					t.Errorf("got %d requests, want %d", got, c.asked)
				}
				s.api.Heal() // lets go of what hangs
			})
		})
	}
}

// TestBadUUID: PluralKit's 500 for a uuid it does not like is asked for once
// more, in case it was another.
func TestBadUUID(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.api.Inject(fakepk.Fault{Kind: fakepk.FaultStatus})
		_, err := s.Switch(t.Context(), UUID(s.sys.UUID()))
		if n := s.api.Counts()["/systems/{ref}/switches/{uuid}"]; err == nil || n != 2 {
			t.Errorf("got %v after %d requests, want an error after 2", err, n)
		}
	})
}

// TestCanceled: a call ends when its caller does, wherever it waits.
func TestCanceled(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fakepk.Fault
	}{
		{"for an answer", fakepk.Fault{Kind: fakepk.FaultHang}},
		{"to ask again", fakepk.Fault{Kind: fakepk.FaultStatus}},
		{"for the limit", fakepk.Fault{Kind: fakepk.FaultThrottle, RetryAfter: 40 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
				s.api.Inject(c.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond*300)
				defer cancel()
				begin := time.Now()
				_, err := s.System(ctx)
				if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Microsecond {
					t.Errorf("got %v after %v, want the deadline, at once", err, took)
				}
				s.api.Heal()
			})
		})
	}
}

// TestSharedBudget: many callers with two clients of one token stay within the
// budget; not one is refused, and all are done as fast as it allows.
func TestSharedBudget(t *testing.T) {
	const callers, calls = 8, 500
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		registry := prometheus.NewRegistry()
		shared := func(c *Config) { c.Limiters, c.Metrics = s.limiters, s.metrics }
		s.metrics = NewClientMetrics(registry)
		clients := []*Client{s.client(shared), s.client(shared)}
		begin := time.Now()
		s.concurrently(callers, func(i int) {
			for n := i; n < calls; n += callers {
				if _, err := clients[i%2].System(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		if took := time.Since(begin); took < (calls-1)*time.Second/readsPerSecond || took > (calls+1)*time.Second/readsPerSecond {
			t.Errorf("took %v, want %d a second", took, readsPerSecond)
		}
		if got, want := counted(t, registry), map[string]float64{"system ok": calls}; !maps.Equal(got, want) {
			t.Errorf("got requests %v, want %v: nothing is refused", got, want)
		}
	})
}

// counted is how many requests there were of each route and outcome.
func counted(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := m.GetLabel() // sorted by name: outcome, route
			all[labels[1].GetValue()+" "+labels[0].GetValue()] += m.GetCounter().GetValue()
		}
	}
	return all
}

// concurrently runs f for 0 … n-1.
func (s *setting) concurrently(n int, f func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// TestOthersSpend: others take of the same budget. The client sees it in the
// headers and takes its part, before anybody is refused.
func TestOthersSpend(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.concurrently(3, func(i int) {
			c := s.client(func(*Config) {}) // with limiters of its own, as in another program
			for range 50 {
				if _, err := c.System(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// TestStorm: refusals of which all callers hear, also those that had a place
// in the row already, and also when no wait at all is asked for.
func TestStorm(t *testing.T) {
	for _, wait := range []time.Duration{0, 400 * time.Millisecond} {
		t.Run(wait.String(), func(t *testing.T) {
			bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
				s.api.Inject(fakepk.Fault{Kind: fakepk.FaultThrottle, Skip: 3, Times: 6, RetryAfter: wait, Latency: 10 * time.Millisecond})
				begin := time.Now()
				s.concurrently(8, func(int) {
					for range 5 {
						if _, err := s.System(t.Context()); err != nil {
							t.Error(err)
						}
					}
				})
				if got := s.api.Counts()[systemRoute]; got != 46 {
					t.Errorf("got %d requests, want 40 and 6 refused", got)
				}
				if took, least := time.Since(begin), 6*max(wait, minRefusedWait); took < least {
					t.Errorf("took %v, want at least %v", took, least)
				}
			})
		})
	}
}

// TestAddressBudget: what counts against our address is one budget for all
// tokens.
func TestAddressBudget(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		sent, err := s.sys.Proxy(fakepk.Message{Member: s.members("Alder")[0], Guild: guild})
		s.world.Must(err)
		other, err := s.world.CreateSystem("1150000000000000009", nil)
		s.world.Must(err)
		stranger := s.client(func(c *Config) { c.Token, c.Limiters = other.Token(), s.limiters })
		s.concurrently(2, func(i int) {
			for range 30 {
				if _, err := s.Message(t.Context(), sent); i == 0 && err != nil {
					t.Error(err)
				}
				if _, err := stranger.Message(t.Context(), sent); i == 1 && !errors.Is(err, ErrAnonymous) {
					t.Errorf("got %v, want anonymous: the message is another's", err)
				}
			}
		})
	})
}

func TestLimitersForget(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		l := NewLimiters()
		busy := l.borrow(tokenKey{})
		for i := range 10 * maxLimiters {
			l.giveBack(l.borrow(tokenKey{1, byte(i), byte(i >> 8)}))
		}
		if n := len(l.byToken); n > maxLimiters {
			t.Errorf("got %d limiters, want at most %d", n, maxLimiters)
		}
		if l.borrow(tokenKey{}) != busy {
			t.Error("one in use was dropped")
		}
	})
}

// TestLearn: the budget follows what the headers say, but never above ours.
func TestLearn(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		for _, c := range []struct {
			limit, remaining string
			rate             float64
			held             time.Duration
		}{
			{"10", "9", 8, 0}, {"10", "6", 8, 0}, {"10", "4", 8, 200 * time.Millisecond}, {"10", "0", 8, 600 * time.Millisecond},
			{"10", "-7", 8, 600 * time.Millisecond}, {"5", "4", 4, 0}, {"1000", "600", 8, 0}, {"1000", "599", 8, time.Millisecond},
			{"", "", 8, 0}, {"0", "0", 8, 0}, {"x", "0", 8, 0},
		} {
			l := newLimiter()
			l.learn(http.Header{"X-Ratelimit-Limit": {c.limit}, "X-Ratelimit-Remaining": {c.remaining}})
			if held := max(l.held(), 0); float64(l.rate.Limit()) != c.rate || held != c.held {
				t.Errorf("limit %s, remaining %s: got %v a second, held %v, want %v, %v",
					c.limit, c.remaining, l.rate.Limit(), held, c.rate, c.held)
			}
		}
	})
}

// TestOutcomes: every way in which a request can end has its label.
func TestOutcomes(t *testing.T) {
	for want, err := range map[string]error{
		outcomeOK:           nil,
		outcomeNotFound:     &APIError{Status: 404, Code: 20007, Message: "Switch not found."},
		outcomeUnauthorized: &APIError{Status: 401, Message: "401"},
		outcomeAnonymous:    ErrAnonymous,
		outcomeLimited:      &APIError{Status: 429},
		outcomeRefused:      &APIError{Status: 404},
		outcomeFailed:       &APIError{Status: 500},
		outcomeTimeout:      &brokenError{context.DeadlineExceeded, true},
		outcomeBroken:       &brokenError{err: errNotJSON},
		outcomeInvalid:      schemas.ErrInvalid,
		outcomeTooLarge:     ErrTooLarge,
		outcomeCanceled:     context.Canceled,
	} {
		if got := outcomeOf(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}

// TestQueueCanceled: who waits for a place gives up without taking one, and
// what was taken is given back.
func TestQueueCanceled(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.api.Inject(fakepk.Fault{Kind: fakepk.FaultHang, Times: maxAtOnce})
		long, cancelLong := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancelLong()
		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		s.concurrently(3*maxAtOnce, func(i int) {
			ctx, ask := long, s.SystemExists
			if i >= maxAtOnce {
				<-time.After(700 * time.Millisecond) // the others have all places
				ctx = short
			}
			if _, err := ask(ctx, UUID(s.sys.UUID())); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the deadline", err)
			}
		})
		if n := s.api.Counts()[systemRoute]; n != maxAtOnce {
			t.Errorf("got %d requests, want the first %d", n, maxAtOnce)
		}
		// The address holds nobody back from the token's own budget, and the
		// other way round: cancel while waiting for the address.
		s.limiters.address.hold(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := s.SystemOf(ctx, account); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		for range 2 * maxAtOnce {
			must[System](t)(s.System(t.Context()))
		}
		if own := s.limiters.byToken[s.key]; own.users != 0 || len(own.slots) != 0 || len(s.limiters.address.slots) != 0 {
			t.Errorf("got %d users, %d and %d places taken, want none", own.users, len(own.slots), len(s.limiters.address.slots))
		}
	})
}

// TestConfiguredTimeout: each request has the time that the caller's own
// http.Client gives it.
func TestConfiguredTimeout(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		s.api.Inject(fakepk.Fault{Kind: fakepk.FaultHang})
		registry := prometheus.NewRegistry()
		c := s.client(func(c *Config) {
			c.HTTP.Timeout, c.Metrics = 50*time.Millisecond, NewClientMetrics(registry)
		})
		begin := time.Now()
		_, err := c.Settings(t.Context())
		if took := time.Since(begin); err == nil || took > 10*time.Second {
			t.Errorf("got %v after %v, want it to give up soon", err, took)
		}
		if got, want := counted(t, registry), map[string]float64{"settings timeout": 5}; !maps.Equal(got, want) {
			t.Errorf("got requests %v, want %v", got, want)
		}
		s.api.Heal()
	})
}

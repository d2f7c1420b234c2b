package deliver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
	"switchlog/test/fakesink"
)

func newSender(w *world) *Sender {
	return New(Config{Subscriptions: w, Deliveries: w, Appender: w, Ready: make(chan struct{}), Allow: loopback})
}

// TestOnce: a retry is noted, a trial is not; neither is tried again, and
// neither needs a Sender that runs.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	bad := fakesink.NewBad(t, fakesink.Fails)
	w.add(standardSub("a"), fakesink.Serve(t, bad), testSecret)
	w.enable("a", false)
	s := newSender(w)
	defer s.client.CloseIdleConnections()
	d := w.event("a", "t")
	again := d
	again.ID, again.Kind = schemas.NewID(), schemas.DeliveryRetry
	got, err := s.Once(t.Context(), again, d.ID)
	if err != nil || got.Status != 500 || got.Outcome != schemas.OutcomeExhausted || got.Of != d.ID || got.Kind != schemas.DeliveryRetry {
		t.Errorf("retry: got %+v, %v, want it to have failed for good", got, err)
	}
	if notes := w.notes(); len(notes) != 1 || notes[0].Of != d.ID {
		t.Errorf("noted %+v, want the retry", notes)
	}
	bad.Set(fakesink.Good)
	got, err = s.Once(t.Context(), NewTest("a"), "")
	if err != nil || got.Status != 200 || got.Outcome != schemas.OutcomeDelivered {
		t.Errorf("trial: got %+v, %v, want it delivered", got, err)
	}
	if n := len(w.notes()); n != 1 {
		t.Errorf("%d notes, want none of the trial", n)
	}
	w.secrets["a"][0] = fakesink.Refused(t)
	if got, err = s.Once(t.Context(), NewTest("a"), ""); err != nil || got.Status != 0 || got.Response == "" {
		t.Errorf("nobody there: got %+v, %v, want a reason", got, err)
	}
	if _, err = s.Once(t.Context(), NewTest("b"), ""); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("unknown subscription: got %v, want ErrInvalid", err)
	}
}

// TestEachProvider: a trial and an event, over a socket, to a strict receiver.
func TestEachProvider(t *testing.T) {
	receivers := sinks(t)
	for _, p := range providers {
		t.Run(p.name, func(t *testing.T) {
			w := newWorld(t)
			base, secret := fakesink.Serve(t, receivers[p.name]), ""
			switch r := receivers[p.name].(type) {
			case *fakesink.Standard:
				secret = testSecret
			case *fakesink.CloudEvents:
				secret = r.Token
			case *fakesink.Discord:
				base += r.Path()
			case *fakesink.BotGhost:
				base, secret = base+r.Path(), "key"
			case *fakesink.Ntfy:
				base, secret = base+"/"+r.Topic, r.Token
			}
			sub := schemas.Subscription{ID: "a", Provider: p.name}
			if err := CheckSubscription(sub, base, secret, loopback); err != nil {
				t.Error(err)
			}
			w.add(sub, base, secret)
			w.event("a", "t")
			w.start()
			if got := w.count(1)[0]; got.Outcome != schemas.OutcomeDelivered {
				t.Errorf("got %+v, want it delivered", got)
			}
			if got, err := w.sender.Once(t.Context(), NewTest("a"), ""); err != nil || got.Outcome != schemas.OutcomeDelivered {
				t.Errorf("trial: got %+v, %v, want it delivered", got, err)
			}
		})
	}
}

// TestDiscordLimits: many events through a webhook that takes few: all arrive,
// and none is refused, since Discord says how much is left.
func TestDiscordLimits(t *testing.T) {
	sink := fakesink.NewDiscord(t)
	sink.Limit, sink.Window = 1, 700*time.Millisecond
	w := newWorld(t)
	w.add(schemas.Subscription{ID: "a", Provider: schemas.ProviderDiscord}, fakesink.Serve(t, sink)+sink.Path())
	const n = 5
	for range n {
		w.event("a", "t")
	}
	w.start()
	w.count(n)
	if sink.Distinct() != n || sink.Over() > 0 {
		t.Errorf("%d arrived, %d over the limit; want %d and none", sink.Distinct(), sink.Over(), n)
	}
	if got := with(w.notes(), "a", schemas.OutcomeDelivered); got != n {
		t.Errorf("%d noted as delivered, want %d", got, n)
	}
}

// TestGoneForGood: what providers say when a destination will never work again.
func TestGoneForGood(t *testing.T) {
	discord, botghost := fakesink.NewDiscord(t), fakesink.NewBotGhost(t)
	discord.Delete()
	botghost.Accept("another")
	for _, tc := range []struct {
		sub    schemas.Subscription
		url    string
		secret string
		why    string
	}{
		{schemas.Subscription{ID: "a", Provider: schemas.ProviderDiscord}, fakesink.Serve(t, discord) + discord.Path(), "", "does not know this webhook"},
		{schemas.Subscription{ID: "a", Provider: schemas.ProviderBotGhost}, fakesink.Serve(t, botghost) + botghost.Path(), "key", "refuses the API key"},
		{standardSub("a"), fakesink.Serve(t, fakesink.NewBad(t, fakesink.Gone)), testSecret, "410"},
	} {
		w := newWorld(t)
		w.add(tc.sub, tc.url, tc.secret)
		for range 20 {
			w.event("a", "t")
		}
		stop := w.start()
		poll(t, "disabled", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return strings.Contains(w.disabled["a"], tc.why)
		})
		stop()
		if n := len(w.notes()); n == 0 || n > 16 {
			t.Errorf("%s: %d attempts, want it to stop at once", tc.sub.Provider, n)
		}
		if got := w.notes()[0].Outcome; got != schemas.OutcomeRefused {
			t.Errorf("%s: got %s, want %s", tc.sub.Provider, got, schemas.OutcomeRefused)
		}
	}
}

func TestCheckSubscription(t *testing.T) {
	const hook = "https://example.com/hook"
	discord, botghost := goldenURL[schemas.ProviderDiscord], goldenURL[schemas.ProviderBotGhost]
	sub := func(provider string, change func(*schemas.Subscription)) schemas.Subscription {
		s := schemas.Subscription{Provider: provider}
		if change != nil {
			change(&s)
		}
		return s
	}
	option := func(name, value string) func(*schemas.Subscription) {
		return func(s *schemas.Subscription) { s.Options = map[string]string{name: value} }
	}
	variable := func(name, value string) func(*schemas.Subscription) {
		return func(s *schemas.Subscription) { s.Variables = map[string]string{name: value} }
	}
	template := func(s *schemas.Subscription) { s.Template = "{front.names}" }
	for _, tc := range []struct {
		sub         schemas.Subscription
		url, secret string
		ok          bool
	}{
		{sub("standard", nil), hook, "", true},
		{sub("standard", nil), hook, testSecret, true},
		{sub("standard", nil), hook, "whsec_c2hvcnQ=", false},
		{sub("standard", nil), hook, "plain", false},
		{sub("standard", template), hook, "", false},
		{sub("standard", option("title", "x")), hook, "", false},
		{sub("standard", func(s *schemas.Subscription) { s.Rate = -1 }), hook, "", false},
		{sub("standard", func(s *schemas.Subscription) { s.Rate = 1e9 }), hook, "", false},
		{sub("cloudevents", nil), hook, "token", true},
		{sub("cloudevents", nil), hook, "to ken", false},
		{sub("cloudevents", nil), hook, "to\r\nken", false},
		{sub("discord", template), discord, "", true},
		{sub("discord", nil), discord, "s3cr3t", false},
		{sub("discord", nil), hook, "", false},
		{sub("discord", option("username", "Harbor")), discord, "", true},
		{sub("discord", option("username", "My Discord")), discord, "", false},
		{sub("discord", option("username", "CLYDE")), discord, "", false},
		{sub("discord", option("username", "everyone")), discord, "", false},
		{sub("discord", option("username", strings.Repeat("x", 81))), discord, "", false},
		{sub("discord", option("avatar_url", "javascript:alert(1)")), discord, "", false},
		{sub("discord", option("thread_id", "12")), discord, "", false},
		{sub("discord", variable("{x}", "event")), discord, "", false},
		{sub("botghost", nil), botghost, "", false},
		{sub("botghost", nil), botghost, "key", true},
		{sub("botghost", variable("{x}", "front.names")), botghost, "key", true},
		{sub("botghost", variable("x", "front.names")), botghost, "key", false},
		{sub("botghost", variable("{x}", "nothing")), botghost, "key", false},
		{sub("botghost", variable("{switchlog_event_id}", "id")), botghost, "key", false},
		{sub("ntfy", template), "https://ntfy.sh/topic", "", true},
		{sub("ntfy", option("priority", "high")), "https://ntfy.sh/topic", "tk_x", true},
		{sub("ntfy", option("priority", "9")), "https://ntfy.sh/topic", "", false},
		{sub("ntfy", option("tags", "rotating_light,+1")), "https://ntfy.sh/topic", "", true},
		{sub("ntfy", option("tags", "a b")), "https://ntfy.sh/topic", "", false},
		{sub("ntfy", option("title", "{nope}")), "https://ntfy.sh/topic", "", false},
		{sub("slack", nil), hook, "", false},
	} {
		err := CheckSubscription(tc.sub, tc.url, tc.secret, nil)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%+v %s: got %v, want ok = %v", tc.sub, tc.url, err, tc.ok)
		}
		if err != nil && tc.secret != "" && len(tc.secret) > 4 && strings.Contains(err.Error(), tc.secret) {
			t.Errorf("%s: the secret is in %v", tc.sub.Provider, err)
		}
	}
	if got := len(Providers()); got != len(providers) {
		t.Errorf("%d providers shown, want %d", got, len(providers))
	}
}

// FuzzAnswer: whatever a receiver says, what is kept is short, valid text
// without secrets, and the next attempt is within reason.
func FuzzAnswer(f *testing.F) {
	f.Add(429, "5", "0", "1.5", []byte(`{"retry_after": 1e300}`))
	f.Add(404, "", "", "", []byte(`{"code": 10015}`))
	f.Add(500, "Fri, 02 Jan 2099 03:00:00 GMT", "0", "NaN", []byte("\xff\xfe"+testSecret))
	f.Add(200, "-1", "0", "-1", []byte(strings.Repeat("é", 6000)))
	f.Fuzz(func(t *testing.T, status int, after, remaining, reset string, body []byte) {
		h := http.Header{"Retry-After": {after}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset-After": {reset}}
		for _, p := range providers {
			g := &gate{slots: make(chan struct{}, 1)}
			d := deliveryOf(schemas.Event{})
			to := destination{provider: p, url: mustURL(t, goldenURL[p.name]), secrets: goldenSecrets[p.name]}
			var r result
			s := &Sender{}
			now := time.Now()
			r.attempt.Attempt = 1
			s.judge(&r, &d, g, p, answer{status: status, header: h, body: body}, now)
			kept := newRedactor(p, to.url, append(to.secrets, testSecret)).response(body)
			if !utf8.ValidString(kept) || utf8.RuneCountInString(kept) > schemas.MaxResponseChars || strings.Contains(kept, testSecret) {
				t.Errorf("%s: kept %q", p.name, kept)
			}
			if wait := time.Until(g.pausedUntil()); wait > maxThrottle {
				t.Errorf("%s: paused for %v", p.name, wait)
			}
			if r.attempt.RetryAt != "" {
				at, err := time.Parse(time.RFC3339Nano, r.attempt.RetryAt)
				if err != nil || at.Sub(now) > day+time.Second || at.Before(now.Add(-time.Second)) {
					t.Errorf("%s: again at %s, %v", p.name, r.attempt.RetryAt, err)
				}
			}
			if _, err := json.Marshal(r.attempt); err != nil {
				t.Error(err)
			}
		}
	})
}

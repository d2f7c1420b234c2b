package manage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// TestStates: a webhook to which nothing is passed on says why, and what to do;
// what a person has done comes before what is wrong with us, and that before
// what is wrong with the receiver.
func TestStates(t *testing.T) {
	on := schemas.Subscription{ID: "01a2", Name: "front", Provider: "standard", Enabled: true}
	with := func(change func(*schemas.Subscription)) schemas.Subscription {
		s := on
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		sub          schemas.Subscription
		sending      schemas.Sending
		secrets      error
		state, words string // words that the problem has, in this order; empty: there is none
	}{
		"all is well":                   {sub: on, state: WebhookOn},
		"switched off":                  {sub: with(func(s *schemas.Subscription) { s.Enabled = false }), sending: schemas.Sending{Failures: 3}, state: WebhookOff},
		"disabled":                      {sub: with(func(s *schemas.Subscription) { s.Enabled, s.Reason = false, "it answered 410" }), state: WebhookDisabled, words: "disabled: it answered 410|update front --enable"},
		"disabled, and says what to do": {sub: with(func(s *schemas.Subscription) { s.Enabled, s.Reason = false, "gone (hint: webhook remove ID )" }), state: WebhookDisabled, words: "webhook remove front"},
		"a later format":                {sub: with(func(s *schemas.Subscription) { s.Provider = "pigeon" }), state: WebhookBroken, words: `no provider "pigeon"|newer version`},
		"a condition":                   {sub: with(func(s *schemas.Subscription) { s.Condition = "bad" }), state: WebhookBroken, words: "no such field|update front --condition"},
		"no secret":                     {sub: on, secrets: errors.New("none"), state: WebhookBroken, words: "not on this machine|secrets.db"},
		"fails":                         {sub: on, sending: schemas.Sending{Failures: 1, Status: 500, Response: "a\n b"}, state: WebhookFailing, words: "1 attempt in a row|500 (a b)|deliveries front"},
		"asks to wait":                  {sub: on, sending: schemas.Sending{Failures: 2, Throttled: 2, Status: 429, Next: time.Now().Add(time.Hour)}, state: WebhookThrottled, words: "2 attempts|429|next try in "},
		"since long":                    {sub: on, sending: schemas.Sending{Since: time.Now().Add(-time.Hour)}, state: WebhookFailing, words: "has taken nothing since"},
		"since a moment":                {sub: on, sending: schemas.Sending{Since: time.Now().Add(-longFailing / 2)}, state: WebhookOn},
	} {
		state, problem := States{
			Secrets: func(string) error { return c.secrets },
			Sending: func(string) schemas.Sending { return c.sending },
			Condition: func(expr string) error {
				if expr == "bad" {
					return errors.New("invalid: no such field")
				}
				return nil
			},
		}.Of(c.sub)
		if state != c.state || (problem == "") != (c.words == "") {
			t.Errorf("%s: got %s, %q, want %s", name, state, problem, c.state)
		}
		rest := problem
		for _, words := range strings.Split(c.words, "|") {
			_, after, found := strings.Cut(rest, words)
			if !found {
				t.Errorf("%s: got %q, want %q in it", name, problem, words)
			}
			rest = after
		}
	}
}

// TestRef: what a person types for a webhook is its name, quoted where
// the shell needs it.
func TestRef(t *testing.T) {
	for name, want := range map[string]string{"": "01a2", "front": "front", "my front": "'my front'", "a'b": `'a'\''b'`, "$(x)": "'$(x)'"} {
		if got := Ref(name, "01a2"); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

package manage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"switchlog/processor/deliver"
	"switchlog/schemas"
)

// States say whether anything is passed on to webhooks. All must be given.
type States struct {
	Condition func(expr string) error         // says what is wrong with a condition
	Secrets   func(id string) error           // fails if the address or the secret of a webhook is not on this machine
	Sending   func(id string) schemas.Sending // how it goes with a webhook; a *deliver.Sender's
}

// longFailing is for how long a receiver must have taken nothing before that is
// said although nothing was tried since the start.
const longFailing = 10 * time.Minute

// Of is in a word whether anything is passed on to a webhook, and
// why not, with what to do. Nothing: all is well.
func (c States) Of(sub schemas.Subscription) (state, problem string) {
	ref := Ref(sub.Name, sub.ID)
	switch {
	case !sub.Enabled && sub.Reason == "":
		return WebhookOff, ""
	case !sub.Enabled:
		why := strings.ReplaceAll(sub.Reason, " ID ", " "+ref+" ") // of hints
		if !strings.Contains(why, "(hint: ") {
			why += " (hint: when it takes webhooks again: switchlog webhook update " + ref + " --enable)"
		}
		return WebhookDisabled, "was disabled: " + why
	}
	if broken := c.broken(sub, ref); broken != "" {
		return WebhookBroken, broken
	}
	s, now := c.Sending(sub.ID), time.Now()
	see := "(hint: switchlog webhook deliveries " + ref + ")"
	switch {
	case s.Throttled > 0:
		return WebhookThrottled, fmt.Sprintf("is asked to wait: %s in a row answered %s%s %s", count(s.Throttled, "attempt"), answerOf(s), nextTry(s.Next, now), see)
	case s.Failures > 0:
		return WebhookFailing, fmt.Sprintf("fails: %s in a row, the last answered %s%s %s", count(s.Failures, "attempt"), answerOf(s), nextTry(s.Next, now), see)
	case !s.Since.IsZero() && now.Sub(s.Since) > longFailing:
		return WebhookFailing, fmt.Sprintf("has taken nothing since %s%s %s", s.Since.UTC().Format(time.DateTime)+" UTC", nextTry(s.Next, now), see)
	}
	return WebhookOn, ""
}

// broken says why nothing can be passed on to a webhook that is on.
func (c States) broken(sub schemas.Subscription, ref string) string {
	if !slices.ContainsFunc(deliver.Providers(), func(p deliver.Provider) bool { return p.Name == sub.Provider }) {
		return fmt.Sprintf("is broken: this version of switchlog knows no provider %q, so nothing is passed on (hint: a newer version made it; use that)", sub.Provider)
	}
	if err := c.Condition(sub.Condition); err != nil {
		says := strings.TrimPrefix(err.Error(), schemas.ErrInvalid.Error()+": ")
		return fmt.Sprintf("is broken, and nothing is passed on: %s (hint: switchlog webhook update %s --condition '…')", says, ref)
	}
	if c.Secrets(sub.ID) != nil {
		return "is broken, and nothing is passed on: its address or secret is not on this machine (hint: make it anew, or copy secrets.db)"
	}
	return ""
}

// Ref is what a person types for a webhook: its name if it has one.
func Ref(name, id string) string {
	switch {
	case name == "":
		return id
	case strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	}):
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// answerOf is the last answer in short.
func answerOf(s schemas.Sending) string {
	says := strings.Join(strings.Fields(s.Response), " ")
	switch {
	case s.Status == 0 && says != "":
		return "nothing (" + says + ")"
	case s.Status == 0:
		return "nothing"
	case says == "":
		return fmt.Sprint(s.Status)
	}
	return fmt.Sprintf("%d (%s)", s.Status, says)
}

func nextTry(next, now time.Time) string {
	if !next.After(now) {
		return ""
	}
	return ", next try in " + max(next.Sub(now).Round(time.Second), time.Second).String()
}

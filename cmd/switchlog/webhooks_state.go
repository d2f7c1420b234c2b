package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"switchlog/processor/deliver"
	"switchlog/processor/deliver/manage"
	"switchlog/projections/engine"
	"switchlog/projections/webhooks"
	"switchlog/schemas"
)

// deliveryStatus is how the outgoing webhooks are.
type deliveryStatus struct {
	Webhooks int      `json:"webhooks"` // enabled
	Due      int      `json:"due"`      // deliveries that wait
	Failed   int      `json:"failed"`   // of those that are kept
	Problems []string `json:"problems"` // webhooks that pass nothing on: disabled, broken, or their receiver takes nothing
	Withheld []string `json:"withheld"` // what enabled webhooks ask for and are not sent, because they are not owner-only
}

func (n *node) deliveries(ctx context.Context) (deliveryStatus, error) {
	s := deliveryStatus{Problems: []string{}, Withheld: []string{}}
	counts, err := n.db.CountDeliveries(ctx)
	if err != nil {
		return s, err
	}
	s.Due, s.Failed = counts[schemas.DeliveryStatusDue], counts[schemas.DeliveryStatusFailed]
	for _, sub := range n.registry.Subscriptions() {
		if sub.Enabled {
			s.Webhooks++
		}
		if _, problem := n.webhookState(sub); problem != "" {
			s.Problems = append(s.Problems, fmt.Sprintf("webhook %s (%s) %s", webhookRef(sub.Name, sub.ID), sub.URL, problem))
		}
		if !sub.Enabled {
			continue
		}
		withheld, err := n.withheld(ctx, sub)
		if err != nil {
			return s, err
		}
		for _, w := range withheld {
			s.Withheld = append(s.Withheld, fmt.Sprintf("webhook %s, %s: %s", webhookRef(sub.Name, sub.ID), w.Event, w.Says))
		}
	}
	return s, nil
}

// withheld is what a webhook asks for and is not sent. While the database is
// rebuilt that is not known, and nothing is said of it.
func (n *node) withheld(ctx context.Context, sub schemas.Subscription) ([]schemas.Withheld, error) {
	list, err := n.db.Withheld(ctx, sub)
	if errors.Is(err, engine.ErrStale) {
		return nil, nil
	}
	return list, err
}

// longFailing is for how long a receiver must have taken nothing before that is
// said although nothing was tried since the start.
const longFailing = 10 * time.Minute

// webhookState is in a word whether anything is passed on to a webhook, and
// why not, with what to do. Nothing: all is well.
func (n *node) webhookState(sub schemas.Subscription) (state, problem string) {
	ref := webhookRef(sub.Name, sub.ID)
	switch {
	case !sub.Enabled && sub.Reason == "":
		return manage.WebhookOff, ""
	case !sub.Enabled:
		why := strings.ReplaceAll(sub.Reason, " ID ", " "+ref+" ") // of hints
		if !strings.Contains(why, "(hint: ") {
			why += " (hint: when it takes webhooks again: switchlog webhook update " + ref + " --enable)"
		}
		return manage.WebhookDisabled, "was disabled: " + why
	}
	if broken := n.brokenWebhook(sub, ref); broken != "" {
		return manage.WebhookBroken, broken
	}
	s, now := n.sender.Sending(sub.ID), time.Now()
	see := "(hint: switchlog webhook deliveries " + ref + ")"
	switch {
	case s.Throttled > 0:
		return manage.WebhookThrottled, fmt.Sprintf("is asked to wait: %s in a row answered %s%s %s", count(s.Throttled, "attempt"), answerOf(s), nextTry(s.Next, now), see)
	case s.Failures > 0:
		return manage.WebhookFailing, fmt.Sprintf("fails: %s in a row, the last answered %s%s %s", count(s.Failures, "attempt"), answerOf(s), nextTry(s.Next, now), see)
	case !s.Since.IsZero() && now.Sub(s.Since) > longFailing:
		return manage.WebhookFailing, fmt.Sprintf("has taken nothing since %s%s %s", s.Since.UTC().Format(time.DateTime)+" UTC", nextTry(s.Next, now), see)
	}
	return manage.WebhookOn, ""
}

// brokenWebhook says why nothing can be passed on to a webhook that is on.
func (n *node) brokenWebhook(sub schemas.Subscription, ref string) string {
	if !slices.ContainsFunc(deliver.Providers(), func(p deliver.Provider) bool { return p.Name == sub.Provider }) {
		return fmt.Sprintf("is broken: this version of switchlog knows no provider %q, so nothing is passed on (hint: a newer version made it; use that)", sub.Provider)
	}
	if err := webhooks.CheckCondition(sub.Condition); err != nil {
		says := strings.TrimPrefix(err.Error(), schemas.ErrInvalid.Error()+": ")
		return fmt.Sprintf("is broken, and nothing is passed on: %s (hint: switchlog webhook update %s --condition '…')", says, ref)
	}
	if _, _, err := n.registry.SubscriptionSecrets(sub.ID); err != nil {
		return "is broken, and nothing is passed on: its address or secret is not on this machine (hint: make it anew, or copy secrets.db)"
	}
	return ""
}

// webhookRef is what a person types for a webhook: its name if it has one.
func webhookRef(name, id string) string {
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

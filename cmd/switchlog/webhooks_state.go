package main

import (
	"context"
	"errors"
	"fmt"

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
		if _, problem := n.webhookStates().Of(sub); problem != "" {
			s.Problems = append(s.Problems, fmt.Sprintf("webhook %s (%s) %s", manage.Ref(sub.Name, sub.ID), sub.URL, problem))
		}
		if !sub.Enabled {
			continue
		}
		withheld, err := n.withheld(ctx, sub)
		if err != nil {
			return s, err
		}
		for _, w := range withheld {
			s.Withheld = append(s.Withheld, fmt.Sprintf("webhook %s, %s: %s", manage.Ref(sub.Name, sub.ID), w.Event, w.Says))
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

// webhookStates say whether anything is passed on to webhooks.
func (n *node) webhookStates() manage.States {
	return manage.States{
		Condition: webhooks.CheckCondition, Sending: n.sender.Sending,
		Secrets: func(id string) error {
			_, _, err := n.registry.SubscriptionSecrets(id)
			return err
		},
	}
}

package manage

import (
	"context"
	"net/http"
	"slices"

	"switchlog/schemas"
)

// latestDeliveries is how many a single webhook is shown with.
const latestDeliveries = 10

func (h *webhooks) events(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	catalogue := schemas.EventCatalogue()
	o := catalogueObject{Categorized: catalogue}
	for _, category := range catalogue {
		for _, event := range category.Events {
			if !slices.Contains(o.Events, event) {
				o.Events = append(o.Events, event)
			}
		}
	}
	reply(w, http.StatusOK, o)
	return nil
}

func (h *webhooks) list(w http.ResponseWriter, r *http.Request, who Caller) error {
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	all := []WebhookObject{}
	for _, d := range h.Registry.SubscriptionRecords() {
		if !who.owns(d) {
			continue
		}
		o, err := h.object(ctx, d)
		if err != nil {
			return err
		}
		_, total, err := h.History.Deliveries(ctx, d.ID, 0, 0)
		if err != nil {
			return err
		}
		o.Count = &WebhookCount{total}
		all = append(all, o)
	}
	reply(w, http.StatusOK, all)
	return nil
}

func (h *webhooks) create(w http.ResponseWriter, r *http.Request, who Caller) error {
	to := wish{kinds: h.Kinds, Subscription: schemas.Subscription{Owner: who.Name, Enabled: true}}
	if err := readWish(w, r, &to, true); err != nil {
		return err
	}
	made, err := h.settle(&to, who)
	if err != nil {
		return err
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	if to.ServerID != nil {
		if _, found, err := h.Server(ctx, to.Tenant, *to.ServerID); err != nil {
			return err
		} else if !found {
			return errNoServer
		}
	}
	s, err := h.Registry.Subscribe(ctx, to.Subscription, to.url, to.secret)
	if err != nil {
		return err
	}
	return h.answerWith(ctx, w, http.StatusCreated, s.ID, made)
}

func (h *webhooks) show(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	o, err := h.object(ctx, d)
	if err != nil {
		return err
	}
	rows, _, err := h.History.Deliveries(ctx, d.ID, latestDeliveries, 0)
	if err != nil {
		return err
	}
	h.showSending(d.ID, rows)
	latest := make([]DeliverySummary, 0, len(rows))
	for _, row := range rows {
		latest = append(latest, Summary(row))
	}
	o.Deliveries = &latest
	reply(w, http.StatusOK, o)
	return nil
}

func (h *webhooks) change(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	to := wish{kinds: h.Kinds, Subscription: d.Subscription, url: d.WholeURL, secret: d.Secret}
	if err := readWish(w, r, &to, false); err != nil {
		return err
	}
	if to.Enabled {
		to.Reason = ""
	}
	if _, err := h.settle(&to, who); err != nil {
		return err
	}
	url := to.url
	if url == d.WholeURL {
		url = "" // as it is
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	if _, err := h.Registry.Resubscribe(ctx, to.Subscription, d.Updated, url); err != nil {
		return err
	}
	return h.answerWith(ctx, w, http.StatusOK, d.ID, "")
}

func (h *webhooks) remove(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	if err := h.Registry.Unsubscribe(ctx, d.ID); err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]bool{"success": true})
	return nil
}

// rotate replaces the secret: by the one that is given, or by a new one, which
// is answered once.
func (h *webhooks) rotate(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	given, err := readTexts(w, r, map[string]int{purposeSecret: maxSecretBytes})
	if err != nil {
		return err
	}
	to := wish{kinds: h.Kinds, Subscription: d.Subscription, url: d.WholeURL, secret: given[purposeSecret]}
	made, err := h.settle(&to, who)
	if err != nil {
		return err
	}
	if to.secret == "" {
		return oneFault(purposeSecret, "Required")
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	if _, err := h.Registry.RotateSubscription(ctx, d.ID, to.secret); err != nil {
		return err
	}
	return h.answerWith(ctx, w, http.StatusOK, d.ID, made)
}

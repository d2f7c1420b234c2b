package manage

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"switchlog/schemas"
)

// WebhookObject is a webhook as the API shows it: StellarStack's members, then
// ours. Times are RFC 3339 in UTC with milliseconds.
type WebhookObject struct {
	ID        string   `json:"id"`
	UserID    string   `json:"userId"`
	ServerID  *string  `json:"serverId"`
	URL       string   `json:"url"`              // what is secret in it is ***
	Secret    *string  `json:"secret,omitempty"` // only in the answer to the command that made it
	Events    []string `json:"events"`
	Provider  string   `json:"provider"`
	Enabled   bool     `json:"enabled"`
	CreatedAt string   `json:"createdAt"`
	UpdatedAt string   `json:"updatedAt"`

	Name           *string           `json:"name"`
	Source         *string           `json:"source"`
	Tenant         *string           `json:"tenant"`
	Condition      *string           `json:"condition"`
	Rate           *float64          `json:"rate"`
	Ordered        bool              `json:"ordered"`
	Debounce       *string           `json:"debounce"` // 20s
	OwnerOnly      bool              `json:"ownerOnly"`
	Template       *string           `json:"template"`
	Options        map[string]string `json:"options"`
	Variables      map[string]string `json:"variables"`
	DisabledReason *string           `json:"disabledReason"`
	State          string            `json:"state"`
	Problem        *string           `json:"problem"`        // what keeps it from passing events on, and what to do
	OldSecretUntil *string           `json:"oldSecretUntil"` // the replaced secret signs too until then

	Withheld   []schemas.Withheld `json:"withheld"` // what it asks for and is not sent, or not whole, because it is not owner-only
	Server     *WebhookServer     `json:"server"`
	Count      *WebhookCount      `json:"_count,omitempty"`     // in lists
	Deliveries *[]DeliverySummary `json:"deliveries,omitempty"` // the latest, of a single one
}

// States of a webhook.
const (
	WebhookOn        = "on"
	WebhookOff       = "off"       // a person switched it off
	WebhookDisabled  = "disabled"  // switchlog did: disabledReason says why
	WebhookBroken    = "broken"    // nothing can be passed on, for a reason of ours
	WebhookFailing   = "failing"   // the receiver takes nothing
	WebhookThrottled = "throttled" // the receiver asks to wait
)

// WebhookServer is the Discord server that a webhook was made for.
type WebhookServer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// WebhookCount is of what there is of a webhook.
type WebhookCount struct {
	Deliveries int `json:"deliveries"` // finished and waiting ones
}

// DeliverySummary is a delivery less payload, response and webhookId.
type DeliverySummary struct {
	ID          string  `json:"id"`
	Event       string  `json:"event"`
	StatusCode  *int    `json:"statusCode"`
	Attempts    int     `json:"attempts"`
	DeliveredAt *string `json:"deliveredAt"`
	CreatedAt   string  `json:"createdAt"`

	Status        string  `json:"status"`
	Kind          string  `json:"kind"`
	NextAttemptAt *string `json:"nextAttemptAt"`
}

// Summary is the delivery in short.
func Summary(d schemas.DeliveryRecord) DeliverySummary {
	return DeliverySummary{
		ID: d.ID, Event: d.Event, StatusCode: d.StatusCode, Attempts: d.Attempts, DeliveredAt: d.DeliveredAt,
		CreatedAt: d.CreatedAt, Status: d.Status, Kind: d.Kind, NextAttemptAt: d.NextAttemptAt,
	}
}

// object shows a webhook.
func (h *webhooks) object(ctx context.Context, d schemas.SubscriptionRecord) (WebhookObject, error) {
	o := WebhookObject{
		ID: d.ID, UserID: d.Owner, ServerID: d.ServerID, URL: d.URL, Events: d.Events, Provider: d.Provider, Enabled: d.Enabled,
		CreatedAt: milliseconds(d.Created), UpdatedAt: milliseconds(d.Updated),
		Name: orNull(d.Name), Source: orNull(d.Source), Tenant: orNull(d.Tenant), Condition: orNull(d.Condition),
		Ordered: d.Ordered, OwnerOnly: d.OwnerOnly, Template: orNull(d.Template), Options: d.Options, Variables: d.Variables,
		DisabledReason: orNull(d.Reason),
	}
	state, problem := h.State(d.Subscription)
	o.State, o.Problem = state, orNull(problem)
	withheld, err := h.Withheld(ctx, d.Subscription)
	if err != nil {
		return o, err
	}
	o.Withheld = append([]schemas.Withheld{}, withheld...)
	if d.Rate > 0 {
		o.Rate = &d.Rate
	}
	if d.DebounceS > 0 {
		o.Debounce = orNull((time.Duration(d.DebounceS) * time.Second).String())
	}
	if o.Options == nil {
		o.Options = map[string]string{}
	}
	if o.Variables == nil {
		o.Variables = map[string]string{}
	}
	if h.Now().Before(d.OldSecretUntil) {
		until := milliseconds(d.OldSecretUntil)
		o.OldSecretUntil = &until
	}
	if d.ServerID != nil {
		name, found, err := h.Server(ctx, d.Tenant, *d.ServerID)
		if err != nil {
			return o, err
		}
		if found {
			o.Server = &WebhookServer{*d.ServerID, name}
		}
	}
	return o, nil
}

// answerWith answers a command that was carried out: it shows the webhook as it is now. The name
// of a server that cannot be looked up any more is left out: the command was carried out all the
// same, and its secret is answered only here.
func (h *webhooks) answerWith(ctx context.Context, w http.ResponseWriter, status int, id, secret string) error {
	d, err := h.Registry.SubscriptionRecord(id)
	if err != nil {
		return err
	}
	o, err := h.object(ctx, d)
	if err != nil {
		h.Log.Warn("a webhook command was carried out, and is answered without the server's name", "err", err)
	}
	o.Secret = orNull(secret)
	reply(w, status, o)
	return nil
}

// catalogueObject keeps the order of the categories, which a map does not.
type catalogueObject struct {
	Events      []string             `json:"events"`
	Categorized categorizedCatalogue `json:"categorized"`
}

type categorizedCatalogue []schemas.EventCategory

// MarshalJSON writes an object with a member for each category.
func (c categorizedCatalogue) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, category := range c {
		if i > 0 {
			b.WriteByte(',')
		}
		events, err := json.Marshal(category.Events)
		if err != nil {
			return nil, err
		}
		b.WriteString(`"` + category.Name + `":`)
		b.Write(events)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func milliseconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

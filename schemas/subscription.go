package schemas

import (
	"encoding/json"
	"time"
)

// A subscription is an outgoing webhook: a person asked that some events be
// posted to some URL. The management API calls it a webhook. What was asked for
// are events of the registry; its URL and secrets are in them by reference
// only. What is due follows from them and from the log; what was sent are
// events again, so that a rebuild knows it without sending anything.
const (
	SubscriptionCreated = "switchlog.subscription.created"
	SubscriptionUpdated = "switchlog.subscription.updated"
	SubscriptionDeleted = "switchlog.subscription.deleted"

	DeliveryRequested = "switchlog.delivery.requested"
	DeliveryAttempted = "switchlog.delivery.attempted"
)

// Providers: what a destination understands.
const (
	ProviderStandard    = "standard"    // Standard Webhooks, signed
	ProviderCloudEvents = "cloudevents" // structured JSON mode
	ProviderDiscord     = "discord"     // a Discord channel webhook
	ProviderBotGhost    = "botghost"    // a BotGhost webhook: variables
	ProviderNtfy        = "ntfy"        // a push notification
)

// Limits of what may be asked for of a subscription. Who takes it, who shows it
// and who sends by it have the same.
const (
	MaxURLBytes       = 2048
	MaxConditionBytes = 2000
	MaxTemplateBytes  = 4000
	MaxVariables      = 50  // and as many options
	MaxRate           = 100 // attempts a second
)

// SubscriptionGone is the data of SubscriptionDeleted.
type SubscriptionGone struct {
	ID string `json:"id"`
	By string `json:"by,omitempty"` // who gave the command, see ReaderEvent; empty: switchlog itself
}

// Subscription is the data of SubscriptionCreated and, whole again, of
// SubscriptionUpdated. SubscriptionDeleted carries the ID and By. Nothing of it
// is secret.
type Subscription struct {
	ID    string `json:"id"`              // a UUIDv7
	Owner string `json:"owner,omitempty"` // name of the reader who made it
	By    string `json:"by,omitempty"`    // who gave this command, see ReaderEvent; empty: switchlog itself
	Name  string `json:"name,omitempty"`  // for people

	Provider string            `json:"provider,omitempty"`
	URL      string            `json:"url,omitempty"`     // fit to be shown: what is secret in it is "***"
	Secrets  map[string]string `json:"secrets,omitempty"` // purpose ("url", "secret", "old_secret") → reference into secrets.db
	Sealed   map[string]string `json:"sealed,omitempty"`  // reference → the new secret, sealed for the nodes that share the key
	OldUntil string            `json:"old_until,omitempty"`

	// Events are names of the catalogue ("front.changed"), whole types
	// ("me.pluralkit.switch.create"), or globs of either ("switch.*"); see
	// MatchEvent. The others narrow it further; empty: no limit.
	Events    []string `json:"events,omitempty"`
	Source    string   `json:"source,omitempty"`    // kind of source: pluralkit
	Tenant    string   `json:"tenant,omitempty"`    // one tenant's events only
	ServerID  *string  `json:"server_id,omitempty"` // one StellarStack server's events only
	Condition string   `json:"condition,omitempty"` // CEL, see package condition

	Enabled bool   `json:"enabled"`
	Reason  string `json:"disabled_reason,omitempty"` // why we disabled it; empty: a person did

	Rate      float64           `json:"rate,omitempty"`       // attempts a second at most; 0: what the provider takes
	Ordered   bool              `json:"ordered,omitempty"`    // one tenant's events one after another
	DebounceS int               `json:"debounce_s,omitempty"` // seconds for which a change waits for later ones of the same subject; 0: it does not
	OwnerOnly bool              `json:"owner_only,omitempty"` // it may have what members keep private
	Template  string            `json:"template,omitempty"`   // of the text, where the provider takes text
	Options   map[string]string `json:"options,omitempty"`    // the provider's own: username, thread_id, title, priority
	Variables map[string]string `json:"variables,omitempty"`  // BotGhost: placeholder → where in the event
}

// SubscriptionRecord is a subscription as the registry has it now. WholeURL and
// Secret are secret: they are never logged, stored or answered.
type SubscriptionRecord struct {
	Subscription
	Created, Updated time.Time
	OldSecretUntil   time.Time // zero: there is no old secret
	WholeURL         string    // where to send; empty: it is not on this machine
	Secret           string    // the current one; empty: there is none, or it is not on this machine
}

// Delivery kinds: why there is a delivery.
const (
	DeliveryLive   = "live"   // the event happened
	DeliveryRetry  = "retry"  // a person asked for one more attempt: one, and no more
	DeliveryReplay = "replay" // a person asked for a range of the log again
	DeliveryTest   = "test"   // a person asked for a trial; nothing of it is kept
)

// Delivery is one event on its way to one subscription.
type Delivery struct {
	ID        string // a UUID that follows from subscription and event; of a retry or replay: its own
	MessageID string // the same for every attempt, retry and replay of this event here: the receiver's key against doubles
	Webhook   string // the subscription
	Kind      string

	Seq   uint64 // log sequence of the event, or of the one that caused the change
	N     int    // 0: the event itself; from 1: the changes it caused
	Event Event  // as the receiver may see it

	Attempts int       // made so far
	Created  time.Time // of the event: when it was accepted
	Due      time.Time // when the next attempt may be made
}

// Due is what a sender has to do for one subscription.
type Due struct {
	Deliveries   []Delivery // in the order they should be made
	Next         time.Time  // when there will be more, if nothing else happens; zero: nothing waits
	FailingSince time.Time  // of the first failure since the last success; zero: the last attempt went well
}

// DeliveryRequest is the data of DeliveryRequested: an event of the log is to
// be sent once more, with all retries.
type DeliveryRequest struct {
	Webhook   string          `json:"webhook"`
	Delivery  string          `json:"delivery"` // its ID
	MessageID string          `json:"message_id"`
	Kind      string          `json:"kind"` // DeliveryReplay
	Seq       uint64          `json:"seq"`
	N         int             `json:"n"`
	Event     json.RawMessage `json:"event"` // the CloudEvent in structured JSON mode, as the receiver may see it
	Route     string          `json:"route"` // its subject in the log: the envelope does not say it
	Due       string          `json:"due"`   // RFC 3339
}

// Outcomes of an attempt.
const (
	OutcomeDelivered = "delivered" // 2xx
	OutcomeFailed    = "failed"    // it will be tried again at RetryAt
	OutcomeExhausted = "exhausted" // it failed, and was the last attempt
	OutcomeRefused   = "refused"   // the receiver will never take it: not tried again
)

// MaxResponseChars is how much of an answer is kept: characters, not bytes.
const MaxResponseChars = 5000

// DeliveryAttempt is the data of DeliveryAttempted. The event's ID is
// {delivery}.{attempt}, so that noting an attempt twice changes nothing.
type DeliveryAttempt struct {
	Webhook  string          `json:"webhook"`
	Delivery string          `json:"delivery"`
	Kind     string          `json:"kind"`
	Of       string          `json:"of,omitempty"` // of a retry: the delivery it repeats
	Attempt  int             `json:"attempt"`      // from 1
	At       string          `json:"at"`           // RFC 3339: when it began
	Duration int64           `json:"duration_ms"`
	Outcome  string          `json:"outcome"`
	Status   int             `json:"status,omitempty"` // HTTP; 0: there was no answer
	Response string          `json:"response"`         // the beginning of the answer's body, or why there was none
	Request  DeliveryDetails `json:"request"`
	RetryAt  string          `json:"retry_at,omitempty"` // RFC 3339, of OutcomeFailed
}

// DeliveryDetails is what was asked of the receiver, less secrets.
type DeliveryDetails struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"` // as in Subscription.URL
	Headers map[string]string `json:"headers"`
	Bytes   int               `json:"bytes"` // of the body
}

// EventName is what the catalogue calls an event: its noun and verb, like
// front.changed, switch.create or server.started.
func (r Route) EventName() string { return r.Noun + "." + r.Verb }

// MatchEvent reports whether an event is meant by one of a subscription's
// Events: its name in the catalogue, its whole type, or a glob of either. What
// tells of subscriptions and deliveries themselves is never meant: it would
// go round in a circle.
func MatchEvent(pattern string, typ string, r Route) bool {
	if r.Source == SelfSource && r.Noun != "source" {
		return false
	}
	return pattern != "" && (MatchType(pattern, typ) || MatchType(pattern, r.EventName()))
}

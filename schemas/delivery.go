package schemas

import (
	"encoding/base64"
	"encoding/json"

	"github.com/google/uuid"
)

// Statuses of a delivery.
const (
	DeliveryStatusDue       = "due"       // it waits for an attempt
	DeliveryStatusDelivered = "delivered" // the receiver has it
	DeliveryStatusFailed    = "failed"    // the last attempt failed: there is no further one
	DeliveryStatusRefused   = "refused"   // the receiver will never take it
	DeliveryStatusCancelled = "cancelled" // it was called off before it got there; response says why
)

// DeliveryRecord is a delivery as history shows it. Its first members are
// those of StellarStack's delivery object, under its names; the others are
// ours. Times are RFC 3339 in UTC with milliseconds.
type DeliveryRecord struct {
	ID          string          `json:"id"`
	WebhookID   string          `json:"webhookId"`
	Event       string          `json:"event"`       // name in the catalogue: front.changed
	Payload     json.RawMessage `json:"payload"`     // as DeliveryPayload makes it
	StatusCode  *int            `json:"statusCode"`  // of the last answer; null: there was none
	Response    *string         `json:"response"`    // the beginning of the last answer, or why there was none
	Attempts    int             `json:"attempts"`    // made so far
	DeliveredAt *string         `json:"deliveredAt"` // null: the receiver never said 2xx
	CreatedAt   string          `json:"createdAt"`

	Status        string           `json:"status"`
	Kind          string           `json:"kind"`
	EventID       string           `json:"eventId"`
	Tenant        string           `json:"tenant"`
	Source        string           `json:"source"` // kind of the source: pluralkit
	Seq           uint64           `json:"seq"`    // of the event in the log, or of the one that caused the change
	NextAttemptAt *string          `json:"nextAttemptAt"`
	DurationMS    *int64           `json:"durationMs"` // of the last attempt
	Request       *DeliveryDetails `json:"request"`    // of the last attempt
}

// DeliveryID is the ID of the delivery of an event to a webhook, and the
// MessageID of all that repeat it: a UUID (version 5) that follows from the
// two, so that the same event is the same delivery, whenever it is matched.
func DeliveryID(webhook string, e Event) string {
	return uuid.NewSHA1(deliverySpace, []byte(webhook+"\n"+e.MsgID())).String()
}

var deliverySpace = uuid.MustParse("5d4f7a54-7f0c-5b1e-9a35-6a1d7c1b0e42")

// DeliveryPayload is what history shows of what was sent, and the body of a
// delivery in the format "standard": a JSON object on one line with the
// members event (name in the catalogue), type, timestamp, id, source (kind),
// tenant, subject if it has one, and data, or data_base64 if that is no text.
func DeliveryPayload(e Event) []byte {
	b := make([]byte, 0, 256+len(e.Data))
	b = appendText(b, "event", e.Route.EventName())
	b[0] = '{' // it begins with a comma
	b = appendText(b, "type", e.Type)
	b = appendText(b, "timestamp", FormatTime(e.Time))
	b = appendText(b, "id", e.ID)
	b = appendText(b, "source", e.Route.Source)
	b = appendText(b, "tenant", e.Route.Tenant)
	if e.Subject != "" {
		b = appendText(b, "subject", e.Subject)
	}
	switch {
	case e.Binary != nil:
		b = append(b, `,"data_base64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, e.Binary), '"')
	case e.Data != nil:
		b = append(append(b, `,"data":`...), e.Data...)
	default:
		b = append(b, `,"data":null`...)
	}
	return append(b, '}')
}

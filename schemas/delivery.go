package schemas

import (
	"encoding/base64"
	"encoding/json"
	"time"

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

// Sending is how the sending to one subscription goes, as its sender knows it
// since it was started. It shows what the log does not have: answers that asked
// to wait are no attempts and are not noted, and what waits behind a receiver
// that fails is not tried at its own time.
type Sending struct {
	Since     time.Time          // of the first failure since the last success, from the log; zero: there is none
	Failures  int                // attempts in a row that failed
	Throttled int                // answers of "too many requests" in a row
	Status    int                // HTTP, of the last answer that was no success; 0: there was none
	Response  string             // its beginning, or why there was none
	Next      time.Time          // nothing is sent before; zero: nothing keeps it from being sent
	Waiting   map[string]Waiting // by delivery: those that were asked to wait
}

// Waiting is a delivery whose receiver answered "too many requests".
type Waiting struct {
	Answers  int // of that kind, since its last attempt that was noted
	Response string
	At       time.Time // of the last
}

// Fails reports whether the receiver takes nothing at the moment.
func (s Sending) Fails() bool { return s.Failures > 0 || s.Throttled > 0 }

// Show puts into a record of history what the log does not have of it.
func (s Sending) Show(d *DeliveryRecord, now time.Time) {
	if d.Status != DeliveryStatusDue {
		return
	}
	if w, ok := s.Waiting[d.ID]; ok {
		code := tooManyRequests
		d.StatusCode, d.Response, d.Attempts = &code, &w.Response, d.Attempts+w.Answers
	}
	if d.NextAttemptAt == nil || !s.Next.After(now) {
		return
	}
	if next, err := ParseTime(*d.NextAttemptAt); err == nil && next < s.Next.UnixMicro() {
		text := s.Next.UTC().Format(milliseconds)
		d.NextAttemptAt = &text
	}
}

const (
	tooManyRequests = 429
	milliseconds    = "2006-01-02T15:04:05.000Z07:00"
)

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

package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/uuid"
)

// ErrInvalid is wrapped by every error that says "these bytes are not what
// their type promises". The caller's answer is to refuse (at the edge) or to
// set the event aside (in a fold); trying again does not help.
var ErrInvalid = errors.New("invalid")

// What a caller decides on when what it asked for cannot be had or done.
var (
	ErrConflict = errors.New("conflict")
	ErrNotFound = errors.New("not found")

	// ErrUncertain: a command was refused and could not be undone: the next start
	// may carry it out.
	ErrUncertain = errors.New("refused, but not undone")
)

// Origin says which door an event came in by. It is the CloudEvents extension
// "origin".
type Origin string

// The origins there are.
const (
	OriginWebhook Origin = "webhook" // a provider told us
	OriginAPI     Origin = "api"     // we asked a provider
	OriginImport  Origin = "import"  // a person gave us a file
	OriginCommand Origin = "command" // a person told switchlog to do something
)

// Event is a CloudEvent 1.0. Its data is JSON, but for what a sender of
// CloudEvents says is not.
//
// The ID is fixed when the event is accepted and never changes (Law 3): the
// provider's delivery id or natural key where it has one, else a UUIDv7.
type Event struct {
	ID         string
	Source     string    // URI of whose event it is, e.g. https://api.pluralkit.me/v2/systems/{uuid}
	Type       string    // e.g. me.pluralkit.switch.create
	Subject    string    // the entity's id; empty if the event is about no single one
	Time       time.Time // when we accepted it: UTC, microseconds
	DataSchema string    // id of a schema in this package; empty if the type is unknown
	Origin     Origin
	Extensions map[string]any  // other extension attributes: string, bool or int32 each
	Data       json.RawMessage // what the provider sent as data, less secrets; nil: no data, or Binary

	// DataContentType is the media type of the data as its sender wrote it;
	// empty: application/json. If it is no JSON, Data is a JSON string with the
	// text.
	DataContentType string

	// Binary is data that is not text, data_base64 on the wire; nil: none. An
	// event has Data or Binary, not both.
	Binary []byte

	// Route is where the event travels. It is not an attribute of the event:
	// on the wire it is the subject.
	Route Route

	// Repeats says for how long the sender may send the same ID again; until
	// then a second event with it is the same event, and dropped. Zero: the
	// ID is new. It is not encoded.
	Repeats time.Duration
}

// Recorded is an event with its position: Seq is its sequence in the log,
// from 1, without gaps but for erased events.
type Recorded struct {
	Event
	Seq uint64

	// Fault is set, and Event holds no more than what could be read, if the
	// stored bytes are not an event. Such a message is noted as skipped.
	Fault error
}

// NewID returns a new event ID: a UUIDv7, so that IDs sort roughly by time.
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic("schemas: no randomness: " + err.Error()) // the kernel's generator does not fail
	}
	return id.String()
}

// MsgID is the Nats-Msg-Id an event is stored under: {source}/{tenant}/{id}.
// Two senders may use the same id, so the id alone is not unique.
//
// Of CloudEvents only source and id together are unique, so the sender's own
// source stands before the id. A slash in such an id is written %2F, and %
// %25: a/b + c and a + b/c stay apart. Spaces at its end are written %20, for a
// header's value is cut there.
func (e Event) MsgID() string {
	if e.Route.Source == CloudEvents {
		bare := strings.TrimRight(e.ID, " ")
		return e.Route.Source + "/" + e.Route.Tenant + "/" + e.Source + "/" + idEscaper.Replace(bare) +
			strings.Repeat("%20", len(e.ID)-len(bare))
	}
	return e.Route.Source + "/" + e.Route.Tenant + "/" + e.ID
}

var idEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// CloudEvent returns the event in the CloudEvents SDK's form, for code that
// speaks to the world through the SDK. The SDK takes data of a type like
// application/vnd.example+json for text: in structured mode such an event is
// right only by MarshalJSON.
func (e Event) CloudEvent() (cloudevents.Event, error) {
	ce := cloudevents.New(cloudevents.CloudEventsVersionV1)
	ce.SetID(e.ID)
	ce.SetSource(e.Source)
	ce.SetType(e.Type)
	if e.Subject != "" {
		ce.SetSubject(e.Subject)
	}
	if of, is := ce.Context.(*cloudevents.EventContextV1); is && ce.Validate() == nil {
		of.ID = e.ID // the setters cut spaces off, of which two ids may differ
		if of.Subject != nil {
			of.Subject = &e.Subject
		}
	}
	if !e.Time.IsZero() {
		ce.SetTime(e.Time)
	}
	if e.DataSchema != "" {
		ce.SetDataSchema(e.DataSchema)
	}
	if e.Origin != "" {
		ce.SetExtension("origin", string(e.Origin))
	}
	for name, value := range e.Extensions {
		ce.SetExtension(name, value)
	}
	if data, has, err := e.dataBytes(); err != nil {
		return ce, err
	} else if has {
		if err := ce.SetData(e.mediaType(), data); err != nil {
			return ce, fmt.Errorf("%w: data: %w", ErrInvalid, err)
		}
		ce.DataBase64 = e.Binary != nil // the SDK takes all bytes for binary
	}
	if err := ce.Validate(); err != nil {
		return ce, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return ce, nil
}

// Validate reports whether the event is a CloudEvent by the SDK's judgement.
func (e Event) Validate() error {
	_, err := e.CloudEvent()
	return err
}

// Decode reads an event's data into the payload type of its event type.
// Unknown members are fine: providers add them. A wrong type is ErrInvalid.
func Decode[T any](e Event) (T, error) {
	var v T
	if len(e.Data) == 0 {
		return v, fmt.Errorf("%w: %s: no data", ErrInvalid, e.Type)
	}
	if r, itself := any(&v).(reader); itself {
		if err := r.read(e.Data); err != nil {
			return v, fmt.Errorf("%s: %w", e.Type, err)
		}
		return v, nil
	}
	if err := json.Unmarshal(e.Data, &v); err != nil {
		return v, fmt.Errorf("%w: %s: %w", ErrInvalid, e.Type, err)
	}
	return v, nil
}

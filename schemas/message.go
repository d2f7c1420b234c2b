package schemas

import "errors"

// ErrLogDamaged is wrapped by every error that says the log is missing,
// shorter than the anchor or different at it. Only a person can decide what
// to do: nothing may be created, truncated or sent until then.
var ErrLogDamaged = errors.New("log damaged")

// Message is an event as it travels: encoded once, when it is accepted, and
// the same bytes in the spool, the log, a replay and a subscription.
type Message struct {
	Subject string // in the log: log.events.{source}.{tenant}.{noun}.{verb}
	ID      string // Nats-Msg-Id
	Body    []byte // the CloudEvent in structured JSON mode
}

// Spooled is a message that waits in a spool. Positions rise by one for each
// accepted event and are never used again.
type Spooled struct {
	Message
	Pos uint64
}

// Message encodes the event.
func (e Event) Message() (Message, error) {
	body, err := e.MarshalJSON()
	if err != nil {
		return Message{}, err
	}
	return Message{Subject: e.Route.LogSubject(), ID: e.MsgID(), Body: body}, nil
}

// Anchor is what we remember of the log outside the log, so that one that was
// lost, cut short or replaced is noticed and never silently begun again.
type Anchor struct {
	Epoch string // made when the stream was first created; empty: no log was ever seen
	Seq   uint64 // the last sequence we know of
	ID    string // the Nats-Msg-Id stored there; empty if Seq is 0
	Count uint64 // messages up to and including Seq that should be there
}

// Position is how far a projection has read the log. It is checked on resume:
// the log must still be the same one and hold that event at that sequence.
type Position struct {
	Epoch string
	Seq   uint64
	ID    string // id of the event at Seq; empty if Seq is 0
}

// Outgoing is one entry of the outbox: something a fold decided that others
// should hear of. Entries are sent in the order of (Seq, N), each once.
type Outgoing struct {
	Seq uint64 // log sequence of the event that caused it
	N   int    // counts the entries of one cause, from 0

	// Change is the change event to publish below log.changes; nil when only
	// the bucket entry changes.
	Change *Message

	// FrontersKey and Fronters, if the key is not empty, are the new entry of
	// the FRONTERS bucket: the tenant and who fronts there, as JSON.
	FrontersKey string
	Fronters    []byte
}

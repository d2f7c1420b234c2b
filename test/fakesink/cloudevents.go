package fakesink

import (
	"mime"
	"net/http"

	"switchlog/schemas"
)

// CloudEvents is a receiver of structured JSON.
type CloudEvents struct {
	Sink
	Token string // empty: anybody may send
}

// NewCloudEvents makes a receiver.
func NewCloudEvents(t TB) *CloudEvents { return &CloudEvents{Sink: newSink(t)} }

func (c *CloudEvents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != schemas.ContentType {
		c.misused(w, 415, "", "cloudevents: content type %q", r.Header.Get("Content-Type"))
		return
	}
	if c.Token != "" && r.Header.Get("Authorization") != "Bearer "+c.Token {
		answer(w, 401, "")
		return
	}
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	var e schemas.Event
	if err := e.UnmarshalJSON(body); err != nil {
		c.misused(w, 400, "", "cloudevents: %v in %s", err, body)
		return
	}
	if err := e.Validate(); err != nil {
		c.misused(w, 400, "", "cloudevents: by the SDK: %v in %s", err, body)
		return
	}
	c.take(e.Source+" "+e.ID, body)
	w.WriteHeader(204)
}

package fakesink

import (
	"encoding/json"
	"net/http"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Standard is a receiver that verifies with the reference library, and keeps
// the id against doubles.
type Standard struct {
	Sink
	Secret string
}

// NewStandard makes a receiver that knows one secret.
func NewStandard(t TB, secret string) *Standard { return &Standard{newSink(t), secret} }

func (s *Standard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	wh, err := standardwebhooks.NewWebhook(s.Secret)
	if err != nil {
		s.misused(w, 500, "", "standard: the test's own secret: %v", err)
		return
	}
	if err := wh.Verify(body, r.Header); err != nil {
		s.misused(w, 401, "", "standard: %v, in %v", err, r.Header)
		return
	}
	var m map[string]json.RawMessage
	id := r.Header.Get("Webhook-Id")
	if err := json.Unmarshal(body, &m); err != nil || m["type"] == nil || m["timestamp"] == nil || m["data"] == nil || strings.Contains(id, ".") {
		s.misused(w, 400, "", "standard: id %q, %v in %s", id, err, body)
		return
	}
	s.take(id, body)
	w.WriteHeader(204)
}

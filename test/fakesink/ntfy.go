package fakesink

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// Ntfy is a server with one topic.
type Ntfy struct {
	Sink
	Topic string
	Token string // empty: anybody may publish
}

// NewNtfy makes a server.
func NewNtfy(t TB) *Ntfy { return &Ntfy{Sink: newSink(t), Topic: "our-front"} }

var topic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

func (n *Ntfy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		n.misused(w, 404, `{"code":40401,"http":404,"error":"page not found"}`, "ntfy: %s %s; JSON goes to the root", r.Method, r.URL)
		return
	}
	if n.Token != "" && r.Header.Get("Authorization") != "Bearer "+n.Token {
		answer(w, 403, `{"code":40301,"http":403,"error":"forbidden"}`)
		return
	}
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	var m struct {
		Topic, Title, Message, Click string
		Priority                     int
		Tags                         []string
	}
	switch err := json.Unmarshal(body, &m); {
	case err != nil:
		n.misused(w, 400, `{"code":40024,"http":400,"error":"invalid request: request body must be valid JSON"}`, "ntfy: %v in %s", err, body)
	case !topic.MatchString(m.Topic) || m.Topic != n.Topic:
		n.misused(w, 400, `{"code":40009,"http":400,"error":"invalid request: topic invalid"}`, "ntfy: topic %q", m.Topic)
	case m.Priority < 0 || m.Priority > 5:
		n.misused(w, 400, `{"code":40007,"http":400,"error":"invalid priority parameter"}`, "ntfy: priority %d", m.Priority)
	case len(m.Message) > 4096 || strings.TrimSpace(m.Message) == "":
		n.misused(w, 400, `{"code":40014,"http":400,"error":"invalid request: attachments not allowed"}`, "ntfy: message of %d bytes", len(m.Message))
	default:
		n.take(string(body), body)
		answer(w, 200, `{"id":"hwQ2YpKdmg","time":1790000000,"event":"message","topic":"***"}`)
	}
}

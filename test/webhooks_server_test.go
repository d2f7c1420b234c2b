package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"switchlog/test/fakesink"
)

// panel is a StellarStack panel that signs.
type panel struct {
	s      *server
	secret string
}

func (p panel) send(event, server, name string) {
	p.s.t.Helper()
	body := fmt.Sprintf(`{"event":%q,"timestamp":"2026-03-14T09:01:40.123Z","server":{"id":%q,"name":%q,"status":"STARTING"}}`, event, server, name)
	mac := hmac.New(sha256.New, []byte(p.secret))
	mac.Write([]byte(body))
	header := http.Header{"X-Webhook-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "X-Webhook-Event": {event}, "X-Webhook-Delivery": {uuid.NewString()}}
	if status, answer := p.s.ask("POST", p.s.Public+"/in/stellarstack/panel", header, body); status != 200 {
		p.s.t.Fatalf("%s: got %d %s", event, status, answer)
	}
}

// TestWebhookOfOneServer: a webhook for one server of a panel hears of that one
// alone. When its receiver is gone for good it is switched off, and status says
// why; a person switches it on again.
func TestWebhookOfOneServer(t *testing.T) {
	var answerWith, calls atomic.Int32
	answerWith.Store(200)
	receiver := fakesink.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(int(answerWith.Load()))
	}))
	s := start(t, t.TempDir(), "--deliver-allow", "127.0.0.0/8")
	p := panel{s, s.secret(strings.Repeat("0123456789abcdef", 4))}
	s.cli(p.secret, "source", "add", "stellarstack", "panel", "--secret-file", "-")
	s.ready()
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	p.send("server.created", one, "demo")
	s.settled()

	for _, unknown := range []string{`"serverId":"` + two + `"`, `"serverId":"` + one + `","tenant":"another"`} {
		if status, body := s.manage(s.token(), "POST", "/api/webhooks", `{"url":"`+receiver+`","events":["server.*"],`+unknown+`}`); status != 404 {
			t.Errorf("%s: got %d %s, want 404", unknown, status, body)
		}
	}
	id := s.makeWebhook(`{"url":"` + receiver + `","events":["server.*"],"serverId":"` + one + `","name":"demo"}`)
	if _, body := s.manage(s.token(), "GET", "/api/webhooks/"+id, ""); !strings.Contains(string(body), `"server":{"id":"`+one+`","name":"demo"}`) {
		t.Errorf("the webhook: got %s, want its server", body)
	}
	p.send("server.started", two, "other")
	p.send("server.started", one, "demo")
	delivery := s.awaitDelivered(id)
	s.settled()
	if _, body := s.manage(s.token(), "GET", "/api/webhooks/"+id+"/deliveries/"+delivery, ""); calls.Load() != 1 ||
		!strings.Contains(string(body), `"event":"server.started"`) || !strings.Contains(string(body), one) {
		t.Errorf("%d deliveries, the last %s; want 1 of server.started", calls.Load(), body)
	}

	answerWith.Store(http.StatusGone)
	p.send("server.stopped", one, "demo")
	await(t, "the webhook is switched off", func() bool { return strings.Contains(s.cli("", "status"), "was disabled: ") })
	if out := s.cli("", "webhook", "list"); !strings.Contains(out, "DISABLED") {
		t.Errorf("list: got %s, want DISABLED", out)
	}
	if out, _, _ := s.try("", "doctor", "--quick"); !strings.Contains(out, "was disabled: ") {
		t.Errorf("doctor: got %s, want the webhook that was disabled", out)
	}
	answerWith.Store(200)
	if out := s.cli("", "webhook", "update", "demo", "--enable"); strings.Contains(out, "why") {
		t.Errorf("switched on again: got %s, want no reason any more", out)
	}
	p.send("server.restarted", one, "demo")
	s.awaitDelivered(id)
	Check(s)
}

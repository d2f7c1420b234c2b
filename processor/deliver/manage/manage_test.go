package manage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchlog/processor/deliver/manage"
	"switchlog/schemas"
)

const (
	discordURL   = "https://discord.com/api/webhooks/1150000000000000012/example-channel-token"
	discordShown = "https://discord.com/api/webhooks/1150000000000000012/***"
	givenSecret  = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// fakeHistory has three deliveries of every webhook.
type fakeHistory struct {
	err  error
	next *string // of those that are due
}

func (h *fakeHistory) rows(webhook string) []schemas.DeliveryRecord {
	status, response, at := 503, "busy", "2026-03-01T12:00:01.000Z"
	return []schemas.DeliveryRecord{
		{NextAttemptAt: h.next, ID: "d3", WebhookID: webhook, Event: "front.changed", Payload: json.RawMessage(`{"event":"front.changed"}`), CreatedAt: at, Status: "due", Kind: "live"},
		{NextAttemptAt: h.next, ID: "d2", WebhookID: webhook, Event: "front.changed", Payload: json.RawMessage(`{}`), StatusCode: &status, Response: &response, Attempts: 2, CreatedAt: at, Status: "due", Kind: "live"},
		{ID: "d1", WebhookID: webhook, Event: "switch.create", Payload: json.RawMessage(`{}`), DeliveredAt: &at, CreatedAt: at, Status: "delivered", Kind: "live"},
	}
}

func (h *fakeHistory) Deliveries(_ context.Context, webhook string, limit, offset int) ([]schemas.DeliveryRecord, int, error) {
	rows := h.rows(webhook)
	rows = rows[min(offset, len(rows)):]
	return rows[:min(limit, len(rows))], 3, h.err
}

func (h *fakeHistory) Delivery(_ context.Context, webhook, id string) (schemas.DeliveryRecord, error) {
	for _, row := range h.rows(webhook) {
		if row.ID == id {
			return row, h.err
		}
	}
	return schemas.DeliveryRecord{}, fmt.Errorf("%w: delivery", schemas.ErrNotFound)
}

func (h *fakeHistory) DeliveryAgain(ctx context.Context, webhook, id string) (schemas.Delivery, error) {
	_, err := h.Delivery(ctx, webhook, id)
	return schemas.Delivery{ID: "again-" + id, Webhook: webhook, Kind: schemas.DeliveryRetry}, err
}

// fakeAttempts answers every attempt with one status; 0: nobody is there.
type fakeAttempts struct {
	status int
	made   []schemas.Delivery
	of     []string
}

func (a *fakeAttempts) Once(_ context.Context, d schemas.Delivery, of string) (schemas.DeliveryAttempt, error) {
	a.made, a.of = append(a.made, d), append(a.of, of)
	out := schemas.DeliveryAttempt{Outcome: schemas.OutcomeDelivered, Status: a.status}
	if a.status != 200 {
		out.Outcome, out.Response = schemas.OutcomeFailed, "nobody is there"
	}
	return out, nil
}

// fakeStored has so many front changes.
type fakeStored struct {
	events int
	data   json.RawMessage // of each; nil: {}
}

func (p *fakeStored) Matching(_ context.Context, s schemas.Subscription, from, to string, fn func(uint64, int, schemas.Event) error) error {
	if from == "soon" {
		return fmt.Errorf("%w: from is no time", schemas.ErrInvalid)
	}
	data := p.data
	if data == nil {
		data = json.RawMessage(`{}`)
	}
	for n := range p.events {
		e := schemas.Event{ID: fmt.Sprint("e", n), Source: "urn:x", Type: schemas.FrontChanged, Data: data,
			Route: schemas.Route{Source: schemas.PluralKit, Tenant: testSystem, Noun: "front", Verb: "changed"}}
		if err := fn(uint64(n+1), 1, e); err != nil {
			return err
		}
	}
	return nil
}

// webhooksBench serves the management API over a registry.
type webhooksBench struct {
	*world
	api      *httptest.Server
	history  *fakeHistory
	attempts *fakeAttempts
	stored   *fakeStored
	sending  schemas.Sending // of every webhook
	appends  manage.Appender // in place of the log, for replays; nil: the log

	serverErr func() error // of looking a server up; nil: none
}

// benchAppends appends to what the bench says at that moment.
type benchAppends struct{ b *webhooksBench }

func (a benchAppends) Append(ctx context.Context, events ...schemas.Event) (int, error) {
	if a.b.appends != nil {
		return a.b.appends.Append(ctx, events...)
	}
	return a.b.log.Append(ctx, events...)
}

// benchSender attempts, and says how the sending goes.
type benchSender struct{ b *webhooksBench }

func (s benchSender) Once(ctx context.Context, d schemas.Delivery, of string) (schemas.DeliveryAttempt, error) {
	return s.b.attempts.Once(ctx, d, of)
}

func (s benchSender) Sending(string) schemas.Sending { return s.b.sending }

func newWebhooksBench(t *testing.T) *webhooksBench {
	t.Helper()
	b := &webhooksBench{world: newWorld(t), history: &fakeHistory{}, attempts: &fakeAttempts{status: 200}, stored: &fakeStored{events: 2}}
	b.api = httptest.NewServer(manage.NewHandler(manage.Config{
		Registry: b.reg, Events: benchAppends{b}, History: b.history, Sender: benchSender{b}, LogReader: b.stored, Log: b.reg.Log, Now: b.reg.Now,
		Kinds: []string{schemas.PluralKit, schemas.SharedToken, schemas.StellarStack},
		Condition: func(expr string) error {
			if expr == "(" {
				return errors.New("condition: a parenthesis is not closed")
			}
			return nil
		},
		Server: func(_ context.Context, tenant, id string) (string, bool, error) {
			if b.serverErr != nil {
				if err := b.serverErr(); err != nil {
					return "", false, err
				}
			}
			return "demo", id == "srv-1" && (tenant == "" || tenant == "panel"), nil
		},
		Withheld: func(_ context.Context, s schemas.Subscription) ([]schemas.Withheld, error) {
			if s.OwnerOnly {
				return nil, nil
			}
			return []schemas.Withheld{{Event: "front.changed", Reason: schemas.WithheldUnknown, Says: "who fronts is withheld"}}, nil
		},
		State: func(s schemas.Subscription) (string, string) {
			if s.Condition == "broken" {
				return manage.WebhookBroken, "is broken"
			}
			return manage.WebhookOn, ""
		},
		Authorize: func(r *http.Request) (manage.Caller, bool) {
			switch r.Header.Get("Authorization") {
			case "Bearer admin":
				return manage.Caller{Name: "admin", All: true}, true
			case "Bearer ann":
				return manage.Caller{Name: "ann", Tenant: testSystem}, true
			case "Bearer bob":
				return manage.Caller{Name: "bob"}, true
			}
			return manage.Caller{}, false
		},
	}))
	t.Cleanup(b.api.Close)
	return b
}

// ask calls the API as a reader and gives the answer.
func (b *webhooksBench) ask(t *testing.T, who, method, path, body string) replied {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.api.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+who)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("Content-Type") != "application/json" || !json.Valid(got) {
		t.Errorf("%s %s: Content-Type %q, body %q, want JSON", method, path, resp.Header.Get("Content-Type"), got)
	}
	return replied{resp.StatusCode, resp.Header, strings.TrimSpace(string(got))}
}

// make makes a webhook and gives its id.
func (b *webhooksBench) make(t *testing.T, who, body string) string {
	t.Helper()
	got := b.ask(t, who, "POST", "/api/webhooks", body)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &made); err != nil || got.status != 201 || made.ID == "" {
		t.Fatalf("POST %s: %d %s, want 201", body, got.status, got.body)
	}
	return made.ID
}

// TestWebhooksRoutes: every route, what it answers and what it refuses.
func TestWebhooksRoutes(t *testing.T) {
	b := newWebhooksBench(t)
	id := b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"]}`)
	of := "/api/webhooks/" + id
	plain := func(rest string) string {
		return `{"url":"https://a.example/in","events":["front.changed"]` + rest + `}`
	}
	for i, c := range []struct {
		who, method, path, body string
		status                  int
		want                    string // a part of the answer
	}{
		{"", "GET", "/api/webhooks", "", 401, `{"error":"Unauthorized"}`},
		{"eve", "GET", "/api/webhooks/events", "", 401, `{"error":"Unauthorized"}`},
		{"eve", "PUT", "/webhooks/none/at/all", "", 401, `{"error":"Unauthorized"}`},
		{"bob", "GET", "/api/webhooks/events", "", 200, `"categorized":{"server":["server.started"`},
		{"bob", "GET", "/webhooks/events", "", 200, `"backup.created"`},
		{"bob", "GET", "/api/webhooks/", "", 200, `"_count":{"deliveries":3}`},
		{"bob", "GET", "/webhooks", "", 200, `"userId":"bob","serverId":null,"url":"https://a.example/***","events":["front.changed"],"provider":"standard","enabled":true,"createdAt":"2026-03-01T12:00:00.000Z"`},
		{"bob", "GET", of, "", 200, `"deliveries":[{"id":"d3","event":"front.changed","statusCode":null,"attempts":0,"deliveredAt":null,"createdAt":"2026-03-01T12:00:01.000Z",`},
		{"bob", "GET", of, "", 200, `"withheld":[{"event":"front.changed","reason":"unknown","says":"who fronts is withheld"}]`},
		{"bob", "POST", "/webhooks", plain(`,"ownerOnly":true`), 201, `"withheld":[]`},
		{"ann", "GET", of, "", 404, `{"error":"Webhook not found"}`},
		{"admin", "GET", of, "", 200, id},
		{"bob", "GET", "/api/webhooks/none", "", 404, `{"error":"Webhook not found"}`},
		{"bob", "GET", "/api/webhooks/a/b/c", "", 404, `{"error":"Not found"}`},
		{"bob", "PUT", of, "", 405, `Method not allowed`},
		{"bob", "GET", of + "/test", "", 405, `Method not allowed`},

		{"bob", "POST", "/webhooks", plain(``), 201, `"secret":"whsec_`},
		{"bob", "POST", "/webhooks", plain(`,"secret":"` + givenSecret + `"`), 201, `"provider":"standard"`},
		{"bob", "POST", "/webhooks", plain(`,"serverId":"srv-1"`), 201, `"server":{"id":"srv-1","name":"demo"}`},
		{"bob", "POST", "/webhooks", plain(`,"serverId":null,"enabled":false`), 201, `"enabled":false`},
		{"bob", "POST", "/webhooks", `{"url":"` + discordURL + `","ownerOnly":true,"events":["switch.*","` + schemas.PKMemberCreate + `"]}`, 201, `"url":"` + discordShown + `"`},
		{"bob", "POST", "/webhooks", plain(`,"events":["switch.*","member.*","*","me.pluralkit.*","member.observed"]`), 400, `"invalidEvents":["switch.*","me.pluralkit.*","member.observed"]`},
		{"bob", "POST", "/webhooks", plain(`,"events":["` + schemas.PKMemberCreate + `"]`), 400, `hint: --owner-only`},
		{"bob", "POST", "/webhooks", plain(`,"source":"token","events":["invoice.paid"]`), 201, `["invoice.paid"]`},
		{"ann", "POST", "/webhooks", plain(``), 201, `"tenant":"` + testSystem + `"`},
		{"ann", "POST", "/webhooks", plain(`,"tenant":"another"`), 400, `{"path":["tenant"],"message":"Not yours"}`},
		{"bob", "POST", "/webhooks", plain(`,"serverId":"srv-2"`), 404, `{"error":"Server not found"}`},
		{"bob", "POST", "/webhooks", `{}`, 400, `"details":[{"path":["url"],"message":"Required"},{"path":["events"],"message":"Required"}]`},
		{"bob", "POST", "/webhooks", ``, 400, `"details":[{"path":["url"],"message":"Required"}`},
		{"bob", "POST", "/webhooks", `[`, 400, `not a JSON object`},
		{"bob", "POST", "/webhooks", `null`, 400, `not a JSON object`},
		{"bob", "POST", "/webhooks", `{}{}`, 400, `not a JSON object`},
		{"bob", "POST", "/webhooks", "{\"url\":\"\xff\"}", 400, `not a JSON object`},
		{"bob", "POST", "/webhooks", strings.Repeat(" ", 65<<10), 413, `Body too large`},
		{"bob", "POST", "/webhooks", `{"url":"https://a.example","events":["SERVER_STARTED","server.started"]}`, 400, `"invalidEvents":["SERVER_STARTED"]`},
		{"bob", "POST", "/webhooks", `{"url":"https://a.example","events":[]}`, 400, `at least one event`},
		{"bob", "POST", "/webhooks", `{"url":"https://a.example","events":"front.changed"}`, 400, `expected array of strings`},
		{"bob", "POST", "/webhooks", `{"url":"https://a.example","events":[1]}`, 400, `expected array of strings`},
		{"bob", "POST", "/webhooks", `{"url":"https://a.example","events":["a b"]}`, 400, `without blanks`},
		{"bob", "POST", "/webhooks", `{"url":7,"events":["front.changed"]}`, 400, `{"path":["url"],"message":"expected string"}`},
		{"bob", "POST", "/webhooks", `{"url":null,"events":["front.changed"]}`, 400, `{"path":["url"],"message":"Required"}`},
		{"bob", "POST", "/webhooks", `{"url":"http://a.example","events":["front.changed"]}`, 400, `{"path":["url"],"message":"must begin with https://"}`},
		{"bob", "POST", "/webhooks", plain(`,"secrt":"x"`), 400, `{"path":["secrt"],"message":"Unknown member"}`},
		{"bob", "POST", "/webhooks", plain(`,"secret":"whsec_AAAA"`), 400, `24 to 64`},
		{"bob", "POST", "/webhooks", plain(`,"secret":"hunter2"`), 400, `must be whsec_`},
		{"bob", "POST", "/webhooks", `{"url":"https://api.botghost.com/webhook/1150000000000000001/front","events":["front.changed"]}`, 400, `the API key of the bot's Webhooks module is missing`},
		{"bob", "POST", "/webhooks", plain(`,"condition":"("`), 400, `{"path":["condition"],`},
		{"bob", "POST", "/webhooks", plain(`,"rate":-1`), 400, `{"path":["rate"],`},
		{"bob", "POST", "/webhooks", plain(`,"rate":1e3`), 400, `{"path":["rate"],`},
		{"bob", "POST", "/webhooks", plain(`,"rate":"fast"`), 400, `expected number`},
		{"bob", "POST", "/webhooks", plain(`,"enabled":"yes"`), 400, `expected boolean`},
		{"bob", "POST", "/webhooks", plain(`,"source":"plural"`), 400, `is none of: pluralkit`},
		{"bob", "POST", "/webhooks", plain(`,"name":"a\u0000b"`), 400, `control characters`},
		{"bob", "POST", "/webhooks", plain(`,"name":"` + strings.Repeat("a", 201) + `"`), 400, `longer than 200`},
		{"bob", "POST", "/webhooks", plain(`,"options":{"a":1}`), 400, `expected object of strings`},
		{"bob", "POST", "/webhooks", plain(`,"options":{"a":"` + strings.Repeat("a", 1001) + `"}`), 400, `longer than 1000`},

		{"bob", "PATCH", of, `{"enabled":false}`, 200, `"enabled":false`},
		{"bob", "PATCH", of, `{"serverId":null,"enabled":true,"rate":0.5,"options":{"a":"b"}}`, 400, `standard takes no \"a\"`},
		{"bob", "PATCH", of, `{"serverId":null,"enabled":true,"rate":0.5,"options":{}}`, 200, `"rate":0.5`},
		{"bob", "PATCH", of, `{"options":null,"rate":null,"name":"n"}`, 200, `"options":{}`},
		{"bob", "PATCH", of, `{}`, 200, `"name":"n"`},
		{"bob", "PATCH", of, `{"serverId":"srv-1"}`, 400, `{"path":["serverId"],"message":"Cannot be changed`},
		{"bob", "PATCH", of, `{"secret":"x"}`, 400, `rotate`},
		{"bob", "PATCH", of, `{"events":[]}`, 400, `at least one`},
		{"bob", "PATCH", of, `{"events":["nothing.known"]}`, 400, `"invalidEvents":["nothing.known"]`},
		{"bob", "PATCH", of, `{"url":"` + discordURL + `"}`, 400, `{"path":["url"],"message":"Is an address of discord`},
		{"bob", "PATCH", of, `{"url":"https://b.example/in"}`, 200, `"url":"https://b.example/***"`},
		{"ann", "PATCH", of, `{"enabled":false}`, 404, `Webhook not found`},

		{"bob", "GET", of + "/deliveries", "", 200, `"total":3,"limit":50,"offset":0}`},
		{"bob", "GET", of + "/deliveries?limit=1&offset=1", "", 200, `{"deliveries":[{"id":"d2"`},
		{"bob", "GET", of + "/deliveries?limit=500", "", 200, `"limit":100,`},
		{"bob", "GET", of + "/deliveries?limit=99999999999999999999&offset=99999999999999999999", "", 200, `{"deliveries":[],"total":3,"limit":100,"offset":2147483647}`},
		{"bob", "GET", of + "/deliveries?limit=-5&offset=-1", "", 200, `"limit":1,"offset":0}`},
		{"bob", "GET", of + "/deliveries?limit=many", "", 200, `"limit":50,`},
		{"ann", "GET", of + "/deliveries", "", 404, `Webhook not found`},
		{"bob", "GET", of + "/deliveries/d2", "", 200, `"statusCode":503,"response":"busy","attempts":2`},
		{"bob", "GET", of + "/deliveries/d9", "", 404, `{"error":"Delivery not found"}`},
		{"bob", "POST", of + "/deliveries/d2/retry", "", 200, `{"success":true,"deliveryId":"again-d2","statusCode":200}`},
		{"bob", "POST", of + "/deliveries/d9/retry", "", 404, `Delivery not found`},
		{"bob", "POST", of + "/test", "", 200, `{"success":true,"statusCode":200}`},
		{"ann", "POST", of + "/test", "", 404, `Webhook not found`},
		{"bob", "POST", of + "/replay", `{"from":"1"}`, 202, `{"queued":2}`},
		{"bob", "POST", of + "/replay", `{"from":"soon"}`, 400, `from is no time`},
		{"bob", "POST", of + "/replay", `{}`, 400, `{"path":["from"],"message":"Required`},
		{"bob", "POST", of + "/replay", `{"from":"1","until":"2"}`, 400, `{"path":["until"],"message":"Unknown member"}`},
		{"bob", "POST", of + "/rotate", ``, 200, `"secret":"whsec_`},
		{"bob", "POST", of + "/rotate", `{"secret":"` + givenSecret + `"}`, 200, `"oldSecretUntil":"2026-03-02T12:00:00.000Z"`},
		{"bob", "GET", "/api/webhooks/openapi.json", "", 200, `"openapi": "3.1.0"`},
		{"ann", "DELETE", of, "", 404, `Webhook not found`},
		{"bob", "DELETE", of, "", 200, `{"success":true}`},
		{"bob", "DELETE", of, "", 404, `Webhook not found`},
	} {
		got := b.ask(t, c.who, c.method, c.path, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%d: %s %s %.100s: got %d %.500s\nwant %d %s", i, c.method, c.path, c.body, got.status, got.body, c.status, c.want)
		}
		if got.status == 405 && got.header.Get("Allow") == "" || got.status == 401 && got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%d: %d without Allow or WWW-Authenticate", i, got.status)
		}
	}
}

// TestWebhooksReceiverFails: a retry or test of a receiver that says no, or
// nothing, is answered as StellarStack does.
func TestWebhooksReceiverFails(t *testing.T) {
	b := newWebhooksBench(t)
	of := "/api/webhooks/" + b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"]}`)
	for _, c := range []struct {
		status int
		path   string
		code   int
		want   string
	}{
		{503, "/deliveries/d2/retry", 200, `{"success":false,"deliveryId":"again-d2","statusCode":503}`},
		{0, "/deliveries/d2/retry", 500, `{"success":false,"deliveryId":"again-d2","error":"nobody is there"}`},
		{503, "/test", 200, `{"success":false,"statusCode":503,"error":"nobody is there"}`},
		{0, "/test", 200, `{"success":false,"error":"nobody is there"}`},
	} {
		b.attempts.status = c.status
		if got := b.ask(t, "bob", "POST", of+c.path, ""); got.status != c.code || got.body != c.want {
			t.Errorf("%s of a receiver that says %d: got %d %s\nwant %d %s", c.path, c.status, got.status, got.body, c.code, c.want)
		}
	}
	if got := b.attempts.of; got[0] != "d2" || got[3] != "" || b.attempts.made[3].Kind != schemas.DeliveryTest {
		t.Errorf("attempts of %q, kind %s; want of d2 first, a test last", got, b.attempts.made[3].Kind)
	}
	b.history.err = errDiskFull
	if got := b.ask(t, "bob", "GET", of+"/deliveries", ""); got.status != 503 || strings.Contains(got.body, "disk") || got.header.Get("Retry-After") == "" {
		t.Errorf("the tables cannot be read: got %d %s, want 503 and no internals", got.status, got.body)
	}
}

// TestWebhooksReplay: all is asked for in one append, or nothing.
func TestWebhooksReplay(t *testing.T) {
	b := newWebhooksBench(t)
	id := b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"]}`)
	replay := func(want int, says string) {
		t.Helper()
		got := b.ask(t, "bob", "POST", "/webhooks/"+id+"/replay", `{"from":"7d","to":"1d"}`)
		if got.status != want || !strings.Contains(got.body, says) {
			t.Errorf("replay: got %d %s, want %d %s", got.status, got.body, want, says)
		}
	}
	before := len(b.log.all())
	b.stored.events = manage.MaxReplay + 1
	replay(409, "shorter span")
	if got := len(b.log.all()); got != before {
		t.Errorf("a replay that is too long: %d events, want none", got-before)
	}
	b.stored.events = 0
	replay(202, `{"queued":0}`)
	b.stored.events = manage.MaxReplay
	replay(202, `{"queued":5000}`)
	events := b.log.all()[before:]
	d, err := schemas.Decode[schemas.DeliveryRequest](events[0])
	e := schemas.Event{ID: "e0", Route: schemas.Route{Source: schemas.PluralKit, Tenant: testSystem}}
	if err != nil || d.Webhook != id || d.MessageID != schemas.DeliveryID(id, e) || d.Seq != 1 || d.N != 1 || d.Kind != schemas.DeliveryReplay || events[0].Subject != id {
		t.Errorf("first event %+v, %v", d, err)
	}
	if e := events[0].Route; e != schemas.RegistryRoute("delivery", "requested") || events[0].Type != schemas.DeliveryRequested {
		t.Errorf("route %+v, type %s", e, events[0].Type)
	}
	b.ask(t, "bob", "PATCH", "/webhooks/"+id, `{"enabled":false}`)
	replay(409, "enable it first")
}

// TestLaw10Webhooks: there is a most, and it is said.
func TestLaw10Webhooks(t *testing.T) {
	b := newWebhooksBench(t)
	for range 1000 {
		if _, err := b.reg.Subscribe(t.Context(), schemas.Subscription{Owner: "bob", Events: []string{"*"}}, discordURL, ""); err != nil {
			t.Fatal(err)
		}
	}
	got := b.ask(t, "bob", "POST", "/webhooks", `{"url":"https://a.example/in","events":["front.changed"]}`)
	if got.status != 409 || !strings.Contains(got.body, "there are 1000 webhooks") {
		t.Errorf("one more: got %d %s, want 409", got.status, got.body)
	}
}

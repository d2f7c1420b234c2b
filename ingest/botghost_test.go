package ingest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	botGhostKey  = "bg_5f0e3c9a7d214b68a1c2e3f405162738"
	botGhostBot  = "1150000000000000010"
	botGhostPath = "/webhook/" + botGhostBot + "/b1c2d3e4f5a6b7c8d9e0"
)

func newBotGhost(t testing.TB, settings map[string]string) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	added := b.addSource(t, registry.NewSource{Kind: "botghost", Name: botGhostBot, Settings: settings,
		Secrets: map[string]string{purposeKey: botGhostKey}})
	if added.Tenant != botGhostBot || added.URL != "https://hooks.example.org/webhook/"+botGhostBot+"/{event_id}" {
		t.Errorf("added %+v", added)
	}
	return b
}

func keyed(key string, more ...string) http.Header {
	h := http.Header{"Authorization": {key}, "Content-Type": {"application/json"}}
	for i := 0; i < len(more); i += 2 {
		h.Add(more[i], more[i+1])
	}
	return h
}

func TestBotGhostAccepts(t *testing.T) {
	b := newBotGhost(t, nil)
	all := samples(t, "botghost")
	all["none"], all["null"], all["no variables"], all["spaces"] = "", `{"variables":null}`, `{"sender":"x"}`, " \n"
	for _, name := range sortedKeys(all) {
		before := len(b.log.webhooks())
		got := b.send(t, "POST", botGhostPath, keyed(botGhostKey), all[name])
		var answer struct {
			Success bool
			ID      string
		}
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != 200 || !answer.Success ||
			got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %+v, %v; want 200 with JSON", name, got, err)
		}
		events := b.log.webhooks()[before:]
		if len(events) != 1 {
			t.Fatalf("%s: %d events, want 1", name, len(events))
		}
		e := events[0]
		want := schemas.Event{
			ID: answer.ID, Source: "https://api.botghost.com/webhook/" + botGhostBot, Type: "com.botghost.webhook.trigger",
			Subject: "b1c2d3e4f5a6b7c8d9e0", DataSchema: schemas.SchemaID(schemas.BotGhostTrigger), Origin: schemas.OriginWebhook,
			Extensions: map[string]any{"authtype": "api_key"},
			Route:      schemas.Route{Source: "botghost", Tenant: botGhostBot, Noun: "webhook", Verb: "trigger"},
		}
		if strings.TrimSpace(all[name]) != "" {
			want.Data = json.RawMessage(all[name])
		}
		if !reflect.DeepEqual(e, want) || !uuidV7.MatchString(e.ID) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, e, want)
		}
		checkStorable(t, e)
	}
	// Two equal calls are both meant.
	before := len(b.log.webhooks())
	for range 2 {
		b.send(t, "POST", botGhostPath, keyed(botGhostKey, "Idempotency-Key", "same"), all["relay"])
	}
	if got := len(b.log.webhooks()) - before; got != 2 {
		t.Errorf("%d events of two equal calls, want 2", got)
	}
	b.nowhere(t, botGhostKey)
}

func TestBotGhostRefuses(t *testing.T) {
	b := newBotGhost(t, map[string]string{settingEvents: "other, b1c2d3e4f5a6b7c8d9e0"})
	body := samples(t, "botghost")["relay"]
	bot := "/webhook/" + botGhostBot
	variables := func(v string) string { return `{"variables":[` + v + `]}` }
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               string
		want               int
	}{
		{"listed", "POST", bot + "/other", keyed(botGhostKey), body, 200},
		{"no key", "POST", botGhostPath, http.Header{}, body, 401},
		{"empty key", "POST", botGhostPath, keyed(""), body, 401},
		{"wrong key", "POST", botGhostPath, keyed(botGhostKey + "x"), body, 401},
		{"short key", "POST", botGhostPath, keyed(botGhostKey[1:]), body, 401},
		{"bearer", "POST", botGhostPath, keyed("Bearer " + botGhostKey), body, 401},
		{"two keys", "POST", botGhostPath, keyed(botGhostKey, "Authorization", botGhostKey), body, 401},
		{"key in the query", "POST", botGhostPath + "?key=" + botGhostKey, http.Header{}, body, 401},
		{"wrong key, no JSON", "POST", botGhostPath, keyed("x"), "{", 401},
		{"wrong key, no event", "POST", bot + "/none", keyed("x"), body, 401},
		{"no bot", "POST", "/webhook/1150000000000000011/b1c2d3e4f5a6b7c8d9e0", keyed(botGhostKey), body, 401},
		{"no event", "POST", bot + "/none", keyed(botGhostKey), body, 404},
		{"no event, no JSON", "POST", bot + "/none", keyed(botGhostKey), "{", 404},
		{"no event id", "POST", bot, keyed(botGhostKey), body, 404},
		{"no event id, slash", "POST", bot + "/", keyed(botGhostKey), body, 404},
		{"get", "GET", botGhostPath, keyed(botGhostKey), "", 405},
		{"too large", "POST", botGhostPath, keyed(botGhostKey), body + strings.Repeat(" ", 256<<10), 413},
		{"no JSON", "POST", botGhostPath, keyed(botGhostKey), "{", 400},
		{"array", "POST", botGhostPath, keyed(botGhostKey), "[]", 400},
		{"variables object", "POST", botGhostPath, keyed(botGhostKey), `{"variables":{}}`, 400},
		{"variables text", "POST", botGhostPath, keyed(botGhostKey), `{"variables":"x"}`, 400},
		{"variables twice", "POST", botGhostPath, keyed(botGhostKey), `{"variables":[],"variables":[]}`, 400},
		{"entry text", "POST", botGhostPath, keyed(botGhostKey), variables(`"x"`), 400},
		{"no placeholder", "POST", botGhostPath, keyed(botGhostKey), variables(`{"name":"x","value":"y"}`), 400},
		{"no braces", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":"x","value":"y"}`), 400},
		{"open brace", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":"{x","value":"y"}`), 400},
		{"empty braces", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":"{}","value":"y"}`), 400},
		{"placeholder number", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":7,"value":"y"}`), 400},
		{"name number", "POST", botGhostPath, keyed(botGhostKey), variables(`{"name":7,"variable":"{x}","value":"y"}`), 400},
		{"value object", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":"{x}","value":{}}`), 400},
		{"value array", "POST", botGhostPath, keyed(botGhostKey), variables(`{"variable":"{x}","value":[]}`), 400},
		{"no UTF-8", "POST", botGhostPath, keyed(botGhostKey), variables("{\"variable\":\"{\xff}\"}"), 400},
	} {
		before := len(b.log.webhooks())
		got := b.send(t, c.method, c.path, c.header, c.body)
		if stored := len(b.log.webhooks()) - before; got.status != c.want || stored != 0 && c.want != 200 {
			t.Errorf("%s: got %d and %d events, want %d", c.name, got.status, stored, c.want)
		}
		if c.want == 405 && got.header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow %q, want POST", c.name, got.header.Get("Allow"))
		}
	}
	b.log.fail(errDiskFull)
	if got := b.send(t, "POST", botGhostPath, keyed(botGhostKey), body); got.status != 503 {
		t.Errorf("not stored: got %d, want 503", got.status)
	}
}

// A header may say which calls are one; the key itself gets nowhere.
func TestBotGhostIdempotency(t *testing.T) {
	b := newBotGhost(t, map[string]string{settingIdempotency: "idempotency-key"})
	post := func(body string, more ...string) int {
		return b.send(t, "POST", botGhostPath, keyed(botGhostKey, more...), body).status
	}
	for _, once := range []string{"a", "a", "b"} {
		if got := post(`{}`, "Idempotency-Key", once); got != 200 {
			t.Errorf("%s: got %d, want 200", once, got)
		}
	}
	if got := len(b.log.webhooks()); got != 2 {
		t.Errorf("%d events of keys a, a and b, want 2", got)
	}
	if e := b.log.webhooks()[0]; e.ID != "b1c2d3e4f5a6b7c8d9e0.a" || e.Repeats != 24*time.Hour {
		t.Errorf("id %s for %s", e.ID, e.Repeats)
	}
	for _, once := range []string{strings.Repeat("x", 101), "", botGhostKey} {
		if got := post(`{}`, "Idempotency-Key", once); got != 400 {
			t.Errorf("key %q: got %d, want 400", once, got)
		}
	}
	if got := post(`{}`, "Idempotency-Key", "a", "Idempotency-Key", "b"); got != 400 {
		t.Errorf("two keys: got %d, want 400", got)
	}
	if got := post(`{"variables":[{"variable":"{x}","value":"my key is ` + botGhostKey + `"}],"` + botGhostKey + `":1}`); got != 200 {
		t.Errorf("the key inside: got %d, want 200", got)
	}
	if got := b.send(t, "POST", "/webhook/"+botGhostBot+"/"+botGhostKey, keyed(botGhostKey), "{}").status; got != 404 {
		t.Errorf("the key as event id: got %d, want 404", got)
	}
	b.nowhere(t, botGhostKey)
}

func TestBotGhostSettings(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	for _, c := range []struct{ name, setting, value, says string }{
		{"shop", "", "", "17 to 20 digits"},
		{botGhostBot, settingEvents, "a,b c,d!", "event id"},
		{botGhostBot, settingIdempotency, "Authorization", "idempotency_header"},
		{botGhostBot, settingIdempotency, "a b", "idempotency_header"},
	} {
		n := registry.NewSource{Kind: "botghost", Name: c.name, Secrets: map[string]string{purposeKey: botGhostKey}}
		if c.setting != "" {
			n.Settings = map[string]string{c.setting: c.value}
		}
		if _, err := b.reg.Add(t.Context(), n); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

// A call that is taken is stored as it is, and can be read by the payload's
// type; one that is not is ErrInvalid.
func FuzzBotGhostEvents(f *testing.F) {
	for _, body := range samples(f, "botghost") {
		f.Add("b1c2d3e4f5a6b7c8d9e0", botGhostKey, []byte(body))
	}
	f.Add("", "", []byte(nil))
	b := botGhost.New(Configured{Name: botGhostBot, Tenant: botGhostBot, Now: time.Now,
		Tokens: map[string][]Token{purposeKey: {{Hash: sha256.Sum256([]byte(botGhostKey))}}}})
	f.Fuzz(func(t *testing.T, event, key string, body []byte) {
		r := &Request{Header: http.Header{"Authorization": {key}}, Path: map[string]string{"event_id": event}}
		if verified := b.Verify(r, body) == nil; verified != (key == botGhostKey) {
			t.Errorf("verified %t by %q", verified, key)
		}
		r.Header.Set("Authorization", botGhostKey)
		events, err := b.Events(r, body)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) && !errors.Is(err, schemas.ErrNotFound) {
				t.Errorf("got %v, want invalid or not found", err)
			}
			return
		}
		e := events[0]
		checkStorable(t, e)
		if e.Data == nil {
			return
		}
		if _, err := schemas.Decode[schemas.BotGhostCall](e); err != nil {
			t.Errorf("%s: %v", e.Data, err)
		}
	})
}

package ingest

import (
	"net/http"
	"strings"
	"testing"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	sharedValue = "Bearer example-shared-token-0123456789"
	tokenPath   = "/in/token/votes"
)

func newToken(t testing.TB) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	b.addSource(t, registry.NewSource{Kind: "token", Name: "votes", Secrets: map[string]string{"token": sharedValue + "\n"}})
	return b
}

func authorization(values ...string) http.Header {
	return http.Header{"Authorization": values, "Content-Type": {"application/json"}}
}

// TestTokenAnswers: the whole value of Authorization, or 401.
func TestTokenAnswers(t *testing.T) {
	vote := `{"event":"vote","guildId":"1150000000000000001","double":false,"user":{"id":"1150000000000000003"}}`
	for name, c := range map[string]struct {
		header http.Header
		body   string
		status int
	}{
		"good":           {authorization(sharedValue), vote, 200},
		"any JSON":       {authorization(sharedValue), ` [1,"two"] `, 200},
		"not JSON":       {authorization(sharedValue), `vote=1`, 400},
		"two values":     {authorization(sharedValue), `{} {}`, 400},
		"empty":          {authorization(sharedValue), ``, 400},
		"deep":           {authorization(sharedValue), strings.Repeat("[", 200) + strings.Repeat("]", 200), 400},
		"too large":      {authorization(sharedValue), strings.Repeat(" ", 300<<10), 413},
		"without scheme": {authorization(strings.TrimPrefix(sharedValue, "Bearer ")), vote, 401},
		"another case":   {authorization(strings.ToLower(sharedValue)), vote, 401},
		"a part":         {authorization(sharedValue[:20]), vote, 401},
		"more":           {authorization(sharedValue + "x"), vote, 401},
		"twice":          {authorization(sharedValue, sharedValue), vote, 401},
		"none":           {http.Header{}, vote, 401},
		"empty value":    {authorization(""), vote, 401},
		"bad, not JSON":  {authorization("x"), `{`, 401},
	} {
		b := newToken(t)
		if got := b.send(t, "POST", tokenPath, c.header, c.body); got.status != c.status || got.body != "" {
			t.Errorf("%s: %d %q, want %d without body", name, got.status, got.body, c.status)
		}
		if got, want := len(b.log.webhooks()), map[bool]int{true: 1, false: 0}[c.status == 200]; got != want {
			t.Errorf("%s: %d events, want %d", name, got, want)
		}
		b.nowhere(t, sharedValue, strings.TrimPrefix(sharedValue, "Bearer "))
	}
}

// TestTokenType: the type is the body's own, if it can be one; what it says
// changes nothing else.
func TestTokenType(t *testing.T) {
	long := strings.Repeat("t", 257)
	for body, want := range map[string]string{
		`{"type":"vote.cast"}`:                  "vote.cast",
		`{"x":{"type":"no"},"type":"yes"}`:      "yes",
		`{"type":"` + long[:256] + `"}`:         long[:256],
		`{"type":"me.pluralkit.switch.create"}`: "me.pluralkit.switch.create",
		`{"type":"switchlog.source.added"}`:     "switchlog.source.added",
		`{"type":"vöte é"}`:                     "vöte é",
		`{"type":"` + long + `"}`:               "",
		`{"type":""}`:                           "",
		`{"type":" x"}`:                         "",
		`{"type":"a\nb"}`:                       "",
		`{"type":"a\uffff"}`:                    "",
		`{"type":7}`:                            "",
		`{"type":null}`:                         "",
		`["type"]`:                              "",
		`"type"`:                                "",
	} {
		b := newToken(t)
		b.send(t, "POST", tokenPath, authorization(sharedValue), body)
		events := b.log.webhooks()
		if len(events) != 1 {
			t.Errorf("%s: %d events, want 1", body, len(events))
			continue
		}
		e, schema := events[0], ""
		if want == "" {
			want, schema = schemas.TokenReceive, schemas.SchemaID(schemas.TokenReceive)
		}
		if e.Type != want || e.DataSchema != schema || string(e.Data) != body || e.Route != schemas.GenericRoute("token", "votes") ||
			e.Source != "urn:switchlog:source:token:votes" || e.Origin != schemas.OriginWebhook || e.Repeats != 0 {
			t.Errorf("%s: %+v, want type %s", body, e, want)
		}
		if got, err := schemas.RouteOf(e); err != nil || got != e.Route {
			t.Errorf("%s: RouteOf %+v, %v", body, got, err)
		}
	}
}

// TestTokenTwice: without a delivery id every request is an event of its own.
func TestTokenTwice(t *testing.T) {
	b := newToken(t)
	for range 2 {
		b.send(t, "POST", tokenPath, authorization(sharedValue), `{"event":"vote"}`)
	}
	if got := len(b.log.webhooks()); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
}

// TestLaw9TokenInBody: a sender that repeats its token does not get it stored.
func TestLaw9TokenInBody(t *testing.T) {
	b := newToken(t)
	b.send(t, "POST", tokenPath, authorization(sharedValue), `{"type":"`+sharedValue+`","a":["x `+sharedValue+`"],"`+sharedValue+`":1,"b":2}`)
	events := b.log.webhooks()
	if len(events) != 1 || string(events[0].Data) != `{"type":"***","a":["***"],"b":2}` {
		t.Errorf("events %+v", events)
	}
	b.nowhere(t, sharedValue)
}

// FuzzTokenEvents: whatever JSON is sent is an event with that data, that can
// be read again and found its way by itself.
func FuzzTokenEvents(f *testing.F) {
	for _, body := range []string{`{"type":"a.b"}`, `[]`, `"\ud800"`, `{"type":"\u0000"}`, `{`, `{"type":"` + sharedValue + `"}`} {
		f.Add([]byte(body))
	}
	s := sharedToken.New(Configured{Name: "votes"})
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := s.Events(&Request{Header: authorization(sharedValue)}, body)
		if err != nil {
			return
		}
		for _, e := range events {
			comesBack(t, e)
			if strings.Contains(string(e.Data), sharedValue) {
				t.Errorf("the token is in %s", e.Data)
			}
		}
	})
}

// comesBack: an event that is stored can be read, and is the same.
func comesBack(t *testing.T, e schemas.Event) {
	t.Helper()
	m, err := e.Message()
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("%s: the SDK says %v", m.Body, err)
	}
	back, err := schemas.ParseMessage(m)
	if err != nil || back.MsgID() != m.ID {
		t.Errorf("%s: %v, %s, want %s", m.Body, err, back.MsgID(), m.ID)
	}
	if route, err := schemas.RouteOf(back); err != nil || route != e.Route {
		t.Errorf("%s: route %+v, %v, want %+v", m.Body, route, err, e.Route)
	}
}

// TestLaw9TokenWithoutItsScheme: a sender that repeats its token in the body
// repeats it without the scheme.
func TestLaw9TokenWithoutItsScheme(t *testing.T) {
	const secret = "another-shared-token-0123456789"
	for _, value := range []string{"Bearer " + secret, "Token  " + secret, secret} {
		b := newBench(t, EdgeConfig{})
		b.addSource(t, registry.NewSource{Kind: "token", Name: "votes", Secrets: map[string]string{"token": value}})
		body := `{"token":"` + secret + `","` + secret + `":1,"url":"https://a.example/?k=` + secret + `","x":"y"}`
		if got := b.send(t, "POST", tokenPath, authorization(value), body); got.status != 200 {
			t.Fatalf("%s: got %d, want 200", value, got.status)
		}
		if got := string(b.log.webhooks()[0].Data); got != `{"token":"***","url":"***","x":"y"}` {
			t.Errorf("%s: stored %s", value, got)
		}
		b.nowhere(t, secret)
	}
}

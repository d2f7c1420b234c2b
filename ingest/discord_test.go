package ingest

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	discordSeed        = "ecd61c17afcf0d72940f89af388917722af1ad5dc9eb37ae714ce7d66a0c6341"
	discordPublic      = "1695d66d7438fe18a53079705f40e7e63e2709e7ada87a10992f4f356b2d7ecd"
	discordApplication = "1335882468557197313" // of all samples
	discordPath        = "/in/discord/shop"
	discordAt          = "1773475200"
)

func discordKeyPair(seed string) ed25519.PrivateKey {
	raw, err := hex.DecodeString(seed)
	if err != nil {
		panic(err)
	}
	return ed25519.NewKeyFromSeed(raw)
}

// discordSigned are the headers Discord sends with body.
func discordSigned(seed, timestamp, body string) http.Header {
	signature := ed25519.Sign(discordKeyPair(seed), []byte(timestamp+body))
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(headerEd25519, hex.EncodeToString(signature))
	h.Set(headerTimestamp, timestamp)
	return h
}

func newDiscord(t testing.TB, settings map[string]string) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	b.addSource(t, registry.NewSource{Kind: "discord", Name: "shop", Settings: settings,
		Secrets: map[string]string{purposePublicKey: discordPublic}})
	return b
}

func (b *bench) discord(t testing.TB, body string) replied {
	t.Helper()
	return b.send(t, "POST", discordPath, discordSigned(discordSeed, discordAt, body), body)
}

// Every body Discord sends, over a socket: what became of it is in the golden
// file; its data is what was sent, less the content of messages.
func TestDiscordBodies(t *testing.T) {
	var got strings.Builder
	all := samples(t, "discord")
	for _, name := range sortedKeys(all) {
		for _, keep := range []string{"false", "true"} {
			b := newDiscord(t, map[string]string{settingApplication: discordApplication, settingKeepContent: keep})
			answer := b.discord(t, all[name])
			if answer.body != "" || answer.header.Get("Content-Type") == "" {
				t.Errorf("%s: answer %q, Content-Type %q; want none, and one", name, answer.body, answer.header.Get("Content-Type"))
			}
			events := b.log.webhooks()
			if keep == "false" {
				fmt.Fprintf(&got, "%s: %d", name, answer.status)
				for _, e := range events {
					fmt.Fprintf(&got, " %s subject=%q id=%s repeats=%s %v", e.Type, e.Subject, e.ID, e.Repeats, e.Extensions)
				}
				got.WriteString("\n")
			}
			for _, e := range events {
				checkDiscordEvent(t, name, all[name], e, keep == "true")
			}
		}
	}
	golden(t, "discord.golden", got.String())
}

func checkDiscordEvent(t *testing.T, name, body string, e schemas.Event, keep bool) {
	t.Helper()
	var sent struct{ Event struct{ Data map[string]any } }
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatal(err)
	}
	for _, member := range contentMembers {
		if !keep || strings.HasSuffix(e.Type, "_message.delete") {
			delete(sent.Event.Data, member)
		}
	}
	var got map[string]any
	if e.Data != nil {
		if err := json.Unmarshal(e.Data, &got); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, sent.Event.Data) {
		t.Errorf("%s: data %v, want %v", name, got, sent.Event.Data)
	}
	route, err := schemas.RouteOf(e)
	if err != nil || route != e.Route || route.Tenant != discordApplication || e.Source != schemas.DiscordApplicationURL+discordApplication {
		t.Errorf("%s: source %s route %+v; by attributes %+v, %v", name, e.Source, e.Route, route, err)
	}
	if e.Origin != schemas.OriginWebhook || !e.Time.IsZero() {
		t.Errorf("%s: origin %q time %s", name, e.Origin, e.Time)
	}
}

func TestDiscordVector(t *testing.T) {
	b := newDiscord(t, nil)
	h := http.Header{}
	h.Set(headerTimestamp, "1773475200")
	h.Set(headerEd25519, "f398cc5c2914c25d935c504e4127ac9d7ef8430fdd37731e007ad1d4dbdca32fead2116c90934f0987341c0a4acd0112a064d152aca6d98385201f94cf56d804")
	got := b.send(t, "POST", discordPath, h, `{"version":1,"application_id":"1335882468557197313","type":0}`)
	if got.status != 204 || got.body != "" || got.header.Get("Content-Type") == "" {
		t.Errorf("got %+v, want 204, empty, with Content-Type", got)
	}
	s, err := b.reg.Source("discord", "shop")
	if err != nil || s.Tenant != discordApplication || s.LastPing == nil || len(b.log.webhooks()) != 0 {
		t.Errorf("after a ping: %+v, %v, %d events", s, err, len(b.log.webhooks()))
	}
}

// What is not Discord's is 401, whatever else it is, and stores nothing.
func TestDiscordRefuses(t *testing.T) {
	b := newDiscord(t, map[string]string{settingApplication: discordApplication})
	body := samples(t, "discord")["entitlement_create.one_time"]
	with := func(change func(http.Header)) http.Header {
		h := discordSigned(discordSeed, discordAt, body)
		change(h)
		return h
	}
	set := func(name, value string) http.Header { return with(func(h http.Header) { h.Set(name, value) }) }
	good := discordSigned(discordSeed, discordAt, body)
	signature := good.Get(headerEd25519)
	other := strings.Replace(discordSeed, "ec", "ed", 1)
	foreign := strings.Replace(body, `"application_id": "1335882468557197313"`, `"application_id": "1335882468557197314"`, 1)
	if foreign == body {
		t.Fatal("the sample has no application_id to change")
	}
	big := body + strings.Repeat(" ", 256<<10)
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               string
		want               int
	}{
		{"tampered", "POST", discordPath, good, strings.Replace(body, "1482317366296973322", "1482317366296973323", 1), 401},
		{"truncated", "POST", discordPath, good, body[:len(body)-1], 401},
		{"longer", "POST", discordPath, good, body + " ", 401},
		{"no headers", "POST", discordPath, http.Header{}, body, 401},
		{"no signature", "POST", discordPath, with(func(h http.Header) { h.Del(headerEd25519) }), body, 401},
		{"no timestamp", "POST", discordPath, with(func(h http.Header) { h.Del(headerTimestamp) }), body, 401},
		{"empty signature", "POST", discordPath, set(headerEd25519, ""), body, 401},
		{"short signature", "POST", discordPath, set(headerEd25519, signature[:126]), body, 401},
		{"long signature", "POST", discordPath, set(headerEd25519, signature+"00"), body, 401},
		{"no hex", "POST", discordPath, set(headerEd25519, strings.Repeat("zz", 64)), body, 401},
		{"zeros", "POST", discordPath, set(headerEd25519, strings.Repeat("00", 64)), body, 401},
		{"two signatures", "POST", discordPath, with(func(h http.Header) { h.Add(headerEd25519, signature) }), body, 401},
		{"two timestamps", "POST", discordPath, with(func(h http.Header) { h.Add(headerTimestamp, discordAt) }), body, 401},
		{"other time", "POST", discordPath, set(headerTimestamp, "1773475201"), body, 401},
		{"moved byte", "POST", discordPath, set(headerTimestamp, discordAt+body[:1]), body[1:], 401},
		{"signed word", "POST", discordPath, discordSigned(discordSeed, "now", body), body, 401},
		{"signed sign", "POST", discordPath, discordSigned(discordSeed, "-1", body), body, 401},
		{"other key", "POST", discordPath, discordSigned(other, discordAt, body), body, 401},
		{"no JSON, unsigned", "POST", discordPath, good, "{", 401},
		{"no such source", "POST", "/in/discord/none", good, body, 401},
		{"foreign application", "POST", discordPath, discordSigned(discordSeed, discordAt, foreign), foreign, 401},
		{"too large", "POST", discordPath, discordSigned(discordSeed, discordAt, big), big, 413},
		{"get", "GET", discordPath, good, "", 405},
		{"put", "PUT", discordPath, good, body, 405},
		{"path below", "POST", discordPath + "/x", good, body, 404},
	} {
		if got := b.send(t, c.method, c.path, c.header, c.body); got.status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got.status, c.want)
		}
	}
	for _, bad := range []string{
		"{", "", "[]", "null", `{"type":1}`, `{"type":1,"event":{}}`, `{"type":1,"event":{"type":""}}`, `{"type":1,"event":{"type":7}}`,
		`{"type":1,"event":[]}`, `{"type":"1","event":{"type":"X"}}`, `{"type":null}`, `{}`, `{"type":0,"type":1}`, `{"type":0,"application_id":7}`,
		`{"type":1,"event":{"type":"X","type":"Y"}}`, "{\"type\":1,\"event\":{\"type\":\"\xff\"}}",
	} {
		if got := b.discord(t, bad); got.status != 400 {
			t.Errorf("%.60s: got %d, want 400", bad, got.status)
		}
	}
	if got := b.discord(t, `{"type":1,"event":{"type":"X"},"more":"`+strings.Repeat("x", maxExtraBytes)+`"}`); got.status != 413 {
		t.Errorf("too much that is not known: got %d, want 413", got.status)
	}
	if got := len(b.log.webhooks()); got != 0 {
		t.Errorf("%d events stored, want none", got)
	}
	// An old request is as good as a new one: Discord promises no time.
	b.clock.pass(1000 * time.Hour)
	if got := b.discord(t, body); got.status != 204 || len(b.log.webhooks()) != 1 {
		t.Errorf("late: got %d and %d events, want 204 and 1", got.status, len(b.log.webhooks()))
	}
}

func TestDiscordRepeats(t *testing.T) {
	b := newDiscord(t, nil)
	create := samples(t, "discord")["lobby_message_create"]
	rendered := strings.Replace(create, "example_player_a", "renamed", 1) // a retry may show the user as it is now
	for _, body := range []string{create, create, rendered} {
		if got := b.discord(t, body); got.status != 204 {
			t.Fatalf("got %d, want 204", got.status)
		}
	}
	if got := len(b.log.webhooks()); got != 1 {
		t.Errorf("%d events of a message sent thrice, want 1", got)
	}
	b.log.fail(errDiskFull)
	if got := b.discord(t, create); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("not stored: got %d, want 503 with Retry-After", got.status)
	}
}

// The source learns its application from the first request, and then knows
// no other.
func TestDiscordLearns(t *testing.T) {
	b := newDiscord(t, nil)
	if got := b.discord(t, `{"type":1,"event":{"type":"X"}}`); got.status != 400 {
		t.Errorf("of no application: got %d, want 400", got.status)
	}
	if got := b.discord(t, `{"type":1,"application_id":"77","event":{"type":"X","timestamp":"?","new":[1]},"newer":{"content":"x","a":2}}`); got.status != 204 {
		t.Errorf("first: got %d, want 204", got.status)
	}
	if got := b.discord(t, `{"type":1,"application_id":"78","event":{"type":"X"}}`); got.status != 401 {
		t.Errorf("of another application: got %d, want 401", got.status)
	}
	if got := b.discord(t, `{"type":2,"shout":"é"}`); got.status != 204 {
		t.Errorf("a type of webhook yet to come: got %d, want 204", got.status)
	}
	events := b.log.webhooks()
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	want := map[string]any{schemas.DiscordTypeExtension: "X", schemas.DiscordExtraExtension: `{"newer":{"a":2},"new":[1]}`}
	if e := events[0]; !reflect.DeepEqual(e.Extensions, want) || e.Route.Tenant != "77" || e.Data != nil || e.Repeats != 0 {
		t.Errorf("got %+v, want extensions %v of tenant 77 without data", e, want)
	}
	if e := events[1]; string(e.Data) != `{"type":2,"shout":"é"}` || e.Type != schemas.DiscordUnknown || e.DataSchema != schemas.SchemaID(schemas.DiscordUnknown) {
		t.Errorf("got %+v, want the whole body", e)
	}
}

// The text of messages is nowhere but where it is asked for, and that of
// deleted ones nowhere at all.
func TestDiscordContent(t *testing.T) {
	b := newDiscord(t, nil)
	nested := `{"type":1,"application_id":"1","event":{"type":"PIN","timestamp":"2026-03-14T09:01:40.7","data":{"message":[{"co\u006etent":"private words","poll":{"q":"private words"}}]}}}`
	for _, body := range append([]string{nested}, samples(t, "discord")["game_direct_message_create"]) {
		b.discord(t, body)
	}
	for _, e := range b.log.webhooks() {
		if s := string(e.Data); strings.Contains(s, "private words") || strings.Contains(s, "team up") {
			t.Errorf("stored %s", s)
		}
	}
}

func TestDiscordSettings(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	for _, c := range []struct {
		setting, value, key string
		says                string // empty: it is right
	}{
		{"", "", "", "public_key is missing"},
		{"", "", discordPublic[:62], "64 hexadecimal characters"},
		{"", "", discordPublic + "00", "64 hexadecimal characters"},
		{"", "", strings.Repeat("x", 64), "64 hexadecimal characters"},
		{settingApplication, "shop", discordPublic, "application_id is no Discord id"},
		{settingApplication, "", discordPublic, "application_id is no Discord id"},
		{settingKeepContent, "sometimes", discordPublic, "neither true nor false"},
		{settingKeepContent, "1", strings.ToUpper(discordPublic), ""},
	} {
		n := registry.NewSource{Kind: "discord", Name: "shop", Settings: map[string]string{}, Secrets: map[string]string{}}
		if c.setting != "" {
			n.Settings[c.setting] = c.value
		}
		if c.key != "" {
			n.Secrets[purposePublicKey] = c.key
		}
		added, err := b.reg.Add(t.Context(), n)
		switch {
		case c.says == "" && (err != nil || added.URL != "https://hooks.example.org/in/discord/shop"):
			t.Errorf("%+v: got %+v, %v", c, added, err)
		case c.says != "" && (!errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%+v: got %v, want one that says %q", c, err, c.says)
		}
	}
	if got := b.discord(t, `{"type":0,"application_id":"1"}`); got.status != 204 {
		t.Errorf("a key in upper case: got %d, want 204", got.status)
	}
	// The old key stays good for a while.
	next := strings.Repeat("07", 32)
	public := hex.EncodeToString(discordKeyPair(next).Public().(ed25519.PublicKey))
	if _, err := b.reg.Rotate(t.Context(), "discord", "shop", map[string]string{purposePublicKey: public}, time.Minute); err != nil {
		t.Fatal(err)
	}
	statuses := func() []int {
		var all []int
		for _, seed := range []string{discordSeed, next} {
			body := `{"type":0,"application_id":"1"}`
			all = append(all, b.send(t, "POST", discordPath, discordSigned(seed, discordAt, body), body).status)
		}
		return all
	}
	if got := statuses(); !slices.Equal(got, []int{204, 204}) {
		t.Errorf("old and new key: got %v, want both good", got)
	}
	b.clock.pass(time.Hour)
	if got := statuses(); !slices.Equal(got, []int{401, 204}) {
		t.Errorf("old and new key an hour later: got %v, want 401 and 204", got)
	}
}

func fuzzDiscord(keep bool) discordSource {
	return discord.New(Configured{
		Name: "shop", Tenant: discordApplication, Now: time.Now,
		Settings: map[string]string{settingKeepContent: fmt.Sprint(keep)},
		Keys:     map[string][]Key{purposePublicKey: {{Secret: discordPublic}}},
	}).(discordSource)
}

// Nothing is verified but what was signed, with a timestamp of digits.
func FuzzDiscordVerify(f *testing.F) {
	for _, body := range samples(f, "discord") {
		h := discordSigned(discordSeed, discordAt, body)
		f.Add(h.Get(headerEd25519), discordAt, []byte(body))
	}
	f.Add("", "", []byte(nil))
	f.Fuzz(func(t *testing.T, signature, timestamp string, body []byte) {
		h := http.Header{headerTimestamp: {timestamp}}
		h.Set(headerEd25519, signature)
		err := fuzzDiscord(false).Verify(&Request{Header: h}, body)
		raw, hexErr := hex.DecodeString(signature)
		if err == nil && (hexErr != nil || !allDigits(timestamp) ||
			!ed25519.Verify(discordKeyPair(discordSeed).Public().(ed25519.PublicKey), append([]byte(timestamp), body...), raw)) {
			t.Error("verified")
		}
		if err != nil && !errors.Is(err, ErrUnauthorized) {
			t.Errorf("got %v, want unauthorized", err)
		}
	})
}

// What is stored is an event that can be read back and routed, without the
// content of messages; what is not is ErrInvalid.
func FuzzDiscordEvents(f *testing.F) {
	for _, body := range samples(f, "discord") {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := fuzzDiscord(false).Events(&Request{}, body)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("got %v, want invalid", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Error("taken, though not JSON")
		}
		for _, e := range events {
			checkStorable(t, e)
			var v any
			if e.Data != nil {
				if err := json.Unmarshal(e.Data, &v); err != nil {
					t.Fatal(err)
				}
			}
			if found := anyMember(v, contentMembers); found != "" {
				t.Errorf("%s is in %s", found, e.Data)
			}
		}
	})
}

// checkStorable reports an event that would not come back as it is.
func checkStorable(t *testing.T, e schemas.Event) {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Errorf("no CloudEvent: %v", err)
	}
	m, err := e.Message()
	if err != nil {
		t.Fatal(err)
	}
	back, err := schemas.ParseMessage(m)
	if err != nil || back.ID != e.ID || back.Route != e.Route {
		t.Errorf("does not come back: %+v, %v", back, err)
	}
	if route, err := schemas.RouteOf(e); err != nil || route != e.Route {
		t.Errorf("route by attributes %+v, %v, want %+v", route, err, e.Route)
	}
}

// anyMember is the first of the names that is a member anywhere in v.
func anyMember(v any, names []string) string {
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			if found := anyMember(inner, names); found != "" {
				return found
			}
		}
	case map[string]any:
		for name, inner := range v {
			if slices.Contains(names, name) {
				return name
			}
			if found := anyMember(inner, names); found != "" {
				return found
			}
		}
	}
	return ""
}

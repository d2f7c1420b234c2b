package deliver

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"github.com/cloudevents/sdk-go/v2/binding"

	"switchlog/schemas"
	"switchlog/test/fakesink"
)

var update = flag.Bool("update", false, "write the golden files")

// example reads an event of the contract's examples.
func example(t testing.TB, typ, name string) schemas.Event {
	t.Helper()
	return eventIn(t, filepath.Join("..", "..", "schemas", "examples", typ, name+".json"))
}

// sample reads an event of our own testdata, which stays as it is.
func sample(t testing.TB, name string) schemas.Event {
	t.Helper()
	return eventIn(t, filepath.Join("testdata", "events", name+".json"))
}

func eventIn(t testing.TB, file string) schemas.Event {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e schemas.Event
	if err := e.UnmarshalJSON(b); err != nil {
		t.Fatal(err)
	}
	part := strings.Split(e.Type, ".")
	e.Route = schemas.Route{Source: schemas.PluralKit, Tenant: "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311", Noun: part[len(part)-2], Verb: part[len(part)-1]}
	if strings.HasPrefix(e.Type, "io.stellarstack.") {
		e.Route.Source, e.Route.Tenant = schemas.StellarStack, "panel"
	}
	return e
}

func deliveryOf(e schemas.Event) schemas.Delivery {
	id := schemas.DeliveryID("w", e)
	return schemas.Delivery{ID: id, MessageID: id, Webhook: "w", Kind: schemas.DeliveryLive, Seq: 7, Event: e, Created: e.Time, Due: e.Time}
}

func trial() schemas.Delivery {
	d := NewTest("w")
	d.ID, d.MessageID, d.Event.ID = "019ad090-0000-7000-8000-000000000001", "019ad090-0000-7000-8000-000000000001", "019ad090-0000-7000-8000-000000000001"
	d.Event.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return d
}

// front makes a front.changed from names; each "" is a member unknown.
func frontChanged(t testing.TB, before, after []string) schemas.Event {
	t.Helper()
	e := sample(t, "front_first")
	c := schemas.Change{Cause: "c", CauseSeq: 60, Before: frontJSON(t, before), After: frontJSON(t, after)}
	var err error
	if e.Data, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return e
}

func frontJSON(t testing.TB, names []string) json.RawMessage {
	t.Helper()
	if names == nil {
		return json.RawMessage("null")
	}
	f := schemas.Front{System: "s", Switch: "w", Since: "2026-01-02T03:04:05Z", Members: []schemas.Fronter{}}
	color, avatar := "a83279", "https://cdn.example.org/briar.webp"
	for i, name := range names {
		m := schemas.Fronter{UUID: fmt.Sprint(i), Color: &color, AvatarURL: &avatar}
		if name != "" {
			m.Name = &name
		}
		f.Members = append(f.Members, m)
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenURL is where the golden requests go, by provider.
var goldenURL = map[string]string{
	schemas.ProviderStandard:    "https://example.com/hook",
	schemas.ProviderCloudEvents: "https://example.com/hook",
	schemas.ProviderDiscord:     "https://discord.com/api/webhooks/1150000000000000001/Token",
	schemas.ProviderBotGhost:    "https://api.botghost.com/webhook/1150000000000000010/b1c2d3e4f5a6b7c8d9e0",
	schemas.ProviderNtfy:        "https://ntfy.sh/our-front",
}

var goldenSecrets = map[string][]string{
	schemas.ProviderStandard:    {testSecret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
	schemas.ProviderCloudEvents: {"token"},
	schemas.ProviderBotGhost:    {"key"},
	schemas.ProviderNtfy:        {"tk_token"},
}

// goldenCases are the deliveries every format is shown for.
func goldenCases(t testing.TB) map[string]schemas.Delivery {
	return map[string]schemas.Delivery{
		"test":           trial(),
		"front_first":    deliveryOf(sample(t, "front_first")),
		"front_changed":  deliveryOf(frontChanged(t, []string{"Alder"}, []string{"*Briar* _the_ @everyone", ""})),
		"front_out":      deliveryOf(frontChanged(t, []string{"Alder"}, []string{})),
		"member_changed": deliveryOf(sample(t, "member_changed")),
		"server_started": deliveryOf(sample(t, "server_started")),
		"member_update":  deliveryOf(memberUpdate(t)),
	}
}

func memberUpdate(t testing.TB) schemas.Event { return sample(t, "member_update") }

func build(t testing.TB, provider string, d schemas.Delivery, sub schemas.Subscription) request {
	t.Helper()
	p, err := providerOf(provider)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(goldenURL[provider])
	if err != nil {
		t.Fatal(err)
	}
	sub.Provider, sub.ID = provider, "w"
	r, err := p.request(input{&d, sub, u, goldenSecrets[provider], time.Unix(1790000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGolden(t *testing.T) {
	for _, p := range providers {
		for name, d := range goldenCases(t) {
			r := build(t, p.name, d, schemas.Subscription{})
			var b bytes.Buffer
			fmt.Fprintf(&b, "POST %s\n", r.url)
			for _, h := range slices.Sorted(maps.Keys(r.header)) {
				fmt.Fprintf(&b, "%s: %s\n", h, r.header.Get(h))
			}
			b.WriteByte('\n')
			if err := json.Indent(&b, r.body, "", "  "); err != nil {
				t.Fatalf("%s %s: %v", p.name, name, err)
			}
			b.WriteByte('\n')
			file := filepath.Join("testdata", p.name, name+".http")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil || b.String() != string(want) {
				t.Errorf("%s (%v): got\n%s\nwant\n%s", file, err, &b, want)
			}
		}
	}
}

// sinks are strict receivers, by provider, and the path they listen at.
func sinks(t *testing.T) map[string]http.Handler {
	standard, botghost, ntfy, ce := fakesink.NewStandard(t, testSecret), fakesink.NewBotGhost(t), fakesink.NewNtfy(t), fakesink.NewCloudEvents(t)
	botghost.Accept("key")
	ntfy.Token, ce.Token = "tk_token", "token"
	return map[string]http.Handler{
		schemas.ProviderStandard: standard, schemas.ProviderCloudEvents: ce, schemas.ProviderDiscord: fakesink.NewDiscord(t),
		schemas.ProviderBotGhost: botghost, schemas.ProviderNtfy: ntfy,
	}
}

// post hands a request to a receiver without a socket.
func post(t testing.TB, h http.Handler, r request) int {
	t.Helper()
	got := httptest.NewRequest(http.MethodPost, r.url.String(), bytes.NewReader(r.body))
	got.Header = r.header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, got)
	return w.Code
}

// TestStrictReceiversTakeAll: every example of the contract, in every format,
// is taken by a receiver that refuses what the original would.
func TestStrictReceiversTakeAll(t *testing.T) {
	receivers := sinks(t)
	discord := receivers[schemas.ProviderDiscord].(*fakesink.Discord)
	discord.ID, discord.Token = "1150000000000000001", "Token"
	botghost := receivers[schemas.ProviderBotGhost].(*fakesink.BotGhost)
	botghost.Bot, botghost.Event = "1150000000000000010", "b1c2d3e4f5a6b7c8d9e0"
	files, err := filepath.Glob("../../schemas/examples/*/*.json")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, p := range providers {
		for _, file := range files {
			e := example(t, filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".json"))
			r := buildNow(t, p.name, deliveryOf(e), schemas.Subscription{})
			if code := post(t, receivers[p.name], r); code/100 != 2 {
				t.Errorf("%s refuses %s: %d", p.name, file, code)
			}
		}
	}
	t.Logf("%d examples in %d formats", len(files), len(providers))
}

// buildNow is build at this time: receivers look at timestamps.
func buildNow(t testing.TB, provider string, d schemas.Delivery, sub schemas.Subscription) request {
	t.Helper()
	p, err := providerOf(provider)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(goldenURL[provider])
	if err != nil {
		t.Fatal(err)
	}
	sub.Provider = provider
	r, err := p.request(input{&d, sub, u, goldenSecrets[provider], time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStandardVectors: the signatures of the specification's own tests.
func TestStandardVectors(t *testing.T) {
	const id, stamp = "msg_0001", 1735689600
	u, _ := url.Parse("https://example.com")
	d := deliveryOf(memberUpdate(t))
	d.MessageID = id
	r, err := standardRequest(input{d: &d, url: u, secrets: []string{testSecret}, now: time.Unix(stamp, 0)})
	if err != nil {
		t.Fatal(err)
	}
	sink := fakesink.NewStandard(t, testSecret)
	if code := post(t, sink, buildNow(t, schemas.ProviderStandard, d, schemas.Subscription{})); code != 204 {
		t.Errorf("the reference library's verdict: %d, want 204", code)
	}
	if got, want := r.header.Get("Webhook-Timestamp"), "1735689600"; got != want {
		t.Errorf("got timestamp %q, want %q", got, want)
	}
	old := fakesink.NewStandard(t, goldenSecrets[schemas.ProviderStandard][1]) // it has not changed over yet
	if code := post(t, old, buildNow(t, schemas.ProviderStandard, d, schemas.Subscription{})); code != 204 {
		t.Errorf("with the replaced secret: %d, want 204", code)
	}
}

// TestCloudEventsBySDK: the SDK's HTTP binding reads what we send.
func TestCloudEventsBySDK(t *testing.T) {
	for name, d := range goldenCases(t) {
		r := build(t, schemas.ProviderCloudEvents, d, schemas.Subscription{})
		m := cehttp.NewMessage(r.header, nopCloser{bytes.NewReader(r.body)})
		if m.ReadEncoding() != binding.EncodingStructured {
			t.Errorf("%s: the SDK takes it for %v, want structured", name, m.ReadEncoding())
		}
		got, err := binding.ToEvent(t.Context(), m)
		if err != nil || got.ID() != d.Event.ID || got.Type() != d.Event.Type || got.Source() != d.Event.Source {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

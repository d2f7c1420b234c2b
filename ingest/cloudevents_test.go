package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	ceToken = "example-cloudevents-token-0123456789"
	cePath  = "/in/cloudevents/bus"
)

func newCloudEvents(t testing.TB, settings map[string]string) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	b.addSource(t, registry.NewSource{Kind: "cloudevents", Name: "bus", Settings: settings, Secrets: map[string]string{"token": ceToken}})
	return b
}

// ce are headers with the bearer token: pairs of name and value.
func ce(pairs ...string) http.Header {
	h := http.Header{"Authorization": {"Bearer " + ceToken}}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// binary are the headers of an event in binary mode, and more.
func binary(pairs ...string) http.Header {
	h := ce(pairs...)
	maps.Copy(h, http.Header{"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"https://a.example/x"}, "Ce-Type": {"com.example.done"}})
	return h
}

const (
	structured = "application/cloudevents+json"
	batched    = "application/cloudevents-batch+json"
	ceEvent    = `{"specversion":"1.0","id":"1","source":"https://a.example/x","type":"com.example.done"}`
)

// with adds members to ceEvent.
func with(members string) string { return strings.TrimSuffix(ceEvent, "}") + "," + members + "}" }

// stored is what the log has of a source but what is the same for all events:
// one message body a line.
func stored(t *testing.T, b *bench) string {
	t.Helper()
	var lines []string
	for _, e := range b.log.webhooks() {
		comesBack(t, e)
		m, err := e.Message()
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != "log.events.cloudevents.bus.event.receive" || e.Repeats != 24*time.Hour {
			t.Errorf("%s on %s, repeats %s", m.Body, m.Subject, e.Repeats)
		}
		line := strings.ReplaceAll(string(m.Body), `,"origin":"webhook"`, "")
		lines = append(lines, strings.ReplaceAll(line, `,"switchlogsource":"cloudevents/bus"`, ""))
	}
	return strings.Join(lines, "\n")
}

// TestCloudEventsModes: what each mode says arrives as it was sent.
func TestCloudEventsModes(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		body   string
		status int
		want   string
	}{
		"structured": {ce("Content-Type", structured), with(`"data":{"a":1}`), 202,
			with(`"datacontenttype":"application/json","data":{"a":1}`)},
		"structured, charset": {ce("Content-Type", "Application/CloudEvents+JSON; charset=\"UTF-8\""), ceEvent, 202, ceEvent},
		"structured, all attributes": {ce("Content-Type", structured),
			with(`"subject":"s","time":"2018-04-05T17:31:00.1234567+02:00","dataschema":"https://a.example/s","x":"é","n":-1,"b":true,"none":null,"data":null`), 202,
			with(`"subject":"s","time":"2018-04-05T15:31:00.123456Z","dataschema":"https://a.example/s","datacontenttype":"application/json","b":true,"n":-1,"x":"é","data":null`)},
		"structured, text": {ce("Content-Type", structured), with(`"datacontenttype":"text/xml","data":"<a>\u0000</a>"`), 202,
			with(`"datacontenttype":"text/xml","data":"<a>\u0000</a>"`)},
		"structured, bytes": {ce("Content-Type", structured), with(`"datacontenttype":"image/png","data_base64":"AP8="`), 202,
			with(`"datacontenttype":"image/png","data_base64":"AP8="`)},
		"structured, headers are copies": {ce("Content-Type", structured, "Ce-Id", "2", "Ce-X", "y"), ceEvent, 202, ceEvent},
		"binary, JSON": {binary("Content-Type", "application/json"), `{"a": [1]}`, 202,
			with(`"datacontenttype":"application/json","data":{"a": [1]}`)},
		"binary, vendor's JSON": {binary("Content-Type", "application/vnd.a+json; charset=utf-8"), `7`, 202,
			with(`"datacontenttype":"application/vnd.a+json; charset=utf-8","data":7`)},
		"binary, text":       {binary("Content-Type", "text/plain; charset=UTF-8"), "a \"b\" <ü>\n", 202, with(`"datacontenttype":"text/plain; charset=UTF-8","data":"a \"b\" <ü>\n"`)},
		"binary, latin text": {binary("Content-Type", "text/plain; charset=iso-8859-1"), "\xfc", 202, with(`"datacontenttype":"text/plain; charset=iso-8859-1","data_base64":"/A=="`)},
		"binary, mostly control characters": {binary("Content-Type", "text/plain"), "\x01\x02\x03", 202,
			with(`"datacontenttype":"text/plain","data_base64":"AQID"`)},
		"binary, bytes":           {binary("Content-Type", "image/png"), "\x00\xff", 202, with(`"datacontenttype":"image/png","data_base64":"AP8="`)},
		"binary, no data":         {binary("Content-Type", "application/json"), "", 202, ceEvent},
		"binary, no type, JSON":   {binary(), `{}`, 202, with(`"datacontenttype":"application/json","data":{}`)},
		"binary, no type, else":   {binary(), `{`, 202, with(`"datacontenttype":"application/octet-stream","data_base64":"ew=="`)},
		"binary, own type header": {binary("Ce-Datacontenttype", "text/plain"), "", 202, ceEvent},
		"binary, all attributes": {binary("Ce-Subject", "a%20b", "Ce-Time", "2018-04-05T17:31:00Z", "Ce-Dataschema", "https://a.example/s", "Ce-X", "Euro%20%E2%82%AC%20%F0%9F%98%80", "cE-Y2", `"q \"z\" "x`), "", 202,
			with(`"subject":"a b","time":"2018-04-05T17:31:00.000000Z","dataschema":"https://a.example/s","x":"Euro € 😀","y2":"q \"z\" x"`)},
		"batch": {ce("Content-Type", batched), ` [` + ceEvent + `, ` + strings.Replace(with(`"data":2`), `"1"`, `"2"`, 1) + ` ] `, 202,
			ceEvent + "\n" + strings.Replace(with(`"datacontenttype":"application/json","data":2`), `"1"`, `"2"`, 1)},
		"batch, charset": {ce("Content-Type", batched+"; charset=UTF-8"), `[` + ceEvent + `]`, 202, ceEvent},
		"batch, empty":   {ce("Content-Type", batched), ` [ ] `, 202, ``},
		"batch, doubled": {ce("Content-Type", batched), `[` + ceEvent + `,` + ceEvent + `]`, 202, ceEvent},

		"batch, one is none":        {ce("Content-Type", batched), `[` + ceEvent + `,{}]`, 400, ``},
		"batch of one object":       {ce("Content-Type", batched), ceEvent, 400, ``},
		"batch of too many":         {ce("Content-Type", batched), `[` + strings.Repeat(ceEvent+",", 1000) + ceEvent + `]`, 413, ``},
		"structured array":          {ce("Content-Type", structured), `[` + ceEvent + `]`, 400, ``},
		"structured, not JSON":      {ce("Content-Type", structured), `{"specversion"`, 400, ``},
		"structured, not UTF-8":     {ce("Content-Type", structured), with("\"data\":\"\xff\""), 400, ``},
		"structured, old":           {ce("Content-Type", structured), strings.Replace(ceEvent, "1.0", "0.3", 1), 400, ``},
		"structured, no id":         {ce("Content-Type", structured), strings.Replace(ceEvent, `"1"`, `""`, 1), 400, ``},
		"structured, id twice":      {ce("Content-Type", structured), with(`"id":"2"`), 400, ``},
		"structured, upper case":    {ce("Content-Type", structured), with(`"Ext":"2"`), 400, ``},
		"structured, both data":     {ce("Content-Type", structured), with(`"data":1,"data_base64":"AA=="`), 400, ``},
		"structured, no text":       {ce("Content-Type", structured), with(`"datacontenttype":"text/plain","data":{}`), 400, ``},
		"structured, no zone":       {ce("Content-Type", structured), with(`"time":"2018-04-05T17:31:00"`), 400, ``},
		"structured, large int":     {ce("Content-Type", structured), with(`"n":2147483648`), 400, ``},
		"structured, control":       {ce("Content-Type", structured), with(`"x":"a\u0001"`), 400, ``},
		"structured, no subject":    {ce("Content-Type", structured), with(`"subject":""`), 400, ``},
		"structured, empty time":    {ce("Content-Type", structured), with(`"time":""`), 400, ``},
		"structured, no schema":     {ce("Content-Type", structured), with(`"dataschema":""`), 400, ``},
		"structured, no media type": {ce("Content-Type", structured), with(`"datacontenttype":"","data":1`), 400, ``},
		"structured, half an id":    {ce("Content-Type", structured), strings.Replace(ceEvent, `"1"`, `"\ud800"`, 1), 400, ``},
		"structured, half of x":     {ce("Content-Type", structured), with(`"x":"\udc00"`), 400, ``},
		"structured, pair":          {ce("Content-Type", structured), with(`"x":"\ud83d\ude00"`), 202, with(`"x":"😀"`)},
		"structured, id in blanks":  {ce("Content-Type", structured), strings.Replace(ceEvent, `"1"`, `" 1 "`, 1), 202, strings.Replace(ceEvent, `"1"`, `" 1 "`, 1)},
		"structured, blank id":      {ce("Content-Type", structured), strings.Replace(ceEvent, `"1"`, `"  "`, 1), 400, ``},
		"batch, ids in blanks": {ce("Content-Type", batched), `[` + ceEvent + `,` + strings.Replace(ceEvent, `"1"`, `"1 "`, 1) + `,` + strings.Replace(ceEvent, `"1"`, `"1%20"`, 1) + `]`, 202,
			ceEvent + "\n" + strings.Replace(ceEvent, `"1"`, `"1 "`, 1) + "\n" + strings.Replace(ceEvent, `"1"`, `"1%20"`, 1)},
		"binary, no subject":         {binary("Ce-Subject", ""), ``, 400, ``},
		"binary, empty time":         {binary("Ce-Time", ""), ``, 400, ``},
		"binary, no schema":          {binary("Ce-Dataschema", ""), ``, 400, ``},
		"binary, no media type said": {binary("Content-Type", ""), ``, 400, ``},
		"binary, empty x":            {binary("Ce-X", ""), ``, 202, with(`"x":""`)},
		"structured, long id":        {ce("Content-Type", structured), strings.Replace(ceEvent, `"1"`, `"`+strings.Repeat("1", 1025)+`"`, 1), 400, ``},
		"structured, grows":          {ce("Content-Type", structured), with(`"x":"` + strings.Repeat("<", 200<<10) + `"`), 413, ``},
		"binary, not JSON":           {binary("Content-Type", "application/json"), `{`, 400, ``},
		"binary, no media type":      {binary("Content-Type", "text/"), `{`, 400, ``},
		"binary, twice":              {binary("Ce-X", "1", "ce-x", "2"), ``, 400, ``},
		"binary, overlong":           {binary("Ce-X", "%C0%AF"), ``, 400, ``},
		"binary, name":               {binary("Ce-My-Ext", "1"), ``, 400, ``},
		"binary, data":               {binary("Ce-Data", "1"), ``, 400, ``},
		"binary, control":            {binary("Ce-X", "%00"), ``, 400, ``},
		"binary, no id":              {ce("Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Source", "s"), ``, 400, ``},
		"binary, source no URI":      {ce("Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Id", "1", "Ce-Source", "%25zz"), ``, 400, ``},
		"plain JSON":                 {ce("Content-Type", "application/json"), ceEvent, 400, ``},
		"no event at all":            {ce("Content-Type", "text/plain"), `hello`, 415, ``},
		"nothing said":               {ce(), ``, 415, ``},
		"structured XML":             {ce("Content-Type", "application/cloudevents+xml"), `<event/>`, 415, ``},
		"structured, no format":      {ce("Content-Type", "application/cloudevents"), ceEvent, 415, ``},
		"structured, UTF-16":         {ce("Content-Type", structured+"; charset=utf-16"), ceEvent, 415, ``},
		"batch Avro":                 {ce("Content-Type", "application/cloudevents-batch+avro"), ``, 415, ``},
		"structured, no media":       {ce("Content-Type", structured+"; x"), ceEvent, 415, ``},
		"content type twice":         {ce("Content-Type", structured, "content-type", structured), ceEvent, 400, ``},
		"too large":                  {ce("Content-Type", structured), strings.Repeat(" ", 300<<10), 413, ``},
		"bad token, bad body":        {http.Header{"Authorization": {"Bearer x"}, "Content-Type": {"text/plain"}}, `{`, 401, ``},
		"bad token, unknown form":    {http.Header{"Content-Type": {"application/cloudevents+xml"}}, `{`, 401, ``},
	} {
		b := newCloudEvents(t, nil)
		if got := b.send(t, "POST", cePath, c.header, c.body); got.status != c.status || got.body != "" {
			t.Errorf("%s: %d %q, want %d without body", name, got.status, got.body, c.status)
		}
		if got := stored(t, b); got != c.want {
			t.Errorf("%s:\n got %.2000s\nwant %s", name, got, c.want)
		}
		b.nowhere(t, ceToken)
	}
}

// TestCloudEventsToken: as a bearer token or in the query; if in both, both
// must be right.
func TestCloudEventsToken(t *testing.T) {
	for name, c := range map[string]struct {
		authorization []string
		query         string
		status        int
	}{
		"bearer":               {[]string{"Bearer " + ceToken}, "", 202},
		"bearer, lower case":   {[]string{"bearer " + ceToken}, "", 202},
		"query":                {nil, "?access_token=" + ceToken, 202},
		"both":                 {[]string{"Bearer " + ceToken}, "?access_token=" + ceToken, 202},
		"none":                 {nil, "", 401},
		"other":                {[]string{"Bearer " + ceToken + "x"}, "", 401},
		"basic":                {[]string{"Basic " + ceToken}, "", 401},
		"bare":                 {[]string{ceToken}, "", 401},
		"empty":                {[]string{"Bearer "}, "", 401},
		"twice":                {[]string{"Bearer " + ceToken, "Bearer " + ceToken}, "", 401},
		"query, other":         {nil, "?access_token=x", 401},
		"query, empty":         {nil, "?access_token=", 401},
		"query, twice":         {nil, "?access_token=" + ceToken + "&access_token=" + ceToken, 401},
		"bearer, query other":  {[]string{"Bearer " + ceToken}, "?access_token=x", 401},
		"bearer other, query":  {[]string{"Bearer x"}, "?access_token=" + ceToken, 401},
		"basic, query":         {[]string{"Basic x"}, "?access_token=" + ceToken, 401},
		"empty header, query":  {[]string{""}, "?access_token=" + ceToken, 401},
		"query of another key": {nil, "?token=" + ceToken, 401},
	} {
		b := newCloudEvents(t, nil)
		h := http.Header{"Content-Type": {structured}}
		if c.authorization != nil {
			h["Authorization"] = c.authorization
		}
		if got := b.send(t, "POST", cePath+c.query, h, ceEvent); got.status != c.status {
			t.Errorf("%s: %d, want %d", name, got.status, c.status)
		}
		if got, want := len(b.log.webhooks()), map[bool]int{true: 1, false: 0}[c.status == 202]; got != want {
			t.Errorf("%s: %d events, want %d", name, got, want)
		}
		b.nowhere(t, ceToken)
	}
}

// TestCloudEventsClaims: whatever an event claims to be, it stays this
// source's.
func TestCloudEventsClaims(t *testing.T) {
	claims := []string{
		`"id":"1","source":"urn:switchlog:registry","type":"switchlog.source.added","origin":"command","data":{"kind":"token","name":"evil"}`,
		`"id":"1","source":"https://api.pluralkit.me/v2/systems/7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","type":"me.pluralkit.switch.create","origin":"api"`,
		`"id":"1","source":"x","type":"y","switchlogsource":"pluralkit/7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","origin":"import"`,
		`"id":"1","source":"z","type":"y","switchlogsource":7`,
	}
	b := newCloudEvents(t, nil)
	for _, c := range claims {
		if got := b.send(t, "POST", cePath, ce("Content-Type", structured), `{"specversion":"1.0",`+c+`}`); got.status != 202 {
			t.Errorf("%s: %d, want 202", c, got.status)
		}
	}
	b.send(t, "POST", cePath, binary("Ce-Origin", "api", "Ce-Switchlogsource", "token/x"), "")
	events := b.log.webhooks()
	if len(events) != 5 {
		t.Fatalf("%d events, want 5", len(events))
	}
	for _, e := range events {
		comesBack(t, e)
		if e.Origin != schemas.OriginWebhook || e.Route != schemas.GenericRoute("cloudevents", "bus") || e.Extensions[schemas.SourceExtension] != "cloudevents/bus" {
			t.Errorf("event %+v", e)
		}
	}
	if got, want := events[2].MsgID(), "cloudevents/bus/x/1"; got != want {
		t.Errorf("Nats-Msg-Id %s, want %s", got, want)
	}
	if err := b.reg.Merge(t.Context(), events); err != nil || len(b.reg.Sources()) != 1 {
		t.Errorf("the registry has %d sources (%v), want 1", len(b.reg.Sources()), err)
	}
}

// TestLaw9TokenInCloudEvent: JSON is stored less the token; where it cannot be
// taken out the event is refused.
func TestLaw9TokenInCloudEvent(t *testing.T) {
	b := newCloudEvents(t, nil)
	for _, c := range []struct {
		header http.Header
		body   string
		status int
	}{
		{ce("Content-Type", structured), with(`"data":{"t":"` + ceToken + `"}`), 202},
		{ce("Content-Type", structured), with(`"x":"` + ceToken + `"`), 400},
		{binary("Content-Type", "image/png"), ceToken, 400},
		{binary("Content-Type", "text/plain"), ceToken, 202},
	} {
		if got := b.send(t, "POST", cePath, c.header, c.body); got.status != c.status {
			t.Errorf("%s: %d, want %d", c.body, got.status, c.status)
		}
	}
	b.nowhere(t, ceToken)
}

// TestCloudEventsConsent: consent is in the headers, and only for the origin
// that was allowed. Nobody is called back.
func TestCloudEventsConsent(t *testing.T) {
	for name, c := range map[string]struct {
		allowed, path string
		header        http.Header
		status        int
		origin, rate  string // of the answer
	}{
		"allowed":            {"events.example.com", cePath, http.Header{"Webhook-Request-Origin": {"Events.Example.com"}}, 200, "events.example.com", ""},
		"allowed, rate":      {"events.example.com", cePath, http.Header{"Webhook-Request-Origin": {"events.example.com"}, "Webhook-Request-Rate": {"120"}}, 200, "events.example.com", "*"},
		"any":                {"*", cePath, http.Header{"Webhook-Request-Origin": {"x.example"}}, 200, "*", ""},
		"callback":           {"events.example.com", cePath, http.Header{"Webhook-Request-Origin": {"y.example"}, "Webhook-Request-Callback": {"http://127.0.0.1:1/"}}, 200, "", ""},
		"other":              {"events.example.com", cePath, http.Header{"Webhook-Request-Origin": {"evil.events.example.com"}}, 200, "", ""},
		"prefix":             {"events.example.com", cePath, http.Header{"Webhook-Request-Origin": {"events.example.com.evil.example"}}, 200, "", ""},
		"twice":              {"*", cePath, http.Header{"Webhook-Request-Origin": {"a.example", "b.example"}}, 200, "", ""},
		"not asked":          {"*", cePath, http.Header{}, 200, "", ""},
		"none allowed":       {"", cePath, http.Header{"Webhook-Request-Origin": {"x.example"}}, 200, "", ""},
		"no such source":     {"*", "/in/cloudevents/nobody", http.Header{"Webhook-Request-Origin": {"x.example"}}, 200, "", ""},
		"with token":         {"*", cePath, http.Header{"Webhook-Request-Origin": {"x.example"}, "Authorization": {"Bearer " + ceToken}}, 200, "*", ""},
		"with token in URL":  {"*", cePath + "?access_token=" + ceToken, http.Header{"Webhook-Request-Origin": {"x.example"}}, 200, "*", ""},
		"with wrong token":   {"*", cePath, http.Header{"Webhook-Request-Origin": {"x.example"}, "Authorization": {"Bearer x"}}, 401, "", ""},
		"nobody with token":  {"*", "/in/cloudevents/nobody?access_token=x", http.Header{"Webhook-Request-Origin": {"x.example"}}, 401, "", ""},
		"wrong token in URL": {"*", cePath + "?access_token=x", http.Header{"Webhook-Request-Origin": {"x.example"}}, 401, "", ""},
	} {
		settings := map[string]string{}
		if c.allowed != "" {
			settings["allowed_origin"] = strings.ToUpper(c.allowed)
		}
		b := newCloudEvents(t, settings)
		got := b.send(t, "OPTIONS", c.path, c.header, "")
		if got.status != c.status || got.header.Get("WebHook-Allowed-Origin") != c.origin || got.header.Get("WebHook-Allowed-Rate") != c.rate {
			t.Errorf("%s: %d %v, want %d, origin %q, rate %q", name, got.status, got.header, c.status, c.origin, c.rate)
		}
		if allow := got.header.Get("Allow"); c.status == 200 && allow != "POST, OPTIONS" {
			t.Errorf("%s: Allow %q", name, allow)
		}
		if n := len(b.log.webhooks()); n != 0 {
			t.Errorf("%s: %d events stored", name, n)
		}
	}
	b := newCloudEvents(t, nil)
	if got := b.send(t, "GET", cePath, http.Header{}, ""); got.status != 405 || got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d, Allow %q, want 405", got.status, got.header.Get("Allow"))
	}
	for origin, want := range map[string]int{"a b": 400, "https://x.example": 400, "": 400, "-x": 400, "*.example": 400, "x.example": 201, "localhost": 201} {
		body := fmt.Sprintf(`{"kind":"cloudevents","name":"n%x","settings":{"allowed_origin":%q},"secrets":{"token":%q}}`, origin, origin, ceToken)
		if got, says := b.command(t, "POST", "", body); got != want {
			t.Errorf("allowed_origin %q: %d %s, want %d", origin, got, says, want)
		}
	}
}

// TestCloudEventsFromSDK: what the SDK sends, in each of its modes, is what we
// keep. Of headers it neither encodes nor decodes anything, so the values here
// have nothing to encode.
func TestCloudEventsFromSDK(t *testing.T) {
	e := event.New()
	e.SetID("1")
	e.SetSource("https://a.example/x?y=z")
	e.SetType("com.example.done")
	e.SetSubject("s/1")
	e.SetTime(time.Date(2026, 3, 1, 0, 0, 0, 5000, time.UTC))
	e.SetDataSchema("https://a.example/s")
	e.SetExtension("partitionkey", "k-1")
	for contentType, data := range map[string]any{"application/json": map[string]int{"a": 1}, "image/png": []byte{0, 255}} {
		if err := e.SetData(contentType, data); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []string{"structured", "binary"} {
			req, err := http.NewRequest("POST", "http://localhost", nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx := binding.WithForceBinary(context.Background())
			if mode == "structured" {
				ctx = binding.WithForceStructured(context.Background())
			}
			if err := cehttp.WriteRequest(ctx, binding.ToMessage(&e), req); err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+ceToken)
			b := newCloudEvents(t, nil)
			if got := b.send(t, "POST", cePath, req.Header, string(body)); got.status != 202 {
				t.Fatalf("%s %s: %d, want 202", contentType, mode, got.status)
			}
			got, err := b.log.webhooks()[0].CloudEvent()
			if err != nil {
				t.Fatal(err)
			}
			got.SetExtension(schemas.SourceExtension, nil)
			got.SetExtension("origin", nil)
			ours, err := json.Marshal(got)
			theirs, err2 := json.Marshal(e)
			if err != nil || err2 != nil || string(ours) != string(theirs) {
				t.Errorf("%s %s: %v %v\n got %s\nwant %s", contentType, mode, err, err2, ours, theirs)
			}
		}
	}
}

// TestDecodeAttribute is the HTTP binding's 3.1.3.2.
func TestDecodeAttribute(t *testing.T) {
	for in, want := range map[string]string{
		``:                                ``,
		`plain`:                           `plain`,
		`Euro%20%E2%82%AC%20%f0%9f%98%80`: `Euro € 😀`,
		`%25%32%30`:                       `%20`, // once
		`100%`:                            `100%`,
		`5%zz%4`:                          `5%zz%4`,
		`"a b"`:                           `a b`,
		`"a \"b\" \\ %22"`:                `a "b" \ "`,
		`x="y z";w`:                       `x=y z;w`,
		`""`:                              ``,
		`5" nail`:                         `5" nail`,
		`"open \"`:                        `"open \"`,
		`"a" "b`:                          `a "b`,
		"raw ü":                           "raw ü",
	} {
		if got, err := decodeAttribute(in); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`%C0%AF`, `%ff`, "\xff", `%ED%A0%80`, `%F4%90%80%80`} {
		if got, err := decodeAttribute(in); err == nil {
			t.Errorf("%s: got %q, want an error", in, got)
		}
	}
}

// FuzzCloudEvents: what is taken can be stored and read again, stays this
// source's, and has not the token in it; and what the SDK cannot take for an
// event is not taken.
func FuzzCloudEvents(f *testing.F) {
	f.Add(structured, "", "", []byte(with(`"origin":"x","switchlogsource":"y","data":{}`)))
	f.Add(batched, "", "", []byte(`[`+ceEvent+`,`+ceEvent+`]`))
	f.Add("text/plain", "subject", "a%20b", []byte("x"))
	f.Add("application/json", "time", "2018-04-05T17:31:00Z", []byte("{}"))
	f.Add("image/png", "x", `"\"`, []byte{0})
	f.Add("", "origin", "%41", []byte(ceToken))
	s := cloudEvents.New(Configured{Name: "bus"})
	f.Fuzz(func(t *testing.T, contentType, name, value string, body []byte) {
		h := binary("Content-Type", contentType)
		if name != "" {
			h["Ce-"+name] = []string{value}
		}
		events, err := s.Events(&Request{Header: h, Query: url.Values{}}, body)
		if err != nil {
			return
		}
		for _, e := range events {
			comesBack(t, e)
			m, err := e.Message()
			if err != nil {
				t.Fatal(err)
			}
			if e.Route != schemas.GenericRoute("cloudevents", "bus") || e.Origin != schemas.OriginWebhook || len(m.Body) > maxEncodedBytes ||
				strings.Contains(string(m.Body), ceToken) {
				t.Errorf("%s on %s", m.Body, m.Subject)
			}
		}
	})
}

package ingest

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	standardPath  = "/in/standard/shop"
	standardKey1  = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // bytes 00..1f
	standardKey2  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	standardPub   = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=" // of the seed 00..1f
	standardOther = "whpk_gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q="
	standardBody  = `{"type":"invoice.paid","timestamp":"2026-03-01T11:59:58Z","data":{"amount":12}}`
)

// signed are the headers the reference library sends with body.
func standardSigned(t testing.TB, secret, id string, at time.Time, body string) http.Header {
	t.Helper()
	lib, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := lib.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return standardHeaders(id, strconv.FormatInt(at.Unix(), 10), signature)
}

func standardHeaders(id, at, signature string) http.Header {
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}, "Content-Type": {"application/json"}}
}

// standardSignedV1a signs with the seed 00..1f.
func standardSignedV1a(id string, at time.Time, body string) http.Header {
	seed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(standardKey1, "whsec_"))
	if err != nil {
		panic(err)
	}
	unix := strconv.FormatInt(at.Unix(), 10)
	sum := ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte(id+"."+unix+"."+body))
	return standardHeaders(id, unix, "v1a,"+base64.StdEncoding.EncodeToString(sum))
}

func newStandard(t testing.TB, secrets map[string]string) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	b.addSource(t, registry.NewSource{Kind: "standard", Name: "shop", Secrets: secrets})
	return b
}

// TestStandardVectors: signatures that others made.
func TestStandardVectors(t *testing.T) {
	for _, c := range []struct{ secret, public, id, at, body, signature string }{
		{"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`,
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{standardKey1, "", "msg_0001", "1735689600", `{"type":"relay.test","timestamp":"2025-01-01T00:00:00Z","data":{"n":1}}`,
			"v1,UwroWHP3+oAPbwHwdr/8NMcXcZXt2T7I8wRiC6+guuU="},
		{"", standardPub, "msg_0001", "1735689600", `{"type":"relay.test","timestamp":"2025-01-01T00:00:00Z","data":{"n":1}}`,
			"v1a,+reSRPae4Gju59/2ftAED/o64f0PculypvibIW8TWnETW9rrE2ZDJ+sZbXkciDnHpI/GH7MRMxD36e9kxsKNBA=="},
	} {
		seconds, err := strconv.ParseInt(c.at, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := standard.New(Configured{Name: "shop", Now: func() time.Time { return time.Unix(seconds, 0) }, Keys: map[string][]Key{
			purposeSecret: {{Secret: c.secret}}, purposePublicKey: {{Secret: c.public}}}})
		r := &Request{Header: standardHeaders(c.id, c.at, c.signature)}
		if err := s.Verify(r, []byte(c.body)); err != nil {
			t.Errorf("%s: %v", c.signature, err)
		}
		if err := s.Verify(r, []byte(c.body+" ")); err == nil {
			t.Errorf("%s of another body: accepted", c.signature)
		}
	}
}

// TestStandardAnswers: what is signed is stored, all else is 401 and is not.
func TestStandardAnswers(t *testing.T) {
	now := newClock().Now()
	with := func(change func(h http.Header)) http.Header {
		h := standardSigned(t, standardKey1, "msg_1", now, standardBody)
		change(h)
		return h
	}
	set := func(name, value string) http.Header { return with(func(h http.Header) { h.Set(name, value) }) }
	good := with(func(http.Header) {})
	signature := good.Get("Webhook-Signature")
	sign := func(id string, after time.Duration, body string) http.Header {
		return standardSigned(t, standardKey1, id, now.Add(after), body)
	}
	svix := func(h http.Header) http.Header {
		renamed := http.Header{}
		for name, values := range h {
			renamed[strings.Replace(name, "Webhook-", "Svix-", 1)] = values
		}
		return renamed
	}
	junk := "v1," + base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		header http.Header
		body   string
		status int
	}{
		"good":               {good, standardBody, 200},
		"second secret":      {standardSigned(t, standardKey2, "msg_1", now, standardBody), standardBody, 200},
		"public key":         {standardSignedV1a("msg_1", now, standardBody), standardBody, 200},
		"five minutes late":  {sign("msg_1", -5*time.Minute, standardBody), standardBody, 200},
		"five minutes early": {sign("msg_1", 5*time.Minute, standardBody), standardBody, 200},
		"only the last":      {set("Webhook-Signature", strings.Repeat(junk+" ", 9)+"v2,x v1a,"+junk[3:]+" "+signature), standardBody, 200},
		"signed, not JSON":   {sign("msg_1", 0, `{"type":`), `{"type":`, 400},
		"signed, not UTF-8":  {sign("msg_1", 0, "\"\xff\""), "\"\xff\"", 400},
		"signed, empty":      {sign("msg_1", 0, ``), ``, 400},
		"signed, too large":  {sign("msg_1", 0, strings.Repeat(" ", 300<<10)), strings.Repeat(" ", 300<<10), 413},

		"another body":        {good, strings.Replace(standardBody, "12", "13", 1), 401},
		"truncated":           {good, standardBody[:len(standardBody)-1], 401},
		"empty body":          {good, ``, 401},
		"another id":          {set("Webhook-Id", "msg_2"), standardBody, 401},
		"another time":        {set("Webhook-Timestamp", strconv.FormatInt(now.Unix()+1, 10)), standardBody, 401},
		"too late":            {sign("msg_1", -301*time.Second, standardBody), standardBody, 401},
		"too early":           {sign("msg_1", 301*time.Second, standardBody), standardBody, 401},
		"time no number":      {set("Webhook-Timestamp", "soon"), standardBody, 401},
		"time signed":         {set("Webhook-Timestamp", "+"+good.Get("Webhook-Timestamp")), standardBody, 401},
		"time huge":           {set("Webhook-Timestamp", strings.Repeat("9", 30)), standardBody, 401},
		"no id":               {with(func(h http.Header) { h.Del("Webhook-Id") }), standardBody, 401},
		"no time":             {with(func(h http.Header) { h.Del("Webhook-Timestamp") }), standardBody, 401},
		"no signature":        {with(func(h http.Header) { h.Del("Webhook-Signature") }), standardBody, 401},
		"two signatures":      {with(func(h http.Header) { h.Add("Webhook-Signature", signature) }), standardBody, 401},
		"two ids":             {with(func(h http.Header) { h.Add("Webhook-Id", "msg_1") }), standardBody, 401},
		"unknown version":     {set("Webhook-Signature", "v2"+signature[2:]), standardBody, 401},
		"no version":          {set("Webhook-Signature", signature[3:]), standardBody, 401},
		"bad base64":          {set("Webhook-Signature", signature[:len(signature)-2]), standardBody, 401},
		"empty signature":     {set("Webhook-Signature", "v1,"), standardBody, 401},
		"v1 called v1a":       {set("Webhook-Signature", "v1a"+signature[2:]), standardBody, 401},
		"too many signatures": {set("Webhook-Signature", strings.Repeat(junk+" ", 16)+signature), standardBody, 400},
		"too many, all wrong": {set("Webhook-Signature", strings.Repeat(junk+" ", 17)), standardBody, 401},
		"another secret":      {standardSigned(t, "whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 24)), "msg_1", now, standardBody), standardBody, 401},
		"id with a dot":       {sign("msg.1", 0, standardBody), standardBody, 401},
		"id too long":         {sign(strings.Repeat("m", 257), 0, standardBody), standardBody, 400},
		"svix":                {svix(good), standardBody, 200},
		"svix, public key":    {svix(standardSignedV1a("msg_1", now, standardBody)), standardBody, 200},
		"svix, another body":  {svix(good), standardBody + " ", 401},
		"svix, half":          {with(func(h http.Header) { h.Del("Webhook-Id"); h.Set("Svix-Id", "msg_1") }), standardBody, 401},
		"svix and webhook":    {with(func(h http.Header) { h.Set("Svix-Id", "msg_2") }), standardBody, 200},
		"nothing":             {http.Header{}, standardBody, 401},
	} {
		b := newStandard(t, map[string]string{purposeSecret: standardKey1 + "\r\n" + standardKey2 + "\n", purposePublicKey: standardPub})
		if got := b.send(t, "POST", standardPath, c.header, c.body); got.status != c.status || got.body != "" {
			t.Errorf("%s: %d %q, want %d without body", name, got.status, got.body, c.status)
		}
		events := b.log.webhooks()
		if want := map[bool]int{true: 1, false: 0}[c.status == 200]; len(events) != want {
			t.Errorf("%s: %d events, want %d", name, len(events), want)
		}
		if len(events) > 0 {
			checkStandardEvent(t, events[0])
		}
		if got := b.send(t, "POST", "/in/standard/till", c.header, c.body); c.status == 200 && got.status != 401 {
			t.Errorf("%s, to another source: %d, want 401", name, got.status)
		}
	}
}

func checkStandardEvent(t *testing.T, e schemas.Event) {
	t.Helper()
	if e.ID != "msg_1" || e.Source != "urn:switchlog:source:standard:shop" || e.Type != "invoice.paid" || string(e.Data) != standardBody ||
		e.Origin != schemas.OriginWebhook || e.DataSchema != "" || e.Repeats != 24*time.Hour || !e.Time.IsZero() {
		t.Errorf("event %+v", e)
	}
	if got, want := e.Route.EventSubject(), "events.standard.shop.message.receive"; got != want {
		t.Errorf("subject %s, want %s", got, want)
	}
	if got, err := schemas.RouteOf(e); err != nil || got != e.Route {
		t.Errorf("RouteOf %+v, %v, want %+v", got, err, e.Route)
	}
}

// TestStandardRepeats: an attempt is signed anew, and is the same event.
func TestStandardRepeats(t *testing.T) {
	b := newStandard(t, map[string]string{purposeSecret: standardKey1})
	for range 3 {
		if got := b.send(t, "POST", standardPath, standardSigned(t, standardKey1, "msg_1", b.clock.Now(), standardBody), standardBody); got.status != 200 {
			t.Errorf("status %d, want 200", got.status)
		}
		b.clock.pass(30 * time.Minute)
	}
	b.send(t, "POST", standardPath, standardSigned(t, standardKey1, "msg_2", b.clock.Now(), standardBody), standardBody)
	if got := len(b.log.webhooks()); got != 2 {
		t.Errorf("%d events, want 2", got)
	}
	b.nowhere(t, standardKey1, strings.TrimPrefix(standardKey1, "whsec_"))
}

// TestStandardRotation: the old secret stays good for the grace, then no more;
// a public key beside it is not touched.
func TestStandardRotation(t *testing.T) {
	b := newStandard(t, map[string]string{purposeSecret: standardKey1, purposePublicKey: standardPub})
	if _, err := b.reg.Rotate(t.Context(), "standard", "shop", map[string]string{purposeSecret: standardKey2}, 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	n := 0
	try := func(secret string) int {
		n++
		return b.send(t, "POST", standardPath, standardSigned(t, secret, fmt.Sprintf("m%d", n), b.clock.Now(), standardBody), standardBody).status
	}
	if got := try(standardKey1); got != 200 {
		t.Errorf("old secret, at once: %d, want 200", got)
	}
	b.clock.pass(10 * time.Minute)
	if got := try(standardKey1); got != 401 {
		t.Errorf("old secret, after the grace: %d, want 401", got)
	}
	if got := try(standardKey2); got != 200 {
		t.Errorf("new secret: %d, want 200", got)
	}
	if got := b.send(t, "POST", standardPath, standardSignedV1a("pub", b.clock.Now(), standardBody), standardBody).status; got != 200 {
		t.Errorf("public key: %d, want 200", got)
	}
	_, err := b.reg.Rotate(t.Context(), "standard", "shop", map[string]string{purposePublicKey: standardOther}, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 401} {
		if got := b.send(t, "POST", standardPath, standardSignedV1a(fmt.Sprintf("pub%d", i), b.clock.Now(), standardBody), standardBody).status; got != want {
			t.Errorf("replaced public key, %d0 minutes on: %d, want %d", i, got, want)
		}
		b.clock.pass(10 * time.Minute)
	}
}

// TestStandardRefusesSecrets: a secret that anybody could guess is refused
// before there is a source.
func TestStandardRefusesSecrets(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	key := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, c := range []struct{ secrets, status, says string }{
		{`{}`, "400", "is missing"},
		{`{"secret":""}`, "400", "empty"},
		{`{"secret":"whsec_"}`, "400", "0 bytes"},
		{`{"secret":"` + key(3) + `"}`, "400", "3 bytes"},
		{`{"secret":"` + key(23) + `"}`, "400", "23 bytes; it must have 24 to 64"},
		{`{"secret":"` + key(65) + `"}`, "400", "65 bytes"},
		{`{"secret":"` + key(24) + `\n` + key(3) + `"}`, "400", "line 2"},
		{`{"secret":"` + strings.Repeat(key(24)+`\n`, 9) + `"}`, "400", "more than 8"},
		{`{"secret":"whsec_*AAAA"}`, "400", "line 1 is not whsec_ and base64"},
		{`{"secret":"whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}`, "400", "line 1 is not whsec_"},
		{`{"secret":"` + standardPub + `"}`, "400", "line 1 is not whsec_"},
		{`{"secret":"` + key(24) + `\n` + key(24)[6:] + `"}`, "400", "line 2 is not whsec_ and base64 (hint: if it belongs to the line before it"},
		{`{"secret":"` + key(25) + `="}`, "400", "line 1 is not whsec_ and base64: it has 3 = at its end"},
		{`{"secret":"` + key(24)[:20] + "`" + key(24)[20:] + `"}`, "400", "line 1 is not whsec_ and base64"},
		{`{"public_key":"` + strings.Repeat(standardPub+`\n`, 5) + `"}`, "400", "more than 4"},
		{`{"public_key":"` + standardKey1 + `"}`, "400", "line 1 is not whpk_"},
		{`{"public_key":"whpk_` + base64.StdEncoding.EncodeToString(make([]byte, 31)) + `"}`, "400", "31 bytes; Ed25519's have 32"},
		{`{"secret":"` + key(24) + `"}`, "201", `"url":"https://hooks.example.org/in/standard/shop"`},
	} {
		status, got := b.command(t, "POST", "", `{"kind":"standard","name":"shop","secrets":`+c.secrets+`}`)
		if strconv.Itoa(status) != c.status || !strings.Contains(got, c.says) {
			t.Errorf("%s: %d %s, want %s %s", c.secrets, status, got, c.status, c.says)
		}
		if strings.Contains(got, "AAAA") {
			t.Errorf("%s: the answer quotes it: %s", c.secrets, got)
		}
	}
}

// FuzzStandardVerify holds Verify against the reference library, which reads
// the same but for ids with dots and timestamps that are not plain digits.
func FuzzStandardVerify(f *testing.F) {
	lib, err := standardwebhooks.NewWebhook(standardKey1)
	if err != nil {
		f.Fatal(err)
	}
	at := time.Unix(1735689600, 0)
	s := standard.New(Configured{Name: "shop", Now: func() time.Time { return at }, Keys: map[string][]Key{purposeSecret: {{Secret: standardKey1}}}})
	good := standardSigned(f, standardKey1, "msg_1", at, standardBody)
	f.Add("msg_1", "1735689600", good.Get("Webhook-Signature"), []byte(standardBody))
	f.Add("msg.1", "01735689600", "v1,x v1a,y "+good.Get("Webhook-Signature"), []byte(""))
	f.Fuzz(func(t *testing.T, id, when, signature string, body []byte) {
		right, err := lib.Sign(id, at, body)
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range []string{signature, right, signature + " " + right} {
			h := standardHeaders(id, when, list)
			ours, theirs := s.Verify(&Request{Header: h}, body), lib.VerifyIgnoringTimestamp(body, h)
			if ours == nil && theirs != nil {
				t.Errorf("we accept %q, the library says %v", h, theirs)
			}
			if ours != nil && theirs == nil && when == "1735689600" && !strings.Contains(id, ".") && isAttribute(id, maxWebhookIDBytes) &&
				len(strings.Fields(list)) <= maxStandardSignatures {
				t.Errorf("we refuse %q, the library does not", h)
			}
		}
	})
}

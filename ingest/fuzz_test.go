package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

// fuzzSource is a source that accepts testToken.
func fuzzSource() pluralKitSource {
	return pluralKitSource{Configured{
		Name: "home", Tenant: testSystem, Now: time.Now,
		Tokens: map[string][]Token{purposeToken: {{Hash: sha256.Sum256([]byte(testToken))}}},
	}}
}

// seeds are the samples, and what is special about JSON.
func seeds(f *testing.F) (all [][]byte) {
	for _, body := range bodies(f) {
		all = append(all, []byte(body))
	}
	for _, s := range []string{
		``, `{`, `[]`, `{"a":1,}`, `{"a":01}`, `{"a":-}`, `{"a":1e}`, `{"a":1.}`, `{"\u00zz":1}`, "{\"a\":\"\x01\"}", `{"a":tru}`,
		`{"signing\u005ftoken":"` + testToken + `","type":"X","data":[{"webhook\u005furl":1 , "b":2 , "signing_token":3}]}`,
		`{"type":"X","signing_token":"` + testToken + `","data":{"` + testToken + `":"` + testToken + `"},"more":["\u0065xample-token-not-a-real-secret"]}`,
	} {
		all = append(all, []byte(s))
	}
	return all
}

// The scanner says what json.Valid says, but for nesting.
func FuzzScanner(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, want := validJSON(body), json.Valid(body)
		if got != want && depth(body) <= maxDepth {
			t.Errorf("validJSON %t, json.Valid %t", got, want)
		}
	})
}

// depth is no less than how deep body nests.
func depth(body []byte) int { return bytes.Count(body, []byte("[")) + bytes.Count(body, []byte("{")) }

// topMember is a top-level member as encoding/json reads it, names exactly.
func topMember(members map[string]json.RawMessage, name string) any {
	var v any
	if raw, present := members[name]; present {
		if err := json.Unmarshal(raw, &v); err != nil {
			panic(err)
		}
	}
	return v
}

// What is accepted has the token where encoding/json finds it.
func FuzzPluralKitVerify(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		credential, has := findToken(nil, body)
		verified := fuzzSource().Verify(nil, body) == nil
		if verified && (!has || credential != sha256.Sum256([]byte(testToken))) {
			t.Error("verified, but it is found by another token")
		}
		if !verified && !bytes.Contains(body, []byte("signing")) && has {
			t.Error("a token out of nothing")
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil || members == nil || depth(body) > maxDepth || !utf8.Valid(body) {
			return
		}
		token, _ := topMember(members, memberToken).(string)
		system := topMember(members, memberSystem)
		id, isText := system.(string)
		want := token == testToken && (system == nil || isText && strings.EqualFold(id, testSystem))
		if verified && !want {
			t.Errorf("verified, but token %q system %v", token, system)
		}
		if !verified && want && strings.Count(string(body), "sign") < 2 && strings.Count(string(body), "system") < 2 && !bytes.Contains(body, []byte(`\`)) {
			t.Error("not verified, though encoding/json finds token and system") // and none is there twice
		}
	})
}

// Nothing stored holds a secret; what is stored is an event whose data is
// what was sent, less secrets, by encoding/json's reading.
func FuzzPluralKitEvents(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &Request{}
		findToken(r, body)
		if fuzzSource().Verify(r, body) != nil {
			return // only verified bodies get that far
		}
		events, err := fuzzSource().Events(r, body)
		var members map[string]json.RawMessage
		if jsonErr := json.Unmarshal(body, &members); jsonErr != nil || members == nil {
			if err == nil {
				t.Fatalf("%d events of what is no object: %v", len(events), jsonErr)
			}
			return
		}
		if err != nil {
			return
		}
		if name := topMember(members, "type"); (len(events) == 0) != (name == ping) {
			t.Fatalf("%d events of type %v", len(events), name)
		}
		for _, e := range events {
			checkFuzzed(t, members, e)
		}
	})
}

func checkFuzzed(t *testing.T, members map[string]json.RawMessage, e schemas.Event) {
	m, err := e.Message()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("no CloudEvent: %v", err)
	}
	if !json.Valid(m.Body) {
		t.Fatalf("stored what is not JSON: %s", m.Body)
	}
	if back, err := schemas.ParseMessage(m); err != nil || !bytes.Equal(back.Data, e.Data) {
		t.Errorf("does not come back: %v", err)
	}
	noSecret(t, m.Body)
	if extra, has := e.Extensions[schemas.PKExtraExtension].(string); has {
		noSecret(t, []byte(extra))
	}
	if raw, sent := members["data"]; sent {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(e.Data, &got); err != nil {
			t.Fatalf("data %s: %v", e.Data, err)
		}
		if want := withoutSecrets(v); !reflect.DeepEqual(got, want) && !bytes.Contains(e.Data, []byte(`***`)) && !holdsToken(v) {
			t.Errorf("data %s, want %v", e.Data, want)
		}
	}
}

// noSecret reads body as a stranger would and looks at every name and text.
func noSecret(t *testing.T, body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, withoutSecrets(v)) || holdsToken(v) || bytes.Contains(body, []byte(testToken)) {
		t.Errorf("a secret is in %s", body)
	}
}

func holdsToken(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, testToken)
	case []any:
		for _, inner := range v {
			if holdsToken(inner) {
				return true
			}
		}
	case map[string]any:
		for k, inner := range v {
			if strings.Contains(k, testToken) || holdsToken(inner) {
				return true
			}
		}
	}
	return false
}

// Whatever is requested is answered with one of the statuses there are, and a
// success means it was stored or was a ping.
func FuzzEdge(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add("POST", "/in/pluralkit", []byte(body))
	}
	f.Add("GET", "/healthz", []byte(nil))
	f.Add("OPTIONS", "*", []byte(nil))
	f.Add("POST", "/in/pluralkit/%2e%2e/", []byte("x"))
	clock, log := newClock(), newLog(f)
	reg := openRegistry(f, f.TempDir(), clock, &output{}, log)
	(&bench{reg: reg}).add(f)
	edge := NewEdge(EdgeConfig{Now: clock.Now}, reg, log)
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		log.mu.Lock()
		log.t, log.events, log.seen = t, nil, map[string]bool{}
		log.mu.Unlock()
		req, err := http.NewRequest(method, "http://localhost", bytes.NewReader(body))
		if err != nil {
			return
		}
		req.URL.Path = target
		rec := httptest.NewRecorder()
		edge.ServeHTTP(rec, req)
		stored := len(log.all())
		switch rec.Code {
		case 200:
			if target == "/in/pluralkit" && stored == 0 && !strings.Contains(string(body), "PING") && !strings.Contains(string(body), `\`) {
				t.Errorf("success, and nothing stored")
			}
		case 301, 307, 308, 400, 401, 404, 405, 413:
			if stored != 0 {
				t.Errorf("status %d, and %d events stored", rec.Code, stored)
			}
		default:
			t.Errorf("status %d", rec.Code)
		}
	})
}

// FuzzClaimedSystem: what an unverified body names is a uuid that is in it, or
// nothing; and of a whole body of PluralKit's form it is the system_id.
func FuzzClaimedSystem(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	f.Add([]byte(wrong(testSystem)))
	f.Fuzz(func(t *testing.T, body []byte) {
		system := claimedSystem(body)
		if system == "" {
			return
		}
		if id, err := checkSystem(system); err != nil || id != system {
			t.Errorf("got %q, want a uuid", system)
		}
		if bytes.IndexByte(body, '\\') < 0 && !bytes.Contains(bytes.ToLower(body), []byte(system)) {
			t.Errorf("got %q out of nothing", system)
		}
	})
}

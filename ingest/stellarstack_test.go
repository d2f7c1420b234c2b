package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	stellarSecret  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	stellarPath    = "/in/stellarstack/panel"
	stellarID      = "5b0c8c1e-0f6e-4a0e-9a51-3a6b2a1f0002"
	stellarStarted = "signed.server_started"
)

func stellarSigned(secret, body string, more ...string) http.Header {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	h := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"StellarStack-Webhook/1.0"}}
	h.Set(headerStellarSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	for i := 0; i < len(more); i += 2 {
		h.Add(more[i], more[i+1])
	}
	return h
}

func newSigned(t testing.TB) *bench {
	t.Helper()
	b := newBench(t, EdgeConfig{})
	added := b.addSource(t, registry.NewSource{Kind: "stellarstack", Name: "panel", Secrets: map[string]string{purposeSecret: stellarSecret}})
	if added.Tenant != "panel" || added.URL != "https://hooks.example.org"+stellarPath || added.Warning != "" {
		t.Errorf("added %+v", added)
	}
	return b
}

// newUnsigned adds a source without signature and gives its path.
func newUnsigned(t testing.TB) (b *bench, path string) {
	t.Helper()
	b = newBench(t, EdgeConfig{})
	added := b.addSource(t, registry.NewSource{Kind: "stellarstack", Name: "old", Settings: map[string]string{settingUnsigned: "true"}})
	path, ours := strings.CutPrefix(added.URL, "https://hooks.example.org")
	key, named := strings.CutPrefix(path, "/in/stellarstack/old/")
	if !ours || !named || len(key) != 43 {
		t.Fatalf("added %+v, want a path with 256 bits of key", added)
	}
	return b, path
}

// Every sample over a socket, to the source of its generation.
func TestStellarStackBodies(t *testing.T) {
	var got strings.Builder
	all := samples(t, "stellarstack")
	for _, name := range sortedKeys(all) {
		var b *bench
		path, header := stellarPath, http.Header{}
		if strings.HasPrefix(name, "signed.") {
			b, header = newSigned(t), stellarSigned(stellarSecret, all[name], headerStellarDelivery, stellarID)
		} else {
			b, path = newUnsigned(t)
		}
		answer := b.send(t, "POST", path, header, all[name])
		fmt.Fprintf(&got, "%s: %d", name, answer.status)
		for _, e := range b.log.webhooks() {
			fmt.Fprintf(&got, " %s of %s subject=%q id=%s repeats=%s %v", e.Type, e.Source, e.Subject, e.ID, e.Repeats, e.Extensions)
			checkStorable(t, e)
			if string(e.Data) != all[name] {
				t.Errorf("%s: data %s, want what was sent", name, e.Data)
			}
		}
		got.WriteString("\n")
	}
	golden(t, "stellarstack.golden", got.String())
}

func TestStellarStackVector(t *testing.T) {
	b := newSigned(t)
	h := http.Header{}
	h.Set(headerStellarSignature, "sha256=4159f7c112b67ae22cebbe647f2f184747d7fb1be0829d47d67bd3d44b032d99")
	if got := b.send(t, "POST", stellarPath, h, samples(t, "stellarstack")[stellarStarted]); got.status != 200 || got.body != "" {
		t.Errorf("got %+v, want an empty 200", got)
	}
	b.nowhere(t, stellarSecret)
}

func TestStellarStackRefuses(t *testing.T) {
	b := newSigned(t)
	old := b.addSource(t, registry.NewSource{Kind: "stellarstack", Name: "old", Settings: map[string]string{settingUnsigned: "true"}})
	oldPath := strings.TrimPrefix(old.URL, "https://hooks.example.org")
	key := oldPath[strings.LastIndex(oldPath, "/")+1:]
	all := samples(t, "stellarstack")
	body, embed := all[stellarStarted], all["embed.server_started"]
	good := stellarSigned(stellarSecret, body)
	set := func(value string) http.Header {
		h := good.Clone()
		h[headerStellarSignature] = []string{value}
		return h
	}
	signature := good.Get(headerStellarSignature)
	big := body + strings.Repeat(" ", 256<<10)
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               string
		want               int
	}{
		{"tampered", "POST", stellarPath, good, strings.Replace(body, "demo", "prod", 1), 401},
		{"truncated", "POST", stellarPath, good, body[:len(body)-1], 401},
		{"no signature", "POST", stellarPath, http.Header{}, body, 401},
		{"empty signature", "POST", stellarPath, set(""), body, 401},
		{"no prefix", "POST", stellarPath, set(signature[len("sha256="):]), body, 401},
		{"other prefix", "POST", stellarPath, set("sha1=" + signature[len("sha256="):]), body, 401},
		{"short signature", "POST", stellarPath, set(signature[:len(signature)-2]), body, 401},
		{"no hex", "POST", stellarPath, set("sha256=" + strings.Repeat("zz", 32)), body, 401},
		{"two signatures", "POST", stellarPath, stellarSigned(stellarSecret, body, headerStellarSignature, signature), body, 401},
		{"wrong secret", "POST", stellarPath, stellarSigned(stellarSecret+"0", body), body, 401},
		{"decoded secret", "POST", stellarPath, stellarSigned("\x01\x23\x45\x67", body), body, 401},
		{"no JSON, unsigned", "POST", stellarPath, good, "{", 401},
		{"no such source", "POST", "/in/stellarstack/none", good, body, 401},
		{"key of another", "POST", stellarPath + "/" + key, http.Header{}, embed, 401},
		{"key of another, signed", "POST", stellarPath + "/" + key, good, body, 401},
		{"no key", "POST", "/in/stellarstack/old", http.Header{}, embed, 401},
		{"no key, signed", "POST", "/in/stellarstack/old", stellarSigned(stellarSecret, body), body, 401},
		{"wrong key", "POST", oldPath + "x", http.Header{}, embed, 401},
		{"placeholder", "POST", "/in/stellarstack/old/%7Bkey%7D", http.Header{}, embed, 401},
		{"key in the query", "POST", "/in/stellarstack/old?key=" + key, http.Header{}, embed, 401},
		{"too large", "POST", stellarPath, stellarSigned(stellarSecret, big), big, 413},
		{"get", "GET", stellarPath, good, "", 405},
		{"get with key", "GET", oldPath, good, "", 405},
		{"below the key", "POST", oldPath + "/x", good, body, 404},
		{"no JSON", "POST", stellarPath, stellarSigned(stellarSecret, "{"), "{", 400},
		{"array", "POST", stellarPath, stellarSigned(stellarSecret, "[]"), "[]", 400},
		{"no event", "POST", stellarPath, stellarSigned(stellarSecret, "{}"), "{}", 400},
		{"embed, signed", "POST", stellarPath, stellarSigned(stellarSecret, embed), embed, 400},
		{"no JSON, with key", "POST", oldPath, http.Header{}, "{", 400},
		{"no embed, with key", "POST", oldPath, good, body, 400},
		{"event a number", "POST", stellarPath, stellarSigned(stellarSecret, `{"event":7}`), `{"event":7}`, 400},
		{"title a number", "POST", oldPath, http.Header{}, `{"embeds":[{"title":7}]}`, 400},
		{"embeds an object", "POST", oldPath, http.Header{}, `{"embeds":{"title":"🔔 Server Started"}}`, 400},
		{"no title", "POST", oldPath, http.Header{}, `{"embeds":[{}]}`, 400},
	} {
		if got := b.send(t, c.method, c.path, c.header, c.body); got.status != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got.status, c.want)
		}
	}
	if got := len(b.log.webhooks()); got != 0 {
		t.Errorf("%d events stored, want none", got)
	}
	b.log.fail(errDiskFull)
	if got := b.send(t, "POST", stellarPath, good, body); got.status != 503 {
		t.Errorf("not stored: got %d, want 503", got.status)
	}
}

// A delivery that comes again is the same event, though written anew; two of
// one panel are not. Without an id it is what was told when.
func TestStellarStackRepeats(t *testing.T) {
	b := newSigned(t)
	all := samples(t, "stellarstack")
	body := all["signed.server_auto_shutdown"]
	anew := strings.Replace(body, `"reason":"inactive","inactiveMinutes":45`, `"inactiveMinutes":45, "reason":"inactive"`, 1)
	if anew == body {
		t.Fatal("the sample has nothing to write anew")
	}
	stored := func(id, body string) int {
		before := len(b.log.webhooks())
		h := stellarSigned(stellarSecret, body)
		if id != "" {
			h.Set(headerStellarDelivery, id)
		}
		if got := b.send(t, "POST", stellarPath, h, body); got.status != 200 {
			t.Fatalf("got %d, want 200", got.status)
		}
		return len(b.log.webhooks()) - before
	}
	other := strings.Replace(body, "45", "46", 1)
	got := []int{
		stored(stellarID, body), stored(stellarID, body), stored(stellarID, anew), stored("another-delivery", body),
		stored("", body), stored("", anew), stored("", other), stored("no id!", other),
	}
	if want := []int{1, 0, 0, 1, 1, 0, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

// The key of the path is told once, and again when it is made anew; it is
// written nowhere.
func TestStellarStackPathKey(t *testing.T) {
	b, path := newUnsigned(t)
	body := samples(t, "stellarstack")["embed.server_started"]
	key := path[strings.LastIndex(path, "/")+1:]
	inside := strings.Replace(body, `"STARTING"`, `"at `+path+`"`, 1)
	for _, body := range []string{body, inside} {
		if got := b.send(t, "POST", path, http.Header{}, body); got.status != 200 {
			t.Fatalf("got %d, want 200", got.status)
		}
	}
	for _, e := range b.log.webhooks() {
		if e.Extensions[schemas.AuthTypeExtension] != schemas.AuthUnauthenticated {
			t.Errorf("extensions %v do not say that nobody vouches", e.Extensions)
		}
	}
	s, err := b.reg.Source("stellarstack", "old")
	if err != nil || s.URL != "https://hooks.example.org/in/stellarstack/old/{key}" {
		t.Errorf("status %+v, %v", s, err)
	}
	status, answer := b.command(t, "POST", "/stellarstack/old/rotate", `{"grace":"1m"}`)
	var rotated registry.Rotated
	if err := json.Unmarshal([]byte(answer), &rotated); err != nil || status != 200 || !strings.HasPrefix(rotated.URL, "https://hooks.example.org/in/stellarstack/old/") {
		t.Fatalf("rotate: %d %s", status, answer)
	}
	next := strings.TrimPrefix(rotated.URL, "https://hooks.example.org")
	b.clock.pass(time.Hour)
	if got := b.send(t, "POST", path, http.Header{}, body).status; got != 401 {
		t.Errorf("the old path: got %d, want 401", got)
	}
	if got := b.send(t, "POST", next, http.Header{}, body).status; got != 200 {
		t.Errorf("the new path: got %d, want 200", got)
	}
	b.nowhere(t, key, next[strings.LastIndex(next, "/")+1:])
}

func TestStellarStackSettings(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	for _, c := range []struct{ unsigned, purpose, secret, says string }{
		{"", "", "", "secret is missing"},
		{"false", "", "", "secret is missing"},
		{"true", purposeSecret, stellarSecret, "not both"},
		{"true", purposePathKey, "mine", "made here"},
		{"perhaps", "", "", "neither true nor false"},
	} {
		n := registry.NewSource{Kind: "stellarstack", Name: "x", Settings: map[string]string{}, Secrets: map[string]string{}}
		if c.unsigned != "" {
			n.Settings[settingUnsigned] = c.unsigned
		}
		if c.purpose != "" {
			n.Secrets[c.purpose] = c.secret
		}
		if _, err := b.reg.Add(t.Context(), n); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	added := b.addSource(t, registry.NewSource{Kind: "stellarstack", Name: "odd", Secrets: map[string]string{purposeSecret: "short"}})
	if added.Warning == "" {
		t.Error("no warning of a short secret")
	}
	b.addSource(t, registry.NewSource{Kind: "stellarstack", Name: "old", Settings: map[string]string{settingUnsigned: "true"}})
	_, err := b.reg.Rotate(t.Context(), "stellarstack", "old", map[string]string{purposeSecret: stellarSecret}, 0)
	if !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("a secret for an unsigned source: got %v", err)
	}
	if _, err := b.reg.Rotate(t.Context(), "stellarstack", "odd", nil, 0); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("no secret for a signed source: got %v", err)
	}
}

func FuzzStellarStackVerify(f *testing.F) {
	for _, body := range samples(f, "stellarstack") {
		f.Add(stellarSigned(stellarSecret, body).Get(headerStellarSignature), []byte(body))
	}
	s := stellarStack.New(Configured{Name: "panel", Tenant: "panel", Now: time.Now, Keys: map[string][]Key{purposeSecret: {{Secret: stellarSecret}}}})
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		err := s.Verify(&Request{Header: http.Header{headerStellarSignature: {signature}}}, body)
		want := stellarSigned(stellarSecret, string(body)).Get(headerStellarSignature)
		if good := strings.EqualFold(signature, want) && strings.HasPrefix(signature, "sha256="); (err == nil) != good {
			t.Errorf("%s: %v, want good %t", signature, err, good)
		}
	})
}

// What is taken is stored as it is and can be routed, whichever generation.
func FuzzStellarStackEvents(f *testing.F) {
	for name, body := range samples(f, "stellarstack") {
		f.Add(strings.HasPrefix(name, "embed."), stellarID, []byte(body))
	}
	f.Fuzz(func(t *testing.T, unsigned bool, delivery string, body []byte) {
		s := stellarStack.New(Configured{Name: "panel", Tenant: "panel", Now: time.Now, Settings: map[string]string{settingUnsigned: fmt.Sprint(unsigned)}})
		events, err := s.Events(&Request{Header: http.Header{headerStellarDelivery: {delivery}}}, body)
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("got %v, want invalid", err)
			}
			return
		}
		for _, e := range events {
			checkStorable(t, e)
			if string(e.Data) != string(body) {
				t.Errorf("data %s, want %s", e.Data, body)
			}
			if got := e.Extensions[schemas.AuthTypeExtension]; (got == schemas.AuthUnauthenticated) != unsigned {
				t.Errorf("unsigned %t, authtype %v", unsigned, got)
			}
		}
	})
}

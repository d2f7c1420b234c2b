package test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKinds adds a source of each kind that has a sender of its own, as a person
// does from the shell, and sends what that sender sends: rightly signed, wrongly
// signed, and twice. What arrived is in the tables once.
func TestKinds(t *testing.T) {
	s := start(t, t.TempDir())
	seed := sha256.Sum256([]byte("a key for this test"))
	private := ed25519.NewKeyFromSeed(seed[:])
	s.cli("", "source", "add", "discord", "game", "--public-key", hex.EncodeToString(private.Public().(ed25519.PublicKey)), "--application-id", "1335882468557197313")
	key := s.newSecret()
	s.cli(key, "source", "add", "botghost", "1335882468557197399", "--key-file", "-", "--event", "welcome1")
	secret := strings.Repeat("0123456789abcdef", 4)
	s.secret(secret)
	s.cli(secret, "source", "add", "stellarstack", "panel", "--secret-file", "-")

	discord := func(body []byte, sign ed25519.PrivateKey) http.Header {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		return http.Header{"X-Signature-Timestamp": {at},
			"X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(sign, append([]byte(at), body...)))}}
	}
	wrong := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	entitlement, err := os.ReadFile("../ingest/testdata/discord/entitlement_create.one_time.json")
	if err != nil {
		t.Fatal(err)
	}
	ping := []byte(`{"version":1,"application_id":"1335882468557197313","type":0}`)
	call := []byte(`{"variables":[{"name":"Who","variable":"{who}","value":"Ash"}]}`)
	started := []byte(`{"event":"server.started","timestamp":"2025-01-01T00:00:00.000Z","server":{"id":"11111111-1111-4111-8111-111111111111","name":"demo","status":"STARTING"}}`)
	stellar := func(secret string) http.Header {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(started)
		return http.Header{"X-Webhook-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "X-Webhook-Event": {"server.started"},
			"X-Webhook-Delivery": {"5b0c8c1e-0f6e-4a0e-9a51-3a6b2a1f0002"}}
	}
	for _, c := range []struct {
		name, path string
		header     http.Header
		body       []byte
		want       int
	}{
		{"discord ping", "/in/discord/game", discord(ping, private), ping, 204},
		{"discord probe", "/in/discord/game", discord(ping, wrong), ping, 401},
		{"discord event", "/in/discord/game", discord(entitlement, private), entitlement, 204},
		{"discord event again", "/in/discord/game", discord(entitlement, private), entitlement, 204},
		{"botghost", "/webhook/1335882468557197399/welcome1", http.Header{"Authorization": {key}}, call, 200},
		{"botghost, wrong key", "/webhook/1335882468557197399/welcome1", http.Header{"Authorization": {"Bearer " + key}}, call, 401},
		{"botghost, unknown event", "/webhook/1335882468557197399/other", http.Header{"Authorization": {key}}, call, 404},
		{"stellarstack", "/in/stellarstack/panel", stellar(secret), started, 200},
		{"stellarstack again", "/in/stellarstack/panel", stellar(secret), started, 200},
		{"stellarstack, wrong secret", "/in/stellarstack/panel", stellar(secret + "0"), started, 401},
	} {
		c.header.Set("Content-Type", "application/json")
		if got, body := s.ask(http.MethodPost, s.Public+c.path, c.header, string(c.body)); got != c.want {
			t.Errorf("%s: got %d %s, want %d", c.name, got, body, c.want)
		}
	}
	if out := s.cli("", "source", "test", "panel"); !strings.Contains(out, "answered 401") || !strings.Contains(out, "answered 200") {
		t.Errorf("source test: got %s", out)
	}
	s.settled()
	db := s.database()
	for query, want := range map[string]string{
		`SELECT count(*) FROM discord_entitlements`: "1",
		`SELECT count(*) FROM botghost_triggers`:    "1",
		`SELECT count(*) FROM stellarstack_events`:  "1",
		`SELECT name FROM stellarstack_servers`:     "demo",
		`SELECT count(*) FROM skipped`:              "0",
		`SELECT seq FROM positions`:                 "6", // three sources, three events
	} {
		if got := strings.Join(rows(t, db, query), " "); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	Check(s)
}

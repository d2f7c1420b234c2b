package test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSetAsideOfEveryKind: like TestSetAside, of the providers that are not
// PluralKit, and of PluralKit's envelope: what is verified and of a known type is
// kept, whatever its parts look like, and one can see that it was set aside.
func TestSetAsideOfEveryKind(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	seed := sha256.Sum256([]byte("a key for this test"))
	private := ed25519.NewKeyFromSeed(seed[:])
	s.cli("", "source", "add", "discord", "game", "--public-key", hex.EncodeToString(private.Public().(ed25519.PublicKey)), "--application-id", "1335882468557197313")
	secret := strings.Repeat("0123456789abcdef", 4)
	s.secret(secret)
	s.cli(secret, "source", "add", "stellarstack", "panel", "--secret-file", "-")
	var unsigned struct{ URL string }
	if err := json.Unmarshal([]byte(s.cli("", "source", "add", "stellarstack", "old", "--unsigned", "--json")), &unsigned); err != nil {
		t.Fatal(err)
	}
	old := strings.TrimPrefix(unsigned.URL, s.Public)
	s.ready()

	discord := func(event string) (string, http.Header, string) {
		body := `{"version":1,"application_id":"1335882468557197313","type":1,"event":` + event + `}`
		at := strconv.FormatInt(time.Now().Unix(), 10)
		return "/in/discord/game", http.Header{"X-Signature-Timestamp": {at},
			"X-Signature-Ed25519": {hex.EncodeToString(ed25519.Sign(private, []byte(at+body)))}}, body
	}
	stellar := func(body string) (string, http.Header, string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return "/in/stellarstack/panel", http.Header{"X-Webhook-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}, body
	}
	sent := 0
	post := func(path string, header http.Header, body string) {
		t.Helper()
		sent++
		if got, answer := s.ask(http.MethodPost, s.Public+path, header, body); got/100 != 2 {
			t.Errorf("got %d %s, want a success: %s", got, answer, body)
		}
	}
	post(stellar(`{"event":"server.started","server":{"id":7,"name":"demo"}}`))
	post(stellar(`{"event":"server.started","server":"demo"}`))
	post(stellar(`{"event":"server.started","timestamp":1767225600}`))
	post(stellar(`{"event":"backup.created","data":["a","b"]}`))
	post(stellar(`{"event":"backup.created","data":"text"}`))
	post(stellar(`{"event":"node.offline","data":[1]}`))
	sent-- // its type is unknown, and whatever it has is kept and readable
	post(old, http.Header{}, `{"embeds":[{"title":"🔔 Server Started","fields":{"name":"Server"}}]}`)
	post(old, http.Header{}, `{"embeds":[{"title":"🔔 Server Started","fields":[{"name":"Server","value":7}]}]}`)
	post(discord(`{"type":"ENTITLEMENT_CREATE","timestamp":7,"data":{"id":7}}`))
	post(discord(`{"type":"ENTITLEMENT_CREATE","timestamp":"2026-03-14T09:01:40","data":[]}`))
	post(discord(`{"type":"APPLICATION_AUTHORIZED","timestamp":"2026-03-14T09:01:40","data":{"user":"ada","scopes":{}}}`))
	post(discord(`{"type":"LOBBY_MESSAGE_CREATE","timestamp":"2026-03-14T09:01:40","data":{"id":"7","author":[]}}`))
	post("/in/pluralkit", http.Header{}, fmt.Sprintf(`{"type":"UPDATE_MEMBER","signing_token":%q,"system_id":%q,"id":7,"data":{"name":"x"}}`, sampleToken, sampleSystem))
	log := Check(s)
	if got := rows(t, s.database(), "SELECT count(*) FROM skipped"); got[0] != strconv.Itoa(sent) {
		t.Errorf("set aside: got %v, want %d of %d: %v", got, sent, len(log), rows(t, s.database(), "SELECT seq, type, reason FROM skipped"))
	}
}

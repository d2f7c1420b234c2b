package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"switchlog/schemas"
)

const (
	sendersToken  = "example-shared-token-0123456789"
	sendersSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// TestAnySender: what senders of the three kinds that take anything send is in
// the log under their own source, in its table, and in a file of the log that
// another server takes, byte for byte.
func TestAnySender(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.secret(sendersToken)
	s.secret(strings.TrimPrefix(sendersSecret, "whsec_"))
	for kind, secret := range map[string]string{"standard": sendersSecret, "token": sendersToken, "cloudevents": sendersToken} {
		purpose := map[bool]string{true: "secret", false: "token"}[kind == "standard"]
		body := fmt.Sprintf(`{"kind":%q,"name":"shop","secrets":{%q:%q}}`, kind, purpose, secret)
		if status, answer := s.ask("POST", s.Private+"/api/admin/sources", http.Header{"Authorization": {"Bearer " + s.token()}}, body); status != 201 {
			t.Fatalf("add %s: %d %s", kind, status, answer)
		}
	}
	bearer := func(contentType string) http.Header {
		return http.Header{"Authorization": {"Bearer " + sendersToken}, "Content-Type": {contentType}}
	}
	binary := bearer("image/png")
	for name, value := range map[string]string{"Specversion": "1.0", "Id": "1", "Source": "https://b.example/", "Type": "com.example.seen", "Note": "a%20%E2%82%AC"} {
		binary.Set("Ce-"+name, value)
	}
	structured := `{"specversion":"1.0","id":"1","source":"https://api.pluralkit.me/v2/systems/` + sampleSystem + `","type":"me.pluralkit.switch.create",` +
		`"switchlogsource":"pluralkit/` + sampleSystem + `","origin":"api","datacontenttype":"text/plain","data":"x"}`
	paid := `{"type":"invoice.paid","data":{"amount":12}}`
	for range 2 { // all but token's are the same event the second time
		for _, sent := range []struct {
			path   string
			header http.Header
			body   string
			want   int
		}{
			{"/in/standard/shop", standardHeaders(t, "msg_1", paid), paid, 200},
			{"/in/token/shop", http.Header{"Authorization": {sendersToken}}, `{"vote":1}`, 200},
			{"/in/token/shop", bearer("application/json"), `{"vote":1}`, 401},
			{"/in/cloudevents/shop", bearer(schemas.ContentType), structured, 202},
			{"/in/cloudevents/shop?access_token=" + sendersToken, binary, "\x00\xff", 202},
		} {
			if status, answer := s.ask("POST", s.Public+sent.path, sent.header, sent.body); status != sent.want {
				t.Errorf("%s: %d %s, want %d", sent.path, status, answer, sent.want)
			}
		}
	}
	log := Check(s)
	var got []string
	for _, m := range log {
		if !strings.HasPrefix(m.Subject, "log.events.switchlog.") {
			got = append(got, m.Subject)
		}
	}
	want := "log.events.standard.shop.message.receive log.events.token.shop.message.receive log.events.cloudevents.shop.event.receive " +
		"log.events.cloudevents.shop.event.receive log.events.token.shop.message.receive"
	if strings.Join(got, " ") != want {
		t.Errorf("subjects:\n got %s\nwant %s", strings.Join(got, " "), want)
	}
	rows := s.cli("", "sql", "--json", "SELECT source, sender, type, data ->> '$.data.amount' AS amount, hex(data_bytes) AS bytes, extensions FROM received ORDER BY seq LIMIT 4")
	for _, part := range []string{`"invoice.paid"`, `"amount": 12`, `"00FF"`, `a €`, `"me.pluralkit.switch.create"`, `"urn:switchlog:source:token:shop"`} {
		if !strings.Contains(rows, part) {
			t.Errorf("received: no %s in %s", part, rows)
		}
	}
	if out := s.cli("", "sql", "SELECT (SELECT count(*) FROM switches) + (SELECT count(*) FROM systems)"); !strings.Contains(out, "0") {
		t.Errorf("an event that claimed to be PluralKit's made rows: %s", out)
	}
	if status, _, body := s.get("/api/v1/cloudevents/shop/received"); status != 200 || !bytes.Contains(body, []byte(`"data_base64":"AP8="`)) {
		t.Errorf("received over HTTP: %d %s", status, body)
	}

	file := filepath.Join(t.TempDir(), "events.ndjson")
	s.cli("", "replay", "--out", file)
	other := start(t, t.TempDir())
	for _, want := range []string{"5 new", "0 new"} {
		if out, _, _ := other.try("", "import", file); !strings.Contains(out, want) {
			t.Errorf("import: %q, want %s", out, want)
		}
	}
	copied := Check(other)
	for i, m := range log[3:] { // less the registry's
		if copied[i].Subject != m.Subject || copied[i].MsgID != m.MsgID || !bytes.Equal(copied[i].Body, m.Body) {
			t.Errorf("imported %s %s, want %s %s", copied[i].Subject, copied[i].Body, m.Subject, m.Body)
		}
	}
}

// standardHeaders are those of a Standard Webhooks sender.
func standardHeaders(t *testing.T, id, body string) http.Header {
	t.Helper()
	lib, err := standardwebhooks.NewWebhook(sendersSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := lib.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {signature}}
}

// ask sends a request to either listener.
func (s *server) ask(method, url string, header http.Header, body string) (status int, answer []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header
	res, err := patient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err = io.ReadAll(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, answer
}

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"switchlog/schemas"
)

// TestTooLargeForTheServer: what one system says may be larger than the NATS
// server's max_payload, as an event, a change, an entry of the bucket or an
// answer. Nothing of it is lost, no other system waits for it, and what stands
// still is named until the server takes more.
func TestTooLargeForTheServer(t *testing.T) {
	t.Parallel()
	const other, otherToken, members = "c1ae0f4e-2222-4c1b-9a6e-2b8d5f90c311", "another-example-token-not-real", 150
	o := startOutside(t)
	usual, small := o.conf, filepath.Join(t.TempDir(), "nats.conf")
	conf, err := os.ReadFile(usual)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(small, bytes.Replace(conf, []byte("max_payload: 1MB"), []byte("max_payload: 64KB"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	o.kill()
	o.conf = small
	o.start()
	s := start(t, t.TempDir(), "--nats", o.url())
	s.addPluralKit()
	s.cli(s.secret(otherToken)+"\n", "source", "add", "pluralkit", "other", "--token-file", "-", "--system", other)
	s.ready()

	post := func(token, system, kind, id, data string) {
		t.Helper()
		body := fmt.Appendf(nil, `{"type":%q,"signing_token":%q,"system_id":%q,"id":%q,"data":%s}`, kind, token, system, id, data)
		if status := s.post(body); status != http.StatusOK {
			t.Fatalf("%s: got %d, want 200", kind, status)
		}
	}
	uuids := make([]string, members)
	for i := range uuids {
		uuids[i] = fmt.Sprintf("dddddddd-0000-4000-8000-%012d", i)
		post(sampleToken, sampleSystem, "CREATE_MEMBER", uuids[i], fmt.Sprintf(`{"name":"%s%d"}`, strings.Repeat("名", 90), i))
		post(sampleToken, sampleSystem, "UPDATE_MEMBER", uuids[i], fmt.Sprintf(`{"display_name":"%s","pronouns":"%[1]s"}`, strings.Repeat("代", 90)))
	}
	front := func(token, system string, at int, members ...string) {
		t.Helper()
		list, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		id := uuid.NewString()
		post(token, system, "CREATE_SWITCH", id, fmt.Sprintf(`{"id":%q,"timestamp":"2026-11-28T13:00:%02d.000000Z","members":%s}`, id, at, list))
	}
	before := len(Check(s))
	front(sampleToken, sampleSystem, 1, uuids...)
	post(sampleToken, sampleSystem, "UPDATE_MEMBER", uuids[0], fmt.Sprintf(`{"description":%q}`, strings.Repeat("d", 100<<10)))
	front(otherToken, other, 2, "eeeeeeee-0000-4000-8000-000000000001")

	await(t, "the other system's change", func() bool {
		for _, m := range s.stream(schemas.StreamChanges) {
			if strings.Contains(m.Subject, other) {
				return true
			}
		}
		return false
	})
	if got := len(Check(s)); got != before+2 {
		t.Errorf("the log has %d events, want %d: one stands aside", got, before+2)
	}
	for name, says := range map[string]string{
		"readyz": string(second(s.get("/readyz"))), "status": first(s.try("", "status")), "doctor": first(s.try("", "doctor", "--quick")),
	} {
		if !strings.Contains(says, "larger than the log's server takes") || !strings.Contains(says, "max_payload") {
			t.Errorf("%s does not name what stands aside: %s", name, says)
		}
	}
	if status, _, _ := s.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: got %d, want 503", status)
	}
	if got := askInPages(t, s.admin(), "switchlog.query.pluralkit."+sampleSystem+".fronters"); got != members {
		t.Errorf("fronters over NATS: got %d members, want %d", got, members)
	}

	// The server takes more: what stood aside goes on by itself.
	o.kill()
	o.conf = usual
	o.start()
	s.ready()
	if got := len(Check(s)); got != before+3 {
		t.Errorf("the log has %d events, want %d", got, before+3)
	}
}

func first(out, _ string, _ int) string               { return out }
func second(_ int, _ http.Header, body []byte) []byte { return body }

// askInPages counts the members in the pages of an answer.
func askInPages(t *testing.T, nc *nats.Conn, subject string) int {
	t.Helper()
	n := 0
	for skip := "0"; skip != ""; {
		m, err := nc.Request(subject, []byte(`{"skip":`+skip+`}`), startWithin)
		if err != nil {
			t.Fatal(err)
		}
		var front struct{ Members []any }
		if err := json.Unmarshal(m.Data, &front); err != nil || len(front.Members) == 0 {
			t.Fatalf("got %.200s %v: %v", m.Data, m.Header, err)
		}
		n += len(front.Members)
		skip = m.Header.Get("Switchlog-Next")
	}
	return n
}

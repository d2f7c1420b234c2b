package test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// TestPublicReader: a reader of what is public sees that over HTTP and NATS, as PluralKit would show it, and
// nothing more: no private member or name, no raw event or replay, nothing at all of what the system hides.
func TestPublicReader(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.post(sample(t, "02-update_system-import.json")) // everything is public
	s.post(sample(t, "04-create_member-api.json"))
	hidden := uuid.NewString()
	private := bytes.ReplaceAll(sample(t, "04-create_member-bot_default_private.json"), []byte("3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084"), []byte(hidden))
	s.post(private)
	s.post(switchBody(uuid.NewString(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
	s.settled()
	owner := s.addReader("owner", "--tenant", sampleSystem)
	public := s.addReader("street", "--tenant", "@me", "--public", "--expires", "12h")
	if public.Tenant != sampleSystem {
		t.Errorf("@me: got tenant %q, want %s", public.Tenant, sampleSystem)
	}
	const of = "/api/v1/pluralkit/@me/"
	for _, path := range []string{"system", "members", "groups", "fronters", "switches"} {
		if status, body := s.as(public.Token, of+path); status != 200 {
			t.Errorf("%s while all is public: got %d %s, want 200", path, status, body)
		}
	}
	_, all := s.as(owner.Token, of+"members")
	_, shown := s.as(public.Token, of+"members")
	if strings.Count(all, `"uuid"`) != 2 || strings.Count(shown, `"uuid"`) != 1 || !strings.Contains(shown, `"privacy":null`) {
		t.Errorf("members: the owner sees %s\nothers see %s", all, shown)
	}
	exportsPublic(t, s, public, hidden)
	for _, path := range []string{"timeline", "messages", "source/states", "stats", "system?as_of=1", "fronters?at=2026-01-01T00:00:00Z", "history/member/x"} {
		if status, body := s.as(public.Token, of+path); status != 404 && status != 400 {
			t.Errorf("%s: got %d %s, want it refused", path, status, body)
		}
	}
	if status, body := s.as(public.Token, "/v2/systems/"+sampleSystem+"/members"); status != 200 || strings.Count(body, `"uuid"`) != 1 {
		t.Errorf("the mirror: got %d %s, want the one that is public", status, body)
	}
	if status, _ := s.ask("POST", s.Private+"/api/webhooks", http.Header{"Authorization": {"Bearer " + public.Token}}, `{}`); status != 401 {
		t.Errorf("a webhook: got %d, want 401", status)
	}

	s.checkPublicStream(owner, public, hidden)
	nc, refused, _ := public.connect(t, s.NATS)
	m, err := nc.Request("switchlog.query.pluralkit."+sampleSystem+".members", nil, startWithin)
	if err != nil || strings.Count(string(m.Data), `"uuid"`) != 1 {
		t.Errorf("members over NATS: %v %s", err, m.Data)
	}
	for _, subject := range []string{"events.pluralkit." + sampleSystem + ".>", "changes.pluralkit." + sampleSystem + ".>"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, subject, refused)
	}
	if err := nc.PublishRequest("switchlog.replay.pluralkit."+sampleSystem, nc.NewInbox(), nil); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, "replay", refused)

	s.post(sample(t, "02-update_system-privacy_all.json")) // nothing is public any more
	s.settled()
	for _, path := range []string{"members", "groups", "fronters", "switches"} {
		if status, body := s.as(public.Token, of+path); status != 404 {
			t.Errorf("%s while all is private: got %d %s, want 404", path, status, body)
		}
		if status, body := s.as(owner.Token, of+path); status != 200 {
			t.Errorf("%s of the owner: got %d %s, want 200", path, status, body)
		}
	}
	Check(s)
}

// checkPublicStream wants the live changes of a public reader to be those that others may see. What
// happens to the hidden member comes before what happens to the one that is public, so that a reader who
// has the second has had all it gets of the first. That the hidden one fronts is shown, as PluralKit does
// where the front is public, but nothing of who it is.
func (s *server) checkPublicStream(owner, public credentials, hidden string) {
	s.t.Helper()
	const shown, mark = "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084", "3a7d44"
	all, some := s.changesAs(owner.Token, ""), s.changesAs(public.Token, "")
	defer all.end(s.t)
	defer some.end(s.t)
	all.read()
	some.read() // both have begun
	update := func(member, data string) {
		body := `{"type":"UPDATE_MEMBER","signing_token":"` + sampleToken + `","system_id":"` + sampleSystem + `","id":"` + member + `","data":` + data + `}`
		if got := s.post([]byte(body)); got != 200 {
			s.t.Fatalf("an update: got %d, want 200", got)
		}
	}
	update(hidden, `{"name":"Dune of the hills","pronouns":"thon/thons"}`)
	s.post(bytes.Replace(switchBody(uuid.NewString(), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)), []byte("0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"), []byte(hidden), 1))
	update(shown, `{"color":"`+mark+`"}`)
	read := func(of string, from *sse) (text string) {
		for !strings.Contains(text, mark) {
			_, data := from.read()
			if data == "" {
				s.t.Fatalf("the stream of %s ended after: %s", of, text)
			}
			text += data + "\n"
		}
		return text
	}
	if text := read("the owner", all); !strings.Contains(text, "Dune of the hills") || !strings.Contains(text, `"switchlog.front.changed"`) {
		s.t.Errorf("the owner's changes lack the hidden member's: %s", text)
	}
	if text := read("a public reader", some); strings.Contains(text, `"subject":"`+hidden) || strings.Contains(text, "of the hills") || strings.Contains(text, "thon/thons") {
		s.t.Errorf("a public reader's changes have what is hidden: %s", text)
	}
}

func wantRefused(t *testing.T, what string, refused <-chan error) {
	t.Helper()
	select {
	case err := <-refused:
		if !strings.Contains(err.Error(), nats.PERMISSIONS_ERR) && !strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(startWithin):
		t.Errorf("%s was not refused", what)
	}
}

// sample is a recorded body of PluralKit's.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	return read(t, "ingest/testdata/pluralkit/"+name)
}

package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// TestReconcile: a system that existed before switchlog, and whose webhooks
// all got lost, is known after one look at PluralKit's API. A second look finds
// nothing, and what was found is in the log like any event: a rebuild needs no
// PluralKit.
func TestReconcile(t *testing.T) {
	t.Parallel() // it waits more than it works
	world := fakepk.New(t, fakepk.Config{Seed: 1})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	ash, err := system.CreateMember("Ash", nil)
	world.Must(err)
	briar, err := system.CreateMember("Briar", nil)
	world.Must(err)
	group, err := system.CreateGroup("Night shift")
	world.Must(err)
	world.Must(system.AddToGroup(group, ash))
	_, err = system.Switch(briar, ash) // the order is only in the API
	world.Must(err)
	api := httptest.NewServer(fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now}))
	t.Cleanup(api.Close)

	s := start(t, t.TempDir(), "--pluralkit-api", api.URL)
	s.secret(system.Token())
	file := filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(file, []byte(system.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--api-token-file", file, "--system", system.UUID())
	db := s.database()
	await(t, "the front", func() bool {
		return strings.Join(rows(t, db, `SELECT name FROM current_fronters ORDER BY position`), " ") == "Briar Ash"
	})
	await(t, "a look that finds nothing", func() bool {
		var r struct{ Emitted int }
		out, _, code := s.try("", "reconcile", "--json")
		return code <= 1 && json.Unmarshal([]byte(out), &r) == nil && r.Emitted == 0
	})
	if got := strings.Join(rows(t, db, `SELECT m.name FROM group_members g JOIN members m ON m.system_uuid = g.system_uuid AND m.uuid = g.member_uuid`), " "); got != "Ash" {
		t.Errorf("group members: got %q, want Ash", got)
	}
	// The fake sends its webhooks nowhere, and status says so.
	if out := s.cli("", "status"); !strings.Contains(out, "to another address, or to none") {
		t.Errorf("status: got %s", out)
	}
	_, err = system.CreateMember("Clover", nil)
	world.Must(err)
	clovers := func() int { return len(rows(t, db, `SELECT 1 FROM members WHERE name = 'Clover'`)) }
	out, told, code := s.try("", "reconcile", "--dry-run")
	if !strings.Contains(out, "is missing, and would be added: 1 member\n") || clovers() != 0 || code != 1 {
		t.Errorf("a dry run: got code %d, %d members, %s", code, clovers(), out)
	}
	if strings.ContainsAny(told, "\r\x1b") || !strings.Contains(told, "pk;system webhook") {
		t.Errorf("a dry run, not on a terminal: got %q, want no progress bar, and what helps", told)
	}
	var r struct {
		Emitted, Requests int
		State             string
		Repairs           map[string]struct{ Missing int }
		Late              struct{ Count int }
		Differences       []string
		First             bool
	}
	out, _, _ = s.try("", "reconcile", "--json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.Emitted != 1 || r.Repairs["member"].Missing != 1 || r.Late.Count != 1 || r.Requests < 6 || r.State != "webhook_elsewhere" || len(r.Differences) != 1 || r.First {
		t.Errorf("got %s, want a member that was missing", out)
	}
	api.Close()
	s.cli("", "rebuild")
	for _, m := range Check(s) {
		if strings.HasPrefix(m.Subject, "log.events.pluralkit.") && !strings.Contains(string(m.Body), `"origin":"api"`) {
			t.Errorf("seq %d: got %s, want origin api", m.Seq, m.Body)
		}
	}
}

// TestReconcileRefused: what PluralKit says of a member in a form that cannot be
// taken is set aside once, not at every look, nor again after a restart.
func TestReconcileRefused(t *testing.T) {
	t.Parallel()
	world := fakepk.New(t, fakepk.Config{Seed: 1})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	_, err = system.CreateMember("Ash", nil)
	world.Must(err)
	fake := fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		fake.ServeHTTP(answer, r)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.Header().Del("Content-Length")
		w.WriteHeader(answer.Code)
		if _, err := w.Write(bytes.ReplaceAll(answer.Body.Bytes(), []byte(`"proxy_tags":[]`), []byte(`"proxy_tags":[7]`))); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(api.Close)
	s := start(t, t.TempDir(), "--pluralkit-api", api.URL)
	s.secret(system.Token())
	file := filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(file, []byte(system.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--api-token-file", file, "--system", system.UUID())
	db := s.database()
	aside := func() int { return len(rows(t, db, `SELECT 1 FROM skipped WHERE type = 'switchlog.member.observed'`)) }
	await(t, "the first look", func() bool { return aside() > 0 })
	looks := func(when string) {
		for range 2 {
			var r struct{ Emitted, Refused int }
			out, _, _ := s.try("", "reconcile", "--json")
			if err := json.Unmarshal([]byte(out), &r); err != nil || r.Emitted != 0 || r.Refused != 1 {
				t.Errorf("%s: got %s, %v, want nothing said and one thing refused", when, out, err)
			}
			s.settled()
		}
		if got := aside(); got != 1 {
			t.Errorf("%s: %d observations set aside, want 1 as before", when, got)
		}
	}
	looks("at once")
	s.stop()
	s.start()
	s.ready()
	looks("after a restart")
	Check(s)
}

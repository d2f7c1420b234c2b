package test

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// asked is a server, and a PluralKit whose API it asks. Nothing is asked by the
// clock, and the world dispatches nothing: what arrives was looked for.
type asked struct {
	*server
	world  *fakepk.World
	system *fakepk.System
	n      int
}

const triggerHook = "https://hooks.example.org/in/pluralkit"

func startAsked(t *testing.T) *asked {
	t.Helper()
	world := fakepk.New(t, fakepk.Config{Seed: 2})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	_, err = system.SetWebhook(triggerHook)
	world.Must(err)
	api := httptest.NewServer(fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now}))
	t.Cleanup(api.Close)
	s := start(t, t.TempDir(), "--pluralkit-api", api.URL, "--public-url", "https://hooks.example.org", "--reconcile-every", "24h")
	s.secret(system.Token())
	return &asked{server: s, world: world, system: system}
}

// link gives the server both tokens.
func (a *asked) link() {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "api-token")
	if err := os.WriteFile(file, []byte(a.system.Token()), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--api-token-file", file, "--system", a.system.UUID())
}

// silently creates a member that no webhook tells of.
func (a *asked) silently() (name string) {
	a.t.Helper()
	a.n++
	name = fmt.Sprintf("Member %d", a.n)
	_, err := a.system.CreateMember(name, nil)
	a.world.Must(err)
	return name
}

// finds waits until the member is known.
func (a *asked) finds(name string) {
	a.t.Helper()
	await(a.t, name, func() bool { return len(rows(a.t, a.database(), `SELECT 1 FROM members WHERE name = '`+name+`'`)) == 1 })
}

// looks is how many looks were asked for, for that reason.
func (a *asked) looks(reason string) string {
	a.t.Helper()
	_, _, body := a.get("/metrics")
	for _, line := range strings.Split(string(body), "\n") {
		if n, is := strings.CutPrefix(line, `switchlog_pluralkit_triggers_total{reason="`+reason+`"} `); is {
			return n
		}
	}
	a.t.Fatalf("no metric of looks for %s", reason)
	return ""
}

func (a *asked) send(token string) int {
	return a.post(fmt.Appendf(nil, `{"type":"UPDATE_SYSTEM","signing_token":%q,"system_id":%q,"id":null,"data":{"tag":"x"}}`, token, a.system.UUID()))
}

// TestTriggers: what may mean that something was missed has PluralKit asked, long
// before it is time: a new source, a start after a time away, a burst of
// requests with a wrong token, and PluralKit's own try of an address.
func TestTriggers(t *testing.T) {
	t.Parallel() // it waits more than it works
	a := startAsked(t)
	linked := a.silently()
	a.link()
	a.finds(linked)

	a.stop()
	if err := os.WriteFile(filepath.Join(a.dir, "alive"), []byte("2025-11-29T17:00:00Z\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	away := a.silently()
	a.start()
	a.finds(away)
	if out := a.cli("", "status"); !strings.Contains(out, "away     until ") {
		t.Errorf("status does not tell of the time away: %s", out)
	}

	refused := a.silently()
	for range 10 {
		if got := a.send("a-token-nobody-knows"); got != 401 {
			t.Errorf("got %d, want 401", got)
		}
	}
	a.finds(refused)
	if got := a.looks("refused"); got != "1" {
		t.Errorf("looks for the refused requests: got %s, want 1", got)
	}
	if out := a.cli("", "status"); !strings.Contains(out, "10 requests named it and sent a wrong token") {
		t.Errorf("status does not tell of the refused requests: %s", out)
	}

	a.world.Must(a.system.ClearWebhook())
	a.try("", "reconcile")
	registered := a.silently()
	_, err := a.system.SetWebhook(triggerHook)
	a.world.Must(err)
	if got := a.post(fmt.Appendf(nil, `{"type":"PING","signing_token":%q,"system_id":%q}`, sampleToken, a.system.UUID())); got != 200 {
		t.Errorf("ping: got %d, want 200", got)
	}
	a.finds(registered)
	if got := a.looks("linked"); got != "1" {
		t.Errorf("looks for the ping: got %s, want 1", got)
	}
	Check(a.server)
}

// TestMissedIsMadeUp: what was answered 503 is asked for as soon as the spool
// takes events again, and not when the next one comes.
func TestMissedIsMadeUp(t *testing.T) {
	t.Parallel() // it waits more than it works
	a := startAsked(t)
	linked := a.silently()
	a.link()
	a.finds(linked)
	disk, err := sql.Open("sqlite3", "file:"+filepath.Join(a.dir, "spool.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disk.Close() })
	stuck, err := disk.Begin() // as a disk that takes no writes
	if err != nil {
		t.Fatal(err)
	}
	missed := a.silently()
	if got := a.send(sampleToken); got != 503 {
		t.Errorf("got %d, want 503", got)
	}
	if out, _, code := a.try("", "status"); code != 1 || !strings.Contains(out, "webhooks are being refused") {
		t.Errorf("status does not tell, or exits %d: %s", code, out)
	}
	if err := stuck.Rollback(); err != nil {
		t.Fatal(err)
	}
	a.finds(missed)
	if got := a.looks("full"); got != "1" {
		t.Errorf("looks for what was not stored: got %s, want 1", got)
	}
	if out := a.cli("", "status"); strings.Contains(out, "webhooks are being refused") {
		t.Errorf("status goes on telling: %s", out)
	}
	Check(a.server)
}

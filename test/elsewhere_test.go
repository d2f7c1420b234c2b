package test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// TestWebhooksElsewhere: when PluralKit does not send to us any more, or does not take our
// API token, that is a change which subscribers hear of, once; so is the end
// of it. No row of the system is different for it, but for the end of the
// system itself.
func TestWebhooksElsewhere(t *testing.T) {
	t.Parallel() // it waits more than it works
	world := fakepk.New(t, fakepk.Config{Seed: 1})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	ash, err := system.CreateMember("Ash", nil)
	world.Must(err)
	_, err = system.Switch(ash)
	world.Must(err)
	hook := func(url string) { _, err := system.SetWebhook(url); world.Must(err) }
	hook("https://hooks.example.org/in/pluralkit")
	pluralkit := fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now})
	api := httptest.NewServer(pluralkit)
	t.Cleanup(api.Close)

	s := start(t, t.TempDir(), "--pluralkit-api", api.URL, "--public-url", "https://hooks.example.org", "--reconcile-every", "24h")
	file := filepath.Join(t.TempDir(), "api-token")
	token := func() {
		if err := os.WriteFile(file, []byte(s.secret(system.Token())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token()
	changes := subscribe(t, s.admin(), "changes.pluralkit."+system.UUID()+".source")
	s.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--api-token-file", file, "--system", system.UUID())
	was := "none"
	hears := func(want string) {
		t.Helper()
		_, e := changes.next()
		var c schemas.Change
		var before, after schemas.SourceReport
		if err := json.Unmarshal(e.Data(), &c); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(c.After, &after); err != nil {
			t.Fatal(err)
		}
		before.State = "none"
		if err := json.Unmarshal(c.Before, &before); err != nil {
			t.Fatal(err)
		}
		if string(before.State) != was || string(after.State) != want || after.Reason == "" || (after.ToDo == "") != (want == "ok") || e.Type() != schemas.SourceChanged {
			t.Errorf("got a change of %s from %s to %+v, want from %s to %s", e.Type(), before.State, after, was, want)
		}
		was = want
	}
	look := func() { s.try("", "reconcile") }
	hears("ok")
	look()
	s.settled()
	rowsBefore := s.others()

	hook("https://elsewhere.example.org/")
	look()
	hears("webhook_elsewhere")
	look()
	s.stop()
	s.start()
	s.ready()
	changes = subscribe(t, s.admin(), "changes.pluralkit."+system.UUID()+".source")
	look()
	hook("https://hooks.example.org/in/pluralkit")
	look()
	hears("ok")
	_, err = system.RefreshToken()
	world.Must(err)
	look()
	hears("unauthorized")
	token()
	s.cli("", "source", "rotate", "pluralkit", "--api-token-file", file)
	hears("ok")
	pluralkit.Inject(fakepk.Fault{Kind: fakepk.FaultRedacted})
	look()
	hears("anonymous")
	pluralkit.Heal()
	look()
	hears("ok")
	s.settled()
	if got := s.others(); !slices.Equal(got, rowsBefore) {
		t.Errorf("rows of the system:\ngot  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(rowsBefore, "\n     "))
	}
	world.Must(system.Delete())
	look()
	hears("deleted")
	db := s.database()
	await(t, "the end of the system", func() bool {
		return rows(t, db, `SELECT count(*) FROM systems WHERE deleted_us IS NOT NULL`)[0] == "1"
	})
	if got := strings.Join(rows(t, db, `SELECT state FROM source_states ORDER BY since_us`), " "); got != "ok webhook_elsewhere ok unauthorized ok anonymous ok deleted" {
		t.Errorf("states: got %s", got)
	}
	Check(s)
}

// others are the rows of what PluralKit says of the system.
func (s *server) others() []string {
	s.t.Helper()
	var all []string
	for _, table := range []string{"systems", "system_settings", "members", "switches", "accounts", "fronts"} {
		for _, row := range rows(s.t, s.database(), `SELECT json_group_array(json(j)) FROM (SELECT `+s.asJSON(table)+` AS j FROM `+table+` ORDER BY j)`) {
			all = append(all, table+" "+row)
		}
	}
	return all
}

// asJSON is an SQL expression for a row of the table with all its columns.
func (s *server) asJSON(table string) string {
	s.t.Helper()
	var parts []string
	for _, column := range rows(s.t, s.database(), `SELECT name FROM pragma_table_info('`+table+`')`) {
		parts = append(parts, "'"+column+"', "+column)
	}
	return "json_object(" + strings.Join(parts, ", ") + ")"
}

package test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// exported is what import --json answers.
type exported struct {
	System                              string
	Events                              int
	Asked                               bool
	Members, Groups, Switches, Accounts struct{ Found, New, Known, Unnamed int }
}

// importFile imports a file's contents.
func (s *server) importFile(file []byte, args ...string) exported {
	s.t.Helper()
	var e exported
	out := s.cli("", append([]string{"import", "--json", s.file(file)}, args...)...)
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		s.t.Fatalf("got %s, %v", out, err)
	}
	return e
}

// byTime is the uuids of switches, the oldest first.
func byTime(switches map[string]fakepk.Switch) []string {
	ids := slices.Collect(maps.Keys(switches))
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(switches[a].Timestamp, switches[b].Timestamp) })
	return ids
}

func (s *server) file(contents []byte) string {
	s.t.Helper()
	name := filepath.Join(s.t.TempDir(), "system.json")
	if err := os.WriteFile(name, contents, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return name
}

// TestImportExport: a file of pk;export fills the time before the first
// webhook. Imported once more, it changes nothing; and once PluralKit is asked,
// its own switches take the place of those that stood in for them.
func TestImportExport(t *testing.T) {
	t.Parallel() // it waits more than it works
	world := fakepk.New(t, fakepk.Config{Seed: 1, Now: time.Now})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour\x1b[31m\" House"})
	world.Must(err)
	ash, err := system.CreateMember("Ash'; DROP TABLE members; --", nil)
	world.Must(err)
	briar, err := system.CreateMember("Briar \u202e\u0000", nil)
	world.Must(err)
	group, err := system.CreateGroup("Night shift")
	world.Must(err)
	world.Must(system.AddToGroup(group, ash))
	long := time.Now().Add(-1000 * time.Hour).UTC().Truncate(time.Microsecond)
	for n := range 600 { // more than a page of everything
		members := [][]string{{ash}, {briar}}[n%2]
		switch {
		case n%200 == 1:
			members = []string{briar, ash} // the order is only in the API
		case n%10 == 6:
			members = nil
		}
		_, err := system.APISwitchAt(long.Add(time.Duration(n)*time.Minute), members...)
		world.Must(err)
	}
	file := system.Export()
	if !bytes.Contains(file, []byte(`"webhook_url"`)) {
		t.Fatal("the file has no webhook_url, as PluralKit's has")
	}
	api := httptest.NewServer(fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now}))
	t.Cleanup(api.Close)

	s := start(t, t.TempDir(), "--pluralkit-api", api.URL)
	s.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--system", system.UUID())
	got := s.importFile(file)
	if got.System != system.UUID() || got.Asked || got.Members.New != 2 || got.Groups.New != 1 || got.Switches.New != 600 || got.Events != 600+2+1+1+2 {
		t.Errorf("got %+v", got)
	}
	s.settled()
	db := s.database()
	tables := dump(t, s, s.stream("EVENTS"))
	for query, want := range map[string]string{
		`SELECT count(*) FROM switch_timeline`:                                                            "600",
		`SELECT count(*) FROM switches WHERE stand_in = 1`:                                                "600",
		`SELECT group_concat(name) FROM current_fronters`:                                                 "Briar \u202e\u0000",
		`SELECT m.name FROM group_members g JOIN members m ON m.uuid = g.member_uuid`:                     "Ash'; DROP TABLE members; --",
		`SELECT count(*) FROM members m JOIN accounts a USING (system_uuid) WHERE a.linked AND m.id > ''`: "2",
		`SELECT count(*) FROM skipped`:                                                                    "0",
	} {
		if got := strings.Join(rows(t, db, query), " "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	if again := s.importFile(file); again.Events != 0 || again.Switches.Known != 600 || again.Members.Known != 2 {
		t.Errorf("once more: got %+v", again)
	}
	s.settled()
	compareTables(t, dump(t, s, s.stream("EVENTS")), tables)
	exportsForPluralKit(t, s, system, file)
	if out := s.cli("", "import", s.file(file)); !strings.Contains(out, "nothing in it is new") || strings.Contains(out, "\x1b") {
		t.Errorf("got %q", out)
	}

	// What happened since: one was moved, one edited, one deleted, and one is new,
	// of which a webhook told.
	ids := byTime(world.Truth(system).Switches)
	world.Must(system.APIMoveSwitch(ids[3], long.Add(-time.Hour)))
	world.Must(system.APIEditSwitch(ids[5], briar, ash))
	world.Must(system.DeleteSwitch(ids[7]))
	_, err = system.Switch(ash)
	world.Must(err)

	// Now PluralKit can be asked.
	s.secret(system.Token())
	s.cli("", "source", "rotate", "pluralkit", "--api-token-file", s.file([]byte(system.Token())))
	await(t, "a look that finds nothing", func() bool {
		var r struct{ Emitted int }
		out, _, code := s.try("", "reconcile", "--json")
		return code <= 1 && json.Unmarshal([]byte(out), &r) == nil && r.Emitted == 0
	})
	if got := strings.Join(rows(t, db, `SELECT sum(stand_in = 0), sum(real_uuid IS NOT NULL), sum(stand_in AND deleted_us), sum(listed) FROM switches`), " "); got != "600|598|2|600" {
		t.Errorf("got PluralKit's own, replaced, absent, listed: %s; want 600|598|2|600", got)
	}
	truth := world.Truth(system).Switches
	for _, row := range rows(t, db, `SELECT uuid, started, (SELECT json_group_array(member_uuid) FROM
			(SELECT member_uuid FROM switch_members WHERE switch_uuid = uuid ORDER BY position))
		FROM switch_timeline JOIN switches ON uuid = switch_uuid`) {
		part := strings.Split(row, "|")
		real, is := truth[part[0]]
		at, err := time.Parse(time.RFC3339Nano, real.Timestamp)
		if err != nil || !is || at.Format("2006-01-02T15:04:05.000000Z07:00") != part[1] || part[2] != `["`+strings.Join(real.Members, `","`)+`"]` && len(real.Members)+len(part[2]) > 2 {
			t.Errorf("got the switch %s, want %+v", row, real)
		}
		delete(truth, part[0])
	}
	if len(truth) > 0 {
		t.Errorf("%d switches are missing", len(truth))
	}
	if third := s.importFile(file); third.Events != 0 || !third.Asked || third.Switches.New != 0 {
		t.Errorf("after a look: got %+v", third)
	}
	s.cli("", "verify")
	for _, m := range Check(s) {
		if bytes.Contains(m.Body, []byte("webhook_url")) {
			t.Errorf("seq %d: got a webhook's address", m.Seq)
		}
	}
}

// TestImportExportRefused: a file that is another's, or none, is refused with a
// word on what to do, and nothing of it is taken. The exit code is 1 for a file
// that cannot be taken, 2 for an argument that is none.
func TestImportExportRefused(t *testing.T) {
	t.Parallel()
	const other = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	world := fakepk.New(t, fakepk.Config{Seed: 1, Now: time.Now})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	ash, err := system.CreateMember("Ash", nil)
	world.Must(err)
	_, err = system.Switch(ash)
	world.Must(err)
	file := string(system.Export())
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	s.post(samples(t)["15-create_message"]) // the short id of the system is known by it
	s.settled()
	before := s.stream("EVENTS")

	large := filepath.Join(t.TempDir(), "large.json")
	if err := os.WriteFile(large, append([]byte(`{"version":2,`), bytes.Repeat([]byte(" "), 51<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	byID := strings.Replace(strings.Replace(file, `"uuid":"`+system.UUID()+`",`, "", 1), `"`+system.HID()+`"`, `"qqqqq"`, 1)
	for _, c := range []struct {
		stdin, want string
		code        int
		args        []string
	}{
		{file, "--tenant " + system.UUID(), 1, nil},
		{file, "is of the system", 1, []string{"--tenant", other}},
		{file, "the system's uuid", 2, []string{"--tenant", "me"}},
		{file[:len(file)/2], "ends in the middle", 1, nil},
		{`{"tuppers":[]}`, "Tupperbox", 1, nil},
		{`{"version":9,"members":[]}`, "newer switchlog", 1, nil},
		{byID, "--tenant UUID", 1, nil},
		{"", "more than 50 MiB", 1, []string{large}},
	} {
		args := append([]string{"import"}, c.args...)
		if c.stdin != "" {
			args = append(args, "-")
		}
		if out, errout, code := s.try(c.stdin, args...); code != c.code || !strings.Contains(errout, c.want) || out != "" {
			t.Errorf("import %v: got %q, %q, %d, want %d and …%s…", c.args, out, errout, code, c.code, c.want)
		}
	}
	if now := s.stream("EVENTS"); len(now) != len(before) {
		t.Errorf("got %d events, want %d", len(now), len(before))
	}
	// By its short id, which a message told.
	byID = strings.Replace(byID, `"qqqqq"`, `"kfazoe"`, 1)
	if out, errout, code := s.try(byID, "import", "-"); code != 0 || !strings.Contains(out, sampleSystem) {
		t.Errorf("got %q, %q, %d", out, errout, code)
	}
	// And another's, if it is said.
	if out, errout, code := s.try(file, "import", "-", "--tenant", system.UUID()); code != 0 || !strings.Contains(out, "1 new") {
		t.Errorf("got %q, %q, %d", out, errout, code)
	}
	s.settled()
	Check(s)
}

package test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// takenAlong is a file of pk;export, or one that switchlog made.
type takenAlong struct {
	ID       string
	Members  []map[string]any
	Groups   []map[string]any
	Switches []struct {
		Timestamp time.Time
		Members   []string
	}
}

func readTakenAlong(t *testing.T, body []byte) takenAlong {
	t.Helper()
	var f takenAlong
	if err := json.Unmarshal(body, &f); err != nil {
		t.Fatal(err)
	}
	for _, s := range f.Switches {
		slices.Sort(s.Members) // in PluralKit's file they are in no order
	}
	return f
}

// exportsForPluralKit: what was imported of PluralKit's file comes out again, on
// more than one page, and PluralKit finds nothing new in it.
func exportsForPluralKit(t *testing.T, s *server, system *fakepk.System, file []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "again.json")
	s.cli("", "export", "--format", "pluralkit", name)
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	got, want := readTakenAlong(t, body), readTakenAlong(t, file)
	if got.ID != want.ID || !reflect.DeepEqual(got.Switches, want.Switches) || len(got.Members) != len(want.Members) || len(got.Groups) != 1 ||
		!reflect.DeepEqual(got.Groups[0]["members"], want.Groups[0]["members"]) {
		t.Errorf("export --format pluralkit: got %.3000s", body)
	}
	in := fakepk.File{}
	for _, m := range got.Members {
		in.Members = append(in.Members, fakepk.FileMember{ID: m["id"].(string), Fields: fakepk.Fields{"name": m["name"]}})
	}
	for _, turn := range got.Switches {
		in.Switches = append(in.Switches, fakepk.FileSwitch{Timestamp: turn.Timestamp, Members: turn.Members})
	}
	if err := system.Import(in, false); err != nil {
		t.Fatal(err)
	}
	if after := readTakenAlong(t, system.Export()); !reflect.DeepEqual(after.Switches, want.Switches) || len(after.Members) != len(want.Members) {
		t.Errorf("PluralKit, after pk;import of our file: got %d members and %d switches, want %d and %d", len(after.Members), len(after.Switches), len(want.Members), len(want.Switches))
	}
}

// exports: each form of a file, for the operator and for readers; a file there
// is stays as it is.
func exports(t *testing.T, s *server) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "system.json")
	if _, errOut, code := s.try("", "export", name); code != 0 || !strings.Contains(errOut, "2 members, 0 groups, 3 switches") {
		t.Errorf("export: got exit code %d, %q", code, errOut)
	}
	file, err := os.ReadFile(name)
	if err != nil || !json.Valid(file) {
		t.Fatalf("export: got %s, %v", file, err)
	}
	if _, errOut, code := s.try("", "export", "--format", "csv", name); code != 1 || !strings.Contains(errOut, "--force") {
		t.Errorf("export to a file there is: got exit code %d, %q, want 1 and --force", code, errOut)
	}
	if kept, err := os.ReadFile(name); err != nil || !bytes.Equal(kept, file) {
		t.Errorf("the file there was: got %s, %v", kept, err)
	}
	out := s.cli("", "export", "--format", "csv", "--force", "--json", name)
	var says struct{ Members, Groups, Switches, Bytes int }
	table, err := os.ReadFile(name)
	if err != nil || json.Unmarshal([]byte(out), &says) != nil || says.Switches != 3 || says.Bytes != len(table) {
		t.Errorf("export --json: got %s, %v", out, err)
	}
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 4 || rows[1][1] != "Cove" || rows[2][0] != alder || rows[2][3] != "" {
		t.Errorf("export --format csv: got %q, %v", rows, err)
	}
	if out := s.cli("", "export", "--format", "ics", "-"); strings.Count(out, "BEGIN:VEVENT\r\n") != 3 || !strings.Contains(out, "SUMMARY:Alder\r\n") {
		t.Errorf("export --format ics: got %q", out)
	}
	for args, want := range map[string]int{"--tenant nosuch": 1, "--format xml": 2, "--source nosuch": 2, t.TempDir(): 1} {
		if out, errOut, code := s.try("", append([]string{"export"}, strings.Fields(args)...)...); code != want || out != "" || errOut == "" {
			t.Errorf("export %s: got exit code %d, %q, %q, want %d", args, code, out, errOut, want)
		}
	}
	owner := s.addReader("archivist", "--tenant", sampleSystem)
	if out := s.cli("", "export", "--admin-token-file", s.file([]byte(owner.Token))); out != string(file) {
		t.Errorf("export of the tenant's reader: got %s, want %s", out, file)
	}
}

// exportsPublic: a file that a public reader makes has only the members who are
// public, in every form.
func exportsPublic(t *testing.T, s *server, public credentials, hidden string) {
	t.Helper()
	token := s.file([]byte(public.Token))
	for _, format := range []string{"json", "pluralkit"} {
		var f takenAlong
		out := s.cli("", "export", "--format", format, "--admin-token-file", token)
		if err := json.Unmarshal([]byte(out), &f); err != nil || len(f.Members) != 1 || f.Members[0]["uuid"] == hidden {
			t.Errorf("export --format %s of a public reader: got %s, %v, want the one member who is public", format, out, err)
		}
	}
}

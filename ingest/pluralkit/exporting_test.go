package pluralkit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

const exportSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"

// oldExport is a file as PluralKit made them until 2021: short ids alone, one
// proxy tag, the time zone beside the system's fields, privacy beside the
// member's.
const oldExport = `{"version":1,"id":"KFA-ZO","name":"Harbour House","description":null,"tag":"| HH","avatar_url":null,"timezone":"Europe/Oslo",
"members":[{"id":"abven","name":"Alder","display_name":null,"birthday":"0001-02-29","pronouns":null,"color":"3a7d44","avatar_url":null,"prefix":"a:","suffix":null,"proxy_tags":null,"keep_proxy":false,"visibility":"private","description_privacy":null,"message_count":12,"created":"2020-03-15T18:00:01.25Z"},
{"id":"briar","name":"Briar","proxy_tags":[{"prefix":null,"suffix":"-b"}],"keep_proxy":true,"message_count":0,"created":"2020-03-16T18:00:01Z"}],
"switches":[{"timestamp":"2020-04-01T10:00:00.1234567Z","members":["briar","abven"]},{"timestamp":"2020-04-02T10:00:00Z","members":[]}],
"accounts":[1150000000000000003,"18446744073709551615"],"created":"2020-03-14T09:26:53Z"}`

func parse(t *testing.T, file string) *Export {
	t.Helper()
	x, err := ParseExport(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestParseExport(t *testing.T) {
	world := fakepk.New(t, fakepk.Config{Seed: 3})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	life := system.Live(3)
	life.Steps(300)
	file, truth := system.Export(), world.Truth(system)
	x := parse(t, string(file))
	moments := map[string]bool{}
	for _, s := range truth.Switches {
		moments[s.Timestamp] = true
	}
	if string(x.UUID) != system.UUID() || string(x.HID) != system.HID() || len(x.Members) != len(truth.Members) || len(x.Groups) != len(truth.Groups) || len(x.Accounts) != len(truth.Accounts) {
		t.Errorf("got %s %s, %d members, %d groups, %d accounts; want %+v", x.UUID, x.HID, len(x.Members), len(x.Groups), len(x.Accounts), truth)
	}
	for n, s := range x.Switches {
		if at := stampOf(s.AtUS); n > 0 && s.AtUS >= x.Switches[n-1].AtUS || time.UnixMicro(s.AtUS).After(x.AsOf) {
			t.Errorf("switch %d at %s: not in order, or after %s", n, at, x.AsOf)
		}
	}
	for _, m := range x.Members {
		want := truth.Members[string(m.UUID)]
		if got, _ := m.Object.Text("name"); got != want["name"] {
			t.Errorf("got the member %q, want %q", got, want["name"])
		}
	}
	if _, has := x.System["webhook_url"]; has || !bytes.Contains(file, []byte("webhook_url")) {
		t.Errorf("got %v, from %.200s: want no webhook_url, though the file has one", x.System, file)
	}
	for n := range file { // it never ends well
		if n%97 == 0 || n > len(file)-50 {
			if _, err := ParseExport(bytes.NewReader(file[:n])); !errors.Is(err, schemas.ErrInvalid) || n > 0 && !strings.Contains(err.Error(), "ends in the middle") {
				t.Fatalf("the first %d bytes: got %v", n, err)
			}
		}
	}
}

func TestParseOldExport(t *testing.T) {
	x := parse(t, oldExport)
	if x.UUID != "" || x.HID != "kfazo" || x.AsOf != time.Date(2020, 4, 2, 10, 0, 0, 0, time.UTC) {
		t.Errorf("got %s %s as of %s", x.UUID, x.HID, x.AsOf)
	}
	if !slices.Equal(x.Accounts, []string{"1150000000000000003", "18446744073709551615"}) || string(x.Settings["timezone"]) != `"Europe/Oslo"` {
		t.Errorf("got accounts %v, settings %s", x.Accounts, x.Settings)
	}
	want := []ExportedSwitch{{1585821600000000, []HID{}}, {1585735200123456, []HID{"briar", "abven"}}}
	if fmt.Sprint(x.Switches) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", x.Switches, want)
	}
	m := x.Members[0].Object
	if got := string(m["proxy_tags"]) + string(m["privacy"]); got != `[{"prefix":"a:","suffix":""}]{"visibility":"private"}` {
		t.Errorf("got %s", got)
	}
	if keys := slices.Sorted(maps.Keys(m)); slices.Contains(keys, "prefix") || slices.Contains(keys, "visibility") {
		t.Errorf("got the fields %v, want none but those we know", keys)
	}
}

// TestNoExport: what is none says so, and what to do.
func TestNoExport(t *testing.T) {
	valid := `{"version":2,"id":"kfazoe","uuid":"` + exportSystem + `","members":[],"switches":[]}`
	parse(t, valid)
	with := func(members string) string { return strings.TrimSuffix(valid, "}") + "," + members + "}" }
	member := func(fields string) string {
		return strings.Replace(valid, `"members":[]`, `"members":[`+fields+`]`, 1)
	}
	turn := func(s string) string { return strings.Replace(valid, `"switches":[]`, `"switches":[`+s+`]`, 1) }
	for file, want := range map[string]string{
		``:                           "ends in the middle",
		`[]`:                         "no JSON object",
		`"x"`:                        "no JSON object",
		`{"id":"x"`:                  "ends in the middle",
		`{"id":}`:                    "no JSON",
		`{}`:                         "no members or no switches",
		`{"tuppers":[],"groups":[]}`: "Tupperbox",
		`{"version":2,"members":[]}`: "no members or no switches",
		strings.Replace(valid, `"version":2`, `"version":3`, 1):     "a newer switchlog",
		strings.Replace(valid, `"version":2`, `"version":"two"`, 1): "no version",
		strings.Replace(valid, `kfazoe`, `../etc`, 1):               "no short id",
		strings.Replace(valid, `"kfazoe"`, `null`, 1):               "no short id",
		strings.Replace(valid, exportSystem, `1`, 1):                "no uuid",
		valid + valid:                   "one file at a time",
		valid + "x":                     "one file at a time",
		with(`"members":[]`):            "twice",
		with(`"name":7`):                "name",
		with(`"config":[]`):             "config",
		with(`"config":{"timezone":7}`): "timezone",
		with(`"timezone":7`):            "timezone",
		with(`"accounts":[1.5]`):        "no Discord id",
		with(`"privacy":1`):             "privacy",
		with(`"groups":{}`):             "no list",
		with(`"groups":[{"id":"aaaaa","members":[7]}]`):                "short ids",
		with("\"name\":\"\xff\""):                                      "UTF-8",
		with(`"created":"tomorrow"`):                                   "timestamp",
		member(`null`):                                                 "no object",
		member(`7`):                                                    "members, number 1",
		member(`{"id":"aaaaa"},{"id":"aaaaa"}`):                        "two members",
		member(`{"id":"aaaaa","proxy_tags":[7]}`):                      "no tags",
		member(`{"id":"aaaaa","prefix":7}`):                            "prefix",
		turn(`{"timestamp":"2020-01-01T00:00:00Z"}`):                   "no switch",
		turn(`{"timestamp":"yesterday","members":[]}`):                 "switches, number 1",
		turn(`{"timestamp":"2020-01-01T00:00:00Z","members":["A B"]}`): "no short id",
		turn(`{"timestamp":"2020-01-01T00:00:00Z","members":["aaaaa"` + strings.Repeat(`,"aaaaa"`, maxTurnMembers) + `]}`): "more than 5000",
	} {
		_, err := ParseExport(strings.NewReader(file))
		if !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %v, want …%s…", file, err, want)
		}
	}
	body := http.MaxBytesReader(nil, readCloser{strings.NewReader(valid + strings.Repeat(" ", 2<<20))}, 1<<20)
	if _, err := ParseExport(body); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("too large: got %v", err)
	}
	broken := errors.New("broken")
	if _, err := ParseExport(readCloser{brokenReader{broken}}); !errors.Is(err, broken) || errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("unreadable: got %v", err)
	}
}

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

// TestFileKinds: one document, or events a line each.
func TestFileKinds(t *testing.T) {
	for start, want := range map[string]FileKind{
		oldExport: ExportFile, `{"id":"x","name":{"a":[]},"members":[`: ExportFile, "\n {\n  \"version\": 2": ExportFile, `{"tuppers":[`: ExportFile,
		`{`: ExportFile, `{"id":"` + strings.Repeat("x", 1<<17): ExportFile, `{"specversion":"1.0","version":2}`: EventsFile,
		"{\"id\":\"1\"}\n{\"members\":[]}": EventsFile, "no JSON\n{\"specversion\":\"1.0\"}": EventsFile,
	} {
		if got, _, err := OpenFile(strings.NewReader(start)); got != want || err != nil {
			t.Errorf("%.60s: got %v, %v, want %v", start, got, err, want)
		}
	}
}

// FuzzParseExport: whatever it is, it is refused or can be said in events that
// can be stored, and no event holds what no list of ours has.
func FuzzParseExport(f *testing.F) {
	world := fakepk.New(f, fakepk.Config{Seed: 1})
	system, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	system.Live(1).Steps(30)
	f.Add(system.Export())
	f.Add([]byte(oldExport))
	f.Add([]byte(`{"version":2,"id":"a","members":[],"switches":[],"webhook_url":"https://example.org"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := OpenFile(bytes.NewReader(file)); err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
		x, err := ParseExport(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Fatalf("got %v", err)
			}
			return
		}
		n := &importNotes{t: t}
		c := ImportConfig{System: exportSystem, Known: n, Append: n}
		if x.UUID != "" {
			c.System = string(x.UUID)
		}
		if _, err := Import(t.Context(), c, x); err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Fatalf("got %v", err)
		}
	})
}

package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"switchlog/cmd/switchlog/export"
	"switchlog/ingest/pluralkit"
)

const (
	system = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	alder  = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	cove   = "1c7d3baf-66e2-4c1d-9a4b-a2d8ef31b502"
	hidden = "2d8e4cba-77f3-4d2e-8b5c-b3e9f042c613" // fronts, and is not in the list of members
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// turn is a switch so many minutes after the begin.
func turn(minutes int, members ...string) export.Switch {
	at := begin.Add(time.Duration(minutes) * time.Minute)
	return export.Switch{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", minutes), Timestamp: at.Format("2006-01-02T15:04:05.000000Z"),
		TimestampUS: at.UnixMicro(), Members: append([]string{}, members...)}
}

// sample is a system whose names are as bad as names can be.
func sample() export.Answers {
	again := turn(30, cove)
	again.ID = "f0000000-0000-4000-8000-000000000000"
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	return export.Answers{
		Source: "pluralkit", Tenant: system,
		System:   raw(`{"id":"harbor","uuid":"` + system + `","name":"Harbour; House","description":null,"privacy":{"name_privacy":null,"front_privacy":"private"}}`),
		Settings: raw(`{"timezone":"Europe/Berlin","pings_enabled":null,"latch_timeout":null,"case_sensitive_proxy_tags":true}`),
		Members: []json.RawMessage{
			raw(`{"id":"abvenk","uuid":"` + alder + `","system":"harbor","name":"=cmd|' /C calc'!A0","display_name":null,"keep_proxy":null,"tts":false,"message_count":null,"proxy_tags":[{"prefix":"A:","suffix":null}]}`),
			raw(`{"id":null,"uuid":"` + cove + `","name":"Cove, \"the\" \u202eseventh\u0007\r\nEND:VEVENT\u0085\u2028x ` + strings.Repeat("ü", 60) + `","keep_proxy":true}`),
		},
		Groups:   []json.RawMessage{raw(`{"id":"grpone","uuid":"3d1f7c52-1b0e-4c7e-9a55-2f6b8c01d7aa","name":"Night","system":"harbor","members":["` + cove + `","` + hidden + `","` + alder + `"]}`)},
		Switches: []export.Switch{turn(50, alder, hidden), turn(40), again, turn(30, alder, cove), turn(20, alder), turn(10, cove), turn(0, cove)},
	}
}

// TestJSON: the document has all that was answered.
func TestJSON(t *testing.T) {
	body, err := export.JSON(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got export.Answers
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	flat := func(a export.Answers) string {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if flat(got) != flat(sample()) || !bytes.HasSuffix(body, []byte("}\n")) {
		t.Errorf("got %s", body)
	}
}

// TestCSV: a row for each run, read back with the names as they are but for what
// a spreadsheet would execute.
func TestCSV(t *testing.T) {
	body, err := export.CSV(sample())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		row[1], _, _ = strings.Cut(row[1], ",") // the rest of Cove's name is long
		got = append(got, strings.Join(row, "|"))
	}
	at := func(minutes int) string { return turn(minutes).Timestamp }
	want := []string{
		"member_uuid|member_name|started|ended",
		cove + "|Cove|" + at(0) + "|" + at(20),
		alder + "|'=cmd|' /C calc'!A0|" + at(20) + "|" + at(30),
		cove + "|Cove|" + at(30) + "|" + at(40),
		alder + "|'=cmd|' /C calc'!A0|" + at(50) + "|",
		hidden + "||" + at(50) + "|",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCSVFormulas: every first letter that a spreadsheet takes for a formula's
// has an apostrophe before it, and no other.
func TestCSVFormulas(t *testing.T) {
	for _, first := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} {
		if got := nameInCSV(t, first+"1"); !strings.HasPrefix(got, "'") {
			t.Errorf("%q: got %q", first, got)
		}
	}
	for _, name := range []string{"A=1", "'x", "Ælf", "1-2"} {
		if got := nameInCSV(t, name); got != name {
			t.Errorf("got %q, want %q", got, name)
		}
	}
}

func nameInCSV(t *testing.T, name string) string {
	t.Helper()
	m, err := json.Marshal(map[string]string{"uuid": alder, "name": name})
	if err != nil {
		t.Fatal(err)
	}
	body, err := export.CSV(export.Answers{Members: []json.RawMessage{m}, Switches: []export.Switch{turn(0, alder)}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %q, %v", rows, err)
	}
	return rows[1][1]
}

// TestICS: a calendar that is read back, with what RFC 5545 requires, and no
// line that a name made.
func TestICS(t *testing.T) {
	now := begin.Add(time.Hour)
	body, err := export.ICS(sample(), now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := export.ICS(sample(), now)
	if err != nil || !bytes.Equal(body, again) {
		t.Errorf("twice the same: got %s and %s, %v", body, again, err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(body), "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n\a\u0085\u2028\u202e") {
			t.Errorf("a line: %q", line)
		}
	}
	c, err := ics.ParseCalendar(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	var ends []time.Duration
	for _, e := range c.Events() {
		start, err1 := e.GetStartAt()
		end, err2 := e.GetEndAt()
		stamp, err3 := e.GetDtStampTime()
		if err1 != nil || err2 != nil || err3 != nil || !end.After(start) || stamp.IsZero() || uids[e.Id()] || e.GetProperty(ics.ComponentPropertySummary).Value == "" {
			t.Errorf("an event: %s, %v, %v, %v", e.Serialize(&ics.SerializationConfiguration{MaxLength: 75, NewLine: "\n"}), err1, err2, err3)
		}
		uids[e.Id()] = true
		ends = append(ends, end.Sub(begin.Truncate(time.Second)))
	}
	if want := []time.Duration{20 * time.Minute, 30 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}; !reflect.DeepEqual(ends, want) {
		t.Errorf("got events that end at %v, want %v", ends, want)
	}
	later, err := export.ICS(sample(), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for uid := range uids {
		if !strings.Contains(strings.ReplaceAll(string(later), "\r\n ", ""), "UID:"+uid+"\r\n") {
			t.Errorf("an hour later the UID %s is another", uid)
		}
	}
}

// TestICSLeavesOutMoments: a run without length is no event.
func TestICSLeavesOutMoments(t *testing.T) {
	a := sample()
	none := turn(30)
	none.ID = "ffffffff-0000-4000-8000-000000000000"
	a.Switches = []export.Switch{none, turn(30, alder)}
	body, err := export.ICS(a, begin.Add(time.Hour))
	if err != nil || bytes.Contains(body, []byte("VEVENT")) {
		t.Errorf("got %s, %v, want no event", body, err)
	}
}

// TestPluralKitIsRead: the command import reads the file, too.
func TestPluralKitIsRead(t *testing.T) {
	a := sample()
	a.Members[1] = bytes.Replace(a.Members[1], []byte(`"id":null`), []byte(`"id":"covecc"`), 1)
	body, err := export.PluralKit(a)
	if err != nil {
		t.Fatal(err)
	}
	x, err := pluralkit.ParseExport(bytes.NewReader(body))
	if err != nil || len(x.Members) != 2 || len(x.Groups) != 1 || string(x.UUID) != system {
		t.Fatalf("got %+v, %v", x, err)
	}
}

// TestPluralKit: the file has nothing that pk;import fails at.
func TestPluralKit(t *testing.T) {
	body, err := export.PluralKit(sample())
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Version  int
		Config   map[string]any
		Privacy  map[string]any
		Accounts json.RawMessage
		Members  []map[string]any
		Groups   []struct{ Members []string }
		Switches []struct {
			Timestamp string
			Members   []string
		}
	}
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"timezone": "Europe/Berlin", "case_sensitive_proxy_tags": true}; !reflect.DeepEqual(file.Config, want) {
		t.Errorf("config: got %v, want %v", file.Config, want)
	}
	if want := map[string]any{"front_privacy": "private"}; !reflect.DeepEqual(file.Privacy, want) || file.Version != 2 || file.Accounts != nil {
		t.Errorf("got privacy %v, version %d, accounts %s", file.Privacy, file.Version, file.Accounts)
	}
	if m := file.Members[0]; m["id"] != "abvenk" || m["keep_proxy"] != nil || m["tts"] != false || len(m["proxy_tags"].([]any)) != 1 {
		t.Errorf("a member: got %v", m)
	}
	if _, has := file.Members[0]["keep_proxy"]; has {
		t.Error("an unknown boolean is null in the file")
	}
	if want := []string{cove, "abvenk"}; !reflect.DeepEqual(file.Groups[0].Members, want) {
		t.Errorf("a group: got %v, want %v", file.Groups[0].Members, want)
	}
	if len(file.Switches) != 6 || !slices.Equal(file.Switches[0].Members, []string{"abvenk"}) || file.Switches[1].Members == nil || len(file.Switches[2].Members) != 2 {
		t.Errorf("switches: got %v", file.Switches)
	}
}

// TestNothing: of a tenant of whom nothing may be seen, every form is a whole
// file.
func TestNothing(t *testing.T) {
	var none export.Answers
	if !none.Empty() || sample().Empty() {
		t.Error("Empty is wrong")
	}
	for name, make := range map[string]func(export.Answers) ([]byte, error){"json": export.JSON, "csv": export.CSV, "pluralkit": export.PluralKit,
		"ics": func(a export.Answers) ([]byte, error) { return export.ICS(a, begin) }} {
		if body, err := make(none); err != nil || len(body) == 0 {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
}

// TestAddPage: pages that end among switches of one moment lose none and double
// none.
func TestAddPage(t *testing.T) {
	const limit = 4
	var all []export.Switch // newest first
	for n := range 30 {
		s := turn(-(n / 3))
		s.ID = fmt.Sprintf("%08d", 99-n)
		all = append(all, s)
	}
	var a export.Answers
	before, pages := "", 0
	for {
		page := []export.Switch{}
		for _, s := range all {
			if (before == "" || s.Timestamp < before) && len(page) < limit {
				page = append(page, s)
			}
		}
		next, err := a.AddPage(page, limit)
		if err != nil {
			t.Fatal(err)
		}
		if pages++; next == "" || pages > len(all) {
			break
		}
		before = next
	}
	if !reflect.DeepEqual(a.Switches, all) {
		t.Errorf("got %d switches after %d pages, want %d", len(a.Switches), pages, len(all))
	}
	same := []export.Switch{turn(0), turn(0)}
	same[1].ID = "another"
	var b export.Answers
	if _, err := b.AddPage(same, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddPage(same, 2); err == nil {
		t.Error("a page that is full of one moment: got no error")
	}
}

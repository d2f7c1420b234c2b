package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"switchlog/schemas"
)

// samples are all bodies PluralKit is known to send, by file name.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../ingest/testdata/pluralkit/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	if len(all) != 79 {
		t.Fatalf("got %d sample bodies, want 79", len(all))
	}
	return all
}

// TestBodies sends every sample to a server of its own sequence: each gets its
// answer, makes one event of the right subject and type, valid against its
// schema, and the event's data is what was sent.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	type sent struct {
		name string
		body []byte
	}
	var events []sent
	natural := map[string]bool{}
	for _, name := range sortedKeys(samples(t)) {
		body := samples(t)[name]
		want := 200
		switch {
		case name == "01-ping-invalid-token":
			want = 401
		case name == "09-update_group_members-never_sent":
			// PluralKit's only emitter, if it ever ran, would send no token.
			if got := s.post(body); got != 401 {
				t.Errorf("%s: got %d, want 401", name, got)
			}
			body = bytes.Replace(body, []byte(`"signing_token":null`), []byte(`"signing_token":"`+sampleToken+`"`), 1)
		}
		if got := s.post(body); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
		if key := naturalKey(t, body); want == 200 && !strings.HasPrefix(name, "01-ping") && !natural[key] {
			if key != "" {
				natural[key] = true
			}
			events = append(events, sent{name, body})
		}
	}
	log := Check(s)
	var got []stored
	for _, m := range log {
		if strings.HasPrefix(m.Subject, "log.events.pluralkit.") {
			got = append(got, m)
		}
	}
	if len(got) != len(events) {
		t.Fatalf("got %d events, want %d", len(got), len(events))
	}
	for i, e := range events {
		checkEvent(t, e.name, e.body, got[i])
	}
	checkTables(t, s)
}

// naturalKey is what makes a second body the same event: type and entity of a
// creation or deletion, and the message id. Empty: every body is one of its
// own.
func naturalKey(t *testing.T, body []byte) string {
	t.Helper()
	var b struct {
		Type string
		ID   string
		Data struct{ ID string }
	}
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	switch {
	case b.Type == "CREATE_MESSAGE":
		return b.Type + b.Data.ID
	case strings.HasPrefix(b.Type, "CREATE_"), strings.HasPrefix(b.Type, "DELETE_") && b.ID != "":
		return b.Type + b.ID
	}
	return ""
}

// wantTypes are subject and type by the sample's name.
var wantTypes = map[string]string{
	"02": "system.update", "03": "settings.update", "04": "member.create", "05": "member.update",
	"06": "member.delete", "07": "group.create", "08": "group.update", "09": "group_members.update",
	"10": "group.delete", "11": "account.link", "12": "account.unlink", "13": "system_guild.update",
	"14": "member_guild.update", "15": "message.create", "16": "switch.create", "17": "switch.update",
	"18": "switch.delete", "19": "switch.delete_all", "20": "import.success", "21": "autoproxy.update",
}

func checkEvent(t *testing.T, name string, body []byte, m stored) {
	t.Helper()
	want := wantTypes[name[:2]]
	if strings.HasPrefix(name, "14-update_member_guild-account") {
		want = "account.update"
	}
	if got := "log.events.pluralkit." + sampleSystem + "." + want; m.Subject != got {
		t.Errorf("%s: subject: got %s, want %s", name, m.Subject, got)
	}
	var e struct {
		SpecVersion, ID, Source, Type, Subject, Time, DataSchema, Origin string
		Data                                                             json.RawMessage
	}
	if err := json.Unmarshal(m.Body, &e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if e.Type != "me.pluralkit."+want {
		t.Errorf("%s: type: got %s, want %s", name, e.Type, "me.pluralkit."+want)
	}
	if e.Source != "https://api.pluralkit.me/v2/systems/"+sampleSystem || e.Origin != "webhook" {
		t.Errorf("%s: source, origin: got %s, %s", name, e.Source, e.Origin)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(e.Time) {
		t.Errorf("%s: time: got %s, want UTC with microseconds", name, e.Time)
	}
	if got := m.Header.Get("Content-Type"); got != "application/cloudevents+json" {
		t.Errorf("%s: Content-Type: got %s", name, got)
	}
	var sent struct{ Data json.RawMessage }
	if err := json.Unmarshal(body, &sent); err != nil {
		t.Fatal(err)
	}
	wantData := bytes.Replace(sent.Data, []byte(`"webhook_url":"https://hooks.example.org/pk/7f3c",`), nil, 1)
	if !bytes.Equal(e.Data, wantData) {
		t.Errorf("%s: data: got %s\nwant %s", name, e.Data, wantData)
	}
	validate(t, name, e.DataSchema, e.Data)
}

// validate holds data against the schema its event names.
func validate(t *testing.T, name, id string, data []byte) {
	t.Helper()
	raw, ok := schemas.Schema(id)
	if !ok {
		t.Errorf("%s: dataschema %q is not among the schemas", name, id)
		return
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

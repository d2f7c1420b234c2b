package schemas

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// apiExamples are what the API said of the things in the dispatch examples.
func apiExamples(t *testing.T, n int) []example {
	const (
		alder = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
		briar = "2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73"
		group = "a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90"
		guild = "1150000000000000001"
	)
	public := func(private string, names ...string) string {
		var b strings.Builder
		for _, name := range names {
			who := "public"
			if name == private {
				who = "private"
			}
			b.WriteString(`,"` + name + `":"` + who + `"`)
		}
		return "{" + b.String()[1:] + "}"
	}
	observed := func(variant, typ, subject, object string) example {
		e, err := NewObserved(typ, exampleSystem, subject, exampleTime(0), json.RawMessage(object))
		if err != nil {
			t.Fatal(err)
		}
		return example{variant, e}
	}
	absent := func(typ, subject, guild string) example {
		e, err := NewAbsent(typ, exampleSystem, subject, exampleTime(0), guild)
		if err != nil {
			t.Fatal(err)
		}
		return example{"basic", e}
	}
	all := []example{
		observed("basic", SystemObserved, exampleSystem, `{"id":"kfazoe","uuid":"`+exampleSystem+`","name":"Harbour House","description":null,"tag":"| HH","pronouns":null,"avatar_url":null,"banner":null,"color":"4f8a8b","created":"2021-03-14T09:26:53.589793Z","privacy":`+
			public("front_privacy", "name_privacy", "avatar_privacy", "description_privacy", "banner_privacy", "pronoun_privacy", "member_list_privacy", "group_list_privacy", "front_privacy", "front_history_privacy")+`}`),
		observed("basic", SettingsObserved, exampleSystem, `{"timezone":"Europe/Oslo","pings_enabled":true,"latch_timeout":null,"member_default_private":false,"group_default_private":false,"show_private_info":true,"member_limit":1000,"group_limit":250,"case_sensitive_proxy_tags":true,"proxy_error_message_enabled":true,"hid_display_split":false,"hid_display_caps":false,"hid_list_padding":"off","proxy_switch":"off","name_format":"{name} {tag}","description_templates":[]}`),
		observed("basic", MemberObserved, alder, `{"id":"abvenk","uuid":"`+alder+`","name":"Alder","display_name":null,"color":"3a7d44","birthday":"0004-02-29","pronouns":"he/him","avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":null,"created":"2021-03-15T18:00:01.25Z","keep_proxy":false,"tts":false,"autoproxy_enabled":true,"message_count":4182,"last_message_timestamp":"2025-11-28T16:55:12.018204Z","proxy_tags":[{"prefix":"a:","suffix":null}],"privacy":`+
			public("", "visibility", "name_privacy", "description_privacy", "banner_privacy", "birthday_privacy", "pronoun_privacy", "avatar_privacy", "metadata_privacy", "proxy_privacy")+`}`),
		observed("basic", GroupObserved, group, `{"id":"gnohev","uuid":"`+group+`","name":"Gardeners","display_name":null,"description":null,"icon":null,"banner":null,"color":"3a7d44","created":"2021-05-02T10:00:00Z","members":["`+alder+`"],"privacy":`+
			public("", "name_privacy", "description_privacy", "banner_privacy", "icon_privacy", "list_privacy", "metadata_privacy", "visibility")+`}`),
		observed("basic", SwitchObserved, "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01", `{"id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","timestamp":"2025-11-28T17:01:44.271093Z","members":["`+briar+`","`+alder+`"]}`),
		observed("out", SwitchObserved, "d5a2f3e4-2b3c-4d4e-8f5a-6b7c8d9e0f12", `{"id":"d5a2f3e4-2b3c-4d4e-8f5a-6b7c8d9e0f12","timestamp":"2025-11-28T18:00:00Z","members":[]}`),
		observed("basic", SystemGuildObserved, exampleSystem, `{"guild_id":"`+guild+`","proxying_enabled":true,"tag":null,"tag_enabled":true,"avatar_url":null,"display_name":null,"name_format":null}`),
		observed("basic", MemberGuildObserved, alder, `{"guild_id":"`+guild+`","display_name":"Alder of the house","avatar_url":null,"keep_proxy":null}`),
		observed("latch", AutoproxyObserved, exampleSystem, `{"guild_id":"`+guild+`","channel_id":null,"autoproxy_mode":"latch","autoproxy_member":"`+alder+`","last_latch_timestamp":"2025-11-28T17:03:08.44715Z"}`),
		observed("front", AutoproxyObserved, exampleSystem, `{"guild_id":"`+guild+`","channel_id":null,"autoproxy_mode":"front","last_latch_timestamp":null}`),
		observed("basic", AccountObserved, "1150000000000000003", `{}`),
		absent(SystemAbsent, exampleSystem, ""),
		absent(MemberAbsent, alder, ""),
		absent(GroupAbsent, group, ""),
		absent(SwitchAbsent, "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01", ""),
		absent(SystemGuildAbsent, exampleSystem, guild),
		absent(MemberGuildAbsent, alder, guild),
		absent(AccountAbsent, "1150000000000000003", ""),
		absent(MessageAbsent, "1444000000000000005", ""),
	}
	for i := range all { // but for these, which are new each time
		all[i].event.ID, all[i].event.Time = exampleID(all[i].event.Type, all[i].variant, n+i), exampleTime(n+i)
	}
	return all
}

// importedExamples are what a file would say of the things in those.
func importedExamples(t *testing.T, n int, all []example) (imported []example) {
	for _, e := range all {
		if made, ok := importedExample(t, e); ok {
			made.event.Time = exampleTime(n + len(imported))
			imported = append(imported, made)
		}
	}
	return imported
}

// importedExample is what a file would say where the API said that, if a file
// tells of such things.
func importedExample(t *testing.T, of example) (example, bool) {
	noun, isObserved := strings.CutSuffix(of.event.Type, ".observed")
	typ := noun + ".imported"
	if _, told := Schema(typ); !told || !isObserved {
		return of, false
	}
	said, err := Decode[Observed](of.event)
	if err != nil {
		t.Fatal(err)
	}
	subject := of.event.Subject
	if typ == SwitchImported {
		var at string
		if err := json.Unmarshal(said.Object["timestamp"], &at); err != nil {
			t.Fatal(err)
		}
		us, err := ParseTime(at)
		if err != nil {
			t.Fatal(err)
		}
		subject = StandInSwitch(exampleSystem, us)
		said.Object["id"] = json.RawMessage(`"` + subject + `"`)
	}
	e, err := NewImported(typ, exampleSystem, subject, exampleTime(0), said.Object)
	if err != nil {
		t.Fatal(err)
	}
	return example{of.variant, e}, true
}

// TestImported: the same thing of the same moment is the same event; of another
// moment or with another word in it, it is not.
func TestImported(t *testing.T) {
	asOf := time.Date(2025, 11, 29, 17, 0, 0, 0, time.UTC)
	ids := map[string]bool{}
	for _, x := range []struct {
		at     time.Time
		object Object
	}{
		{asOf, Object{"name": json.RawMessage(`"A"`)}},
		{asOf, Object{"name": json.RawMessage(`"A"`)}},
		{asOf, Object{"name": json.RawMessage(`"B"`)}},
		{asOf.Add(time.Microsecond), Object{"name": json.RawMessage(`"A"`)}},
	} {
		e, err := NewImported(MemberImported, exampleSystem, "m", x.at, x.object)
		if err != nil || e.Origin != OriginImport || e.Repeats == 0 || e.Route.Verb != "imported" {
			t.Fatalf("got %+v, %v", e, err)
		}
		ids[e.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("got %d ids, want 3: %v", len(ids), ids)
	}
	a, b, c := StandInSwitch("s", 1), StandInSwitch("s", 2), StandInSwitch("t", 1)
	if a == b || a == c || a != StandInSwitch("s", 1) || !IsStandIn(a) || !isUUID(a) {
		t.Errorf("got stand-ins %s, %s, %s", a, b, c)
	}
	if IsStandIn("c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01") || IsStandIn("") {
		t.Error("a uuid of PluralKit's is taken for ours")
	}
}

// TestFromAPI: what reconciliation says is read as it was made.
func TestFromAPI(t *testing.T) {
	asked := time.Date(2025, 11, 29, 17, 0, 0, 250_125_999, time.FixedZone("", 3600))
	e, err := NewObserved(SwitchObserved, exampleSystem, "s", asked, PKSwitch{ID: "s", Members: &[]string{"b", "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Route{PluralKit, exampleSystem, "switch", "observed"}); e.Route != want || e.Origin != OriginAPI || e.DataSchema != SchemaID(e.Type) {
		t.Errorf("got %+v, want route %+v", e, want)
	}
	o, err := Decode[Observed](e)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2025-11-29T16:00:00.250125Z"; o.Asked != want || string(o.Object["members"]) != `["b","a"]` {
		t.Errorf("got %+v, want asked %s", o, want)
	}
	e, err = NewAbsent(MemberGuildAbsent, exampleSystem, "m", asked, "g")
	if err != nil {
		t.Fatal(err)
	}
	a, err := Decode[Absent](e)
	if want := (Absent{Asked: "2025-11-29T16:00:00.250125Z", Guild: "g"}); err != nil || a != want || e.Subject != "m" {
		t.Errorf("got %+v, %v, want %+v", a, err, want)
	}
	if again, err := NewAbsent(MemberGuildAbsent, exampleSystem, "m", asked, "g"); err != nil || again.ID == e.ID {
		t.Errorf("got id %s twice (%v), want two", again.ID, err)
	}
	if _, err := NewObserved(MemberObserved, exampleSystem, "m", asked, func() {}); !errors.Is(err, ErrInvalid) {
		t.Errorf("of what is no JSON: got %v, want ErrInvalid", err)
	}
}

// TestAPITypes: an observed event for each thing, an imported one for each that
// a file tells of, an absent one for each that can go.
func TestAPITypes(t *testing.T) {
	nouns := map[string][]string{}
	for _, typ := range Types() {
		if typ.Verb == "observed" || typ.Verb == "absent" || typ.Verb == "imported" {
			nouns[typ.Verb] = append(nouns[typ.Verb], typ.Noun)
		}
	}
	for verb, want := range map[string][]string{
		"observed": {"account", "autoproxy", "group", "member", "member_guild", "settings", "source", "switch", "system", "system_guild"},
		"imported": {"account", "group", "member", "settings", "switch", "system"},
		"absent":   {"account", "group", "member", "member_guild", "message", "switch", "system", "system_guild"},
	} {
		if got := nouns[verb]; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}

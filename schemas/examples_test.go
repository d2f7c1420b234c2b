package schemas

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var update = flag.Bool("update", false, "rewrite examples/ and asyncapi.json")

const (
	exampleSystem      = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	exampleApplication = "1335882468557197313"
	exampleBot         = "1150000000000000010"
	exampleSource      = "panel"
	exampleName        = "shop" // of sources that are called as their owner likes
)

// exampleTenants are whose the examples are, by source.
var exampleTenants = map[string]string{
	PluralKit:        exampleSystem,
	Discord:          exampleApplication,
	BotGhost:         exampleBot,
	StellarStack:     exampleSource,
	StandardWebhooks: exampleName,
	SharedToken:      exampleName,
	SelfSource:       SelfTenant,
}

// An example is one whole event and what is special about it.
type example struct {
	variant string
	event   Event
}

// TestExamplesFresh holds the files in examples/ against the events made here
// from the dispatch bodies in testdata; -update rewrites them.
func TestExamplesFresh(t *testing.T) {
	want := map[string][]byte{}
	for _, x := range allExamples(t) {
		body, err := x.event.MarshalJSON()
		if err != nil {
			t.Fatalf("%s %s: %v", x.event.Type, x.variant, err)
		}
		file := filepath.Join("examples", x.event.Type, x.variant+".json")
		if _, twice := want[file]; twice {
			t.Fatalf("%s is made twice", file)
		}
		want[file] = append(body, '\n')
	}
	got, err := filepath.Glob("examples/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range got {
		if want[file] == nil && *update {
			if err := os.Remove(file); err != nil {
				t.Error(err)
			}
		} else if want[file] == nil {
			t.Errorf("%s: nothing makes it; run go test -run Fresh -update", file)
		}
	}
	for file, body := range want {
		fresh(t, file, body)
	}
}

// fresh reports a file that is not as it should be, or makes it so.
func fresh(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v; run go test -run Fresh -update", err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; run go test -run Fresh -update\n got %.300s\nwant %.300s", file, got, want)
	}
}

func allExamples(t *testing.T) []example {
	all := dispatchExamples(t)
	unknown := pluralKitExample(PKUnknown, "basic", len(all), exampleSystem, json.RawMessage(`{"badge":"early"}`))
	unknown.event.DataSchema = "" // its shape is not known
	unknown.event.Extensions = map[string]any{PKTypeExtension: "UPDATE_BADGE"}
	all = append(all, unknown)
	all = append(all, changeExamples(t, all)...)
	all = append(all, registryExamples(len(all))...)
	all = append(all, apiExamples(t, len(all))...)
	all = append(all, discordExamples(t, len(all))...)
	all = append(all, botGhostExamples(len(all))...)
	all = append(all, stellarStackExamples(t, len(all))...)
	all = append(all, genericExamples(len(all))...)
	all = append(all, sourceExamples(t, len(all))...)
	all = append(all, subscriptionExamples(len(all))...)
	all = append(all, importedExamples(t, len(all), all)...)
	return append(all, readerExamples(len(all))...)
}

// dispatchExamples makes an event of every dispatch body in testdata but the
// pings.
func dispatchExamples(t *testing.T) []example {
	files, err := filepath.Glob("testdata/pluralkit/*.json")
	if err != nil || len(files) != 79 {
		t.Fatalf("%d dispatch bodies, want 79 (%v)", len(files), err)
	}
	var all []example
	for _, file := range files {
		var body struct {
			Type string          `json:"type"`
			ID   string          `json:"id"`
			Data json.RawMessage `json:"data"`
		}
		read(t, file, &body)
		if body.Type == "PING" {
			continue
		}
		_, variant, special := strings.Cut(strings.TrimSuffix(filepath.Base(file)[len("00-"):], ".json"), "-")
		if !special {
			variant = "basic"
		}
		typ, known := PluralKitType(body.Type)
		if !known {
			t.Fatalf("%s: type %s is unknown", file, body.Type)
		}
		if typ == PKMemberGuildUpdate && !bytes.Contains(body.Data, []byte("guild_id")) {
			typ = PKAccountUpdate
		}
		if typ == PKMessageCreate {
			body.Data = bytes.Replace(body.Data, []byte(`"webhook_url":"https://hooks.example.org/pk/7f3c",`), nil, 1)
			body.ID = "1444000000000000005"
		}
		all = append(all, pluralKitExample(typ, variant, len(all), body.ID, body.Data))
	}
	return all
}

func read(t *testing.T, file string, to any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, to)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func pluralKitExample(typ, variant string, n int, entity string, data json.RawMessage) example {
	e := Event{
		ID:         exampleID(typ, variant, n),
		Source:     PluralKitSystemURL + exampleSystem,
		Type:       typ,
		Subject:    entity,
		Time:       exampleTime(n),
		DataSchema: SchemaID(typ),
		Origin:     OriginWebhook,
		Data:       data,
		Route:      PluralKitRoute(typ, exampleSystem),
	}
	if key := naturalKeys[typ]; key != "" {
		e.ID = key + "." + entity
	}
	return example{variant, e}
}

// naturalKeys are the types whose events have a key of their own, and what it
// begins with.
var naturalKeys = map[string]string{
	PKMemberCreate: "create_member", PKMemberDelete: "delete_member",
	PKGroupCreate: "create_group", PKGroupDelete: "delete_group",
	PKSwitchCreate: "create_switch", PKSwitchDelete: "delete_switch",
	PKMessageCreate: "create_message",
}

func exampleTime(n int) time.Time {
	return time.Date(2025, 11, 29, 17, 0, n, 250_125_000, time.UTC)
}

// exampleID is shaped as a UUIDv7, and always the same.
func exampleID(typ, variant string, n int) string {
	hash := sha256.Sum256([]byte(typ + " " + variant))
	id := uuid.UUID(hash[:16])
	ms := exampleTime(n).UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

func changeExamples(t *testing.T, all []example) []example {
	const alder = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	cause := func(typ, variant string) Recorded {
		for i, x := range all {
			if x.event.Type == typ && x.variant == variant {
				return Recorded{Event: x.event, Seq: uint64(i + 1)}
			}
		}
		t.Fatalf("no example %s %s", typ, variant)
		return Recorded{}
	}
	became := func(variant, typ, noun, entity string, cause Recorded, before, after any) example {
		e, err := NewChange(typ, noun, entity, cause, raw(t, before), raw(t, after))
		if err != nil {
			t.Fatal(err)
		}
		return example{variant, e}
	}
	text := func(s string) *string { return &s }
	out := Front{System: exampleSystem, Members: []Fronter{}}
	in := Front{
		System: exampleSystem, Switch: "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01",
		Since: "2025-11-28T17:01:44.271093Z", SinceUS: 1764349304271093,
		Members: []Fronter{
			{UUID: alder, ID: text("abvenk"), Name: text("Alder"), Pronouns: text("he/him"), Color: text("3a7d44")},
			{UUID: "1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62"},
		},
	}
	type object = map[string]any
	return []example{
		became("first", FrontChanged, "front", exampleSystem, cause(PKSwitchCreate, "basic"), nil, in),
		became("out", FrontChanged, "front", exampleSystem, cause(PKSwitchDelete, "basic"), in, out),
		became("created", MemberChanged, "member", "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084", cause(PKMemberCreate, "bot"),
			nil, object{"uuid": "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084", "name": "Dune"}),
		became("renamed", MemberChanged, "member", alder, cause(PKMemberUpdate, "name"),
			object{"uuid": alder, "name": "Elder"}, object{"uuid": alder, "name": "Alder"}),
		became("deleted", GroupChanged, "group", "a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90", cause(PKGroupDelete, "basic"),
			object{"uuid": "a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90", "name": "Gardeners"}, nil),
		became("cleared", SystemChanged, "system", exampleSystem, cause(PKSystemUpdate, "cleared"),
			object{"uuid": exampleSystem, "description": "Two boats."}, object{"uuid": exampleSystem, "description": nil}),
		became("timezone", SettingsChanged, "settings", exampleSystem, cause(PKSettingsUpdate, "timezone"),
			object{"timezone": "UTC"}, object{"timezone": "Europe/Oslo"}),
	}
}

// raw encodes v; nil stays nil.
func raw(t *testing.T, v any) json.RawMessage {
	t.Helper()
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRouteOf holds the route found from the attributes of every example
// against the one it was made with.
func TestRouteOf(t *testing.T) {
	for _, x := range allExamples(t) {
		got, err := RouteOf(x.event)
		if err != nil || got != x.event.Route {
			t.Errorf("%s %s: got %+v, %v, want %+v", x.event.Type, x.variant, got, err, x.event.Route)
		}
		if again, err := ParseSubject(got.LogSubject()); err != nil || again != got {
			t.Errorf("%s: got %+v, %v from the subject, want %+v", x.event.Type, again, err, got)
		}
	}
	system := PluralKitSystemURL + exampleSystem
	route := func(noun, verb string) Route { return Route{PluralKit, exampleSystem, noun, verb} }
	for _, c := range []struct {
		source, typ string
		want        Route // zero: ErrInvalid
	}{
		{system, "switchlog.member.observed", route("member", "observed")},
		{system, "switchlog.switch.absent", route("switch", "absent")},
		{system, "me.pluralkit.badge.update", route("badge", "update")}, // of a newer switchlog
		{system, "switchlog.member.exploded", Route{}},
		{system, "switchlog.Member.observed", Route{}},
		{system, "me.pluralkit.member", Route{}},
		{system, "me.pluralkit.member.update.more", Route{}},
		{system, "me.pluralkit..update", Route{}},
		{system, "com.example.thing.done", Route{}},
		{system + "/members", PKMemberUpdate, Route{}},
		{strings.ToUpper(system), PKMemberUpdate, Route{}},
		{PluralKitSystemURL + strings.ToUpper(exampleSystem), PKMemberUpdate, Route{}},
		{PluralKitSystemURL + "kfazoe", PKMemberUpdate, Route{}},
		{DiscordApplicationURL + "1", "com.discord.entitlement.create", Route{Discord, "1", "entitlement", "create"}},
		{DiscordApplicationURL + "1", "com.discord.badge.sold", Route{Discord, "1", "badge", "sold"}}, // of a newer switchlog
		{DiscordApplicationURL + "1", "switchlog.entitlement.observed", Route{Discord, "1", "entitlement", "observed"}},
		{DiscordApplicationURL + "1", PKMemberUpdate, Route{}},
		{DiscordApplicationURL + "1/2", "com.discord.entitlement.create", Route{}},
		{DiscordApplicationURL, "com.discord.entitlement.create", Route{}},
		{system, "com.discord.entitlement.create", Route{}},
		{NamedSourceURI(StellarStack, "panel_1"), StellarStackServerStarted, Route{StellarStack, "panel_1", "server", "started"}},
		{NamedSourceURI(StellarStack, "a.b"), StellarStackServerStarted, Route{}},
		{NamedSourceURI(StellarStack, ""), StellarStackServerStarted, Route{}},
		{BotGhostURL + "1", BotGhostTrigger, Route{BotGhost, "1", "webhook", "trigger"}},
		{BotGhostURL + "1/2", BotGhostTrigger, Route{}},
		{SelfURI, "switchlog.source.added", RegistryRoute("source", "added")},
		{SelfURI, PKMemberUpdate, Route{}},
		{NamedSourceURI(SharedToken, "shop"), TokenReceive, Route{}}, // the extension says it, not the source
		{"", "", Route{}},
	} {
		got, err := RouteOf(Event{Source: c.source, Type: c.typ})
		if got != c.want || (err != nil) != (c.want == Route{}) {
			t.Errorf("%s of %s: got %+v, %v, want %+v", c.typ, c.source, got, err, c.want)
		}
	}
}

// TestExport reads back what was written, and a second time over it.
func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	for range 2 {
		if err := Export(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"asyncapi.json", "jsonschema/event.json", "examples/" + PKSwitchCreate + "/basic.json"} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if want := embedded(file); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %d bytes, %v, want %d", file, len(got), err, len(want))
		}
	}
	if err := Export(filepath.Join(dir, "asyncapi.json")); err == nil {
		t.Error("exporting into a file: got no error")
	}
}

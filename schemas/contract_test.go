package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	gotypes "go/types"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// patches are the objects whose members are read by a list of fields: the
// type, where in the data the object is, and which members the schema has
// that are read otherwise.
var patches = []struct {
	typ, at string
	fields  []Field
	besides []string
}{
	{PKSystemUpdate, "", PKSystemFields, nil},
	{PKSettingsUpdate, "", PKSettingsFields, nil},
	{PKMemberCreate, "", PKMemberFields, nil},
	{PKMemberUpdate, "", PKMemberFields, nil},
	{PKGroupCreate, "", PKGroupFields, nil},
	{PKGroupUpdate, "", PKGroupFields, nil},
	{PKSystemGuildUpdate, "", PKSystemGuildFields, []string{"guild_id"}},
	{PKMemberGuildUpdate, "", PKMemberGuildFields, []string{"guild_id"}},
	{PKAccountUpdate, "", PKAccountFields, nil},
	{PKAutoproxyUpdate, "", PKAutoproxyFields, []string{"guild_id", "channel_id"}},
	{PKMessageCreate, "system", PKSystemObjectFields, []string{"uuid"}},
	{PKMessageCreate, "member", PKMemberObjectFields, []string{"uuid"}},
	{DiscordEntitlementCreate, "", DiscordEntitlementFields, []string{"id", "application_id", "deleted"}},
	{DiscordEntitlementUpdate, "", DiscordEntitlementFields, []string{"id", "application_id", "deleted"}},
	{DiscordEntitlementDelete, "", DiscordEntitlementFields, []string{"id", "application_id", "deleted"}},
	{DiscordLobbyMessageCreate, "", DiscordMessageFields, []string{"id", "author"}},
	{DiscordLobbyMessageUpdate, "", DiscordMessageFields, []string{"id", "author"}},
	{DiscordLobbyMessageDelete, "", DiscordMessageFields, []string{"id", "author"}},
	{DiscordDirectMessageCreate, "", DiscordMessageFields, []string{"id", "author"}},
	{DiscordDirectMessageUpdate, "", DiscordMessageFields, []string{"id", "author"}},
	{DiscordDirectMessageDelete, "", DiscordMessageFields, []string{"id", "author"}},
	{SystemObserved, "object", PKSystemObjectFields, []string{"uuid"}},
	{SettingsObserved, "object", PKSettingsFields, nil},
	{MemberObserved, "object", PKMemberObjectFields, []string{"uuid"}},
	{GroupObserved, "object", PKGroupObjectFields, []string{"uuid", "members"}},
	{SystemGuildObserved, "object", PKSystemGuildFields, []string{"guild_id"}},
	{MemberGuildObserved, "object", PKMemberGuildFields, []string{"guild_id"}},
	{AutoproxyObserved, "object", PKAutoproxyFields, []string{"guild_id", "channel_id"}},
	{AccountObserved, "object", PKAccountFields, nil},
}

// payloads are the types whose data is read into a struct, and the members
// that Decode leaves as they are.
var payloads = []struct {
	typ    string
	decode func(Event) error
	of     reflect.Type
	raw    []string
}{
	{PKSwitchCreate, decodeAs[PKSwitch], reflect.TypeFor[PKSwitch](), nil},
	{PKSwitchUpdate, decodeAs[PKSwitch], reflect.TypeFor[PKSwitch](), nil},
	{PKMessageCreate, decodeAs[PKMessage], reflect.TypeFor[PKMessage](), nil},
	{DiscordApplicationAuthorized, decodeAs[DiscordAuthorization], reflect.TypeFor[DiscordAuthorization](), nil},
	{DiscordApplicationDeauthorized, decodeAs[DiscordAuthorization], reflect.TypeFor[DiscordAuthorization](), nil},
	{BotGhostTrigger, decodeAs[BotGhostCall], reflect.TypeFor[BotGhostCall](), nil},
	{StellarStackServerStarted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerStopped, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerCrashed, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerRestarted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerAutoShutdown, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerCreated, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerDeleted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerUpdated, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerSuspended, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackServerUnsuspended, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackBackupCreated, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackBackupFailed, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackBackupRestored, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackBackupDeleted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackTransferStarted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackTransferCompleted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackTransferFailed, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackFileCreated, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackFileDeleted, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackFileModified, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackResourceWarning, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{StellarStackResourceCritical, decodeAs[StellarStackEvent], reflect.TypeFor[StellarStackEvent](), nil},
	{SystemObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SettingsObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{MemberObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{GroupObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SwitchObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SystemGuildObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{MemberGuildObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{AutoproxyObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{AccountObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SourceObserved, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SystemImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SettingsImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{MemberImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{GroupImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SwitchImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{AccountImported, decodeAs[Observed], reflect.TypeFor[Observed](), nil},
	{SystemAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{MemberAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{GroupAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{SwitchAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{SystemGuildAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{MemberGuildAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{AccountAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{MessageAbsent, decodeAs[Absent], reflect.TypeFor[Absent](), nil},
	{FrontChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{MemberChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{GroupChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{SystemChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{SettingsChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{SourceChanged, decodeAs[Change], reflect.TypeFor[Change](), []string{"before", "after"}},
	{SourceAdded, decodeAs[SourceEvent], reflect.TypeFor[SourceEvent](), nil},
	{SourceLearned, decodeAs[SourceEvent], reflect.TypeFor[SourceEvent](), nil},
	{SourceRotated, decodeAs[SourceEvent], reflect.TypeFor[SourceEvent](), nil},
	{SourceRemoved, decodeAs[SourceEvent], reflect.TypeFor[SourceEvent](), nil},
	{ReaderAdded, decodeAs[ReaderEvent], reflect.TypeFor[ReaderEvent](), nil},
	{ReaderRevoked, decodeAs[ReaderEvent], reflect.TypeFor[ReaderEvent](), nil},
	{SubscriptionCreated, decodeAs[Subscription], reflect.TypeFor[Subscription](), nil},
	{SubscriptionUpdated, decodeAs[Subscription], reflect.TypeFor[Subscription](), nil},
	{SubscriptionDeleted, decodeAs[SubscriptionGone], reflect.TypeFor[SubscriptionGone](), nil},
	{DeliveryRequested, decodeAs[DeliveryRequest], reflect.TypeFor[DeliveryRequest](), []string{"event"}},
	{DeliveryAttempted, decodeAs[DeliveryAttempt], reflect.TypeFor[DeliveryAttempt](), nil},
}

func decodeAs[T any](e Event) error {
	_, err := Decode[T](e)
	return err
}

// TestContract fails until the constant, the entry in the catalog, the
// schema, an example, the message in AsyncAPI and the Go type of every event
// type are there and agree.
func TestContract(t *testing.T) {
	c := newContract(t)
	t.Run("constants", c.constants)
	t.Run("schemas", c.schemas)
	t.Run("examples", c.examples)
	t.Run("asyncapi", c.asyncAPI)
	t.Run("fields", c.fields)
	t.Run("payloads", c.payloads)
	t.Run("bodies", c.bodies)
	t.Run("strict", c.strict)
}

// contract is the schemas, compiled, and as JSON.
type contractTest struct {
	compiled map[string]*jsonschema.Schema
	document map[string]object
}

type object = map[string]any

func newContract(t *testing.T) contractTest {
	files, err := contract.ReadDir("jsonschema")
	if err != nil {
		t.Fatal(err)
	}
	c := contractTest{map[string]*jsonschema.Schema{}, map[string]object{}}
	compiler := jsonschema.NewCompiler()
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".json")
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(embedded("jsonschema/" + f.Name())))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := compiler.AddResource(SchemaID(name), document); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c.document[name] = document.(object)
	}
	for name := range c.document {
		if c.compiled[name], err = compiler.Compile(SchemaID(name)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return c
}

// eventType is what a constant that names an event type looks like.
var eventType = regexp.MustCompile(`^[a-z0-9]+(\.[a-z0-9_]+){2,}$`)

// constants finds the event types among the constants of this package's
// source, so that a new one that is nowhere else fails.
func (c contractTest) constants(t *testing.T) {
	set := token.NewFileSet()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
	}
	// Imports are not resolved, and needed for no constant: those errors are
	// expected.
	config := gotypes.Config{Error: func(error) {}}
	pkg, _ := config.Check("schemas", set, files, nil)
	got := map[string]bool{}
	for _, name := range pkg.Scope().Names() {
		k, ok := pkg.Scope().Lookup(name).(*gotypes.Const)
		if !ok || !k.Exported() || k.Val().Kind() != constant.String {
			continue
		}
		if v := constant.StringVal(k.Val()); eventType.MatchString(v) {
			got[v] = true
		}
	}
	want := map[string]bool{}
	for _, typ := range Types() {
		if want[typ.Name] {
			t.Errorf("%s is twice in Types", typ.Name)
		}
		want[typ.Name] = true
		if typ.Summary == "" {
			t.Errorf("%s: no summary", typ.Name)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("constants and Types differ:\n got %q\nwant %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for _, names := range []map[string]string{pluralKitTypes, discordTypes} {
		for name, typ := range names {
			if !slices.ContainsFunc(types, func(x Type) bool { return x.Name == typ && x.Provider == name }) {
				t.Errorf("%s is %s, but not in Types", name, typ)
			}
		}
	}
}

// schemas: each type has one, under its own id, with every member described;
// and there is none that nobody uses.
func (c contractTest) schemas(t *testing.T) {
	want := []string{"event", "pluralkit", "discord", "stellarstack"}
	for _, typ := range Types() {
		want = append(want, typ.Name)
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(c.document)); !slices.Equal(got, want) {
		t.Errorf("schemas:\n got %q\nwant %q", got, want)
	}
	for name, document := range c.document {
		byName, ok := Schema(name)
		byID, okID := Schema(SchemaID(name))
		if !ok || !okID || !bytes.Equal(byName, byID) {
			t.Errorf("%s: not found by name (%t) or id (%t)", name, ok, okID)
		}
		if document["$id"] != SchemaID(name) || document["$schema"] != "https://json-schema.org/draft/2020-12/schema" || document["title"] == nil {
			t.Errorf("%s: $id %v, $schema %v, title %v", name, document["$id"], document["$schema"], document["title"])
		}
		c.described(t, name, document)
	}
	for _, none := range []string{"", "..", "../asyncapi", "me.pluralkit.switch", SchemaID("nothing")} {
		if _, ok := Schema(none); ok {
			t.Errorf("Schema(%q): got one", none)
		}
		if x := Examples(none); len(x) > 0 {
			t.Errorf("Examples(%q): got %d", none, len(x))
		}
	}
}

func (c contractTest) described(t *testing.T, at string, v any) {
	switch v := v.(type) {
	case object:
		properties, _ := v["properties"].(object)
		for name, p := range properties {
			if p, ok := p.(object); ok && p["$ref"] == nil && p["description"] == nil {
				t.Errorf("%s: property %s has no description", at, name)
			}
		}
		for name, inner := range v {
			c.described(t, at+"/"+name, inner)
		}
	case []any:
		for _, inner := range v {
			c.described(t, at, inner)
		}
	}
}

// examples: each type has one; each is what its schemas say, can be read, and
// is the same when written again.
func (c contractTest) examples(t *testing.T) {
	for _, typ := range Types() {
		examples := Examples(typ.Name)
		if len(examples) == 0 {
			t.Errorf("%s: no example", typ.Name)
		}
		for _, x := range examples {
			c.valid(t, "event", x.Body)
			var e Event
			if err := e.UnmarshalJSON(x.Body); err != nil {
				t.Errorf("%s %s: %v", typ.Name, x.Name, err)
				continue
			}
			if e.Data != nil {
				c.valid(t, typ.Name, e.Data)
			}
			if again, err := e.MarshalJSON(); err != nil || !bytes.Equal(again, x.Body) {
				t.Errorf("%s %s: %v\n got %s\nwant %s", typ.Name, x.Name, err, again, x.Body)
			}
			want := Route{Source: typ.Source, Tenant: exampleTenants[typ.Source], Noun: typ.Noun, Verb: typ.Verb}
			if got, err := RouteOf(e); err != nil || got != want || e.Type != typ.Name {
				t.Errorf("%s %s: route %+v, %v, want %+v", typ.Name, x.Name, got, err, want)
			}
			if !isUnknown(typ) && e.DataSchema != SchemaID(typ.Name) {
				t.Errorf("%s %s: dataschema %q", typ.Name, x.Name, e.DataSchema)
			}
			if bytes.Contains(x.Body, []byte("signing_token")) || bytes.Contains(x.Body, []byte("webhook_url")) {
				t.Errorf("%s %s: holds a secret: %s", typ.Name, x.Name, x.Body)
			}
		}
	}
}

// bodies: the schemas accept the data of every dispatch body.
func (c contractTest) bodies(t *testing.T) {
	for _, x := range append(dispatchExamples(t), discordExamples(t, 0)...) {
		if x.event.Data == nil {
			continue
		}
		c.valid(t, x.event.Type, x.event.Data)
	}
}

// isUnknown: the type of what a provider sends and we do not know.
func isUnknown(typ Type) bool { return strings.HasSuffix(typ.Name, ".unknown.receive") }

func (c contractTest) asyncAPI(t *testing.T) {
	var api struct {
		Components struct{ Messages, Schemas map[string]object }
	}
	if err := json.Unmarshal(AsyncAPI(), &api); err != nil {
		t.Fatal(err)
	}
	for _, typ := range Types() {
		if api.Components.Messages[typ.Name] == nil || api.Components.Schemas[typ.Name] == nil {
			t.Errorf("%s: no message or no schema in asyncapi.json", typ.Name)
		}
	}
}

// fields holds the lists of fields against the schemas, by name, type and
// nullability; then every field, with a value of another type, must fail both.
func (c contractTest) fields(t *testing.T) {
	for _, p := range patches {
		properties := c.properties(t, p.typ, c.document[p.typ])
		if p.at != "" {
			properties = c.properties(t, p.typ, alternative(properties[p.at].(object)))
		}
		got := map[string]Field{}
		for name, schema := range properties {
			if schema == false || slices.Contains(p.besides, name) {
				continue
			}
			if name != "privacy" {
				got[name] = fieldOf(t, name, "", schema.(object))
				continue
			}
			for inner, schema := range c.properties(t, p.typ, schema.(object)) {
				got["privacy."+inner] = fieldOf(t, inner, "privacy", schema.(object))
			}
		}
		want := map[string]Field{}
		for _, f := range p.fields {
			want[strings.TrimPrefix(f.In+"."+f.Name, ".")] = f
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s %s: fields by schema and by list:\n got %+v\nwant %+v", p.typ, p.at, got, want)
		}
		for _, f := range p.fields {
			c.mutate(t, p.typ, p.at, f, p.fields)
		}
	}
}

// mutate sets one field to values of every kind: the schema and DecodeFields
// must agree on which are right.
func (c contractTest) mutate(t *testing.T, typ, at string, f Field, fields []Field) {
	for _, v := range []struct {
		value any
		right bool
	}{
		{"text", f.Kind == Text},
		{"2025-11-28T16:45:00.1234567Z", f.Kind == Text || f.Kind == Time},
		{true, f.Kind == Bool},
		{json.Number("7"), f.Kind == Int},
		{json.Number("1.5"), false},
		{[]any{}, f.Kind == List},
		{object{}, false},
		{nil, f.Null},
	} {
		data := c.sample(t, typ)
		from := data
		if at != "" {
			from = data[at].(object)
		}
		to := from
		if f.In != "" {
			to = object{}
			from[f.In] = to
		}
		to[f.Name] = v.value
		if err := c.compiled[typ].Validate(data); (err == nil) != v.right {
			t.Errorf("%s %s.%s = %v: schema says %v, want right %t", typ, f.In, f.Name, v.value, err, v.right)
		}
		_, err := DecodeFields(typ, raw(t, from), fields)
		if (err == nil) != v.right || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s %s.%s = %v: DecodeFields says %v, want right %t", typ, f.In, f.Name, v.value, err, v.right)
		}
	}
	if f.In == "" {
		return
	}
	for _, wrong := range []any{"text", json.Number("7"), []any{}} {
		data := c.sample(t, typ)
		from := data
		if at != "" {
			from = data[at].(object)
		}
		from[f.In] = wrong
		_, err := DecodeFields(typ, raw(t, from), fields)
		if c.compiled[typ].Validate(data) == nil || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s %s = %v: accepted (DecodeFields: %v)", typ, f.In, wrong, err)
		}
	}
}

// payloads holds the Go types against the schemas: the same members, and a
// value of another type fails both.
func (c contractTest) payloads(t *testing.T) {
	bySchema := map[reflect.Type]map[string]bool{}
	for _, p := range payloads {
		properties := c.properties(t, p.typ, c.document[p.typ])
		if bySchema[p.of] == nil {
			bySchema[p.of] = map[string]bool{}
		}
		for name, property := range properties {
			bySchema[p.of][name] = true
			for kind, wrong := range map[string]any{"number": json.Number("1.5"), "boolean": true} {
				if property.(object)["type"] == kind {
					continue
				}
				data := c.sample(t, p.typ)
				data[name] = wrong
				err := p.decode(Event{Type: p.typ, Data: raw(t, data)})
				if c.compiled[p.typ].Validate(data) == nil || !slices.Contains(p.raw, name) && !errors.Is(err, ErrInvalid) {
					t.Errorf("%s %s = %v: accepted (Decode: %v)", p.typ, name, wrong, err)
				}
			}
		}
	}
	definitions := maps.Clone(c.document[FrontChanged]["$defs"].(object))
	maps.Copy(definitions, c.document[SourceChanged]["$defs"].(object))
	for name, of := range map[string]reflect.Type{"front": reflect.TypeFor[Front](), "fronter": reflect.TypeFor[Fronter](),
		"report": reflect.TypeFor[SourceReport]()} {
		bySchema[of] = map[string]bool{}
		for property := range definitions[name].(object)["properties"].(object) {
			bySchema[of][property] = true
		}
	}
	for of, got := range bySchema {
		want := map[string]bool{}
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			want[name] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: members by schema and by Go type:\n got %v\nwant %v", of, got, want)
		}
	}
}

// strict: what we write ourselves has no member we do not know, a provider's
// may; and the secret of a system is in no schema.
func (c contractTest) strict(t *testing.T) {
	for _, typ := range Types() {
		if slices.Contains([]any{"null", nil}, c.document[typ.Name]["type"]) && c.document[typ.Name]["allOf"] == nil {
			continue // no object
		}
		data := c.sample(t, typ.Name)
		data["brand_new"] = true
		err := c.compiled[typ.Name].Validate(data)
		if ours := typ.Provider == "" && !isUnknown(typ); (err != nil) != ours {
			t.Errorf("%s: an unknown member: got %v, want refused %t", typ.Name, err, ours)
		}
	}
	for typ, at := range map[string]string{PKMessageCreate: "system", SystemObserved: "object"} {
		data := c.sample(t, typ)
		data[at].(object)["webhook_url"] = "https://hooks.example.org/pk/7f3c"
		if c.compiled[typ].Validate(data) == nil {
			t.Errorf("%s: with the system's webhook_url it is accepted", typ)
		}
	}
	for _, typ := range Types() {
		if typ.Verb != "observed" && typ.Verb != "imported" {
			continue
		}
		data := c.sample(t, typ.Name)
		data["object"].(object)["brand_new"] = true // of PluralKit's
		if err := c.compiled[typ.Name].Validate(data); err != nil {
			t.Errorf("%s: an object with an unknown member: %v", typ.Name, err)
		}
	}
	for name, change := range map[string]func(object){
		"base64":        func(e object) { e["data_base64"] = "e30=" },
		"no id":         func(e object) { delete(e, "id") },
		"blank id":      func(e object) { e["id"] = " " },
		"no time":       func(e object) { delete(e, "time") },
		"milliseconds":  func(e object) { e["time"] = "2025-11-28T17:00:59.250Z" },
		"no media type": func(e object) { delete(e, "datacontenttype") },
		"origin":        func(e object) { e["origin"] = "rumour" },
		"large number":  func(e object) { e["ext"] = json.Number("2147483648") },
		"object":        func(e object) { e["ext"] = object{} },
		"no data":       func(e object) { delete(e, "data") },
	} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(Examples(PKSwitchCreate)[0].Body))
		if err != nil {
			t.Fatal(err)
		}
		change(v.(object))
		if c.compiled["event"].Validate(v) == nil {
			t.Errorf("%s: event.json accepts it", name)
		}
	}
}

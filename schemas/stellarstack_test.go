package schemas

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// stellarStackExamples are a signed delivery of every type, and one message
// for Discord.
func stellarStackExamples(t *testing.T, n int) []example {
	more := map[string]string{
		StellarStackServerAutoShutdown: `,"data":{"reason":"inactive","inactiveMinutes":45,"timeoutMinutes":30}`,
		StellarStackBackupCreated:      `,"data":{"backupId":"33333333-3333-4333-8333-333333333333"}`,
		StellarStackTransferStarted:    `,"data":{"transferId":"44444444-4444-4444-8444-444444444444","targetNodeId":"node-2"}`,
	}
	status := map[string]string{
		StellarStackServerStarted: `,"status":"STARTING"`, StellarStackServerRestarted: `,"status":"STARTING"`, StellarStackServerStopped: `,"status":"STOPPING"`,
	}
	var all []example
	add := func(variant, typ, data string, extensions map[string]any) {
		i := n + len(all)
		e := Event{
			ID: exampleID(typ, variant, i), Source: NamedSourceURI(StellarStack, exampleSource), Type: typ,
			Subject: "11111111-1111-4111-8111-111111111111", Time: exampleTime(i), DataSchema: SchemaID(typ), Origin: OriginWebhook,
			Extensions: extensions, Data: json.RawMessage(data), Route: StellarStackRoute(typ, exampleSource),
		}
		if typ == StellarStackUnknown {
			e.DataSchema = ""
		}
		all = append(all, example{variant, e})
	}
	for _, typ := range types {
		if typ.Source != StellarStack || typ.Provider == "" {
			continue
		}
		add("basic", typ.Name, `{"event":"`+typ.Provider+`","timestamp":"2025-11-29T17:00:00.000Z",`+
			`"server":{"id":"11111111-1111-4111-8111-111111111111","name":"demo"`+status[typ.Name]+`}`+more[typ.Name]+`}`, nil)
	}
	add("basic", StellarStackUnknown, `{"event":"node.offline","timestamp":"2025-11-29T17:00:00.000Z"}`,
		map[string]any{StellarStackTypeExtension: "node.offline"})
	add("unsigned", StellarStackServerAutoShutdown, stellarStackEmbed, map[string]any{AuthTypeExtension: AuthUnauthenticated})
	all[len(all)-1].event.Subject = "demo"
	return all
}

const stellarStackEmbed = `{"embeds":[{"title":"🔔 Server Auto_shutdown","color":39423,"fields":[` +
	`{"name":"Server","value":"demo","inline":true},{"name":"Status","value":"STOPPING","inline":true},` +
	`{"name":"Reason","value":"inactive","inline":true}],"timestamp":"2025-11-29T17:00:00.000Z","footer":{"text":"StellarStack"}}]}`

func TestStellarStackPlain(t *testing.T) {
	got, err := Decode[StellarStackEvent](Event{Data: json.RawMessage(stellarStackEmbed)})
	if err != nil {
		t.Fatal(err)
	}
	status := "STOPPING"
	want := StellarStackEvent{
		Event: "server.auto_shutdown", Timestamp: "2025-11-29T17:00:00.000Z",
		Server: &StellarStackServer{Name: "demo", Status: &status}, Data: Object{"Reason": json.RawMessage(`"inactive"`)},
	}
	if got = got.Plain(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := got.Plain(); !reflect.DeepEqual(again, want) {
		t.Errorf("of what is plain: got %+v, want %+v", again, want)
	}
	for _, typ := range Types() {
		if typ.Source != StellarStack || typ.Provider == "" {
			continue
		}
		words := strings.Split(typ.Provider, ".")
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		if got := (StellarStackEmbed{Title: "🔔 " + strings.Join(words, " ")}).Name(); got != typ.Provider {
			t.Errorf("%s: got %s", typ.Provider, got)
		}
		if got, known := StellarStackType(typ.Provider); got != typ.Name || !known {
			t.Errorf("%s: got %s, %t", typ.Provider, got, known)
		}
	}
	for _, name := range []string{"", "test", "unknown.receive", "node.offline"} {
		if got, known := StellarStackType(name); got != StellarStackUnknown || known {
			t.Errorf("%q: got %s, %t", name, got, known)
		}
	}
}

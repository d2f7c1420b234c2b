package ingest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

var update = flag.Bool("update", false, "rewrite testdata/pluralkit.golden")

var uuidV7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func bodies(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/pluralkit/*.json")
	if err != nil || len(files) != 79 {
		t.Fatalf("%d bodies, %v; want 79", len(files), err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = string(b)
	}
	return all
}

// Every body PluralKit sends, over a socket: what became of it is in the
// golden file, and its data is what was sent.
func TestPluralKitBodies(t *testing.T) {
	var got strings.Builder
	all := bodies(t)
	for _, name := range sortedKeys(all) {
		b := newBench(t, EdgeConfig{})
		b.add(t)
		status := b.post(t, all[name])
		events := b.log.webhooks()
		fmt.Fprintf(&got, "%s: %d", name, status)
		for _, e := range events {
			id := e.ID
			if uuidV7.MatchString(id) {
				id = "new"
			}
			fmt.Fprintf(&got, " %s subject=%q id=%s repeats=%s", e.Type, e.Subject, id, e.Repeats)
			checkPluralKitEvent(t, name, all[name], e)
		}
		got.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile("testdata/pluralkit.golden", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/pluralkit.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func checkPluralKitEvent(t *testing.T, name, body string, e schemas.Event) {
	t.Helper()
	var sent struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatal(err)
	}
	if want := schemas.PluralKitSystemURL + testSystem; e.Source != want {
		t.Errorf("%s: source %s, want %s", name, e.Source, want)
	}
	if e.Origin != schemas.OriginWebhook || !e.Time.IsZero() || e.Extensions != nil || e.DataSchema != schemas.SchemaID(e.Type) {
		t.Errorf("%s: origin %q time %s extensions %v schema %q", name, e.Origin, e.Time, e.Extensions, e.DataSchema)
	}
	if e.Route != schemas.PluralKitRoute(e.Type, testSystem) {
		t.Errorf("%s: route %+v", name, e.Route)
	}
	if !strings.Contains(body, "webhook_url") {
		if !bytes.Equal(e.Data, sent.Data) {
			t.Errorf("%s: data %s, want %s", name, e.Data, sent.Data)
		}
		return
	}
	want := strings.Replace(string(sent.Data), `,"webhook_url":"https://hooks.example.org/pk/7f3c"`, "", 1)
	if string(e.Data) != want {
		t.Errorf("%s: data %s, want %s", name, e.Data, want)
	}
}

// The envelope in shapes PluralKit has not sent yet, or never will.
func TestPluralKitEnvelope(t *testing.T) {
	const s = `"signing_token":"` + testToken + `","system_id":"` + testSystem + `"`
	const auth = s + `,`
	for _, c := range []struct {
		name, body string
		status     int
		want       string // type, subject, extensions, data; empty: no event
	}{
		{"spaced", " {\n\t\"type\" : \"DELETE_ALL_SWITCHES\" ,\r\n " + auth + ` "id" : null, "data" :  null } `, 200, `me.pluralkit.switch.delete_all "" map[] null`},
		{"other order", `{"data":{"name":"a"},"id":null,` + auth + `"type":"UPDATE_SYSTEM"}`, 200, `me.pluralkit.system.update "" map[] {"name":"a"}`},
		{"no data", `{` + auth + `"type":"SUCCESSFUL_IMPORT"}`, 200, `me.pluralkit.import.success "" map[] `},
		{"ping", `{` + auth + `"type":"PING"}`, 200, ``},
		{"ping with data", `{` + auth + `"type":"PING","id":null,"data":{"x":1}}`, 200, ``},
		{"escaped keys", `{"signing\u005ftoken":"` + testToken + `","\u0074ype":"UPDATE_SYSTEM","data":{"a":1,"webhook\u005furl":"x","b":2}}`, 200, `me.pluralkit.system.update "" map[] {"a":1,"b":2}`},
		{"escaped token", `{"signing_token":"\u0065xample-token-not-a-real-secret","type":"UPDATE_SYSTEM","data":{}}`, 200, `me.pluralkit.system.update "" map[] {}`},
		{"upper-case system", `{"signing_token":"` + testToken + `","system_id":"` + strings.ToUpper(testSystem) + `","type":"UPDATE_SYSTEM","data":{}}`, 200, `me.pluralkit.system.update "" map[] {}`},
		{"null system", `{"signing_token":"` + testToken + `","system_id":null,"type":"UPDATE_SYSTEM","data":{}}`, 200, `me.pluralkit.system.update "" map[] {}`},
		{"same token twice", `{"signing_token":"` + testToken + `",` + auth + `"type":"UPDATE_SYSTEM","data":{}}`, 200, `me.pluralkit.system.update "" map[] {}`},
		{"nested secrets", `{` + auth + `"type":"UPDATE_SYSTEM","data":{"webhook_url":1,"a":[{"webhook_url":{"x":[1]}},{"signing_token":"x" , "b":1.50e3},[[{"c":{"webhook_url":null}}]]]}}`, 200,
			`me.pluralkit.system.update "" map[] {"a":[{},{"b":1.50e3},[[{"c":{}}]]]}`},
		{"token elsewhere", `{` + auth + `"type":"UPDATE_SYSTEM","data":{"description":"my token is ` + testToken + `","x` + testToken + `":1,"n":["\u0065xample-token-not-a-real-secret"]}}`, 200,
			`me.pluralkit.system.update "" map[] {"description":"***","n":["***"]}`},
		{"webhook_avatar_url stays", `{` + auth + `"type":"UPDATE_MEMBER","id":"m","data":{"webhook_avatar_url":"u"}}`, 200, `me.pluralkit.member.update "m" map[] {"webhook_avatar_url":"u"}`},
		{"unknown type", `{` + auth + `"type":"CREATE_PET","id":"p1","data":{"name":"Rex"}}`, 200, `me.pluralkit.unknown.receive "p1" map[pktype:CREATE_PET] {"name":"Rex"}`},
		{"unknown type, no data", `{"type":"X",` + auth + `"pet":{"webhook_url":"u"}}`, 200, `me.pluralkit.unknown.receive "" map[pktype:X] {"type":"X","system_id":"` + testSystem + `","pet":{}}`},
		{"unknown type, odd name", `{` + auth + `"type":"A\u0000\n` + strings.Repeat("é", 40) + `","data":1}`, 200, `me.pluralkit.unknown.receive "" map[pkextra:{"type":"A\u0000\n` + strings.Repeat("é", 40) + `"} pktype:A__` + strings.Repeat("é", 40) + `] 1`},
		{"unknown type, long name", `{` + auth + `"type":"` + strings.Repeat("é", 600) + `","data":1}`, 200,
			`me.pluralkit.unknown.receive "" map[pkextra:{"type":"` + strings.Repeat("é", 600) + `"} pktype:` + strings.Repeat("é", 510) + `…] 1`},
		{"extra members", `{` + auth + `"type":"UPDATE_SYSTEM","at" : "2026","webhook_url":"u","data":{},"n":{"signing_token":1,"k":1.0}}`, 200,
			`me.pluralkit.system.update "" map[pkextra:{"at" : "2026","n":{"k":1.0}}] {}`},
		{"extra members, all secret", `{` + auth + `"type":"UPDATE_SYSTEM","webhook_url":"u","data":{}}`, 200, `me.pluralkit.system.update "" map[] {}`},
		{"wrong types inside", `{` + auth + `"type":"CREATE_SWITCH","id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","data":{"members":7}}`, 200, `me.pluralkit.switch.create "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01" map[] {"members":7}`},
		{"account by digits", `{` + auth + `"type":"UPDATE_MEMBER_GUILD","id":"115","data":{"guild_id":"1"}}`, 200, `me.pluralkit.account.update "115" map[] {"guild_id":"1"}`},
		{"account without guild", `{` + auth + `"type":"UPDATE_MEMBER_GUILD","id":"m","data":null}`, 200, `me.pluralkit.account.update "m" map[] null`},
		{"lone surrogate", `{` + auth + `"type":"UPDATE_SYSTEM","data":{"name":"\ud800"}}`, 200, `me.pluralkit.system.update "" map[] {"name":"\ud800"}`},

		{"wrong token", `{"type":"PING","signing_token":"wrong","system_id":null}`, 401, ``},
		{"same length", `{"type":"PING","signing_token":"` + strings.Repeat("x", len(testToken)) + `"}`, 401, ``},
		{"prefix", `{"type":"PING","signing_token":"` + testToken[:10] + `"}`, 401, ``},
		{"longer", `{"type":"PING","signing_token":"` + testToken + `x"}`, 401, ``},
		{"empty token", `{"type":"PING","signing_token":""}`, 401, ``},
		{"null token", `{"type":"PING","signing_token":null}`, 401, ``},
		{"token in an array", `{"type":"PING","signing_token":["` + testToken + `"]}`, 401, ``},
		{"token inside data", `{"type":"PING","data":{"signing_token":"` + testToken + `"}}`, 401, ``},
		{"two tokens, good first", `{` + auth + `"signing_token":"other","type":"PING"}`, 401, ``},
		{"two tokens, bad first", `{"signing_token":"other",` + auth + `"type":"PING"}`, 401, ``},
		{"two tokens, one escaped", `{` + auth + `"signing\u005ftoken":"other","type":"PING"}`, 401, ``},
		{"other system", `{"type":"PING","signing_token":"` + testToken + `","system_id":"00000000-0d4e-4c1b-9a6e-2b8d5f90c311"}`, 401, ``},
		{"system no uuid", `{"type":"PING","signing_token":"` + testToken + `","system_id":"abc"}`, 401, ``},
		{"system a number", `{"type":"PING","signing_token":"` + testToken + `","system_id":7}`, 401, ``},
		{"two systems", `{` + auth + `"system_id":"00000000-0d4e-4c1b-9a6e-2b8d5f90c311","type":"PING"}`, 401, ``},
		{"empty", ``, 401, ``},
		{"not JSON", `hello`, 401, ``},
		{"an array", `[{` + s + `}]`, 401, ``},
		{"byte order mark", "\ufeff{" + auth + `"type":"PING"}`, 401, ``},
		{"broken before the token", `{"type":,` + s + `}`, 401, ``},
		{"deep before the token", `{"data":` + strings.Repeat("[", 200_000) + `,` + s + `}`, 401, ``},

		{"broken after the token", `{` + s, 400, ``},
		{"deep after the token", `{` + auth + `"type":"UPDATE_SYSTEM","data":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, 400, ``},
		{"something behind", `{` + auth + `"type":"PING"} x`, 400, ``},
		{"not UTF-8", `{` + auth + `"type":"UPDATE_SYSTEM","data":"` + "\xff" + `"}`, 400, ``},
		{"no type", `{` + s + `}`, 400, ``},
		{"empty type", `{` + auth + `"type":""}`, 400, ``},
		{"type a number", `{` + auth + `"type":7}`, 400, ``},
		{"two types", `{` + auth + `"type":"PING","type":"UPDATE_SYSTEM"}`, 400, ``},
		{"much extra", `{` + auth + `"type":"UPDATE_MEMBER","x":"` + strings.Repeat("1", maxExtraBytes) + `"}`, 413, ``},

		{"id a number", `{` + auth + `"type":"UPDATE_MEMBER","id":7,"data":{}}`, 200, `me.pluralkit.member.update "" map[pkextra:{"id":7}] {}`},
		{"id empty", `{` + auth + `"type":"UPDATE_MEMBER","id":"","data":{}}`, 200, `me.pluralkit.member.update "" map[pkextra:{"id":""}] {}`},
		{"id long", `{` + auth + `"type":"UPDATE_MEMBER","id":"` + strings.Repeat("1", 101) + `","data":{}}`, 200,
			`me.pluralkit.member.update "" map[pkextra:{"id":"` + strings.Repeat("1", 101) + `"}] {}`},
		{"id with a control character", `{` + auth + `"type":"UPDATE_MEMBER","id":"a\u0007","data":{}}`, 200,
			`me.pluralkit.member.update "" map[pkextra:{"id":"a\u0007"}] {}`},
		{"id with half a character", `{` + auth + `"type":"UPDATE_MEMBER","id":"a\ud83d","data":{}}`, 200,
			`me.pluralkit.member.update "" map[pkextra:{"id":"a\ud83d"}] {}`},
		{"token as id", `{` + auth + `"type":"UPDATE_MEMBER","id":"` + testToken + `","data":{}}`, 200, `me.pluralkit.member.update "" map[pkextra:{"id":"***"}] {}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, EdgeConfig{})
			b.add(t)
			if got := b.post(t, c.body); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			var got string
			for _, e := range b.log.webhooks() {
				got += fmt.Sprintf("%s %q %v %s", e.Type, e.Subject, e.Extensions, e.Data)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if c.status != 200 && strings.Contains(b.lines.String(), testToken) {
				t.Errorf("the token is in the log lines: %s", b.lines)
			}
		})
	}
}

// What happens once to an entity is one event though sent twice; an update is
// an event each time, even with the same content (A→B→A).
func TestLaw3PluralKitIDs(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	for name, body := range bodies(t) {
		before := len(b.log.webhooks())
		b.post(t, body)
		once := len(b.log.webhooks()) - before
		if once == 0 {
			continue // a ping, refused, or an entity another body was about
		}
		natural := false
		for _, p := range []string{"CREATE_MEMBER", "DELETE_MEMBER", "CREATE_GROUP", "DELETE_GROUP", "CREATE_SWITCH", "DELETE_SWITCH", "CREATE_MESSAGE"} {
			natural = natural || strings.Contains(body, `"type":"`+p+`"`)
		}
		b.post(t, body)
		want := 2
		if natural {
			want = 1
		}
		if got := len(b.log.webhooks()) - before; got != want {
			t.Errorf("%s sent twice: %d events, want %d", name, got, want)
		}
	}
}

// withoutSecrets is redact written the plain way, to hold it against.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for k, inner := range v {
			if k != "signing_token" && k != "webhook_url" {
				kept[k] = withoutSecrets(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = withoutSecrets(v[i])
		}
		return kept
	}
	return v
}

package schemas

import (
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func genericExamples(n int) []example {
	var all []example
	for i, x := range []struct{ variant, kind, typ, id, data string }{
		{"basic", StandardWebhooks, StandardReceive, "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`},
		{"basic", SharedToken, TokenReceive, exampleID(TokenReceive, "basic", n+1), `{"event":"vote","guildId":"1150000000000000001","double":false}`},
	} {
		all = append(all, example{x.variant, Event{
			ID: x.id, Source: NamedSourceURI(x.kind, exampleName), Type: x.typ, Time: exampleTime(n + i),
			DataSchema: SchemaID(x.typ), Origin: OriginWebhook, Data: json.RawMessage(x.data),
			Extensions: map[string]any{SourceExtension: GenericSource(x.kind, exampleName)},
			Route:      GenericRoute(x.kind, exampleName),
		}})
	}
	return all
}

// TestGenericRoute: the extension decides, whatever type and source claim.
func TestGenericRoute(t *testing.T) {
	for _, c := range []struct {
		value any
		want  Route // zero: ErrInvalid
	}{
		{"cloudevents/shop", Route{"cloudevents", "shop", "event", "receive"}},
		{"standard/a_B-9", Route{"standard", "a_B-9", "message", "receive"}},
		{"token/t", Route{"token", "t", "message", "receive"}},
		{"pluralkit/" + exampleSystem, Route{}},
		{"switchlog/registry", Route{}},
		{"cloudevents", Route{}},
		{"cloudevents/", Route{}},
		{"cloudevents/a/b", Route{}},
		{"cloudevents/a b", Route{}},
		{"/a", Route{}},
		{true, Route{}},
		{int32(1), Route{}},
	} {
		for _, e := range []Event{
			{Source: SelfURI, Type: SourceAdded},
			{Source: PluralKitSystemURL + exampleSystem, Type: PKSwitchCreate},
			{Source: "x", Type: "y"},
		} {
			e.Extensions = map[string]any{SourceExtension: c.value}
			got, err := RouteOf(e)
			if got != c.want || errors.Is(err, ErrInvalid) != (c.want == Route{}) {
				t.Errorf("%v of %s: got %+v, %v, want %+v", c.value, e.Type, got, err, c.want)
			}
		}
	}
}

// TestMsgID: two events have one only if they have the same tenant, source
// and id; and it is what one would write down, but for slashes in ids.
func TestMsgID(t *testing.T) {
	e := func(source, id string) Event {
		return Event{ID: id, Source: source, Route: GenericRoute(CloudEvents, "shop")}
	}
	if got, want := e("https://a.example/b", "c-1").MsgID(), "cloudevents/shop/https://a.example/b/c-1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := (Event{ID: "a/b", Source: "urn:x", Route: GenericRoute(StandardWebhooks, "shop")}).MsgID(), "standard/shop/a/b"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	text := rapid.StringOfN(rapid.SampledFrom([]rune("/%2Fa")), 1, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a := e(text.Draw(t, "source"), text.Draw(t, "id"))
		b := e(text.Draw(t, "other source"), text.Draw(t, "other id"))
		if same := a.Source == b.Source && a.ID == b.ID; (a.MsgID() == b.MsgID()) != same {
			t.Fatalf("%q and %q of %q %q and %q %q", a.MsgID(), b.MsgID(), a.Source, a.ID, b.Source, b.ID)
		}
	})
}

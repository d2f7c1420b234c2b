package schemas

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestDeliveryPayload(t *testing.T) {
	at := time.Date(2026, 3, 14, 9, 1, 40, 733_210_000, time.UTC)
	route := Route{Source: PluralKit, Tenant: "t", Noun: "front", Verb: "changed"}
	for _, test := range []struct {
		name string
		e    Event
		want string
	}{
		{"a change", Event{ID: "1", Type: FrontChanged, Subject: "s", Time: at, Data: json.RawMessage(`{"a":1}`), Route: route},
			`{"event":"front.changed","type":"switchlog.front.changed","timestamp":"2026-03-14T09:01:40.733210Z","id":"1","source":"pluralkit","tenant":"t","subject":"s","data":{"a":1}}`},
		{"no data, no subject", Event{ID: "2", Type: FrontChanged, Time: at, Route: route},
			`{"event":"front.changed","type":"switchlog.front.changed","timestamp":"2026-03-14T09:01:40.733210Z","id":"2","source":"pluralkit","tenant":"t","data":null}`},
		{"binary", Event{ID: `"`, Type: "x", Time: at, Binary: []byte{0, 255}, Route: Route{Source: CloudEvents, Tenant: "n", Noun: "event", Verb: "receive"}},
			`{"event":"event.receive","type":"x","timestamp":"2026-03-14T09:01:40.733210Z","id":"\"","source":"cloudevents","tenant":"n","data_base64":"AP8="}`},
	} {
		got := DeliveryPayload(test.e)
		if string(got) != test.want || !json.Valid(got) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestDeliveryID(t *testing.T) {
	e := Event{ID: "1", Route: Route{Source: PluralKit, Tenant: "t"}}
	id := DeliveryID("w", e)
	if u, err := uuid.Parse(id); err != nil || u.Version() != 5 {
		t.Errorf("got %q, want a UUID of version 5", id)
	}
	if again := DeliveryID("w", e); again != id {
		t.Errorf("got %q for the same, want %q", again, id)
	}
	other := e
	other.Route.Tenant = "u"
	if DeliveryID("v", e) == id || DeliveryID("w", other) == id {
		t.Errorf("got %q for another, want another", id)
	}
}

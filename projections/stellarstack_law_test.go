package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// TestLaw6StellarStackInAnyOrder: deliveries are sent in parallel, and again.
func TestLaw6StellarStackInAnyOrder(t *testing.T) {
	anyOrder(t, []engine.Projection{StellarStack}, stellarHistory, "panel-a")
}

// stellarHistory draws events of two panels, one of them unsigned, about the
// same few servers and times.
func stellarHistory(t *rapid.T) []schemas.Recorded {
	n := rapid.IntRange(1, 15).Draw(t, "events")
	events := make([]schemas.Recorded, n)
	for i := range events {
		d := drawer{T: t, n: i}
		d.tenant = d.of("panel", "panel-a", "panel-b")
		name := d.of("event", "server.started", "server.stopped", "server.deleted", "server.updated", "backup.created", "node.offline")
		typ, _ := schemas.StellarStackType(name)
		at := "2026-02-01T10:05:0" + d.of("second", "1", "2", "3") + ".000Z"
		server := map[string]any{"name": d.of("name", "x", "y")}
		data := map[string]any{"b": 1, "a": d.of("data", "1", "2")}
		var body any = map[string]any{"event": name, "timestamp": at, "server": server, "data": data}
		var extensions map[string]any
		switch d.tenant {
		case "panel-a":
			server["id"] = d.of("server", "1", "2")
			if d.of("status", "yes", "no") == "yes" {
				server["status"] = d.of("to", "STARTING", "STOPPING")
			}
			if d.of("about", "server", "server", "none") == "none" {
				body = map[string]any{"event": name, "timestamp": at}
			}
		default:
			extensions = map[string]any{schemas.AuthTypeExtension: schemas.AuthUnauthenticated}
			body = map[string]any{"embeds": []any{map[string]any{"title": name, "timestamp": at, "fields": []any{
				map[string]any{"name": "Server", "value": server["name"]}, map[string]any{"name": "A", "value": data["a"]},
			}}}}
		}
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		events[i] = schemas.Recorded{Event: schemas.Event{
			ID: fmt.Sprintf("e%03d", i), Source: schemas.NamedSourceURI(schemas.StellarStack, d.tenant), Type: typ,
			Time: time.Date(2025, 1, 1, 0, 0, 0, 1000*i, time.UTC), Data: raw, Extensions: extensions,
			Route: schemas.StellarStackRoute(typ, d.tenant),
		}}
	}
	return events
}

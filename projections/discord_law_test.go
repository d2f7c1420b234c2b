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

// TestLaw6DiscordInAnyOrder: Discord promises no order, and sends twice.
func TestLaw6DiscordInAnyOrder(t *testing.T) {
	anyOrder(t, []engine.Projection{Discord}, discordHistory, "app-a")
}

// discordHistory draws the events of two applications about the same few
// things. Discord's times are few too, so that they meet.
func discordHistory(t *rapid.T) []schemas.Recorded {
	n := rapid.IntRange(1, 15).Draw(t, "events")
	events := make([]schemas.Recorded, n)
	for i := range events {
		d := drawer{T: t, n: i}
		d.tenant = d.of("application", "app-a", "app-b")
		typ, data := d.discord()
		at := time.Date(2026, 3, 14, 0, 0, rapid.IntRange(0, 5).Draw(t, "second"), 0, time.UTC)
		events[i] = schemas.Recorded{Event: schemas.Event{
			ID: fmt.Sprintf("e%03d", i), Source: schemas.DiscordApplicationURL + d.tenant, Type: typ,
			Time: time.Date(2025, 1, 1, 0, 0, 0, 1000*i, time.UTC), Data: data,
			Extensions: map[string]any{schemas.DiscordTimeExtension: schemas.FormatTime(at)},
			Route:      schemas.DiscordRoute(typ, d.tenant),
		}}
	}
	return events
}

func (d *drawer) discord() (typ string, data json.RawMessage) {
	typ = d.of("type",
		schemas.DiscordApplicationAuthorized, schemas.DiscordApplicationDeauthorized,
		schemas.DiscordEntitlementCreate, schemas.DiscordEntitlementUpdate, schemas.DiscordEntitlementDelete,
		schemas.DiscordLobbyMessageCreate, schemas.DiscordLobbyMessageUpdate, schemas.DiscordLobbyMessageDelete,
		schemas.DiscordDirectMessageUpdate, schemas.DiscordQuestUserEnrollment, schemas.DiscordUnknown)
	user := map[string]any{"id": d.of("user", "u1", "u2"), "username": d.of("username", "x", "y")}
	if d.of("global name", "yes", "no") == "yes" {
		user["global_name"] = d.of("shown", "X", "Y")
	}
	switch typ {
	case schemas.DiscordApplicationAuthorized:
		given := map[string]any{"user": user, "scopes": []string{d.of("scope", "bot", "identify")}}
		if d.of("guild", "yes", "no") == "yes" {
			given["guild"], given["integration_type"] = map[string]any{"id": "g1", "name": nil}, 0
		}
		return typ, d.object(nil, given)
	case schemas.DiscordApplicationDeauthorized:
		return typ, d.object(nil, map[string]any{"user": user})
	case schemas.DiscordEntitlementCreate, schemas.DiscordEntitlementUpdate, schemas.DiscordEntitlementDelete:
		return typ, d.object(schemas.DiscordEntitlementFields, map[string]any{
			"id": d.of("entitlement", "1", "2"), "deleted": d.of("deleted", "", "", "yes") == "yes",
		})
	case schemas.DiscordLobbyMessageDelete:
		return typ, d.object(nil, map[string]any{"id": d.of("message", "lobby-1", "lobby-2"), "lobby_id": "l"})
	case schemas.DiscordLobbyMessageCreate, schemas.DiscordLobbyMessageUpdate, schemas.DiscordDirectMessageUpdate:
		kind := map[bool]string{true: "lobby", false: "direct"}[typ != schemas.DiscordDirectMessageUpdate]
		given := map[string]any{"id": kind + d.of("message", "-1", "-2")}
		if d.of("author", "yes", "no") == "yes" {
			given["author"] = user
		}
		return typ, d.object(schemas.DiscordMessageFields, given)
	}
	return typ, nil
}

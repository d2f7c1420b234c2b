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

// TestLaw6BotGhostInAnyOrder: calls have no order but that of their times.
func TestLaw6BotGhostInAnyOrder(t *testing.T) {
	anyOrder(t, []engine.Projection{BotGhost}, botGhostHistory, "bot-a")
}

// botGhostHistory draws calls; some come again, later, under the same id.
func botGhostHistory(t *rapid.T) []schemas.Recorded {
	n := rapid.IntRange(1, 10).Draw(t, "events")
	events := make([]schemas.Recorded, n)
	for i := range events {
		d := drawer{T: t, n: i}
		d.tenant = d.of("bot", "bot-a", "bot-b")
		id := fmt.Sprintf("e%03d", rapid.IntRange(0, i).Draw(t, "id"))
		data, err := json.Marshal(schemas.BotGhostCall{Variables: []schemas.BotGhostVariable{
			{Variable: "{" + d.of("placeholder", "x", "y") + "}", Value: json.RawMessage(d.of("value", `"1"`, `1`, `null`))},
		}})
		if err != nil {
			t.Fatal(err)
		}
		events[i] = schemas.Recorded{Event: schemas.Event{
			ID: id, Source: schemas.BotGhostURL + d.tenant, Type: schemas.BotGhostTrigger, Subject: d.of("event", "a", "b"),
			Time: time.Date(2025, 1, 1, 0, 0, 0, 1000*i, time.UTC), Data: data, Route: schemas.BotGhostRoute(d.tenant),
		}}
	}
	return events
}

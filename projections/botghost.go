package projections

import (
	_ "embed"
	"encoding/json"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed botghost.sql
var botGhostSQL string

// BotGhost is every call of the webhooks of BotGhost bots.
var BotGhost = engine.Projection{
	Name: "botghost", Source: schemas.BotGhost, Version: 1,
	Schema:   botGhostSQL,
	Handlers: map[string]engine.Handler{schemas.BotGhostTrigger: engine.On(readBotGhost, foldBotGhost)},
	Queries: []engine.Query{{
		Name: "triggers", Path: "triggers",
		Doc:    "The latest calls of the bot's webhooks, newest first.",
		Params: []engine.Param{{Name: "event_id", Doc: "Only those of this event."}},
		SQL: `SELECT id, event_id, variables AS variables_json, received_us,
				strftime('%Y-%m-%dT%H:%M:%S', received_us / 1000000, 'unixepoch') || printf('.%06dZ', received_us % 1000000) AS received
			FROM botghost_triggers WHERE bot_id = :tenant AND (:event_id IS NULL OR event_id = :event_id)
			ORDER BY received_us DESC, id DESC LIMIT 100`,
	}},
}

// readBotGhost gives the variables of a call: a JSON object.
func readBotGhost(e schemas.Recorded) (string, error) {
	var call schemas.BotGhostCall
	if e.Data != nil { // without a body there are no variables
		var err error
		if call, err = schemas.Decode[schemas.BotGhostCall](e.Event); err != nil {
			return "", err
		}
	}
	variables := map[string]*string{}
	for _, v := range call.Variables {
		variables[v.Variable] = nil
		if s, has := v.Text(); has {
			variables[v.Variable] = &s
		}
	}
	object, err := json.Marshal(variables)
	return string(object), err
}

func foldBotGhost(tx *engine.Tx, e schemas.Recorded, variables string) error {
	// A repeat may come when nobody remembers the first: the first counts.
	return tx.Exec(`INSERT INTO botghost_triggers (bot_id, id, event_id, variables, received_us) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (bot_id, id) DO UPDATE SET event_id = excluded.event_id, variables = excluded.variables, received_us = excluded.received_us
			WHERE excluded.received_us < received_us`,
		e.Route.Tenant, e.ID, e.Subject, variables, e.Time.UnixMicro())
}

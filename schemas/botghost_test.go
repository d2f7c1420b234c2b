package schemas

import "encoding/json"

func botGhostExamples(n int) []example {
	var all []example
	for _, x := range []struct{ variant, data string }{
		{"basic", `{"variables":[{"name":"Relay event id","variable":"{relay_event_id}","value":"01JQ0000000000000000000000"}]}`},
		{"values", `{"variables":[{"variable":"{count}","value":3},{"variable":"{done}","value":true},{"variable":"{note}","value":null}]}`},
		{"none", `{"variables":[]}`},
	} {
		i := n + len(all)
		all = append(all, example{x.variant, Event{
			ID: exampleID(BotGhostTrigger, x.variant, i), Source: BotGhostURL + exampleBot, Type: BotGhostTrigger,
			Subject: "b1c2d3e4f5a6b7c8d9e0", Time: exampleTime(i), DataSchema: SchemaID(BotGhostTrigger), Origin: OriginWebhook,
			Extensions: map[string]any{AuthTypeExtension: AuthAPIKey},
			Data:       json.RawMessage(x.data), Route: BotGhostRoute(exampleBot),
		}})
	}
	return all
}

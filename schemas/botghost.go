package schemas

import "encoding/json"

// BotGhost as a source: its kind, the address its bots' events are posted to
// (ours, with another host) and its one event type.
const (
	BotGhost           = "botghost"
	BotGhostURL        = "https://api.botghost.com/webhook/" // and the bot's id
	BotGhostTypePrefix = "com.botghost."

	BotGhostTrigger = "com.botghost.webhook.trigger" // about the event id in the path
)

// AuthTypeExtension is the CloudEvents extension that says how the sender was
// verified, where a signature did not do it.
const (
	AuthTypeExtension = "authtype"

	AuthAPIKey          = "api_key"         // the sender knew a key; nothing vouches for the body
	AuthUnauthenticated = "unauthenticated" // the sender knew an address, no more
)

// BotGhostRoute is the route of a bot's triggers.
func BotGhostRoute(bot string) Route {
	return Route{Source: BotGhost, Tenant: bot, Noun: "webhook", Verb: "trigger"}
}

// BotGhostCall is the data of a trigger. A placeholder that comes twice has the last
// value.
type BotGhostCall struct {
	Variables []BotGhostVariable `json:"variables"`
}

func (c *BotGhostCall) read(data []byte) error {
	return readMembers(data, func(name string, value []byte) error {
		if name != "variables" {
			return nil
		}
		c.Variables = nil
		return readList(name, value, func(element []byte) error {
			var v BotGhostVariable
			err := v.read(element)
			c.Variables = append(c.Variables, v)
			return err
		})
	})
}

// BotGhostVariable is one of them: Variable is the placeholder with its
// braces, Value a string, number, boolean or null as it was sent.
type BotGhostVariable struct {
	Name     *string         `json:"name"`
	Variable string          `json:"variable"`
	Value    json.RawMessage `json:"value"`
}

func (v *BotGhostVariable) read(element []byte) error {
	return readInner("variables", element, func(name string, value []byte) error {
		switch name {
		case "variables.name":
			return readOptional(name, value, &v.Name)
		case "variables.variable":
			return readText(name, value, &v.Variable)
		case "variables.value":
			v.Value = value
		}
		return nil
	})
}

// Text is the value as it is written into a message; false: it has none.
func (v BotGhostVariable) Text() (string, bool) {
	if len(v.Value) == 0 || IsNull(v.Value) {
		return "", false
	}
	var s string
	if json.Unmarshal(v.Value, &s) == nil {
		return s, true
	}
	return string(v.Value), true
}

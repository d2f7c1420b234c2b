package deliver

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"switchlog/schemas"
)

// botghost triggers a custom event of a BotGhost bot.
var botghost = provider{
	name:     schemas.ProviderBotGhost,
	maps:     true,
	checkURL: checkBotGhostURL,
	show:     func(u *url.URL) string { return u.String() }, // its key is not in the URL
	checkSecret: func(secret string) error {
		if !isToken(secret) {
			return fmt.Errorf("the API key of the bot's Webhooks module is missing, or not one")
		}
		return nil
	},

	// One key, one bot: about 60 requests a minute for all its events.
	gate: func(u *url.URL) string { return u.Host + u.EscapedPath()[:strings.LastIndexByte(u.EscapedPath(), '/')] },
	rate: 0.9, burst: 1, flight: 1,

	request: botghostRequest,
	judge: func(status int, _ []byte) verdict {
		switch status {
		case 401:
			return verdict{gone, "BotGhost refuses the API key (hint: if it was regenerated, give the new one: switchlog webhook rotate ID --secret-file -; then switchlog webhook update ID --enable)"}
		case 400, 404, 405:
			return verdict{fate: refused}
		}
		return verdict{}
	},
}

var botghostPath = regexp.MustCompile(`^/webhook/[0-9]{15,20}/[A-Za-z0-9_-]{1,64}$`)

// checkBotGhostURL takes other hosts too: BotGhost's path is spoken by others.
func checkBotGhostURL(u *url.URL) error {
	if !botghostPath.MatchString(u.EscapedPath()) || u.RawQuery != "" {
		return fmt.Errorf("is not that of a BotGhost webhook (hint: https://api.botghost.com/webhook/{bot id}/{event id})")
	}
	return nil
}

// What we send of variables; BotGhost documents no limit. A value may end up
// in a field of an embed, which takes 1024.
const (
	maxVariableBytes  = 64
	maxVariableValue  = 1024
	flatDepth         = 4
	variablePrefix    = "switchlog_"
	variableEventID   = "{" + variablePrefix + "event_id}"
	variableMessageID = "{" + variablePrefix + "message_id}"
)

var variableName = regexp.MustCompile(`^\{[^{}\x00-\x1f\x7f]+\}$`)

// checkVariable holds a placeholder and where its value comes from against
// what BotGhost and we know.
func checkVariable(name, from string) error {
	if !variableName.MatchString(name) || len(name) > maxVariableBytes {
		return fmt.Errorf("%q: a placeholder is {name}, at most %d bytes", clip(name, maxVariableBytes), maxVariableBytes)
	}
	if name == variableEventID || name == variableMessageID {
		return fmt.Errorf("%s is always sent", name)
	}
	if !isValueName(from) {
		return fmt.Errorf("%s: %q is no name (hint: one of %s)", name, clip(from, maxVariableBytes), valueNames())
	}
	return nil
}

type botghostBody struct {
	Variables []botghostVariable `json:"variables"`
}

// botghostVariable: BotGhost documents strings only.
type botghostVariable struct {
	Name     string `json:"name"`
	Variable string `json:"variable"`
	Value    string `json:"value"`
}

func botghostRequest(in input) (request, error) {
	v := valuesOf(in.d)
	var body botghostBody
	body.add("switchlog event id", variableEventID, in.d.Event.ID)
	body.add("switchlog message id", variableMessageID, in.d.MessageID)
	if len(in.sub.Variables) > 0 {
		for _, name := range slices.Sorted(maps.Keys(in.sub.Variables)) {
			body.add(strings.Trim(name, "{}"), name, v.get(in.sub.Variables[name]))
		}
	} else {
		body.addAll(v)
	}
	b, err := encode(body)
	if err != nil {
		return request{}, err
	}
	return request{in.url, header("application/json", "Authorization", in.secret()), b}, nil
}

// add adds a variable. Of two with one placeholder the first stands: flat,
// author.id and author_id are the same.
func (b *botghostBody) add(name, variable, value string) {
	taken := slices.ContainsFunc(b.Variables, func(v botghostVariable) bool { return v.Variable == variable })
	if !taken && len(b.Variables) < schemas.MaxVariables {
		b.Variables = append(b.Variables, botghostVariable{name, variable, clip(oneLine(value), maxVariableValue)})
	}
}

// addAll sends every value with a name of its own that the event has, and then
// the data, flat.
func (b *botghostBody) addAll(v *values) {
	for _, n := range named {
		if n.name == "id" || n.name == "message" {
			continue // sent already
		}
		if s := n.of(v); s != "" {
			b.addFlat(n.name, s)
		}
	}
	b.flatten("data", v.data, flatDepth)
}

func (b *botghostBody) flatten(path string, v any, depth int) {
	switch x := v.(type) {
	case map[string]any:
		if depth == 0 {
			return
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			b.flatten(path+"_"+k, x[k], depth-1)
		}
	case []any, nil:
	default:
		b.addFlat(path, scalar(v))
	}
}

func (b *botghostBody) addFlat(path, value string) {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, path)
	if name = variablePrefix + name; len(name) <= maxVariableBytes-2 {
		b.add(strings.ReplaceAll(name, "_", " "), "{"+name+"}", value)
	}
}

package ingest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

// Purpose and settings of BotGhost's webhooks.
const (
	purposeKey         = "key"                // the API key of BotGhost's webhook module
	settingEvents      = "events"             // event ids that are taken, with commas; none: any
	settingIdempotency = "idempotency_header" // header whose value makes two requests one event; none: no two are

	// botGhostRepeats is for how long an idempotency key is remembered.
	botGhostRepeats = 24 * time.Hour
)

var (
	botGhostEvent = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	headerName    = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// botGhost takes what is meant for BotGhost, at BotGhost's own path: a tool
// that posts there changes the host and nothing else. The source's name is the
// bot's id.
var botGhost = Kind{
	Name:  schemas.BotGhost,
	Shell: botGhostShell,
	Route: "/webhook/{name}/{event_id}",
	Settings: map[string]func(string) (string, error){
		settingEvents:      checkEvents,
		settingIdempotency: checkHeaderName,
	},
	Secrets: []SecretSpec{{Purpose: purposeKey, Required: true, Hashed: true, Authorization: true}},
	Check: func(name string, _, _ map[string]string) error {
		if !schemas.IsSnowflake(name) || len(name) < 15 {
			return fmt.Errorf("%w: the name of a botghost source is the bot's id, which has 17 to 20 digits "+
				"(hint: it is in the address of BotGhost's webhook, behind /webhook/)", schemas.ErrInvalid)
		}
		return nil
	},
	Tenant: func(name string, _ map[string]string) string { return name },
	New:    func(c Configured) Source { return botGhostSource{c} },
}

// botGhostShell is how one is added from the shell.
var botGhostShell = Shell{
	Args:  "BOT_ID",
	Short: "What is meant for BotGhost's webhooks",
	Steps: `  1. Choose a key, or take the API key of BotGhost's webhook module, and put it
     into a file.
  2. switchlog source add botghost BOT_ID --key-file FILE
  3. In the tool that posts to BotGhost, change
       https://api.botghost.com/webhook/…  to  https://YOUR-ADDRESS/webhook/…
     and nothing else.`,
	Flags: []Flag{
		{Name: "key-file", Purpose: purposeKey, Form: FlagFile, Doc: "file with the key that is sent as Authorization (-: standard input)"},
		{Name: "event", Setting: settingEvents, Form: FlagList, Doc: "an event id that is taken; may be given several times (default: any)"},
		{Name: "idempotency-header", Setting: settingIdempotency, Doc: "header whose value makes two requests one event (default: every request is its own)"},
	},
}

type botGhostSource struct{ Configured }

// Verify compares the whole Authorization header: BotGhost's key comes
// without "Bearer".
func (b botGhostSource) Verify(r *Request, _ []byte) error {
	key, ok := onlyValue(r.Header, "Authorization")
	if !ok || !accepts(b.Tokens[purposeKey], key, b.Now()) {
		return ErrUnauthorized
	}
	return nil
}

// Events makes one event of a call. BotGhost's contract has nothing that
// tells a repeat from a second call, so every call is an event of its own,
// unless the source has a header that says.
func (b botGhostSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	event, key := r.Path["event_id"], r.Header.Get("Authorization")
	taken := b.Settings[settingEvents]
	if !botGhostEvent.MatchString(event) || taken != "" && !slices.Contains(strings.Split(taken, ","), event) || spills(event, key) {
		return nil, fmt.Errorf("%w: the event id", schemas.ErrNotFound)
	}
	data, err := readBotGhost(body)
	if err != nil {
		return nil, err
	}
	e := schemas.Event{
		ID:         schemas.NewID(),
		Source:     schemas.BotGhostURL + b.Tenant,
		Type:       schemas.BotGhostTrigger,
		Subject:    event,
		DataSchema: schemas.SchemaID(schemas.BotGhostTrigger),
		Origin:     schemas.OriginWebhook,
		Extensions: map[string]any{schemas.AuthTypeExtension: schemas.AuthAPIKey},
		Route:      schemas.BotGhostRoute(b.Tenant),
	}
	if data != nil {
		e.Data = redact(redact(data, nil, key), nil, credentials(key))
	}
	if header := b.Settings[settingIdempotency]; header != "" && len(r.Header.Values(header)) > 0 {
		once, ok := onlyValue(r.Header, header)
		if !ok || !isSubject(once) || strings.TrimSpace(once) != once || !utf8.ValidString(once) || spills(once, key) {
			return nil, fmt.Errorf("%w: %s is no idempotency key", schemas.ErrInvalid, header)
		}
		e.ID, e.Repeats = event+"."+once, botGhostRepeats
	}
	return []schemas.Event{e}, nil
}

// spills reports whether text would tell the key.
func spills(text, key string) bool {
	return len(key) >= minSecretBytes && strings.Contains(text, key)
}

// Ack is a small JSON object: tools read the answer as JSON.
func (b botGhostSource) Ack(events []schemas.Event) Answer {
	body, err := json.Marshal(map[string]any{"success": true, "id": events[0].ID})
	if err != nil {
		panic(err) // a string is always JSON
	}
	return Answer{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json"}, Body: body}
}

// readBotGhost checks a body and returns it; nil: there was none, which is a
// call without variables.
func readBotGhost(body []byte) ([]byte, error) {
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("%w: not UTF-8", schemas.ErrInvalid)
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, nil
	}
	var variables []byte
	var ignored extraMembers
	if err := takeApart(body, map[string]*[]byte{"variables": &variables}, &ignored); err != nil {
		return nil, err
	}
	if variables == nil || schemas.IsNull(variables) {
		return body, nil
	}
	if variables[0] != '[' {
		return nil, fmt.Errorf("%w: variables is no array", schemas.ErrInvalid)
	}
	s := scan(variables)
	for s.Array(); s.Next(); {
		if err := checkVariable(s.Value); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// checkVariable holds one entry against BotGhost's rules: a placeholder in
// braces, with something between, and a value that has a string form.
func checkVariable(entry []byte) error {
	var name, variable, value []byte
	var ignored extraMembers
	err := takeApart(entry, map[string]*[]byte{"name": &name, "variable": &variable, "value": &value}, &ignored)
	if err != nil {
		return err
	}
	if _, isText := schemas.Unquote(name); name != nil && !schemas.IsNull(name) && !isText {
		return fmt.Errorf("%w: the name of a variable is no string", schemas.ErrInvalid)
	}
	if placeholder, _ := schemas.Unquote(variable); len(placeholder) < 3 || placeholder[0] != '{' || placeholder[len(placeholder)-1] != '}' {
		return fmt.Errorf("%w: a placeholder is not {…}", schemas.ErrInvalid)
	}
	if value != nil && (value[0] == '{' || value[0] == '[') {
		return fmt.Errorf("%w: the value of a variable is neither string, number, boolean nor null", schemas.ErrInvalid)
	}
	return nil
}

// checkEvents reads a list of event ids, in order and each once.
func checkEvents(s string) (string, error) {
	ids := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	for _, id := range ids {
		if !botGhostEvent.MatchString(id) {
			return "", fmt.Errorf("%w: event id %q is not 1 to 64 letters, digits, _ and - "+
				"(hint: it is the last part of the address of BotGhost's webhook)", schemas.ErrInvalid, clip(id))
		}
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), ","), nil
}

// checkHeaderName reads the name of a header that may hold an idempotency
// key. Others hold secrets.
func checkHeaderName(s string) (string, error) {
	name := http.CanonicalHeaderKey(s)
	if !headerName.MatchString(s) || slices.Contains([]string{"Authorization", "Cookie", "Proxy-Authorization"}, name) {
		return "", fmt.Errorf("%w: idempotency_header is not the name of a header such as Idempotency-Key", schemas.ErrInvalid)
	}
	return name, nil
}

// Probe can only be wrong: of the key a hash is kept.
func (b botGhostSource) Probe(right bool) (Probe, bool) {
	return Probe{
		Path:   map[string]string{"event_id": "switchlog-probe"},
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"switchlog-probe"}},
		Body:   []byte(`{}`),
	}, !right
}

package deliver

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"switchlog/schemas"
)

// discord posts to a channel's webhook: an embed, or the template's text.
var discord = provider{
	name: schemas.ProviderDiscord,
	options: []option{
		{"username", checkDiscordName},
		{"avatar_url", checkImageURL},
		{"thread_id", checkSnowflake},
	},
	text:        true,
	checkURL:    checkDiscordURL,
	show:        showDiscordURL,
	checkSecret: noSecret("the URL is the secret"),

	// Discord says per answer how much is left; this is what it takes of one
	// webhook as a rule (5 in 2 s), less a margin.
	gate:  discordGate,
	place: discordPlace,
	rate:  2, burst: 4, flight: 1,

	request: discordRequest,
	judge:   judgeDiscord,
}

// Discord's codes of errors that matter here.
const (
	discordUnknownWebhook = 10015
	discordInvalidToken   = 50027
)

const newDiscordHint = "(hint: make a new one in Discord, in the channel's settings, and give its URL: switchlog webhook update ID --url-file - --enable)"

// judgeDiscord: 10,000 answers of 401, 403 or 429 in ten minutes ban our
// address, so a webhook that is gone is left alone.
func judgeDiscord(status int, body []byte) verdict {
	var answer struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(body, &answer) // anything else has no code: 0
	switch {
	case status == 404 && answer.Code == discordUnknownWebhook:
		return verdict{gone, "Discord does not know this webhook any more " + newDiscordHint}
	case status == 401 || answer.Code == discordInvalidToken:
		return verdict{gone, "Discord refuses this webhook's token " + newDiscordHint}
	case status == 400 || status == 404 || status == 413:
		return verdict{fate: refused} // the message, or the thread, is wrong, and will be
	}
	return verdict{}
}

var (
	discordPath = regexp.MustCompile(`^(/.*)?/webhooks/([0-9]{15,20})/([A-Za-z0-9_-]{1,200})$`)
	snowflake   = regexp.MustCompile(`^[0-9]{15,20}$`)
)

// discordGate names the webhook, by whichever of Discord's hosts and versions
// of its API: they count it once.
func discordGate(u *url.URL) string {
	if m := discordPath.FindStringSubmatch(u.EscapedPath()); m != nil {
		return discordPlace(u) + " " + m[2]
	}
	return discordPlace(u) + u.EscapedPath()
}

// checkDiscordURL takes other hosts than Discord's too: what relays to Discord
// has the same paths.
func checkDiscordURL(u *url.URL) error {
	if !discordPath.MatchString(u.EscapedPath()) {
		return fmt.Errorf("is not that of a Discord webhook (hint: in Discord, channel settings, Integrations, Webhooks, Copy URL)")
	}
	for name := range u.Query() {
		if name != "thread_id" && name != "wait" {
			return fmt.Errorf("has %q in its query", clip(name, 32))
		}
	}
	if thread := u.Query().Get("thread_id"); thread != "" {
		return checkSnowflake(thread)
	}
	return nil
}

func showDiscordURL(u *url.URL) string {
	m := discordPath.FindStringSubmatch(u.EscapedPath())
	if m == nil {
		return showURL(u)
	}
	shown := u.Scheme + "://" + u.Host + m[1] + "/webhooks/" + m[2] + "/" + hidden
	if thread := u.Query().Get("thread_id"); thread != "" {
		shown += "?thread_id=" + thread
	}
	return shown
}

func checkSnowflake(s string) error {
	if !snowflake.MatchString(s) {
		return fmt.Errorf("a Discord id is 15 to 20 digits")
	}
	return nil
}

// checkDiscordName: Discord refuses messages under some names.
func checkDiscordName(s string) error {
	low := strings.ToLower(s)
	switch {
	case strings.TrimSpace(s) != s || s == "" || length16(s) > maxDiscordName:
		return fmt.Errorf("1 to %d characters without spaces around them", maxDiscordName)
	case strings.Contains(low, "discord"), strings.Contains(low, "clyde"):
		return fmt.Errorf("no name with \"discord\" or \"clyde\" in it is allowed by Discord")
	case low == "everyone" || low == "here" || strings.ContainsAny(s, "@#:") || strings.Contains(s, "```"):
		return fmt.Errorf("this name is not allowed by Discord")
	}
	return nil
}

// checkImageURL is for URLs that the receiver fetches, not we.
func checkImageURL(s string) error {
	if !isImageURL(s) {
		return fmt.Errorf("want an https:// or http:// address of a picture")
	}
	return nil
}

func isImageURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		len(s) <= schemas.MaxURLBytes && !strings.ContainsAny(s, " \t\r\n\"<>")
}

func noSecret(why string) func(string) error {
	return func(secret string) error {
		if secret != "" {
			return fmt.Errorf("this provider takes none: %s", why)
		}
		return nil
	}
}

// discordMessage is the body of Discord's Execute Webhook.
type discordMessage struct {
	Content  string          `json:"content,omitempty"`
	Username string          `json:"username,omitempty"`
	Avatar   string          `json:"avatar_url,omitempty"`
	Embeds   []embed         `json:"embeds,omitempty"`
	Mentions allowedMentions `json:"allowed_mentions"`
}

// allowedMentions with an empty list: whatever a name holds, nobody is pinged.
type allowedMentions struct {
	Parse []string `json:"parse"`
}

func discordRequest(in input) (request, error) {
	m := discordMessage{
		Username: in.sub.Options["username"],
		Avatar:   in.sub.Options["avatar_url"],
		Mentions: allowedMentions{Parse: []string{}},
	}
	v := valuesOf(in.d)
	if in.sub.Template != "" && in.d.Kind != schemas.DeliveryTest {
		m.Content = strings.TrimSpace(expand(in.sub.Template, v, discordValue))
	}
	if m.Content == "" {
		m.Embeds = []embed{embedOf(v).fit()}
	}
	m.Content = cut16(m.Content, maxDiscordContent)
	body, err := encode(m)
	if err != nil {
		return request{}, err
	}
	u := *in.url
	query := url.Values{"wait": {"true"}} // else a message that is not saved is no error
	if thread := in.url.Query().Get("thread_id"); thread != "" {
		query.Set("thread_id", thread)
	}
	if thread := in.sub.Options["thread_id"]; thread != "" {
		query.Set("thread_id", thread)
	}
	u.RawQuery = query.Encode()
	return request{&u, header("application/json"), body}, nil
}

// discordValue is a value in a template's text. The markup is the template's,
// never a sender's. An avatar is a link because the template asks for one.
func discordValue(name, value string) string {
	if name == "front.avatar" && isImageURL(value) {
		return visible(value)
	}
	return markdown(value)
}

// encode writes JSON with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

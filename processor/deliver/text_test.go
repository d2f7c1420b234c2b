package deliver

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestDiscordTextOfOthers: no name makes markup of its own, in a template or in
// an embed, nor reaches Discord with what is obeyed and not seen.
func TestDiscordTextOfOthers(t *testing.T) {
	u, err := url.Parse("https://discord.com/api/webhooks/1150000000000000001/t")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"[click](https://evil.example)": `\[click\](https\://evil.example)`,
		"# big":                         `\# big`,
		"x\n# big":                      "x\n\\# big",
		"-# small":                      `\-# small`,
		"> quote":                       `\> quote`,
		"<@1150000000000000001>":        `\<@1150000000000000001\>`,
		"https://evil.example":          `https\://evil.example`,
		"a\x1b[31mred\x00\u009bz":       `a\[31mredz`,
		"abc\u202egnp.exe\u2066":        "abcgnp.exe",
		"**b** __u__ ~~s~~ ||x|| `c`":   "\\*\\*b\\*\\* \\_\\_u\\_\\_ \\~\\~s\\~\\~ \\|\\|x\\|\\| \\`c\\`",
	} {
		front := map[string]any{"system_uuid": "s", "switch_uuid": "w", "members": []any{map[string]any{"uuid": "m", "name": name}}}
		data, err := json.Marshal(map[string]any{"cause": "e", "cause_seq": 1, "before": nil, "after": front})
		if err != nil {
			t.Fatal(err)
		}
		d := schemas.Delivery{Kind: schemas.DeliveryLive, Event: schemas.Event{ID: "e", Type: schemas.FrontChanged, Data: data,
			Route: schemas.Route{Source: schemas.PluralKit, Tenant: "s", Noun: "front", Verb: "changed"}}}
		for _, template := range []string{"", "now: {front.names}!"} {
			r, err := discordRequest(input{d: &d, url: u, sub: schemas.Subscription{Template: template}})
			if err != nil {
				t.Fatal(err)
			}
			var m discordMessage
			if err := json.Unmarshal(r.body, &m); err != nil {
				t.Fatal(err)
			}
			got := m.Content
			if template == "" {
				got = m.Embeds[0].Title
			} else {
				got = strings.TrimSuffix(strings.TrimPrefix(got, "now: "), "!")
			}
			if got != want {
				t.Errorf("%q in %q: got %q, want %q", name, template, got, want)
			}
		}
	}
}

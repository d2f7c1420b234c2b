package deliver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"switchlog/schemas"
	"switchlog/test/fakesink"
)

// TestEmbedsFit: whatever members are called and however many front, Discord
// takes the message.
func TestEmbedsFit(t *testing.T) {
	sink := fakesink.NewDiscord(t)
	sink.ID, sink.Token = "1150000000000000001", "Token"
	letters := []string{"a", "ä", "😀", "👩‍👩‍👧", "*", "\\", "\x00", "\n", " ", "@everyone", "\u202e", "`", "\u200b"}
	rnd := rand.New(rand.NewPCG(1, 2))
	name := func() string {
		var b strings.Builder
		for range rnd.IntN(120) {
			b.WriteString(letters[rnd.IntN(len(letters))])
		}
		return b.String()
	}
	list := func() []string {
		all := []string{}
		for range rnd.IntN(80) {
			all = append(all, name())
		}
		return all
	}
	for range 40 {
		d := deliveryOf(frontChanged(t, list(), list()))
		r := build(t, schemas.ProviderDiscord, d, schemas.Subscription{Template: []string{"", "{front.names} {{} {data.before}"}[rnd.IntN(2)]})
		if post(t, sink, r) != 200 {
			return // the fake has said why
		}
		post(t, fakesink.NewNtfy(t), build(t, schemas.ProviderNtfy, d, schemas.Subscription{}))
	}
	for range 40 { // many long fields
		data := map[string]any{}
		for range rnd.IntN(60) {
			data[name()] = strings.Repeat(name(), rnd.IntN(30))
		}
		e := memberUpdate(t)
		e.Data, _ = json.Marshal(data)
		changed := sample(t, "member_changed")
		changed.Data, _ = json.Marshal(schemas.Change{Before: e.Data, After: json.RawMessage("null")})
		for _, e := range []schemas.Event{e, changed} {
			if post(t, sink, build(t, schemas.ProviderDiscord, deliveryOf(e), schemas.Subscription{})) != 200 {
				return
			}
		}
	}
}

func TestCut16(t *testing.T) {
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"😀😀", 4, "😀😀"}, {"😀😀", 3, "😀…"}, {"a😀😀", 4, "a😀…"}, {"ab\\*cd", 4, "ab…"},
		{"ab\\\\\\\\", 5, "ab\\\\…"}, {"", 0, ""},
	} {
		got := cut16(tc.in, tc.limit)
		if got != tc.want {
			t.Errorf("cut16(%q, %d): got %q, want %q", tc.in, tc.limit, got, tc.want)
		}
		if n := len(utf16.Encode([]rune(got))); n != length16(got) || n > tc.limit {
			t.Errorf("%q has %d units, counted %d, at most %d", got, n, length16(got), tc.limit)
		}
	}
}

func TestDiscordOptions(t *testing.T) {
	sub := schemas.Subscription{
		Template: "**{front.names}** fronts ({front.count}), was {front.before} in {tenant} {data.after.members.0.uuid}{data.no.where}",
		Options:  map[string]string{"username": "Front", "avatar_url": "https://cdn.example.org/a.png", "thread_id": "1150000000000000009"},
	}
	r := build(t, schemas.ProviderDiscord, deliveryOf(frontChanged(t, []string{"A"}, []string{"B", "C"})), sub)
	var got discordMessage
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	want := "**B, C** fronts (2), was A in 7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311 0"
	if got.Content != want || got.Username != "Front" || got.Avatar != "https://cdn.example.org/a.png" || len(got.Embeds) != 0 {
		t.Errorf("got %+v, want %q", got, want)
	}
	if q := r.url.Query(); q.Get("thread_id") != "1150000000000000009" || q.Get("wait") != "true" {
		t.Errorf("got query %v", q)
	}
	if got := build(t, schemas.ProviderDiscord, trial(), sub); strings.Contains(string(got.body), "fronts") {
		t.Errorf("a trial was written by the template: %s", got.body)
	}
}

func TestTemplates(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "plain": true, "{event} {type} {id} {tenant}": true, "{{literal}}": true, "{data.a.b.0}": true,
		"{": false, "}": false, "{}": false, "{nope}": false, "{data.}": false, "{data..a}": false, "{ event }": false, "{event": false,
		"{{{event}}}": true, "{a{event}}": false, strings.Repeat("x", schemas.MaxTemplateBytes+1): false,
		"{.Env}": false, "{event|html}": false, "${event}": true, "%s{event}": true,
	} {
		if err := checkTemplate(text); (err == nil) != ok {
			t.Errorf("%.40q: got %v, want ok = %v", text, err, ok)
		}
	}
	v := valuesOf(new(deliveryOf(frontChanged(t, nil, []string{"A"}))))
	for text, want := range map[string]string{
		"{{{front.names}}}": "{A}", "{{x}}": "{x}", "{front.before}.": ".", "{data.after.members.0.name}": "A", "{data.after.members.9.name}": "",
		"{event}": "front.changed", "{front.color}": "a83279", "{data.cause_seq}": "60",
	} {
		if got := expand(text, v, nil); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestBotGhostVariables(t *testing.T) {
	d := deliveryOf(frontChanged(t, []string{"A"}, []string{"B\nC\x07", "D"}))
	r := build(t, schemas.ProviderBotGhost, d, schemas.Subscription{Variables: map[string]string{"{who}": "front.names", "{first}": "data.after.members.0.uuid"}})
	var got botghostBody
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(got.Variables)
	want := fmt.Sprint([]botghostVariable{
		{"switchlog event id", "{switchlog_event_id}", d.Event.ID}, {"switchlog message id", "{switchlog_message_id}", d.MessageID},
		{"first", "{first}", "0"}, {"who", "{who}", "BC, D"},
	})
	if text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if got := r.header.Get("Authorization"); got != "key" {
		t.Errorf("got Authorization %q, want the key as it is", got)
	}
}

// FuzzEvent: whatever is in an event, each format makes a request its receiver
// takes.
func FuzzEvent(f *testing.F) {
	f.Add(`{"name":"x"}`, "Alder", "{front.names}")
	f.Add(`{"before":{"name":"a"},"after":{"name":"b"}}`, "\xff\xfe", "{data.after}")
	f.Add(`[1,2,{"a":null}]`, "", "{{")
	f.Add(`{"server":{"name":1},"data":{"x":1e400}}`, "😀", "{name}")
	f.Fuzz(func(t *testing.T, data, name, template string) {
		e := frontChanged(t, []string{name}, []string{name, name})
		if json.Valid([]byte(data)) {
			e.Type, e.Data = "me.pluralkit.member.update", json.RawMessage(data)
		}
		sub := schemas.Subscription{}
		if checkTemplate(template) == nil {
			sub.Template = template
		}
		discord := fakesink.NewDiscord(t)
		discord.ID, discord.Token = "1150000000000000001", "Token"
		botghost := fakesink.NewBotGhost(t)
		botghost.Bot, botghost.Event = "1150000000000000010", "b1c2d3e4f5a6b7c8d9e0"
		botghost.Accept("key")
		for _, kind := range []string{schemas.DeliveryLive, schemas.DeliveryTest} {
			d := deliveryOf(e)
			d.Kind = kind
			post(t, discord, build(t, schemas.ProviderDiscord, d, sub))
			post(t, botghost, build(t, schemas.ProviderBotGhost, d, schemas.Subscription{}))
			r := build(t, schemas.ProviderNtfy, d, sub)
			var m ntfyMessage
			if err := json.Unmarshal(r.body, &m); err != nil || len(m.Message) > maxNtfyBytes || !utf8.ValidString(m.Message) {
				t.Errorf("ntfy: %v, %d bytes", err, len(m.Message))
			}
		}
	})
}

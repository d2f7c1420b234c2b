package manage_test

import (
	"context"
	"strings"
	"testing"
)

// A webhook that was made is answered with its secret though its server's name cannot
// be looked up any more.
func TestWebhookAnsweredThoughTimeIsOver(t *testing.T) {
	b := newWebhooksBench(t)
	lookups := 0
	b.serverErr = func() error {
		if lookups++; lookups > 1 { // the first is before the command
			return context.DeadlineExceeded
		}
		return nil
	}
	got := b.ask(t, "bob", "POST", "/api/webhooks", `{"url":"https://a.example/in","events":["front.changed"],"serverId":"srv-1"}`)
	if got.status != 201 || !strings.Contains(got.body, `"secret":"whsec_`) || len(b.reg.SubscriptionRecords()) != 1 {
		t.Errorf("got %d %s and %d webhooks, want 201, the secret, and one", got.status, got.body, len(b.reg.SubscriptionRecords()))
	}
}

// No URL and no secret of a webhook is in any file, log line, event or answer,
// but a secret that was made in the answer that made it. Law 9.
func TestLaw9WebhookSecrets(t *testing.T) {
	b := newWebhooksBench(t)
	first := b.ask(t, "bob", "POST", "/webhooks", `{"url":"`+discordURL+`","events":["front.changed"]}`)
	second := b.ask(t, "bob", "POST", "/webhooks", `{"url":"https://a.example/in","events":["front.changed"]}`)
	id := b.reg.SubscriptionRecords()[0].ID
	third := b.ask(t, "bob", "POST", "/webhooks/"+id+"/rotate", ``)
	out := first.body
	for _, c := range [][3]string{
		{"POST", "", `{"url":"` + discordURL + `","events":["front.changed"],"secret":"` + givenSecret + `"`},
		{"POST", "", `{"url":"` + discordURL + `","events":["nothing.known"],"secret":"` + givenSecret + `"}`},
		{"POST", "", `{"url":"` + discordURL + `","` + givenSecret + `":1}`},
		{"POST", "/" + id + "/rotate", `{"secret":"` + givenSecret + `"}`},
		{"PATCH", "/" + id, `{"url":"` + discordURL + `"}`},
		{"GET", "", ""}, {"GET", "/" + id, ""}, {"POST", "/" + id + "/test", ""},
	} {
		got := b.ask(t, "bob", c[0], "/webhooks"+c[1], c[2])
		if c[1] != "" || c[0] == "GET" {
			out += got.body
		}
	}
	var made []string
	for _, answer := range []replied{second, third} {
		_, rest, found := strings.Cut(answer.body, `"secret":"`)
		secret, _, _ := strings.Cut(rest, `"`)
		if _, err := b.reg.CleanSecret(secret, true); !found || err != nil {
			t.Fatalf("got %s, want a secret in it", answer.body)
		}
		made = append(made, secret)
	}
	all := append(made, "example-channel-token", givenSecret)
	for _, secret := range all {
		if strings.Contains(out, secret) {
			t.Errorf("an answer holds a secret: %s", out)
		}
	}
	b.nowhere(t, all...)
}

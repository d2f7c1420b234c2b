package deliver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// hostileText is what a sender may call a thing: more lines of a header, what no
// header may hold, and letters that ASCII has not.
const hostileText = "x\r\nX-Injected: 1\r\n\r\nGET / HTTP/1.1\x00\x7f\u2028名"

// TestHeadersHoldNothingOfOthers: whatever an event, its names, its ids and the
// words of a webhook's owner are, no format puts a character into a header that
// could end it, or that is no printable ASCII; and a secret that would is refused.
// It is about all formats there are.
func TestHeadersHoldNothingOfOthers(t *testing.T) {
	for _, p := range providers {
		u, err := url.Parse(goldenURL[p.name])
		if err != nil || u.Host == "" {
			t.Fatalf("%s: the golden tests have no URL for it", p.name)
		}
		sub := schemas.Subscription{Provider: p.name, URL: u.String(), Name: hostileText, Template: hostileText + "{{front.names}}", Options: map[string]string{}}
		for _, o := range p.options { // those that a text may be given for
			if o.check(hostileText) == nil {
				sub.Options[o.name] = hostileText
			}
		}
		events := map[string]schemas.Event{
			"front":  frontChanged(t, []string{hostileText}, []string{hostileText, ""}),
			"member": sample(t, "member_changed"),
			"other":  sample(t, "server_started"),
		}
		made := 0
		for name, e := range events {
			for _, text := range []string{hostileText, "名é"} { // CloudEvents refuses control characters in the first
				e.ID, e.Type, e.Subject = text, text, text
				e.Route.Tenant, e.Route.Noun = text, text
				for _, kind := range []string{schemas.DeliveryLive, schemas.DeliveryReplay, schemas.DeliveryTest} {
					d := deliveryOf(e)
					d.Kind = kind
					req, err := p.request(input{&d, sub, u, goldenSecrets[p.name], time.Unix(1_800_000_000, 0)})
					if err != nil {
						continue // it is refused: nothing is sent
					}
					made++
					for key, values := range req.header {
						for _, text := range append(values, key) {
							if len(text) > 4096 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
								t.Errorf("%s, %s: header %q: %q", p.name, name, key, values)
							}
						}
					}
					if strings.ContainsAny(req.url.String(), "\r\n\x00 ") {
						t.Errorf("%s, %s: URL %q", p.name, name, req.url)
					}
				}
			}
		}
		if made < len(events) {
			t.Errorf("%s: only %d requests were made", p.name, made)
		}
		for _, bad := range []string{"a\r\nX: 1", "a\nb", "a\x00", "名", "a b", strings.Repeat("x", 5000)} {
			if p.checkSecret(bad) == nil {
				t.Errorf("%s: the secret %.20q is taken", p.name, bad)
			}
		}
	}
}

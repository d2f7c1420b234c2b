package fakesink

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// recorder is a test that may fail.
type recorder struct{ faults []string }

func (r *recorder) Helper()        {}
func (r *recorder) Cleanup(func()) {}
func (r *recorder) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

func ask(h http.Handler, target, body string, headers ...string) int {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestStrict: what the originals refuse fails the test that sends it.
func TestStrict(t *testing.T) {
	const quiet = `"allowed_mentions":{"parse":[]}`
	long := func(n int) string { return strings.Repeat("😀", n/2) }
	embed := func(inner string) string { return `{` + quiet + `,"embeds":[{` + inner + `}]}` }
	var fields []string
	for range 26 {
		fields = append(fields, `{"name":"a","value":"b"}`)
	}
	for name, body := range map[string]string{
		"no JSON":             `{`,
		"mentions":            `{"content":"x"}`,
		"mentions parsed":     `{"content":"x","allowed_mentions":{"parse":["everyone"]}}`,
		"mentions by default": `{"content":"x","allowed_mentions":{}}`,
		"empty":               `{` + quiet + `}`,
		"long content":        `{` + quiet + `,"content":"` + long(2002) + `"}`,
		"name":                `{` + quiet + `,"content":"x","username":"discord bot"}`,
		"long title":          embed(`"title":"` + long(258) + `"`),
		"long description":    embed(`"description":"` + long(4098) + `"`),
		"field without name":  embed(`"title":"x","fields":[{"name":" ","value":"b"}]`),
		"long value":          embed(`"title":"x","fields":[{"name":"a","value":"` + long(1026) + `"}]`),
		"fields":              embed(`"title":"x","fields":[` + strings.Join(fields, ",") + `]`),
		"empty embed":         embed(``),
		"together":            embed(`"description":"` + long(4096) + `","footer":{"text":"` + long(2048) + `"}`),
		"thumbnail":           embed(`"title":"x","thumbnail":{"url":"javascript:x"}`),
		"timestamp":           embed(`"title":"x","timestamp":"yesterday"`),
		"color":               embed(`"title":"x","color":16777216`),
	} {
		r := &recorder{}
		d := NewDiscord(r)
		if code := ask(d, d.Path()+"?wait=true", body); code != 400 || len(r.faults) != 1 {
			t.Errorf("discord, %s: got %d and %q, want 400 and a failed test", name, code, r.faults)
		}
	}
	for name, body := range map[string]string{
		"no id":      `{"variables":[]}`,
		"no braces":  `{"variables":[{"name":"x","variable":"x","value":"y"}]}`,
		"number":     `{"variables":[{"name":"x","variable":"{x}","value":1}]}`,
		"not whole":  `{"variables":[{"variable":"{x}","value":"1"}]}`,
		"line break": `{"variables":[{"name":"x","variable":"{x}","value":"a\nb"}]}`,
	} {
		r := &recorder{}
		b := NewBotGhost(r)
		if code := ask(b, b.Path(), body, "Authorization", b.Key()); code != 400 || len(r.faults) != 1 {
			t.Errorf("botghost, %s: got %d and %q, want 400 and a failed test", name, code, r.faults)
		}
	}
	r := &recorder{}
	b := NewBotGhost(r)
	b.Pace = time.Hour
	good := `{"variables":[{"name":"a","variable":"{switchlog_event_id}","value":"1"},{"name":"b","variable":"{switchlog_message_id}","value":"2"}]}`
	if first, second := ask(b, b.Path(), good, "Authorization", b.Key()), ask(b, b.Path(), good, "Authorization", b.Key()); first != 200 || second != 429 || len(r.faults) != 1 {
		t.Errorf("botghost, too fast: got %d, %d and %q, want 200, 429 and a failed test", first, second, r.faults)
	}
	if code := ask(b, b.Path(), good, "Authorization", "Bearer "+b.Key()); code != 401 {
		t.Errorf("botghost, key with Bearer: got %d, want 401", code)
	}
	r = &recorder{}
	s := NewStandard(r, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if code := ask(s, "/", `{}`, "Webhook-Id", "a", "Webhook-Timestamp", "1", "Webhook-Signature", "v1,x"); code != 401 || len(r.faults) != 1 {
		t.Errorf("standard, bad signature: got %d and %q, want 401 and a failed test", code, r.faults)
	}
}

package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"switchlog/ingest/registry"
)

func TestSourcesCommands(t *testing.T) {
	const other, third = "00000000-0d4e-4c1b-9a6e-2b8d5f90c311", "11111111-0d4e-4c1b-9a6e-2b8d5f90c311"
	good := strings.Repeat("aB3+/x", 10) + "abcd"
	add := func(rest string) string { return `{"kind":"pluralkit",` + rest + `}` }
	token := func(s string) string { return `"secrets":{"token":"` + s + `"}` }
	b := newBench(t, EdgeConfig{})
	for i, c := range []struct {
		method, path, body string
		status             int
		want               string // the answer, or a part of it
	}{
		{"GET", "", "", 200, `[]`},
		{"POST", "", add(`"name":"home","settings":{"system":"` + strings.ToUpper(testSystem) + `"},` + token(good)), 201,
			`{"kind":"pluralkit","name":"home","tenant":"` + testSystem + `","url":"https://hooks.example.org/in/pluralkit"}`},
		{"POST", "", add(token("short-two")), 400, `switchlog source rotate pluralkit; for another: --system, or --api-token-file, which confirms it)`},
		{"POST", "", add(`"name":"pluralkit","settings":{"system":"` + third + `"},` + token(" short-one\\n")), 201, `"name":"pluralkit","tenant":"` + third + `","url":"https://hooks.example.org/in/pluralkit","warning":"PluralKit's tokens are 64`},
		{"POST", "", add(`"settings":{"system":"` + other + `"},` + token("short-three")), 201, `"name":"` + other + `","tenant":"` + other + `"`},

		{"POST", "", add(`"name":"home",` + token("x4")), 409, `there is already a source pluralkit home`},
		{"POST", "", add(token(good)), 409, `source pluralkit home has this token`},
		{"POST", "", add(`"name":"x","settings":{"system":"` + testSystem + `"},` + token("x5")), 409, `belongs to source pluralkit home`},
		{"POST", "", `{"kind":"plural","secrets":{"token":"x"}}`, 400, `none of: pluralkit`},
		{"POST", "", `{}`, 400, `none of: pluralkit`},
		{"POST", "", add(`"settings":{"systm":"x"},` + token("x")), 400, `no setting \"systm\"; it has: system`},
		{"POST", "", add(`"settings":{"system":"abcde"},` + token("x")), 400, `not a uuid`},
		{"POST", "", add(`"settings":{"system":"urn:uuid:` + testSystem + `"},` + token("x")), 400, `not a uuid`},
		{"POST", "", add(`"name":"a b",` + token("x")), 400, `letters, digits`},
		{"POST", "", add(`"name":"` + strings.Repeat("a", 65) + `",` + token("x")), 400, `letters, digits`},
		{"POST", "", add(`"secrets":{}`), 400, `token is missing`},
		{"POST", "", add(token(" ")), 400, `token is empty`},
		{"POST", "", add(token("a b")), 400, `white space`},
		{"POST", "", add(token("a\\u0000b")), 400, `control`},
		{"POST", "", add(token(strings.Repeat("a", 1025))), 400, `longer than 1024`},
		{"POST", "", add(`"secrets":{"key":"x"}`), 400, `takes: token, api_token`},
		{"POST", "", add(`"nam":"x"`), 400, `not known`},
		{"POST", "", add(`"name":7`), 400, `name has the wrong type`},
		{"POST", "", `[`, 400, `not a JSON object`},
		{"POST", "", add(token("x6")) + `{}`, 400, `after the JSON object`},
		{"POST", "", strings.Repeat(" ", 65<<10), 413, `too large`},

		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"new-one"},"grace":"5m"}`, 200, `"kind":"pluralkit","name":"home","tenant":"7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","url":"https://hooks.example.org/in/pluralkit","old_until":"2026-03-01T12:05:00.000000Z","warning":`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"` + good + `"}}`, 409, `the source has this token already`},
		{"POST", "/pluralkit/pluralkit/rotate", `{"secrets":{"token":"` + good + `"}}`, 409, `source pluralkit home has this token`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"api_token":"api"}}`, 200, `"old_until":"2026-03-01T12:10:00.000000Z"}`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{}}`, 400, `no secret was given`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"y"},"grace":"soon"}`, 400, `not a duration`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"y"},"grace":"-1s"}`, 400, `between 0 and`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"y"},"grace":"721h"}`, 400, `between 0 and`},
		{"POST", "/pluralkit/nobody/rotate", `{"secrets":{"token":"y"}}`, 404, `there is no source pluralkit nobody`},

		{"GET", "/pluralkit/home", "", 200, `{"kind":"pluralkit","name":"home","tenant":"` + testSystem + `","url":"https://hooks.example.org/in/pluralkit",` +
			`"settings":{"system":"` + testSystem + `"},"created":"2026-03-01T12:00:00.000000Z","secrets":["api_token","token"],"missing_secrets":[],"cannot_verify":false,"last_event":null,"last_ping":null,"accepted":0,"accepted_since_start":0,"refused":0,"unstored":0,"last_unstored":null,"unproven":0,"last_unproven":null}`},
		{"GET", "/pluralkit/nobody", "", 404, `there is no source pluralkit nobody`},
		{"DELETE", "/pluralkit/nobody", "", 404, `there is no source pluralkit nobody`},
		{"DELETE", "/pluralkit/home", "", 204, ``},
		{"GET", "/pluralkit/home", "", 404, `there is no source`},
		{"POST", "", add(`"name":"home","settings":{"system":"` + testSystem + `"},` + token(good)), 201, `"name":"home"`},
		{"PUT", "", "", 405, ``},
	} {
		status, got := b.command(t, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%d: %s %s %.100s\ngot  %d %s\nwant %d %s", i, c.method, c.path, c.body, status, got, c.status, c.want)
		}
		if status >= 400 && status != 405 && !strings.HasPrefix(got, `{"error":"`) {
			t.Errorf("%d: error %s, want {\"error\":…}", i, got)
		}
	}
	b.log.fail(errDiskFull)
	if status, got := b.command(t, "DELETE", "/pluralkit/home", ""); status != 503 || strings.Contains(got, "disk") {
		t.Errorf("the log is away: %d %s, want 503 without internals", status, got)
	}
}

func TestSourcesCounts(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	b.post(t, bodies(t)["01-ping-valid"])
	b.post(t, update1)
	b.post(t, update1)
	b.post(t, update1[:len(update1)-1])
	b.post(t, strings.Replace(update1, testSystem, "00000000-0d4e-4c1b-9a6e-2b8d5f90c311", 1))
	b.post(t, strings.Replace(update1, testToken, "unknown", 1))
	if _, err := b.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": otherToken}, 0); err != nil {
		t.Fatal(err) // counts outlive a change of the registry
	}
	_, got := b.command(t, "GET", "", "")
	var list []registry.SourceStatus
	if err := json.Unmarshal([]byte(got), &list); err != nil || len(list) != 1 {
		t.Fatalf("%s: %v", got, err)
	}
	s := list[0]
	now := "2026-03-01T12:00:00.000000Z"
	if s.LastEvent == nil || *s.LastEvent != now || s.LastPing == nil || *s.LastPing != now {
		t.Errorf("last event %v, last ping %v; want %s", s.LastEvent, s.LastPing, now)
	}
	if got := fmt.Sprint(s.Accepted, s.Refused); got != "2 2" {
		t.Errorf("accepted and refused %s, want 2 2", got)
	}
}

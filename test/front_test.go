package test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const (
	alder = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	cove  = "1c7d3baf-66e2-4c1d-9a4b-a2d8ef31b502"
)

// house fills the sample system with two members and three switches: Cove nine
// hours ago, Alder five hours ago, and both since three hours ago.
func (s *server) house() {
	s.t.Helper()
	s.addPluralKit()
	post := func(typ, id, data string) {
		if code := s.post(fmt.Appendf(nil, `{"type":%q,"signing_token":%q,"system_id":%q,"id":%q,"data":%s}`, typ, sampleToken, sampleSystem, id, data)); code != 200 {
			s.t.Fatalf("%s: got %d", typ, code)
		}
	}
	post("UPDATE_SYSTEM", sampleSystem, `{"name":"Harbour House"}`)
	post("CREATE_MEMBER", alder, `{"name":"Alder","id":"abvenk"}`)
	post("CREATE_MEMBER", cove, `{"name":"Cove","id":"covecc"}`)
	for ago, members := range map[time.Duration]string{9: `"` + cove + `"`, 5: `"` + alder + `"`, 3: `"` + alder + `","` + cove + `"`} {
		id := uuid.NewString()
		post("CREATE_SWITCH", id, fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":[%s]}`, id, time.Now().Add(-ago*time.Hour).UTC().Format(time.RFC3339Nano), members))
	}
	s.ready()
	s.settled()
}

// TestFront: front and status say in words who fronts, since when in one run, and
// front also as rows and JSON.
func TestFront(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	if out := s.cli("", "front"); !strings.Contains(out, "No system is known yet") && !strings.Contains(out, "no system is known yet") {
		t.Errorf("front without a source: got %s", out)
	}
	s.house()
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"front"}, []string{"Alder and Cove front: Alder since ", " (5 h), Cove since ", " (3 h)."}},
		{[]string{"front", "--at", "4h"}, []string{"Alder fronted at ", " (1 h)."}},
		{[]string{"front", "--tenant", sampleSystem, "--format", "csv"}, []string{"SYSTEM,MEMBER,ID,SINCE\nHarbour House,Alder,abvenk,20"}},
		{[]string{"front", "--format", "table"}, []string{"SYSTEM", "Cove"}},
		{[]string{"front", "--at", "2001-01-01"}, []string{"No switch is known from before 1 January 2001 00:00."}},
		{[]string{"status"}, []string{"front    Alder and Cove front: Alder since "}},
	} {
		out := s.cli("", c.args...)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: got %s, want %q in it", c.args, out, want)
			}
		}
	}
	var front struct {
		Name    string
		Members []struct {
			Name    string
			SinceUS int64 `json:"since_us"`
		}
	}
	out := s.cli("", "front", "--json")
	if err := json.Unmarshal([]byte(out), &front); err != nil || front.Name != "Harbour House" || len(front.Members) != 2 ||
		time.Since(time.UnixMicro(front.Members[0].SinceUS)).Round(time.Hour) != 5*time.Hour {
		t.Errorf("front --json: got %s, %v", out, err)
	}
	for args, want := range map[string]int{"front --at noon": 2, "front --format xml": 2, "front --tenant nosuch": 1, "query stats range=week": 2} {
		if _, errOut, code := s.try("", strings.Fields(args)...); code != want || errOut == "" {
			t.Errorf("%s: got exit code %d, %q, want %d", args, code, errOut, want)
		}
	}
	var stats struct {
		Fronted float64 `json:"fronted_seconds"`
	}
	code, _, body := s.get("/api/v1/pluralkit/@me/stats?range=7d")
	if err := json.Unmarshal(body, &stats); code != 200 || err != nil || time.Duration(stats.Fronted*1e9).Round(time.Hour) != 9*time.Hour {
		t.Errorf("stats: got %d %s, %v, want nine hours", code, body, err)
	}
	pastOf(t, s)
	exports(t, s)
	Check(s)
}

// pastOf: what was known after an event, over HTTP and in the shell; and every
// version of a member.
func pastOf(t *testing.T, s *server) {
	t.Helper()
	const api = "/api/v1/pluralkit/" + sampleSystem
	first := s.stream("EVENTS")
	for _, m := range first {
		if !strings.HasSuffix(m.Subject, ".member.create") {
			continue
		}
		var list []struct{ Name string }
		code, header, body := s.get(fmt.Sprintf("%s/members?as_of=%d", api, m.Seq))
		if err := json.Unmarshal(body, &list); code != 200 || err != nil || len(list) != 1 || list[0].Name != "Alder" || header.Get("Switchlog-Position") != fmt.Sprint(m.Seq) {
			t.Errorf("members as of %d: got %d %s at %s, %v, want Alder alone", m.Seq, code, body, header.Get("Switchlog-Position"), err)
		}
		break
	}
	for path, want := range map[string]int{
		"/front?as_of=2020-01-01T00:00:00Z": 200, "/front?as_of=99999999": 400, "/front?as_of=soon": 400, "/history/member/abvenk": 200,
		"/history/member/nosuch": 404, "/history/thing/x": 400, "/messages?limit=10": 200, "/messages?limit=-1": 400, "/stats?as_of=2030-01-01T00:00:00Z": 200,
	} {
		if code, _, body := s.get(api + path); code != want {
			t.Errorf("%s: got %d %s, want %d", path, code, body, want)
		}
	}
	if out := s.cli("", "query", "history", "kind=member", "id=abvenk"); !strings.Contains(out, `"me.pluralkit.member.create"`) {
		t.Errorf("query history: got %s", out)
	}
}

package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// pages asks again and again, as Switchlog-Next says, and puts the entries of
// the pages together again.
func pages(t *testing.T, nc *nats.Conn, subject, list string) (all []json.RawMessage, n int, omitted []string) {
	t.Helper()
	for skip := "0"; skip != ""; n++ {
		if n > 10_000 {
			t.Fatal("the pages do not end")
		}
		m := request(t, nc, subject, `{"skip":`+skip+`}`)
		if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
			t.Fatalf("skip %s: got %s %s", skip, code, m.Header.Get("Nats-Service-Error"))
		}
		entries := json.RawMessage(m.Data)
		if list != "" {
			var of map[string]json.RawMessage
			if err := json.Unmarshal(m.Data, &of); err != nil {
				t.Fatal(err)
			}
			entries = of[list]
		}
		var some []json.RawMessage
		if err := json.Unmarshal(entries, &some); err != nil {
			t.Fatalf("skip %s: %v in %.100s", skip, err, entries)
		}
		if next := m.Header.Get("Switchlog-Next"); next != "" && next != fmt.Sprint(len(all)+len(some)) {
			t.Fatalf("next: got %s, want %d", next, len(all)+len(some))
		}
		all = append(all, some...)
		if o := m.Header.Get("Switchlog-Omitted"); o != "" {
			omitted = append(omitted, o)
		}
		skip = m.Header.Get("Switchlog-Next")
	}
	return all, n, omitted
}

// An answer larger than a message may be comes in pages, which together are
// the answer over HTTP.
func TestServiceAnswersInPages(t *testing.T) {
	f, _ := serveBoth(t, newLog(0), nil)
	a := connect(t, f.nats, "a")
	limit := int(f.admin.MaxPayload())
	row := func(n int) string {
		return fmt.Sprintf(`{"uuid":"%036d","name":"%s"}`, n, strings.Repeat("n", n%4000))
	}
	rows := make([]string, 3000)
	for i := range rows {
		rows[i] = row(i)
	}
	list := "[" + strings.Join(rows, ",") + "]"
	for name, tc := range map[string]struct{ body, list string }{
		"rows":   {list, ""},
		"object": {`{"system_uuid":"` + tenantA + `","proxies":[1,2],"members":` + list + `,"since":1}`, "members"},
	} {
		f.store.answer = func(context.Context, string) (engine.Answer, error) {
			return engine.Answer{Body: json.RawMessage(tc.body), Found: true, Position: schemas.Position{Seq: 7}}, nil
		}
		got, n, omitted := pages(t, a, "switchlog.query.pluralkit."+tenantA+".members", tc.list)
		if want := len(tc.body)/limit + 1; n < want || n > want+1 || len(got) != len(rows) || omitted != nil {
			t.Fatalf("%s: got %d rows in %d pages, omitted %q, want %d in %d", name, len(got), n, omitted, len(rows), want)
		}
		for i := range rows {
			if string(got[i]) != rows[i] {
				t.Fatalf("%s: row %d: got %.60s, want %.60s", name, i, got[i], rows[i])
			}
		}
		first := request(t, a, "switchlog.query.pluralkit."+tenantA+".members", "")
		if first.Header.Get("Switchlog-Position") != "7" || first.Header.Get("Switchlog-Next") == "" {
			t.Errorf("%s: %v", name, first.Header)
		}
	}
	for _, skip := range []string{"-1", `"x"`, "1.5", "99999999999"} {
		if m := request(t, a, "switchlog.query.pluralkit."+tenantA+".members", `{"skip":`+skip+`}`); m.Header.Get("Nats-Service-Error-Code") != "400" {
			t.Errorf("skip %s: got %v, want 400", skip, m.Header)
		}
	}
}

// An entry that alone is too large comes without its largest members, and says so.
func TestServiceLeavesOutWhatHasNoPage(t *testing.T) {
	f, _ := serveBoth(t, newLog(0), nil)
	a := connect(t, f.nats, "a")
	large := `{"uuid":"2","name":"n","description":"` + strings.Repeat("d", 2<<20) + `"}`
	f.store.answer = func(_ context.Context, name string) (engine.Answer, error) {
		body := large
		if name == "members" {
			body = `[{"uuid":"1"},` + large + `,{"uuid":"3"}]`
		}
		return engine.Answer{Body: json.RawMessage(body), Found: true}, nil
	}
	got, _, omitted := pages(t, a, "switchlog.query.pluralkit."+tenantA+".members", "")
	if text, want := fmt.Sprintf("%s %v", got, omitted), `[{"uuid":"1"} {"uuid":"2","name":"n","description":null} {"uuid":"3"}] [description]`; text != want {
		t.Errorf("rows: got %.300s, want %s", text, want)
	}
	m := request(t, a, "switchlog.query.pluralkit."+tenantA+".member", `{"ref":"2"}`)
	if want := `{"uuid":"2","name":"n","description":null}`; string(m.Data) != want || m.Header.Get("Switchlog-Omitted") != "description" {
		t.Errorf("object: got %.300s %v, want %s", m.Data, m.Header, want)
	}
}

// Whatever the answer and the limit, no page is larger, and none is lost.
func TestCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var rows []string
		for i := range rng.IntN(30) {
			rows = append(rows, fmt.Sprintf(`{"a":%d,"b":"%s"}`, i, strings.Repeat("x", rng.IntN(200))))
		}
		body, limit := "["+strings.Join(rows, ",")+"]", 40+rng.IntN(300)
		seen := 0
		for skip, n := 0, 0; ; n++ {
			p, err := cut([]byte(body), skip, limit)
			if err != nil || n > 100 {
				t.Fatalf("limit %d, skip %d of %s: %v", limit, skip, body, err)
			}
			var got []struct{ A int }
			if err := json.Unmarshal(p.body, &got); err != nil || len(p.body) > limit {
				t.Fatalf("limit %d: %d bytes: %s: %v", limit, len(p.body), p.body, err)
			}
			for _, g := range got {
				if g.A != seen {
					t.Fatalf("got row %d, want %d", g.A, seen)
				}
				seen++
			}
			if skip = p.next; skip == 0 {
				break
			}
		}
		if seen != len(rows) {
			t.Fatalf("limit %d: got %d rows of %d", limit, seen, len(rows))
		}
	}
}

// An event too large for the server, which took it with another max_payload,
// comes as a reference; those after it come whole.
func TestReplayOfTooLargeEvent(t *testing.T) {
	log := newLog(5)
	log.events[2].Data = json.RawMessage(`"` + strings.Repeat("x", 2<<20) + `"`)
	log.events[2].DataSchema = "urn:x"
	f, _ := serveBoth(t, log, nil)
	a := connect(t, f.nats, "a")
	inbox := a.NewInbox()
	sub, err := a.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.PublishRequest("switchlog.replay.pluralkit."+tenantA, inbox, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) == 0 {
			if code := m.Header.Get("Nats-Service-Error-Code"); code != "" {
				t.Errorf("got %s %s", code, m.Header.Get("Nats-Service-Error"))
			}
			break
		}
		omitted := ""
		if bytes.Contains(m.Data, []byte(`"dataomitted":2097154`)) && !bytes.Contains(m.Data, []byte(`"data":`)) {
			omitted = " without data"
		}
		got = append(got, m.Header.Get("Nats-Sequence")+omitted)
	}
	if text, want := fmt.Sprint(got), "[1 3 without data 5]"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

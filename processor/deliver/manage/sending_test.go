package manage_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"switchlog/processor/deliver/manage"
	"switchlog/schemas"
)

// TestWebhooksShowSending: what was answered "too many" is no attempt of the
// log, yet history says so, and says when the next try is.
func TestWebhooksShowSending(t *testing.T) {
	b := newWebhooksBench(t)
	id := b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"],"condition":"broken"}`)
	due := "2026-03-01T12:00:01.000Z"
	b.history.next = &due
	next := b.reg.Now().Add(time.Minute).UTC().Truncate(time.Millisecond)
	b.sending = schemas.Sending{Throttled: 3, Next: next, Waiting: map[string]schemas.Waiting{"d3": {Answers: 3, Response: "blocked"}}}
	var page struct{ Deliveries []schemas.DeliveryRecord }
	got := b.ask(t, "bob", "GET", "/webhooks/"+id+"/deliveries", "")
	if err := json.Unmarshal([]byte(got.body), &page); err != nil || len(page.Deliveries) != 3 {
		t.Fatalf("got %s, %v", got.body, err)
	}
	d3, d1 := page.Deliveries[0], page.Deliveries[2]
	if d3.Attempts != 3 || d3.StatusCode == nil || *d3.StatusCode != 429 || d3.Response == nil || *d3.Response != "blocked" ||
		d3.NextAttemptAt == nil || *d3.NextAttemptAt != next.Format(testMillis) {
		t.Errorf("the one that was asked to wait: got %s", got.body)
	}
	if d2 := page.Deliveries[1]; d2.Attempts != 2 || *d2.StatusCode != 503 || *d2.NextAttemptAt != *d3.NextAttemptAt {
		t.Errorf("the one behind it: got %+v, want its own answer, and the next try", d2)
	}
	if d1.NextAttemptAt != nil && *d1.NextAttemptAt != due {
		t.Errorf("one that does not wait: got %+v, want it as it was", d1)
	}
	for _, path := range []string{"/webhooks/" + id, "/webhooks/" + id + "/deliveries/d3"} {
		if got := b.ask(t, "bob", "GET", path, ""); !strings.Contains(got.body, next.Format(testMillis)) || !strings.Contains(got.body, "429") {
			t.Errorf("%s: got %s, want the answer and the next try", path, got.body)
		}
	}
	if got := b.ask(t, "bob", "GET", "/webhooks/"+id, ""); !strings.Contains(got.body, `"state":"broken","problem":"is broken"`) {
		t.Errorf("got %s, want what is wrong with it", got.body)
	}
}

const testMillis = "2006-01-02T15:04:05.000Z07:00"

// TestWebhooksDebounce: it is read as people write it, and answered in one form.
func TestWebhooksDebounce(t *testing.T) {
	b := newWebhooksBench(t)
	for in, want := range map[string]string{
		`"20s"`: `"20s"`, `20`: `"20s"`, `"1m30s"`: `"1m30s"`, `90`: `"1m30s"`, `"1h"`: `"1h0m0s"`, `0`: `null`, `"0s"`: `null`, `null`: `null`, `""`: `null`,
	} {
		got := b.ask(t, "bob", "POST", "/webhooks", `{"url":"https://a.example/in","events":["front.changed"],"debounce":`+in+`}`)
		if got.status != 201 || !strings.Contains(got.body, `"debounce":`+want) {
			t.Errorf("%s: got %d %s, want %s", in, got.status, got.body, want)
		}
	}
	for _, in := range []string{`-1`, `"-20s"`, `3601`, `"2h"`, `0.5`, `"1500ms"`, `"soon"`, `"20"`, `true`, `{}`, `1e300`, `"NaN"`} {
		got := b.ask(t, "bob", "POST", "/webhooks", `{"url":"https://a.example/in","events":["front.changed"],"debounce":`+in+`}`)
		if got.status != 400 || !strings.Contains(got.body, `"path":["debounce"]`) {
			t.Errorf("%s: got %d %s, want 400 about debounce", in, got.status, got.body)
		}
	}
	id := b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"],"debounce":"20s"}`)
	if got := b.ask(t, "bob", "PATCH", "/webhooks/"+id, `{"name":"n"}`); !strings.Contains(got.body, `"debounce":"20s"`) {
		t.Errorf("another change: got %s, want it to stay", got.body)
	}
	if got := b.ask(t, "bob", "PATCH", "/webhooks/"+id, `{"debounce":null}`); !strings.Contains(got.body, `"debounce":null`) {
		t.Errorf("cleared: got %s", got.body)
	}
}

// partLog notes how many bytes each append has, and refuses what the spool does.
type partLog struct {
	manage.Appender
	parts []int
	fails int // the append, from 1, that is refused; 0: none
}

func (p *partLog) Append(ctx context.Context, events ...schemas.Event) (int, error) {
	bytes := 0
	for _, e := range events {
		bytes += len(e.Data)
	}
	if p.parts = append(p.parts, bytes); len(p.parts) == p.fails {
		return 0, errDiskFull
	}
	return len(events), nil
}

// TestLaw10ReplayInParts: a replay of large events is appended in parts that
// the spool takes; one of too many bytes is refused before anything is; one
// that stops half-way says how far it came.
func TestLaw10ReplayInParts(t *testing.T) {
	b := newWebhooksBench(t)
	id := b.make(t, "bob", `{"url":"https://a.example/in","events":["front.changed"]}`)
	log := &partLog{Appender: b.log}
	b.appends = log
	b.stored.data = json.RawMessage(`"` + strings.Repeat("x", 200<<10) + `"`)
	b.stored.events = 100 // 20 MiB
	got := b.ask(t, "bob", "POST", "/webhooks/"+id+"/replay", `{"from":"7d"}`)
	if got.status != 202 || got.body != `{"queued":100}` || len(log.parts) < 4 {
		t.Errorf("20 MiB: got %d %s in %d parts", got.status, got.body, len(log.parts))
	}
	for _, bytes := range log.parts {
		if bytes > manage.ReplayPart {
			t.Errorf("a part of %d bytes, want at most %d", bytes, manage.ReplayPart)
		}
	}
	log.parts, log.fails = nil, 3
	got = b.ask(t, "bob", "POST", "/webhooks/"+id+"/replay", `{"from":"7d"}`)
	if got.status != 409 || !strings.Contains(got.body, "are on their way") {
		t.Errorf("stopped half-way: got %d %s, want how many", got.status, got.body)
	}
	log.parts, log.fails = nil, 0
	b.stored.events = manage.MaxReplayed/len(b.stored.data) + 1
	got = b.ask(t, "bob", "POST", "/webhooks/"+id+"/replay", `{"from":"7d"}`)
	if got.status != 409 || !strings.Contains(got.body, "MiB of events match") || len(log.parts) != 0 {
		t.Errorf("too much: got %d %s and %d parts, want nothing asked for", got.status, got.body, len(log.parts))
	}
}

package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"switchlog/test/fakesink"
)

// manage sends a command to the private listener as the holder of a token.
func (s *server) manage(token, method, path, body string) (status int, answer []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.Private+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := patient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err = io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, answer
}

// webhookRow is one thing asked of the management API, with what StellarStack
// does and what we do. {id} and {delivery} stand for those of the test.
type webhookRow struct {
	method, path, body string
	theirs             string // as its code or documents say
	status             int
	members            string // that the answer has, its own first; of an array: its first element's
	mended             string // where we differ: why; empty: the same
}

const (
	webhookMembers  = "id userId serverId url events provider enabled createdAt updatedAt server"
	deliveryMembers = "id webhookId event payload statusCode response attempts deliveredAt createdAt"
)

var webhookRows = []webhookRow{
	{"GET", "/events", "", "200 {events, categorized}", 200, "events categorized", ""},
	{"GET", "", "", "200 array, newest first, + server, _count", 200, webhookMembers + " _count", "no secret in it"},
	{"POST", "", `{"url":"{receiver}","events":["server.started","backup.created"]}`, "201 webhook + server", 201, webhookMembers + " secret", "secret shown this once"},
	{"POST", "", `{"url":7,"events":[]}`, "400 {error, details[]}", 400, "error details", ""},
	{"POST", "", `{"url":"{receiver}","events":["SERVER_STARTED"]}`, "400 {error, invalidEvents[]}", 400, "error invalidEvents", ""},
	{"POST", "", `{"url":"{receiver}","events":["server.started"],"serverId":"none"}`, "404, server is not the caller's", 404, "error", ""},
	{"POST", "", `{"url":"http://10.0.0.1/","events":["server.started"]}`, "201: any address", 400, "error details", "no private addresses"},
	{"POST", "", `{"url":"{receiver}","events":["server.started"],"sekret":"x"}`, "201: unknown members ignored", 400, "error details", "a slip is told"},
	{"GET", "/{id}", "", "200 webhook + server + latest 10 deliveries", 200, webhookMembers + " deliveries", "no secret in it"},
	{"GET", "/00000000-0000-4000-8000-000000000000", "", "404", 404, "error", ""},
	{"PATCH", "/{id}", `{"enabled":false}`, "200 webhook + server", 200, webhookMembers, ""},
	{"PATCH", "/{id}", `{"url":"{receiver}","ownerOnly":true,"events":["server.*","switch.create"],"enabled":true}`, "200 webhook + server", 200, webhookMembers, "globs and our own events, too"},
	{"PATCH", "/{id}", `{"events":[]}`, "400 {error, details[]}", 400, "error details", ""},
	{"PATCH", "/{id}", `{"events":["server.begun"]}`, "400 {error, invalidEvents[]}", 400, "error invalidEvents", ""},
	{"PATCH", "/{id}", `{"serverId":"x"}`, "200: ignored, it cannot be changed", 400, "error details", "it is told"},
	{"GET", "/{id}/deliveries", "", "200 {deliveries, total, limit 50, offset 0}", 200, "deliveries total limit offset", ""},
	{"GET", "/{id}/deliveries?limit=500&offset=-1", "", "200: 100 at most, but echoes 500", 200, "deliveries total limit offset", "limit and offset as they were used"},
	{"GET", "/{id}/deliveries/{delivery}", "", "200 delivery", 200, deliveryMembers, ""},
	{"GET", "/{id}/deliveries/none", "", "404", 404, "error", ""},
	{"POST", "/{id}/deliveries/{delivery}/retry", "", "200 {success, deliveryId, statusCode}", 200, "success deliveryId statusCode", "in the provider's format, not the raw payload"},
	{"POST", "/{id}/deliveries/none/retry", "", "404", 404, "error", ""},
	{"POST", "/{id}/test", "", "200 {success, statusCode?, error?}", 200, "success statusCode", ""},
	{"PUT", "/{id}", "", "no such route", 405, "error", "405 with Allow"},
	{"DELETE", "/{id}", "", "200 {success: true}", 200, "success", ""},
	{"GET", "/{id}", "", "404 after deletion", 404, "error", ""},
}

// TestWebhooksLikeStellarStack holds every route of the management API against
// what StellarStack does, below both roots, and prints the two side by side.
func TestWebhooksLikeStellarStack(t *testing.T) {
	var answerWith atomic.Int32
	answerWith.Store(200)
	receiver := fakesink.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(answerWith.Load())) }))
	s := start(t, t.TempDir(), "--deliver-allow", "127.0.0.0/8")
	s.addPluralKit()
	s.ready()
	admin := s.token()

	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "route\tStellarStack\tswitchlog\tverdict")
	for _, root := range []string{"/api/webhooks", "/webhooks"} {
		id := s.makeWebhook(`{"url":"` + receiver + `","ownerOnly":true,"events":["switch.create"]}`)
		if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
			t.Fatalf("a switch: got %d", got)
		}
		fill := strings.NewReplacer("{id}", id, "{delivery}", s.awaitDelivered(id), "{receiver}", receiver)
		for _, row := range webhookRows {
			for _, token := range []string{"", "wrong"} {
				if status, body := s.manage(token, row.method, root+fill.Replace(row.path), fill.Replace(row.body)); status != 401 || strings.TrimSpace(string(body)) != `{"error":"Unauthorized"}` {
					t.Errorf("%s %s with token %q: got %d %s, want 401", row.method, row.path, token, status, body)
				}
			}
			status, body := s.manage(admin, row.method, root+fill.Replace(row.path), fill.Replace(row.body))
			if missing := lacks(body, row.members); status != row.status || missing != "" {
				t.Errorf("%s %s%s %s: got %d %s\nwant %d with %s; it lacks %s", row.method, root, row.path, row.body, status, body, row.status, row.members, missing)
			}
			verdict := "same"
			if row.mended != "" {
				verdict = "mended: " + row.mended
			}
			if root == "/api/webhooks" {
				fmt.Fprintf(w, "%s %s %s\t%s\t%d {%s}\t%s\n", row.method, root+row.path, row.body, row.theirs, status, strings.ReplaceAll(row.members, " ", ", "), verdict)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table.String())

	// A receiver that says no, or nothing.
	id := s.makeWebhook(`{"url":"` + receiver + `","ownerOnly":true,"events":["switch.create"]}`)
	s.post(switchBody(uuid.NewString(), time.Now()))
	retry := "/api/webhooks/" + id + "/deliveries/" + s.awaitDelivered(id) + "/retry"
	answerWith.Store(503)
	if status, body := s.manage(admin, "POST", retry, ""); status != 200 || lacks(body, "success deliveryId statusCode") != "" || !bytes.Contains(body, []byte(`"success":false`)) {
		t.Errorf("retry, the receiver says 503: got %d %s, want 200 and success false", status, body)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	if status, body := s.manage(admin, "PATCH", "/api/webhooks/"+id, `{"url":"`+closed.URL+`"}`); status != 200 {
		t.Fatalf("PATCH url: got %d %s", status, body)
	}
	if status, body := s.manage(admin, "POST", retry, ""); status != 500 || lacks(body, "success deliveryId error") != "" {
		t.Errorf("retry, nobody is there: got %d %s, want 500 with success, deliveryId and error", status, body)
	}
	if status, body := s.manage(admin, "POST", "/api/webhooks/"+id+"/test", ""); status != 200 || lacks(body, "success error") != "" {
		t.Errorf("test, nobody is there: got %d %s, want 200 with success and error", status, body)
	}
	Check(s)
}

// lacks names the members that a JSON object, or the first of an array, has
// not.
func lacks(body []byte, members string) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		var list []map[string]json.RawMessage
		if json.Unmarshal(body, &list) != nil || len(list) == 0 {
			return members
		}
		object = list[0]
	}
	var missing []string
	for _, name := range strings.Fields(members) {
		if _, there := object[name]; !there {
			missing = append(missing, name)
		}
	}
	return strings.Join(missing, " ")
}

// makeWebhook makes a webhook and gives its id. Its secret, if one is made, is
// not to be found anywhere.
func (s *server) makeWebhook(body string) string {
	s.t.Helper()
	status, answer := s.manage(s.token(), "POST", "/api/webhooks", body)
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(answer, &made); err != nil || status != 201 || made.ID == "" {
		s.t.Fatalf("POST %s: got %d %s", body, status, answer)
	}
	if made.Secret != "" {
		s.secret(made.Secret)
	}
	return made.ID
}

// awaitDelivered waits until a webhook's newest delivery has arrived, and gives
// its id.
func (s *server) awaitDelivered(id string) string {
	s.t.Helper()
	var page struct {
		Deliveries []struct{ ID, Status string }
	}
	await(s.t, "a delivery", func() bool {
		_, body := s.manage(s.token(), "GET", "/api/webhooks/"+id+"/deliveries", "")
		return json.Unmarshal(body, &page) == nil && len(page.Deliveries) > 0 && page.Deliveries[0].Status == "delivered"
	})
	return page.Deliveries[0].ID
}

// TestWebhookCommands: the same from the shell, across a kill and a restart.
func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--deliver-allow", "127.0.0.0/8")
	s.addPluralKit()
	s.ready()
	secret := s.secret("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	sink := fakesink.NewStandard(t, secret)
	url := fakesink.Serve(t, sink)
	arrived := func(want int) {
		t.Helper()
		await(t, fmt.Sprint(want, " deliveries"), func() bool { return len(sink.Taken()) >= want })
	}
	channel := s.secret("example-channel-token-not-real-example-channel-token-not-real-abcdef")

	if out := s.cli("", "webhook", "list"); !strings.Contains(out, "webhook add --help") {
		t.Errorf("list of none: got %s, want what to do next", out)
	}
	out := s.cli(secret+"\n", "webhook", "add", "standard", "--url", url+"/in", "--secret-file", "-", "--owner-only", "--event", "switch.create", "--name", "mine")
	if !strings.Contains(out, "switch.create to "+url) || !strings.Contains(out, "webhook test ") {
		t.Errorf("add: got %s", out)
	}
	out = s.cli("https://discord.com/api/webhooks/1150000000000000012/"+channel+"\n", "webhook", "add", "--url-file", "-", "--event", "front.changed", "--disabled")
	if !strings.Contains(out, "https://discord.com/api/webhooks/1150000000000000012/***") {
		t.Errorf("add by a Discord address: got %s, want it without the token", out)
	}
	if !strings.Contains(out, "who fronts is withheld until it is known") {
		t.Errorf("add: got %s, want what is withheld", out)
	}
	for _, bad := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"add", "slack", "--event", "x"}, 2, "is none of: "},
		{[]string{"add", "discord", "--url", "https://discord.com/api/webhooks/1/x", "--event", "front.changed"}, 2, "--url-file"},
		{[]string{"add", "standard", "--url", url}, 2, "which events"},
		{[]string{"add", "standard", "--event", "front.changed"}, 2, "--url-file"},
		{[]string{"add", "standard", "--url", url, "--event", "SERVER_STARTED"}, 2, `there is no event "SERVER_STARTED"`},
		{[]string{"add", "standard", "--url", "https://192.168.1.1/", "--event", "front.changed"}, 2, "--url its address"},
		{[]string{"add", "standard", "--url", url, "--event", "front.changed", "--condition", "(("}, 2, "--condition "},
		{[]string{"add", "standard", "--url", url, "--event", "switch.create", "--event", "front.changed"}, 2, `--owner-only`},
		{[]string{"add", "standard", "--url", url, "--event", "front.changed", "--option", "x"}, 2, "not name=value"},
		{[]string{"show", "nobody"}, 1, `no webhook "nobody"`},
		{[]string{"show", "0"}, 1, "2 webhooks begin with"},
		{[]string{"update", "mine"}, 2, "nothing to change"},
		{[]string{"replay", "mine"}, 2, "--from 7d"},
		{[]string{"retry", "mine", "none"}, 1, "Delivery not found"},
		{[]string{"remove", "mine"}, 2, "--yes"},
	} {
		if out, errOut, code := s.try("", append([]string{"webhook"}, bad.args...)...); code != bad.code || !strings.Contains(errOut, bad.says) {
			t.Errorf("webhook %v: got exit code %d, %q, %q, want %d and %q", bad.args, code, out, errOut, bad.code, bad.says)
		}
	}

	if out := s.cli("", "webhook", "test", "mine"); !strings.Contains(out, "the receiver has it") {
		t.Errorf("test: got %s", out)
	}
	arrived(1)
	s.post(switchBody(uuid.NewString(), time.Now()))
	arrived(2)
	var mine struct{ ID string }
	if err := json.Unmarshal([]byte(s.cli("", "webhook", "show", "mine", "--json")), &mine); err != nil {
		t.Fatal(err)
	}
	delivery := s.awaitDelivered(mine.ID)
	s.kill()
	s.start()
	s.ready()
	if out := s.cli("", "webhook", "deliveries", "mine"); !strings.Contains(out, delivery) || !strings.Contains(out, "delivered") {
		t.Errorf("deliveries after a restart: got %s, want %s", out, delivery)
	}
	s.cli("", "webhook", "retry", "mine", delivery)
	arrived(3)
	if out := s.cli("", "webhook", "replay", "mine", "--from", "1"); !strings.HasPrefix(out, "1 events are on their way") {
		t.Errorf("replay: got %s", out)
	}
	arrived(4)
	if taken := sink.Taken(); taken[1].Key != taken[2].Key || taken[1].Key != taken[3].Key || !bytes.Equal(taken[1].Body, taken[3].Body) {
		t.Errorf("live, retry and replay: keys %s %s %s, want one; bodies %s and %s, want one", taken[1].Key, taken[2].Key, taken[3].Key, taken[1].Body, taken[3].Body)
	}
	if out := s.cli("", "webhook", "update", "mine", "--disable", "--rate", "0.5"); !strings.Contains(out, "off") || !strings.Contains(out, "0.5 a second") {
		t.Errorf("update: got %s", out)
	}
	s.post(switchBody(uuid.NewString(), time.Now()))
	if out := s.cli("", "webhook", "events"); !strings.Contains(out, "front.changed") {
		t.Errorf("events: got %s", out)
	}
	Check(s)
	if got := len(sink.Taken()); got != 4 {
		t.Errorf("%d deliveries, want 4: nothing goes to a webhook that is off", got)
	}
	s.cli("", "webhook", "remove", "mine", "--yes")
	if _, errOut, code := s.try("", "webhook", "show", mine.ID); code != 1 || !strings.Contains(errOut, "no webhook") {
		t.Errorf("show after remove: got exit code %d, %s", code, errOut)
	}
	Check(s)
	s.cli(secret+"\n", "webhook", "add", "standard", "--url", url+"/in", "--secret-file", "-", "--event", "front.changed", "--name", "others")
	for _, command := range [][]string{{"webhook", "show", "others"}, {"status"}} {
		if out := s.cli("", command...); !strings.Contains(out, "who fronts is withheld") {
			t.Errorf("%v: got %s, want what is withheld", command, out)
		}
	}
}

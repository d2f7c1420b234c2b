package ingest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestShapesAreKept: a verified delivery of a known type is stored as it is,
// whatever shape its parts have; the fold judges it.
func TestShapesAreKept(t *testing.T) {
	b := newSigned(t)
	signed := []string{
		`{"event":"server.started","server":{"id":7,"name":"demo"}}`,
		`{"event":"server.started","server":"demo","timestamp":"2026-01-01T00:00:00Z"}`,
		`{"event":"server.started","server":[]}`,
		`{"event":"server.started","timestamp":1767225600}`,
		`{"event":"backup.created","data":["a"],"timestamp":"2026-01-01T00:00:00Z"}`,
		`{"event":"backup.created","data":"done","timestamp":"2026-01-01T00:00:00Z"}`,
		`{"event":"node.offline","data":7}`,
		`{"event":"server.started","embeds":"none"}`,
		`{"event":"server.started","embeds":[{"title":"x"}]}`,
	}
	for i, body := range signed {
		if got := b.send(t, "POST", stellarPath, stellarSigned(stellarSecret, body), body); got.status != 200 {
			t.Errorf("%s: got %d, want 200", body, got.status)
		} else if all := b.log.webhooks(); len(all) != i+1 || string(all[i].Data) != body {
			t.Errorf("%s: %d events", body, len(all))
		}
	}
	old, path := newUnsigned(t)
	unsigned := []string{
		`{"embeds":[{"title":"🔔 Server Started","fields":{}}]}`,
		`{"embeds":[{"title":"🔔 Server Started","fields":[7,{"name":"Server","value":8}],"timestamp":"2026-01-01T00:00:00Z"}]}`,
		`{"embeds":[{"title":"🔔 Server Started","timestamp":7},{"title":8}]}`,
	}
	for i, body := range unsigned {
		if got := old.send(t, "POST", path, http.Header{}, body); got.status != 200 {
			t.Errorf("%s: got %d, want 200", body, got.status)
		} else if all := old.log.webhooks(); len(all) != i+1 || string(all[i].Data) != body || all[i].Type != schemas.StellarStackServerStarted {
			t.Errorf("%s: %d events", body, len(all))
		}
	}
	// Without a delivery's id: what differs in one odd part is another event.
	for _, body := range []string{signed[4], strings.Replace(signed[4], `"a"`, `"\ud800"`, 1), strings.Replace(signed[4], `"a"`, `"\ud801"`, 1)} {
		before := len(b.log.webhooks())
		b.send(t, "POST", stellarPath, stellarSigned(stellarSecret, body), body)
		if got, want := len(b.log.webhooks())-before, map[bool]int{true: 0, false: 1}[body == signed[4]]; got != want {
			t.Errorf("%s: %d events more, want %d", body, got, want)
		}
	}
}

// TestDoubledNamesReadAlike: of members with one name the last counts, and names
// differ by case, for the event as for its row.
func TestDoubledNamesReadAlike(t *testing.T) {
	for _, data := range []string{
		`{"id":"1","id":"2"}`, `{"id":"2","ID":"1"}`, `{"Id":"1","id":"3","id":"2"}`, `{"id":"1","\u0069d":"2"}`,
		`{"id":"1","id":null}`, `{"id":"1","id":7}`,
	} {
		value, _ := member([]byte(data), "id")
		var o schemas.Object
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			t.Fatal(err)
		}
		if string(value) != string(o["id"]) {
			t.Errorf("%s: the event reads %s, the row %s", data, value, o["id"])
		}
	}
	d := newDiscord(t, nil)
	body := `{"version":1,"application_id":"77","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2026-03-14T09:01:40",` +
		`"data":{"user":{"id":"1","username":"one"},"user":{"id":"2","ID":"3"},"scopes":["a"],"SCOPES":["b"]}}}`
	if got := d.discord(t, body); got.status != 204 {
		t.Fatalf("got %d, want 204", got.status)
	}
	e := d.log.webhooks()[0]
	row, err := schemas.Decode[schemas.DiscordAuthorization](e)
	if err != nil || e.Subject != row.User.ID || row.User.ID != "2" || row.User.Username != "" || len(*row.Scopes) != 1 || (*row.Scopes)[0] != "a" {
		t.Errorf("the event is about %q, its row %+v (%v)", e.Subject, row, err)
	}
}

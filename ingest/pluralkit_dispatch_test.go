package ingest

import (
	"reflect"
	"strings"
	"testing"
)

// A body is opened once: no further than the token for who sends a wrong one, and to the
// end for its source, whose steps share what was found.
func TestDispatchIsOpenedOnce(t *testing.T) {
	body := []byte(bodies(t)["15-create_message"])
	r := &Request{}
	if _, ok := findToken(r, body); !ok {
		t.Fatal("no token")
	}
	d, opened := r.Opened.(*dispatch)
	if !opened || d.scan.Offset() != d.tokenEnd || d.tokenEnd > 200 {
		t.Fatalf("found the token, and scanned %d bytes; want no more than its own %d", d.scan.Offset(), d.tokenEnd)
	}
	if err := fuzzSource().Verify(r, body); err != nil {
		t.Fatal(err)
	}
	got, err := fuzzSource().Events(r, body)
	if err != nil || r.Opened != any(d) || !d.done {
		t.Fatalf("%v; the body was opened again", err)
	}
	want, err := fuzzSource().Events(nil, body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if data := string(got[0].Data); strings.Contains(data, "webhook_url") || !strings.Contains(data, "timestamp") {
		t.Errorf("data %s, want it less its secret", data)
	}
}

// What stands before the token is less its secrets, too. Law 9.
func TestLaw9BeforeTheToken(t *testing.T) {
	body := []byte(`{"x":["` + testToken + `"],"data":{"webhook_url":1,"a":"` + testToken + `","b":2},"webhook_url":3,"type":"UPDATE_SYSTEM","signing_token":"` +
		testToken + `","y":{"webhook_url":4,"c":"` + testToken + `"},"signing_token":"` + testToken + `"}`)
	events, err := fuzzSource().Events(&Request{}, body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(events[0].Data), `{"a":"***","b":2}`; got != want {
		t.Errorf("data %s, want %s", got, want)
	}
	if got, want := events[0].Extensions["pkextra"], `{"x":["***"],"y":{"c":"***"}}`; got != want {
		t.Errorf("extra %v, want %s", got, want)
	}
}

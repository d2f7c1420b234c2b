package schemas

import (
	"strings"
	"testing"
)

// Events of the registry lose their sealed secrets and nothing else; other events are as they were.
func TestUnsealed(t *testing.T) {
	for _, c := range []struct{ name, source, data, want string }{
		{"a source", SelfSource, `{"kind":"token","name":"shop","sealed":{"secret-1":"AAAA"}}`, `{"kind":"token","name":"shop"}`},
		{"without secrets", SelfSource, `{"kind":"token","name":"shop"}`, `{"kind":"token","name":"shop"}`},
		{"another sender's", SharedToken, `{"sealed":"envelope"}`, `{"sealed":"envelope"}`},
	} {
		e := Event{Route: Route{Source: c.source}, Data: []byte(c.data)}
		if got := string(Unsealed(e).Data); strings.TrimSpace(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if string(e.Data) != c.data {
			t.Errorf("%s: the event itself was changed", c.name)
		}
	}
}

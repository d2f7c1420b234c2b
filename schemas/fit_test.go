package schemas

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Whatever a change holds and whatever the limit, the form that fits is a
// change by its schema, of the same cause, and says what it leaves out.
func TestFitChange(t *testing.T) {
	c := newContract(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 300 {
		typ := []string{FrontChanged, MemberChanged, SystemChanged, GroupChanged}[n%4]
		before, after := randomSide(t, rng, typ), randomSide(t, rng, typ)
		e, err := NewChange(typ, strings.Split(typ, ".")[1], exampleSystem, Recorded{Event: Event{ID: "cause", Source: "urn:x", Route: Route{Source: "pluralkit", Tenant: exampleSystem}}, Seq: 9}, before, after)
		if err != nil {
			t.Fatal(err)
		}
		m, err := e.Message()
		if err != nil {
			t.Fatal(err)
		}
		limit := 1500 + rng.IntN(20_000)
		got, err := FitChange(m, limit)
		if err != nil {
			t.Fatalf("%s in %d: %v", typ, limit, err)
		}
		var of Event
		if err := of.UnmarshalJSON(got.Body); err != nil {
			t.Fatal(err)
		}
		var change Change
		if err := json.Unmarshal(of.Data, &change); err != nil {
			t.Fatal(err)
		}
		fits := m.size() <= limit
		if got.size() > limit || of.ID != e.ID || change.Cause != "cause" || change.CauseSeq != 9 || fits != (len(change.Omitted) == 0) {
			t.Errorf("%s: %d bytes in %d, was %d, omitted %q", typ, got.size(), limit, m.size(), change.Omitted)
		}
		var data any
		if err := json.Unmarshal(of.Data, &data); err != nil {
			t.Fatal(err)
		}
		if err := c.compiled[typ].Validate(data); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if _, err := FitChange(Message{Body: []byte(strings.Repeat("x", 100))}, 50); err == nil {
		t.Error("no event: got nil, want an error")
	}
}

// randomSide is a before or an after, sometimes null.
func randomSide(t *testing.T, rng *rand.Rand, typ string) json.RawMessage {
	t.Helper()
	text := func() *string {
		s := strings.Repeat("é", rng.IntN(200))
		return &s
	}
	var side any
	switch {
	case rng.IntN(4) == 0:
		return nil
	case typ == FrontChanged:
		f := Front{System: exampleSystem, Switch: exampleSystem, Members: []Fronter{}}
		for i := range rng.IntN(300) {
			f.Members = append(f.Members, Fronter{UUID: fmt.Sprintf("d0d0d0d0-0000-4000-8000-%012d", i), Name: text(), Pronouns: text(), AvatarURL: text()})
		}
		side = f
	default:
		of := map[string]any{"uuid": exampleSystem}
		for i := range rng.IntN(60) {
			of[fmt.Sprint("field", i)] = text()
		}
		side = of
	}
	raw, err := json.Marshal(side)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

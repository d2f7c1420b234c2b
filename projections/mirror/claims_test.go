package mirror

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// TestClaims: what PluralKit's API addresses without a system is of the system
// that the API confirmed, else of the only one that claims it, else of none.
func TestClaims(t *testing.T) {
	const a, b, c = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000", "cccccccc-0000-4000-8000-000000000000"
	const member, group = "dddddddd-0000-4000-8000-000000000000", "eeeeeeee-0000-4000-8000-000000000000"
	const account, message = "100000000000000001", "1444000000000000001"
	db := openDB(t)
	h := NewHandler(Config{Store: db})
	seq := 0
	fold := func(typ, system, subject, data string) {
		t.Helper()
		seq++
		e := schemas.Event{ID: fmt.Sprint("e", seq), Source: schemas.PluralKitSystemURL + system, Type: typ, Subject: subject,
			Time: time.Date(2025, 1, 1, 0, 0, seq, 0, time.UTC), Data: json.RawMessage(data), Route: schemas.PluralKitRoute(typ, system)}
		if err := db.Apply(t.Context(), "epoch", []schemas.Recorded{{Seq: uint64(seq), Event: e}}); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(system, name string) {
		t.Helper()
		public := `"privacy":{"visibility":"public","name_privacy":"public"}`
		fold(schemas.PKSystemUpdate, system, "", `{"id":"victim","name":"`+name+`",`+public+`}`)
		fold(schemas.PKMemberUpdate, system, member, `{"id":"membr","name":"`+name+`",`+public+`}`)
		fold(schemas.PKGroupUpdate, system, group, `{"id":"group","name":"`+name+`",`+public+`}`)
		fold(schemas.PKAccountLink, system, account, `null`)
		fold(schemas.PKMessageCreate, system, message, `{"timestamp":"2025-01-01T00:00:00Z","id":"`+message+`","original":"1","sender":"`+account+`",`+
			`"channel":"2","guild":"3","system":{"uuid":"`+system+`"},"member":{"uuid":"`+member+`"}}`)
	}
	check := func(when, want string) {
		t.Helper()
		for _, path := range []string{"systems/victim", "systems/" + account, "members/membr", "members/" + member, "groups/group", "groups/" + group, "messages/" + message} {
			got := ask(h, "", path)
			if !strings.Contains(got, want) {
				t.Errorf("%s, %s: got %s, want %s", when, path, got, want)
			}
		}
	}
	claim(a, "Amber")
	check("one claim", "Amber")
	claim(b, "Basalt")
	check("two claims", "Not Found")
	asked := func(object string) string { return `{"asked":"2025-01-01T01:00:00Z","object":` + object + `}` }
	fold(schemas.SystemObserved, a, a, asked(`{"id":"victim","uuid":"`+a+`","name":"Amber","privacy":{"name_privacy":"public"}}`))
	check("one of them is confirmed", "Amber")
	claim(c, "Coral")
	check("another claims it", "Amber")
	fold(schemas.SystemObserved, c, c, asked(`{"id":"corals","uuid":"`+c+`","name":"Coral","privacy":{"name_privacy":"public"}}`))
	fold(schemas.PKSystemUpdate, c, "", `{"id":"victim"}`)
	if got := ask(h, "", "systems/victim"); !strings.Contains(got, "Amber") {
		t.Errorf("a confirmed system with another's id: got %s, want the one whose id it is", got)
	}
}

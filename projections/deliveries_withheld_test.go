package projections

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestWithheld: what a webhook that is not owner-only asks for and does not get is
// said, with the reason, and no more of it once PluralKit has said that it is public.
// What is said agrees with what is delivered.
func TestWithheld(t *testing.T) {
	for name, c := range map[string]struct {
		events    []string
		source    string
		tenant    string
		ownerOnly bool
		told      []string // of the system's privacy, one update each
		empty     bool     // there is no event of a system
		want      []string // event reason what
	}{
		"nothing is known": {events: []string{"front.changed"}, tenant: "sys", want: []string{"front.changed unknown who fronts"}},
		"private": {events: []string{"*"}, told: []string{`{"privacy":{"front_privacy":"private","member_list_privacy":"private","group_list_privacy":"public","name_privacy":"private","description_privacy":"public","pronoun_privacy":"public","avatar_privacy":"public","banner_privacy":"public"}}`},
			want: []string{"front.changed private who fronts", "system.changed private of the system: name", "member.changed private the list of members"}},
		"public":      {events: []string{"front.changed"}, told: []string{`{"privacy":{"front_privacy":"public"}}`}},
		"members":     {events: []string{"member.changed"}, told: []string{`{}`}, want: []string{"member.changed private 1 of 3 members", "member.changed unknown 1 of 3 members"}},
		"owner":       {events: []string{"switch.create"}, want: []string{"switch.create owner switch.create"}},
		"owner-only":  {events: []string{"*", "switch.create"}, ownerOnly: true},
		"others only": {events: []string{"*"}, source: schemas.StellarStack},
		"no system":   {events: []string{"front.changed"}, empty: true},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTest(t, All)
			var l hookLog
			s := hook("w", c.events...)
			s.Source, s.Tenant, s.OwnerOnly = c.source, c.tenant, c.ownerOnly
			l.created(s)
			for _, told := range c.told {
				l.add(schemas.Event{Type: schemas.PKSystemUpdate, Data: []byte(told), Route: schemas.PluralKitRoute(schemas.PKSystemUpdate, "sys")})
				for member, data := range map[string]string{"m1": `{"name":"A"}`, "m2": `{"name":"B","privacy":{"visibility":"private"}}`} {
					l.add(schemas.Event{Type: schemas.PKMemberCreate, Subject: member, Data: []byte(data), Route: schemas.PluralKitRoute(schemas.PKMemberCreate, "sys")})
				}
				l.add(schemas.Event{Type: schemas.PKMemberUpdate, Subject: "m3", Data: []byte(`{"name":"C"}`), Route: schemas.PluralKitRoute(schemas.PKMemberUpdate, "sys")})
			}
			if l.fold(t, db); !c.empty {
				l.fronts(t, db, 100, "m1")
			}
			got, err := db.Withheld(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var says []string
			for _, w := range got {
				what, _, _ := strings.Cut(w.Says, " is withheld")
				what, _, _ = strings.Cut(what, " carries")
				says = append(says, fmt.Sprint(w.Event, " ", w.Reason, " ", what))
				if !strings.Contains(w.Says, "(hint: ") {
					t.Errorf("%s: says %q, without what helps", w.Event, w.Says)
				}
			}
			if !slices.Equal(says, c.want) {
				t.Errorf("got %q, want %q", says, c.want)
			}
			withheld := slices.ContainsFunc(got, func(w schemas.Withheld) bool { return w.Event == "front.changed" })
			rows, _ := deliveriesOf(t, db, "w", 100, 0)
			sent := slices.ContainsFunc(rows, func(r schemas.DeliveryRecord) bool { return r.Event == "front.changed" })
			if slices.Contains(c.events, "front.changed") && !c.empty && withheld == sent {
				t.Errorf("who fronts is withheld: %t, and delivered: %t", withheld, sent)
			}
		})
	}
}

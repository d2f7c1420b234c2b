package pluralkit_test

import (
	"fmt"
	"testing"

	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// TestUpdateAlone: that of which only an update is known, and which PluralKit does
// not have, goes at the next full look of a program that has forgotten what events
// left open; what PluralKit does have of them is filled in.
func TestUpdateAlone(t *testing.T) {
	for _, count := range []int{3, 250} { // asked for one by one; gone by the word of the walk
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			inBubble(t, fakepk.Config{}, fakepk.APIConfig{}, func(l *live) {
				s := l.system("1150000000000000100")
				m, err := s.CreateMember("Alder", nil)
				l.world.Must(err)
				there, err := s.Switch(m)
				l.world.Must(err)
				l.world.Deliveries() // lost
				said := func(typ, subject, data string) {
					l.accept(schemas.Event{ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + s.UUID(), Type: typ, Subject: subject,
						Origin: schemas.OriginWebhook, DataSchema: schemas.SchemaID(typ), Data: []byte(data), Route: schemas.PluralKitRoute(typ, s.UUID())})
				}
				for n := range count {
					id := fmt.Sprintf("c4f1e2d3-1a2b-4c3d-9e4f-%012d", n)
					said(schemas.PKSwitchUpdate, id, []string{`{"members":["` + m + `"]}`, `{"timestamp":"2026-01-01T00:00:00Z"}`, `{"members":[]}`}[n%3])
				}
				said(schemas.PKSwitchUpdate, there, `{"members":["`+m+`"]}`)
				said(schemas.PKMemberUpdate, "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1", `{"name":"Nobody"}`)
				said(schemas.PKGroupUpdate, "a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90", `{"name":"None"}`)
				said(schemas.PKMemberGuildUpdate, "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f2", `{"guild_id":"1150000000000000001","keep_proxy":true}`)
				said(schemas.PKSystemGuildUpdate, "", `{"guild_id":"1150000000000000001","tag":"| x"}`)
				said(schemas.PKAccountLink, "1150000000000000999", `null`)
				s.Reconciler = l.reconciler(s.System) // started anew
				if report := s.reconcile(); report.Repairs["switch"] != (pluralkit.Repair{Missing: 1, Extra: count}) {
					t.Errorf("got %s", report)
				}
				s.converged()
				l.replays(s)
			})
		})
	}
}

// accept takes one event in.
func (l *live) accept(e schemas.Event) {
	l.t.Helper()
	if _, err := l.Append(l.t.Context(), e); err != nil {
		l.t.Fatal(err)
	}
}

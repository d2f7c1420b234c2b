package projections

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestExplain: the events that made or changed a row, by every way to name it.
func TestExplain(t *testing.T) {
	d := openTest(t, All)
	g := &golden{t: t, db: d}
	log := `
{"type":"me.pluralkit.member.create","subject":"mem-1","data":{"name":"Alder"}}
{"type":"me.pluralkit.member.create","subject":"mem-2","data":{"name":"Birch"}}
{"type":"me.pluralkit.member.update","subject":"mem-1","data":{"name":"Alder"}}
{"type":"me.pluralkit.member.update","subject":"mem-1","data":{"id":"abcde"}}
{"type":"me.pluralkit.member.update","tenant":"sys-2","subject":"mem-1","data":{"id":"abcde"}}
{"type":"me.pluralkit.message.create","subject":"1444000000000000001","data":{"timestamp":"2025-01-01T00:00:00Z","id":"1444000000000000001","original":"1","sender":"2","channel":"3","guild":"4","system":{"uuid":"sys-1"},"member":{"uuid":"mem-1","message_count":7}}}
{"type":"me.pluralkit.switch.create","subject":"sw-1","data":{"id":"sw-1","timestamp":"2025-01-01T00:00:00Z","members":["mem-1"]}}
{"type":"me.pluralkit.switch.create","subject":"sw-2","data":{"id":"sw-2","timestamp":"2025-01-01T01:00:00Z","members":["mem-2"]}}
{"type":"me.pluralkit.member.delete","subject":"mem-1","data":null}
{"type":"me.pluralkit.member_guild.update","subject":"mem-2","data":{"guild_id":"4","display_name":"B"}}
{"source":"token","tenant":"shop","type":"sold","sender":"urn:shop","id":"1"}
`
	g.fold([]byte(log))
	var events []schemas.Recorded
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); line != "" {
			events = append(events, parseEvent(t, []byte(line), uint64(len(events)+1)))
		}
	}
	for _, c := range []struct{ table, key, want string }{
		{"members", "mem-1", "sys-1 [1 4 9], sys-2 [5]"}, // the update to what it was changed nothing
		{"members", "sys-2/mem-1", "sys-2 [5]"},
		{"members", "AB-CDE", "sys-1 [1 4 9], sys-2 [5]"},
		{"members", "nobody", ""},
		{"systems", "sys-1", "sys-1 [1]"},
		{"switches", "sw-1", "sys-1 [7]"}, // that another one came after it is no change of its own
		{"fronts", "sys-1", "sys-1 [7 8]"},
		{"messages", "1444000000000000001", "sys-1 [6]"},
		{"member_guilds", "mem-2/4", "sys-1 [10]"},
		{"received", "urn:shop/1", "shop [11]"},
		{"nothing", "x", `there is no table "nothing"`},
		{`x"; DROP TABLE members`, "x", "there is no table"},
	} {
		subjects, err := d.Subjects(t.Context(), c.table, c.key)
		var got []string
		for _, s := range subjects {
			causes, err := d.Explain(t.Context(), s, func(yield func(schemas.Recorded, error) bool) {
				for _, e := range events {
					if e.Route.Source == s.Source && e.Route.Tenant == s.Tenant && !yield(e, nil) {
						return
					}
				}
			})
			if err != nil {
				t.Fatalf("%s %s: %v", c.table, c.key, err)
			}
			got = append(got, fmt.Sprint(s.Tenant, " ", causes))
		}
		text := strings.Join(got, ", ")
		if err != nil && errors.Is(err, schemas.ErrInvalid) {
			text = err.Error()
		} else if err != nil {
			t.Errorf("%s %s: %v", c.table, c.key, err)
		}
		if text != c.want && (err == nil || !strings.Contains(text, c.want)) {
			t.Errorf("%s %s: got %s, want %s", c.table, c.key, text, c.want)
		}
	}
}

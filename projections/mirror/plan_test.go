package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// scan is a step of a plan that reads all of a table, or of an index.
var scan = regexp.MustCompile(`SCAN (\w+)( USING (COVERING )?INDEX (\w+))?`)

// TestNoScans: no statement reads more of a table than what it asks for, so
// none is slower because there is more history, or more systems.
func TestNoScans(t *testing.T) {
	db := openDB(t)
	may := map[string]bool{
		"k": true, "w": true, "c": true, "l": true, // one row, made in a FROM
		"list":     true, // what is in one value
		"CONSTANT": true, "json_each": true,
	}
	for name, query := range map[string]string{
		"systemByUUID": systemByUUID, "systemByID": systemByID, "systemByAccount": systemByAccount,
		"ownSettings": ownSettings, "publicSettings": publicSettings,
		"memberByUUID": memberByUUID, "memberByID": memberByID, "membersOfSystem": membersOfSystem, "membersOfGroup": membersOfGroup,
		"groupByUUID": groupByUUID, "groupByID": groupByID, "groupsOfSystem": groupsOfSystem, "groupsOfMember": groupsOfMember,
		"visibility": visibility, "uuidsOfGroup": uuidsOfGroup,
		"switchPage": switchPage, "currentFront": currentFront, "oneSwitch": oneSwitch, "whoHasSwitch": whoHasSwitch,
		"systemGuild": systemGuild, "memberGuild": memberGuild, "autoproxy": autoproxy,
		"messageByID": messageByID, "messageByOriginal": messageByOriginal,
	} {
		var plan []string
		err := db.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
			return tx.Each("EXPLAIN QUERY PLAN "+query, []any{"a", "b", 1}[:arguments(query)], func(r engine.Row) error {
				plan = append(plan, r.Text(3))
				return nil
			})
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, step := range plan {
			if m := scan.FindStringSubmatch(step); m != nil && !may[m[1]] {
				t.Errorf("%s: %s, in\n%s", name, step, strings.Join(plan, "\n"))
			}
			if name == "switchPage" && strings.Contains(step, "TEMP B-TREE FOR ORDER BY") && !strings.Contains(step, "json_group_array") {
				t.Errorf("%s sorts: %s", name, strings.Join(plan, "\n"))
			}
		}
	}
}

// arguments is how many a statement takes.
func arguments(query string) int {
	for n := 3; n > 0; n-- {
		if strings.Contains(query, fmt.Sprint("?", n)) {
			return n
		}
	}
	return strings.Count(query, "?")
}

// many is a mirror of systems that all have so many switches.
func many(t testing.TB, systems, switches int) (http.Handler, []string) {
	t.Helper()
	db := openDB(t)
	var uuids []string
	seq, at := uint64(0), time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var batch []schemas.Recorded
	add := func(typ, system, subject, data string) {
		seq++
		at = at.Add(time.Second)
		batch = append(batch, schemas.Recorded{Seq: seq, Event: schemas.Event{
			ID: fmt.Sprint("event-", seq), Source: schemas.PluralKitSystemURL + system, Type: typ, Subject: subject, Time: at,
			Data: json.RawMessage(data), Route: schemas.PluralKitRoute(typ, system),
		}})
		if len(batch) == 1000 {
			if err := db.Apply(context.Background(), "epoch", batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	for s := range systems {
		uuid := fmt.Sprintf("%08x-0000-4000-8000-000000000000", s)
		uuids = append(uuids, uuid)
		add(schemas.PKSystemUpdate, uuid, "", fmt.Sprintf(`{"name":"S","id":"%s","privacy":{"front_privacy":"public","front_history_privacy":"public"}}`, hid(s)))
		var members []string
		for m := range 3 {
			member := fmt.Sprintf("%08x-0001-4000-8000-%012x", s, m)
			members = append(members, member)
			add(schemas.PKMemberUpdate, uuid, member, fmt.Sprintf(`{"name":"M","id":"%s","description":"who","proxy_tags":[{"prefix":"m:","suffix":null}],"privacy":{"name_privacy":"public"}}`, hid(s*3+m)))
		}
		for w := range switches {
			id := fmt.Sprintf("%08x-0002-4000-8000-%012x", s, w)
			add(schemas.PKSwitchCreate, uuid, id, fmt.Sprintf(`{"id":"%s","timestamp":"%s","members":["%s","%s"]}`,
				id, schemas.FormatTime(at), members[w%3], members[(w+1)%3]))
		}
	}
	if err := db.Apply(context.Background(), "epoch", batch); err != nil {
		t.Fatal(err)
	}
	return NewHandler(Config{Store: db}), uuids
}

// hid is the n-th short id.
func hid(n int) string {
	b := []byte("aaaaa")
	for i := range b {
		b[i] += byte(n % 21)
		n /= 21
	}
	return string(b)
}

// BenchmarkHistory: the same answers over a hundred times the history.
func BenchmarkHistory(b *testing.B) {
	for _, switches := range []int{10, 1000} {
		h, uuids := many(b, 100, switches)
		for _, path := range []string{"fronters", "switches?limit=10"} {
			b.Run(fmt.Sprintf("%s/switches=%d", path, switches), func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					n++
					if w := send(h, http.MethodGet, "", "systems/"+uuids[n*7%len(uuids)]+"/"+path); w.Code != http.StatusOK {
						b.Fatal(w.Code, w.Body)
					}
				}
			})
		}
	}
}

package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// logOf is a log that has these events.
func logOf(events []schemas.Recorded) engine.Events {
	return func(_ context.Context, source, tenant string, from, to uint64) iter.Seq2[schemas.Recorded, error] {
		return func(yield func(schemas.Recorded, error) bool) {
			for _, e := range events {
				if e.Route.Source == source && e.Route.Tenant == tenant && e.Seq >= from && (to == 0 || e.Seq <= to) && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// openPast opens a database that has folded events, and has their log. It is closed
// when the test ends.
func openPast(t testing.TB, events []schemas.Recorded) *DB {
	t.Helper()
	db, closeDB := pastOf(t, events)
	t.Cleanup(closeDB)
	return db
}

// pastOf is openPast; the caller closes the database.
func pastOf(t testing.TB, events []schemas.Recorded) (db *DB, closeDB func()) {
	t.Helper()
	events = slices.Clone(events)
	for i := range events {
		events[i].Seq = uint64(i + 1)
	}
	db, err := Open(engine.Config{Log: loud(t), Path: filepath.Join(t.TempDir(), "projections.db"), Events: logOf(events)})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Apply(context.Background(), "test", events); err != nil {
		t.Fatal(err)
	}
	return db, func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAsOfIsAReplay: what any query answers as of a position is what it answered
// when the database was there, in whatever order positions are asked for.
func TestAsOfIsAReplay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := genFronting(rt)
		for i := range events {
			events[i].Seq = uint64(i + 1)
		}
		db, closeDB := pastOf(t, events)
		defer closeDB() // many are open at once otherwise, and closing one looks at all
		for range 4 {
			seq := rapid.IntRange(1, len(events)).Draw(rt, "seq")
			then, closeThen := pastOf(t, events[:seq])
			defer closeThen()
			tenant := events[seq-1].Route.Tenant
			for _, q := range db.Queries(schemas.PluralKit) {
				if q.Name == "stats" || q.Name == "history" { // they depend on the clock, and on what there is now
					continue
				}
				params := map[string]string{"tenant": tenant}
				want, err := then.Ask(t.Context(), schemas.PluralKit, q.Name, params)
				if err != nil {
					rt.Fatal(err)
				}
				params[engine.AsOf] = fmt.Sprint(seq)
				got, err := db.Ask(t.Context(), schemas.PluralKit, q.Name, params)
				if err != nil {
					rt.Fatal(err)
				}
				if string(got.Body) != string(want.Body) || got.Found != want.Found || got.Position.Seq != uint64(seq) {
					rt.Fatalf("%s as of %d (position %d):\ngot  %s\nwant %s", q.Name, seq, got.Position.Seq, got.Body, want.Body)
				}
			}
		}
	})
}

// TestAsOfTime: a time is the events accepted up to it.
func TestAsOfTime(t *testing.T) {
	var events []schemas.Recorded
	for i, name := range []string{"First", "Second", "Third"} {
		events = append(events, frontingEvent(i+1, "UPDATE_SYSTEM", "sys", "", `{"name":"`+name+`"}`))
	}
	db := openPast(t, events)
	for _, c := range []struct {
		after time.Duration
		want  string
		seq   uint64
	}{{1500 * time.Millisecond, "First", 1}, {3 * time.Second, "Third", 3}, {2 * time.Second, "Second", 2}, {time.Hour, "Third", 3}, {0, "", 0}, {1500 * time.Millisecond, "First", 1}} {
		a, err := db.Ask(t.Context(), schemas.PluralKit, "system", map[string]string{"tenant": "sys", engine.AsOf: schemas.FormatTime(frontingEpoch.Add(c.after))})
		var system struct{ Name string }
		if a.Found {
			err = errors.Join(err, json.Unmarshal(a.Body, &system))
		}
		if err != nil || system.Name != c.want || a.Position.Seq != c.seq {
			t.Errorf("after %s: got %s at %d, %v, want %q at %d", c.after, a.Body, a.Position.Seq, err, c.want, c.seq)
		}
	}
	for _, bad := range []string{"0", "4", "-1", "yesterday", ""} {
		if _, err := db.Ask(t.Context(), schemas.PluralKit, "system", map[string]string{"tenant": "sys", engine.AsOf: bad}); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("as_of=%s: got %v, want %v", bad, err, schemas.ErrInvalid)
		}
	}
	if _, err := openFronting(t).Ask(t.Context(), schemas.PluralKit, "system", map[string]string{"tenant": "sys", engine.AsOf: "2026-01-01T00:00:00Z"}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("without a log: got %v, want %v", err, schemas.ErrInvalid)
	}
}

// TestHistory: each version says what changed, when and by which event; what is
// not about the thing makes none.
func TestHistory(t *testing.T) {
	db := openPast(t, []schemas.Recorded{
		frontingEvent(1, "CREATE_MEMBER", "sys", "mA", `{"name":"Ash","id":"aaaaa"}`),
		frontingEvent(2, "CREATE_MEMBER", "sys", "mB", `{"name":"Birch"}`),
		frontingEvent(3, "UPDATE_MEMBER", "sys", "mA", `{"name":"Alder","color":"3a7d44"}`),
		frontingEvent(4, "UPDATE_MEMBER", "sys", "mA", `{"name":"Alder"}`),
		frontingEvent(5, "UPDATE_MEMBER", "other", "mA", `{"name":"Another's"}`),
		frontingEvent(6, "DELETE_MEMBER", "sys", "mA", ""),
	})
	ask := func(params map[string]string) pluralkit.History {
		params["tenant"] = "sys"
		a, err := db.Ask(t.Context(), schemas.PluralKit, "history", params)
		if err != nil {
			t.Fatal(err)
		}
		var h pluralkit.History
		if err := json.Unmarshal(a.Body, &h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, ref := range []string{"mA", "AAAAA", "aa-aaa"} {
		h := ask(map[string]string{"kind": "member", "id": ref})
		if h.ID != "mA" || len(h.Versions) != 3 {
			t.Fatalf("%s: got %+v, want three versions", ref, h)
		}
		last, middle, first := h.Versions[0], h.Versions[1], h.Versions[2]
		if !last.Deleted || last.Seq != 6 || last.Type != schemas.PKMemberDelete || len(last.Changed) != 1 {
			t.Errorf("deleted: got %+v", last)
		}
		name, color := middle.Changed["name"], middle.Changed["color"]
		if string(name.Before) != `"Ash"` || string(name.After) != `"Alder"` || string(color.Before) != "null" || string(color.After) != `"3a7d44"` ||
			len(middle.Changed) != 2 || middle.Event != "e000003" || middle.Time != "2026-01-01T00:00:03.000000Z" {
			t.Errorf("updated: got %+v", middle)
		}
		if string(first.Changed["name"].After) != `"Ash"` || string(first.Changed["keep_proxy"].After) != "false" || first.Seq != 1 {
			t.Errorf("created: got %+v", first)
		}
	}
	if h := ask(map[string]string{"kind": "member", "id": "mA", "before": "6", "limit": "1"}); len(h.Versions) != 1 || h.Versions[0].Seq != 3 {
		t.Errorf("a page: got %+v, want the version of event 3", h)
	}
	if h := ask(map[string]string{"kind": "member", "id": "mA", engine.AsOf: "2"}); len(h.Versions) != 1 || h.Versions[0].Seq != 1 {
		t.Errorf("as of event 2: got %+v, want the version of event 1", h)
	}
	if a, err := db.Ask(t.Context(), schemas.PluralKit, "history", map[string]string{"tenant": "sys", "kind": "member", "id": "mX"}); err != nil || a.Found {
		t.Errorf("of nobody: got %s, %v, want nothing", a.Body, err)
	}
	if _, err := db.Ask(t.Context(), schemas.PluralKit, "history", map[string]string{"tenant": "sys", "kind": "sqlite_schema", "id": "x"}); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("of a kind there is not: got %v, want %v", err, schemas.ErrInvalid)
	}
}

// BenchmarkAsOf asks for the past of a tenant with 20,000 events: for the first
// time, and again.
func BenchmarkAsOf(b *testing.B) {
	db := openPast(b, asOfEvents(20_000))
	ask := func(seq int) {
		if _, err := db.Ask(b.Context(), schemas.PluralKit, "front", map[string]string{"tenant": "sys", engine.AsOf: fmt.Sprint(seq)}); err != nil {
			b.Fatal(err)
		}
	}
	at := 19_500
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			at-- // what is kept is of later moments
			ask(at)
		}
	})
	b.Run("next", func(b *testing.B) {
		ask(19_500)
		for b.Loop() {
			ask(19_500)
		}
	})
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Ask(b.Context(), schemas.PluralKit, "history", map[string]string{"tenant": "sys", "kind": "member", "id": "m3"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// asOfEvents is the life of one system.
func asOfEvents(n int) []schemas.Recorded {
	r := rand.New(rand.NewPCG(1, 2))
	var events []schemas.Recorded
	for i := range n {
		id := fmt.Sprintf("m%d", r.IntN(30))
		switch {
		case i < 30:
			events = append(events, frontingEvent(i+1, "CREATE_MEMBER", "sys", fmt.Sprintf("m%d", i), `{"name":"A"}`))
		case i%10 == 0:
			events = append(events, frontingEvent(i+1, "UPDATE_MEMBER", "sys", id, fmt.Sprintf(`{"pronouns":"they %d"}`, i)))
		default:
			events = append(events, frontingEvent(i+1, "CREATE_SWITCH", "sys", fmt.Sprintf("s%d", i), fmt.Sprintf(`{"id":"s%d","timestamp":%q,"members":[%q]}`, i,
				schemas.FormatTime(frontingEpoch.Add(time.Duration(i)*time.Minute)), id)))
		}
	}
	return events
}

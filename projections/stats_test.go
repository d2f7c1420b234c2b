package projections

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// askStats asks the query stats of a database.
func askStats(t testing.TB, db *DB, params map[string]string) pluralkit.Stats {
	t.Helper()
	params["tenant"] = "sys"
	a, err := db.Ask(t.Context(), schemas.PluralKit, "stats", params)
	if err != nil {
		t.Fatal(err)
	}
	var s pluralkit.Stats
	if err := json.Unmarshal(a.Body, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// switchesOf folds switches of the system sys: a time, then the members.
func switchesOf(t testing.TB, events []schemas.Recorded, switches ...string) *DB {
	t.Helper()
	for i, line := range switches {
		words := strings.Fields(line)
		members, err := json.Marshal(words[1:])
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("s%d", i)
		events = append(events, frontingEvent(len(events)+1, "CREATE_SWITCH", "sys", id, fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":%s}`, id, words[0], members)))
	}
	db := openFronting(t)
	applyFronting(t, db, events, 100)
	return db
}

// TestStatsWorkedExample: the day that PluralKit's documentation works out, to
// the minute, with names, of a member, a group and all.
func TestStatsWorkedExample(t *testing.T) {
	db := switchesOf(t, []schemas.Recorded{
		frontingEvent(1, "CREATE_MEMBER", "sys", "A", `{"name":"Ash","id":"aaaaa","display_name":"Ash of the Day"}`),
		frontingEvent(2, "CREATE_MEMBER", "sys", "B", `{"name":"Birch","id":"bbbbb"}`),
	}, "2026-03-01T08:00:00Z A", "2026-03-01T09:00:00Z A B", "2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z B")
	window := func() map[string]string {
		return map[string]string{"from": "2026-03-01T08:30:00Z", "to": "2026-03-01T12:00:00Z"}
	}
	s := askStats(t, db, window())
	if s.FrontedSeconds != 3*3600 || s.NobodySeconds != 1800 || s.MemberSeconds != 4*3600 || s.Switches != 3 || s.Timezone != "UTC" {
		t.Errorf("got %+v", s)
	}
	if s.From != "2026-03-01T08:30:00.000000Z" || s.KnownFrom != s.From || s.To != "2026-03-01T12:00:00.000000Z" {
		t.Errorf("range: got %s, %s, %s", s.From, s.KnownFrom, s.To)
	}
	var got []string
	for _, m := range s.Members {
		got = append(got, fmt.Sprintf("%s %s %d %.0f %.0f %.0f %.0f %.0f %.1f %.1f", *m.Name, *m.ID, m.Sessions, m.TotalSeconds/60,
			m.AverageSeconds/60, m.MedianSeconds/60, m.ShortestSeconds/60, m.LongestSeconds/60, m.Share, m.FlatShare))
	}
	for _, r := range s.PluralKit.Rows {
		name, only, flatOnly := "nobody", -1.0, -1.0
		if r.Member != nil {
			name, only, flatOnly = *r.Member.Name, *r.PercentFrontersOnly, *r.PercentFlatFrontersOnly
		}
		got = append(got, fmt.Sprintf("%s %.0f %.1f %.1f %.1f %.1f", name, r.Seconds/60, r.Percent, only, r.PercentFlat, flatOnly))
	}
	want := []string{
		"Birch bbbbb 2 150 75 75 60 90 71.4 62.5", "Ash aaaaa 1 90 90 90 90 90 42.9 37.5",
		"Birch 150 71.4 83.3 55.6 62.5", "Ash 90 42.9 50.0 33.3 37.5", "nobody 30 14.3 -1.0 11.1 -1.0",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(s.Pairs) != 1 || *s.Pairs[0].Members[0].Name != "Ash" || s.Pairs[0].TotalSeconds != 3600 {
		t.Errorf("pairs: got %+v, want Ash and Birch for an hour", s.Pairs)
	}
	if s.Gaps.Count != 1 || s.Gaps.Longest[0].Seconds != 1800 || s.Gaps.Longest[0].Started != "2026-03-01T10:00:00.000000Z" {
		t.Errorf("gaps: got %+v", s.Gaps)
	}
	if h := s.HoursSeconds[6]; h[8] != 1800 || h[9] != 3600 || h[10] != 1800 || h[11] != 3600 { // a Sunday
		t.Errorf("hours: got %v", h)
	}
	of := window()
	of["member"] = "AAAAA"
	if h := askStats(t, db, of).HoursSeconds[6]; h[8] != 1800 || h[9] != 3600 || h[10] != 0 {
		t.Errorf("hours of Ash: got %v", h)
	}
}

// TestStatsShares: shares of odd lengths add up to 100.0.
func TestStatsShares(t *testing.T) {
	db := switchesOf(t, nil, "2026-03-01T00:00:00Z A", "2026-03-01T00:00:01Z B", "2026-03-01T00:00:02Z C", "2026-03-01T00:00:03Z")
	sum := 0.0
	s := askStats(t, db, map[string]string{"range": "2026-03-01T00:00:00Z/2026-03-02T00:00:00Z"})
	for _, m := range s.Members {
		sum += m.FlatShare
	}
	if len(s.Members) != 3 || math.Abs(sum-100) > 1e-9 {
		t.Errorf("got %+v: %v, want shares of 100.0 together", s.Members, sum)
	}
}

// TestStatsTimezone: hours are those of the system's own clock, on the days on
// which it is put forward and back too, unless another zone is asked for.
func TestStatsTimezone(t *testing.T) {
	settings := []schemas.Recorded{frontingEvent(1, "UPDATE_SETTINGS", "sys", "", `{"timezone":"Europe/Berlin"}`)}
	for _, c := range []struct {
		day        string
		hours      []float64 // of the first five, on the wall
		zone, want string
	}{
		{"2026-03-29", []float64{3600, 3600, 0, 3600, 3600}, "", "Europe/Berlin"},
		{"2026-10-25", []float64{3600, 3600, 7200, 3600, 3600}, "", "Europe/Berlin"},
		{"2026-03-29", []float64{3600, 3600, 3600, 3600, 3600}, "UTC", "UTC"},
	} {
		day, err := time.Parse(time.DateOnly, c.day)
		if err != nil {
			t.Fatal(err)
		}
		db := switchesOf(t, settings, day.AddDate(0, 0, -1).Format(time.RFC3339)+" A", day.AddDate(0, 0, 1).Format(time.RFC3339))
		params := map[string]string{"from": day.AddDate(0, 0, -1).Format(time.RFC3339), "to": day.AddDate(0, 0, 2).Format(time.RFC3339)}
		if c.zone != "" {
			params["timezone"] = c.zone
		}
		s := askStats(t, db, params)
		if got := s.HoursSeconds[6][:5]; fmt.Sprint(got) != fmt.Sprint(c.hours) || s.Timezone != c.want {
			t.Errorf("%s: got %v in %s, want %v in %s", c.day, got, s.Timezone, c.hours, c.want)
		}
	}
}

// TestStatsGroup: of a group's members only, whose absence is nobody's front; a
// member that is deleted counts nowhere.
func TestStatsGroup(t *testing.T) {
	db := switchesOf(t, []schemas.Recorded{
		frontingEvent(1, "CREATE_MEMBER", "sys", "A", `{"name":"Ash"}`),
		frontingEvent(2, "CREATE_GROUP", "sys", "G", `{"name":"Trees","id":"ggggg"}`),
		frontingEvent(3, "CREATE_MEMBER", "sys", "D", `{"name":"Gone"}`),
	}, "2026-03-01T08:00:00Z A D", "2026-03-01T09:00:00Z B", "2026-03-01T10:00:00Z A B")
	err := db.Apply(t.Context(), "test", []schemas.Recorded{
		frontingEvent(7, schemas.GroupObserved, "sys", "G", `{"asked":"2026-01-01T00:00:07Z","object":{"name":"Trees","id":"ggggg","members":["A"]}}`),
		frontingEvent(8, "DELETE_MEMBER", "sys", "D", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	window := func() map[string]string {
		return map[string]string{"from": "2026-03-01T08:00:00Z", "to": "2026-03-01T11:00:00Z"}
	}
	s := askStats(t, db, window())
	if len(s.Members) != 2 || len(s.Groups) != 1 || *s.Groups[0].Name != "Trees" || s.Groups[0].TotalSeconds != 7200 || s.Groups[0].Share != 66.7 {
		t.Errorf("got %+v, %+v", s.Members, s.Groups)
	}
	of := window()
	of["group"] = "ggggg"
	s = askStats(t, db, of)
	if len(s.Members) != 1 || s.NobodySeconds != 3600 || s.PluralKit.Rows[1].Member != nil || len(s.Pairs) != 0 {
		t.Errorf("of the group: got %+v", s)
	}
}

func TestStatsRefuses(t *testing.T) {
	db := switchesOf(t, nil, "2026-03-01T08:00:00Z A")
	for _, params := range []map[string]string{
		{"range": "week"}, {"range": "0d"}, {"range": "-7d"}, {"range": "2026-01-01/"}, {"from": "2999-01-01T00:00:00Z"},
		{"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, {"member": "zzzzz"}, {"group": "zzzzz"},
		{"timezone": "Mars/Olympus"}, {"timezone": "Local"}, {"timezone": "../../etc/passwd"}, {"limit": "1"},
	} {
		params["tenant"] = "sys"
		if a, err := db.Ask(t.Context(), schemas.PluralKit, "stats", params); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%v: got %s, %v, want %v", params, a.Body, err, schemas.ErrInvalid)
		}
	}
	s := askStats(t, db, map[string]string{"range": "all"})
	if s.From != "2026-03-01T08:00:00.000000Z" || len(s.Members) != 1 {
		t.Errorf("all: got %+v, want from the first switch on", s)
	}
	if s := askStats(t, switchesOf(t, nil), map[string]string{"range": "all"}); s.Members == nil || s.KnownFrom != s.To {
		t.Errorf("without a switch: got %+v", s)
	}
}

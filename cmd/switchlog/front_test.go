package main

import (
	"testing"
	"time"
)

// TestFrontWords: who fronts, as a person says it, with what others wrote made plain.
func TestFrontWords(t *testing.T) {
	text := func(s string) *string { return &s }
	now := time.Now()
	us := func(ago time.Duration) int64 { return now.Add(-ago).UnixMicro() }
	at := func(ago time.Duration) string { return clock(now.Add(-ago), now) }
	member := func(name string, ago time.Duration) frontMember {
		return frontMember{UUID: "uuid-" + name, Name: text(name), SinceUS: us(ago)}
	}
	some := front{Switch: text("s"), SinceUS: new(int64)}
	of := func(members ...frontMember) front { f := some; f.Members = members; return f }
	*some.SinceUS = us(20 * time.Minute)
	const day = 24 * time.Hour
	for _, c := range []struct {
		f    front
		past bool
		want string
	}{
		{front{}, false, "No switch is known yet, so nobody is known to front."},
		{front{}, true, "No switch is known from before " + at(0) + "."},
		{of(), false, "Nobody fronts, since " + at(20*time.Minute) + " (20 min)."},
		{of(member("Alder", 3*time.Hour)), false, "Alder fronts, since " + at(3*time.Hour) + " (3 h)."},
		{of(member("Alder", 50*time.Hour)), true, "Alder fronted at " + at(0) + ", since " + at(50*time.Hour) + " (2 days 2 h)."},
		{of(member("Alder", day), member("Dune", day)), false, "Alder and Dune front, since " + at(day) + " (1 day)."},
		{of(member("A", 61*time.Minute), member("B", time.Second), member("C", time.Second)), false,
			"A, B and C front: A since " + at(61*time.Minute) + " (1 h 1 min), B since " + at(time.Second) + " (1 s), C since " + at(time.Second) + " (1 s)."},
		{of(frontMember{UUID: "u-1", DisplayName: text("Dusk"), Name: text(" "), SinceUS: us(0)}), false, "Dusk fronts, since " + at(0) + " (0 s)."},
		{of(frontMember{UUID: "u-1", ID: text("abcde"), SinceUS: us(0)}), false, "abcde fronts, since " + at(0) + " (0 s)."},
		{of(member("Al\x1b[31mder\u202e", 0)), false, "Al\ufffd[31mder\ufffd fronts, since " + at(0) + " (0 s)."},
		{of(member("Later", -time.Hour)), false, "Later fronts, since " + at(-time.Hour) + " (yet to come)."},
	} {
		if got := c.f.words(now, c.past); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 28, 18, 0, 0, 0, time.Local)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(-time.Hour), "17:00"}, {now.Add(-19 * time.Hour), "yesterday 23:00"}, {now.AddDate(0, 0, -3), "Wednesday 18:00"},
		{now.AddDate(0, 0, -7), "21 November 18:00"}, {now.AddDate(-1, 0, 0), "28 November 2025 18:00"}, {now.AddDate(0, 0, 1), "29 November 18:00"},
	} {
		if got := clock(c.at, now); got != c.want {
			t.Errorf("%s: got %s, want %s", c.at, got, c.want)
		}
	}
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 28, 18, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"3h": now.Add(-3 * time.Hour), "17:30": time.Date(2026, 11, 28, 17, 30, 0, 0, time.Local),
		"19:00":                time.Date(2026, 11, 27, 19, 0, 0, 0, time.Local),
		"2026-01-31 18:00":     time.Date(2026, 1, 31, 18, 0, 0, 0, time.Local),
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
		"2026-01-31T18:00:00Z": time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC),
	} {
		if got, err := parseMoment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "25:00", "2026-13-01", "-3h"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

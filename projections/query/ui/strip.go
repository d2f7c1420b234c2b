package ui

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxDaySwitches is how many switches of a day are drawn.
const maxDaySwitches = 1000

// maxRows is how many members a day's picture has; the others are in a number.
const maxRows = 40

// strip is a day as a picture and as a table: a row for each member who
// fronted in it.
type strip struct {
	Date    string // in words
	Day     string // 2026-01-31
	Summary phrase // one sentence
	Rows    []stripRow
	More    int // members that are not shown
	Hours   []tick
	Cut     bool // there were more switches than are drawn
}

// stripRow is one member's part of a day.
type stripRow struct {
	Person person
	Bars   []bar
	Total  string
	total  time.Duration
}

// bar is a time in which a member fronted; X and W are thousandths of the day.
type bar struct {
	X, W     string
	From, To string // clock times; "now" where it goes on
	For      string
}

// tick is a mark on the scale of hours.
type tick struct {
	X    string
	Text string
}

// day draws the day, in the view's zone, that a time is in.
func (h *Handler) day(ctx context.Context, v *view, system string, in time.Time) (strip, error) {
	t := in.In(v.Zone)
	from := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, v.Zone)
	to := time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, v.Zone)
	switches, err := h.timeline(ctx, system, from, to, maxDaySwitches)
	if err != nil {
		return strip{}, err
	}
	return v.strip(switches, from, to), nil
}

// strip draws the stretches, newest first, that touch a day.
func (v *view) strip(switches []stretch, from, to time.Time) strip {
	s := strip{Date: from.Format("Monday, 2 January 2006"), Day: from.Format(time.DateOnly), Cut: len(switches) == maxDaySwitches}
	end := to
	if v.Now.Before(end) {
		end = v.Now
	}
	rows := map[string]*stripRow{}
	var order []*stripRow
	last := map[string]time.Time{} // end of the member's latest bar
	begun := map[string]time.Time{}
	for _, st := range slices.Backward(switches) {
		a, b := later(st.Started, from), st.Ended
		if b.IsZero() || b.After(end) {
			b = end
		}
		if !a.Before(b) {
			continue
		}
		for _, m := range st.Members {
			r := rows[m.UUID]
			if r == nil {
				r = &stripRow{Person: v.person(m)}
				rows[m.UUID], order = r, append(order, r)
			}
			if !last[m.UUID].Equal(a) || len(r.Bars) == 0 {
				r.Bars, begun[m.UUID] = append(r.Bars, bar{}), a
			}
			r.Bars[len(r.Bars)-1] = v.bar(begun[m.UUID], b, from, to, end)
			r.total += b.Sub(a)
			last[m.UUID] = b
		}
	}
	slices.SortStableFunc(order, func(a, b *stripRow) int { return int(b.total/time.Second) - int(a.total/time.Second) })
	for _, r := range order[:min(len(order), maxRows)] {
		r.Total = span(r.total)
		s.Rows = append(s.Rows, *r)
	}
	s.More = len(order) - len(s.Rows)
	s.Hours = ticks(from, to)
	s.Summary = v.daySummary(order)
	return s
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// bar places a time within a day.
func (v *view) bar(a, b, from, to, end time.Time) bar {
	whole := to.Sub(from).Seconds()
	x, w := 1000*a.Sub(from).Seconds()/whole, 1000*b.Sub(a).Seconds()/whole
	w = max(w, 2) // a short time is seen, too
	out := bar{X: fmt.Sprintf("%.1f", min(x, 998)), W: fmt.Sprintf("%.1f", w), For: span(b.Sub(a)),
		From: a.In(v.Zone).Format("15:04"), To: b.In(v.Zone).Format("15:04")}
	switch {
	case b.Equal(to):
		out.To = "24:00"
	case b.Equal(end):
		out.To = "now"
	}
	return out
}

// ticks are every six hours of a day by the clock, which may have 23 or 25.
func ticks(from, to time.Time) []tick {
	var all []tick
	for hour := 0; hour < 24; hour += 6 {
		t := time.Date(from.Year(), from.Month(), from.Day(), hour, 0, 0, 0, from.Location())
		all = append(all, tick{X: fmt.Sprintf("%.1f", 1000*t.Sub(from).Seconds()/to.Sub(from).Seconds()), Text: t.Format("15:04")})
	}
	return all
}

func (v *view) daySummary(rows []*stripRow) phrase {
	switch len(rows) {
	case 0:
		return say("Nobody fronted on this day, as far as is known.")
	case 1:
		return say("", rows[0].Person.Name, " fronted for "+span(rows[0].total)+".")
	}
	return say(v.Words.Count(len(rows))+" fronted; ", rows[0].Person.Name, " the longest, for "+span(rows[0].total)+".")
}

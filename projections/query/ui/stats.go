package ui

import (
	"fmt"
	"slices"
	"time"
)

// ranges are the spans of time that statistics are made of.
var ranges = []link{{Text: "7 days", To: "7d"}, {Text: "30 days", To: "30d"}, {Text: "90 days", To: "90d"}, {Text: "A year", To: "365d"}, {Text: "All", To: "all"}}

// statsAnswer is the part of the answer to the query "stats" that pages show.
type statsAnswer struct {
	KnownFrom      time.Time `json:"known_from"`
	To             time.Time `json:"to"`
	FrontedSeconds float64   `json:"fronted_seconds"`
	NobodySeconds  float64   `json:"nobody_seconds"`
	Switches       int       `json:"switches"`
	SwitchesADay   float64   `json:"switches_a_day"`
	Members        []struct {
		member
		Sessions       int     `json:"sessions"`
		TotalSeconds   float64 `json:"total_seconds"`
		AverageSeconds float64 `json:"average_seconds"`
		LongestSeconds float64 `json:"longest_seconds"`
		Share          float64 `json:"share"`
	} `json:"members"`
	Pairs []struct {
		Members      [2]member `json:"members"`
		TotalSeconds float64   `json:"total_seconds"`
	} `json:"pairs"`
	HoursSeconds [7][24]float64 `json:"hours_seconds"`
}

// statsData is what the page of statistics shows.
type statsData struct {
	Ranges   []link
	Known    bool
	Since    moment
	Summary  phrase
	Fronted  string
	Nobody   string
	Switches int
	ADay     string
	Members  []statsRow
	More     int
	Pairs    []pairRow
	Days     []dayRow
	Busiest  phrase
	Hours    []int
}

// statsRow is a member's front time. W is the length of its bar in thousandths.
type statsRow struct {
	Person                  person
	W, Share                string
	Total, Average, Longest string
	Sessions                int
}

// pairRow is how long two members fronted together.
type pairRow struct {
	A, B  person
	Total string
}

// dayRow is a day of the week by hours.
type dayRow struct {
	Name  string
	Cells []hourCell
	Total string
}

// hourCell is an hour of a weekday; Level is from 0 (nothing) to 5 (the most).
type hourCell struct {
	X, Level int
}

const (
	maxStatsRows = 50
	maxPairRows  = 10
)

// statsPage shows front time.
func (h *Handler) statsPage(v *visit) error {
	system, err := h.choose(v, "statistics", "Statistics")
	if err != nil {
		return err
	}
	chosen := v.r.URL.Query().Get("range")
	if !slices.ContainsFunc(ranges, func(l link) bool { return l.To == chosen }) {
		chosen = "30d"
	}
	var a statsAnswer
	if err := h.ask(v.r.Context(), system, "stats", map[string]string{"range": chosen, "timezone": v.view.Zone.String()}, &a); err != nil {
		return err
	}
	d := v.view.stats(a)
	for _, l := range ranges {
		d.Ranges = append(d.Ranges, link{Text: l.Text, To: v.view.Base + "/statistics?range=" + l.To, Here: l.To == chosen})
	}
	h.render(v, 200, "statistics", d)
	return nil
}

func secondsSpan(s float64) string { return span(time.Duration(s * float64(time.Second))) }

func (v *view) stats(a statsAnswer) statsData {
	d := statsData{Known: a.KnownFrom.Before(a.To), Since: v.At(a.KnownFrom), Switches: a.Switches,
		Fronted: secondsSpan(a.FrontedSeconds), Nobody: secondsSpan(a.NobodySeconds), ADay: fmt.Sprintf("%.1f", a.SwitchesADay)}
	for i, m := range a.Members {
		if i == maxStatsRows {
			d.More = len(a.Members) - i
			break
		}
		d.Members = append(d.Members, statsRow{Person: v.person(m.member), W: fmt.Sprintf("%.1f", max(2, 1000*m.TotalSeconds/max(a.Members[0].TotalSeconds, 1))),
			Share: fmt.Sprintf("%.1f %%", m.Share), Total: secondsSpan(m.TotalSeconds), Average: secondsSpan(m.AverageSeconds),
			Longest: secondsSpan(m.LongestSeconds), Sessions: m.Sessions})
	}
	for _, p := range a.Pairs[:min(len(a.Pairs), maxPairRows)] {
		d.Pairs = append(d.Pairs, pairRow{v.person(p.Members[0]), v.person(p.Members[1]), secondsSpan(p.TotalSeconds)})
	}
	switch len(d.Members) {
	case 0:
		d.Summary = say("Nobody fronted in this time, as far as is known.")
	default:
		d.Summary = say(v.Words.Count(len(a.Members))+" fronted; ", d.Members[0].Person.Name, " the longest, for "+d.Members[0].Total+".")
	}
	v.hours(a, &d)
	return d
}

// weekdays begin with Monday, as the answer does.
var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// hours draws the hours of the week.
func (v *view) hours(a statsAnswer, d *statsData) {
	most, day, hour := 0.0, 0, 0
	for i, row := range a.HoursSeconds {
		for j, s := range row {
			if s > most {
				most, day, hour = s, i, j
			}
		}
	}
	for i, row := range a.HoursSeconds {
		out, sum := dayRow{Name: weekdays[i]}, 0.0
		for j, s := range row {
			level := 0
			if s > 0 {
				level = 1 + int(4*s/most)
			}
			out.Cells, sum = append(out.Cells, hourCell{X: j * 20, Level: level}), sum+s
		}
		out.Total = secondsSpan(sum)
		if sum == 0 {
			out.Total = "none"
		}
		d.Days = append(d.Days, out)
	}
	d.Hours = []int{0, 6, 12, 18}
	d.Busiest = say("In no hour anybody fronted.")
	if most > 0 {
		d.Busiest = say(fmt.Sprintf("The most front time is on %s from %d:00 to %d:00.", weekdays[day], hour, hour+1))
	}
}

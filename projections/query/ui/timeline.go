package ui

import (
	"fmt"
	"time"
)

// zooms are how many days the timeline shows.
var zooms = []int{1, 7, 31}

// timelineData is what the timeline shows.
type timelineData struct {
	Days    []strip // newest first
	Zoom    int
	Zooms   []link
	Older   string // address of the days before
	Newer   string // and after; empty: they are in the future
	Cut     bool   // there are more switches than were read
	Moment  string // what was typed in, as the field takes it
	At      moment
	There   phrase // who fronted at that moment
	People  []person
	Jumped  bool
	Default string // of the field
}

// link is an address with a text; Here is true for the page that is shown.
type link struct {
	Text, To string
	Here     bool
}

const (
	dayLayout    = "2006-01-02"
	minuteLayout = "2006-01-02T15:04" // of the field datetime-local
)

// timelinePage shows days as strips, and who fronted at a moment.
func (h *Handler) timelinePage(v *visit) error {
	system, err := h.choose(v, "timeline", "Timeline")
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	now := v.view.Now.In(v.view.Zone)
	d := timelineData{Zoom: 7, Default: now.Format(minuteLayout)}
	for _, zoom := range zooms {
		if q.Get("days") == fmt.Sprint(zoom) {
			d.Zoom = zoom
		}
	}
	last := now
	if text := q.Get("day"); text != "" {
		if last, err = time.ParseInLocation(dayLayout, text, v.view.Zone); err != nil {
			return badRequest("A day is written like 2026-01-31.")
		}
	}
	if text := q.Get("at"); text != "" {
		at, err := time.ParseInLocation(minuteLayout, text, v.view.Zone)
		if err != nil {
			return badRequest("A moment is written like 2026-01-31T14:00.")
		}
		if err := h.jump(v, system, at, &d); err != nil {
			return err
		}
		last, d.Moment = at, text
	}
	midnight := func(days int) time.Time {
		return time.Date(last.Year(), last.Month(), last.Day()+days, 0, 0, 0, 0, v.view.Zone)
	}
	from, to := midnight(1-d.Zoom), midnight(1)
	switches, err := h.timeline(v.r.Context(), system, from, to, maxDaySwitches)
	if err != nil {
		return err
	}
	d.Cut = len(switches) == maxDaySwitches
	for i := range d.Zoom {
		begin, end := midnight(-i), midnight(1-i)
		if d.Cut && !begin.After(switches[len(switches)-1].Started) {
			break // of these days not all is known here
		}
		s := v.view.strip(switches, begin, end)
		s.Cut = false
		d.Days = append(d.Days, s)
	}
	at := func(day time.Time) string {
		return fmt.Sprintf("%s/timeline?day=%s&days=%d", v.view.Base, day.Format(dayLayout), d.Zoom)
	}
	d.Older = at(midnight(-d.Zoom))
	if d.Cut {
		d.Older = at(midnight(-max(len(d.Days), 1)))
	}
	if next := midnight(d.Zoom); midnight(1).Before(now) {
		d.Newer = at(next)
	}
	for _, zoom := range zooms {
		text := fmt.Sprintf("%d days", zoom)
		if zoom == 1 {
			text = "1 day"
		}
		d.Zooms = append(d.Zooms, link{Text: text, Here: zoom == d.Zoom,
			To: fmt.Sprintf("%s/timeline?day=%s&days=%d", v.view.Base, last.Format(dayLayout), zoom)})
	}
	h.render(v, 200, "timeline", d)
	return nil
}

// jump finds who fronted at a moment.
func (h *Handler) jump(v *visit, system string, at time.Time, d *timelineData) error {
	f, err := h.front(v.r.Context(), system, at)
	if err != nil {
		return err
	}
	d.Jumped, d.At = true, v.view.At(at)
	var names []string
	for _, m := range f.Members {
		p := v.view.person(m)
		d.People, names = append(d.People, p), append(names, p.Name)
	}
	switch {
	case at.After(v.view.Now):
		d.There, d.People = say("This moment is yet to come."), nil
	case f.SwitchUUID == "":
		d.There = say("Nothing is known of this moment: the first switch is later.")
	case len(names) == 0:
		d.There = say("Nobody fronted.")
	default:
		d.There = append(list(names), piece{Text: " fronted."})
	}
	return nil
}

package ui

import (
	"fmt"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // people's zones, also where the machine has none
	"unicode/utf8"
)

// view is what every page knows: who sees it, of which system, and how she
// wants it.
type view struct {
	Title    string // of the page
	Reader   Reader
	SignedIn bool
	System   System
	Base     string // path that the pages of the system begin with; empty: no system is chosen
	Several  bool   // there are other systems to choose
	Here     string // the page's name in the navigation
	Path     string // to come back to
	Words    words
	Discreet bool
	Legible  bool // the font that is easy to read
	Avatars  bool // pictures are shown
	Zone     *time.Location
	Guessed  bool // the zone is not the person's own choice
	Now      time.Time
	Operator bool
	Docs     bool
	Data     any
}

// words are what a member is called on pages.
type words struct{ One, Many string }

var defaultWords = words{"member", "members"}

// parseWords reads "headmate/headmates", or "headmate", to which an s is
// added. What is empty or too long gives the default.
func parseWords(text string) words {
	one, many, _ := strings.Cut(text, "/")
	one, many = strings.TrimSpace(one), strings.TrimSpace(many)
	if one == "" || utf8.RuneCountInString(text) > maxWordRunes {
		return defaultWords
	}
	if many == "" {
		many = one + "s"
	}
	return words{one, many}
}

const maxWordRunes = 60

// Count is a number with the word for it.
func (w words) Count(n int) string {
	if n == 1 {
		return "1 " + w.One
	}
	return fmt.Sprintf("%d %s", n, w.Many)
}

// Title has the plural as a heading begins: with a capital.
func (w words) Title() string { return capital(w.Many) }

func capital(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return strings.ToUpper(string(r)) + text[size:]
}

func (h *Handler) newView(v *visit) view {
	out := view{
		Reader: v.reader, SignedIn: v.reader.Name != "", Path: v.r.URL.RequestURI(),
		Words: h.words, Discreet: chosen(v.r, cookieDiscreet) != "", Legible: chosen(v.r, cookieFont) == "legible",
		Now: h.Now(), Operator: v.reader.Operator && h.Operator != nil, Docs: h.Documents != nil,
	}
	out.Avatars = h.ShowAvatars && !out.Discreet
	if text := chosen(v.r, cookieWords); text != "" {
		out.Words = parseWords(text)
	}
	if v.r.Method != http.MethodGet {
		out.Path = "/"
	}
	system := v.r.PathValue("system")
	if out.Zone = loadZone(chosen(v.r, cookieZone)); out.Zone == nil {
		out.Guessed = true
		if system != "" && out.SignedIn {
			out.Zone = h.zone(v.r.Context(), system)
		}
		if out.Zone == nil {
			out.Zone = time.UTC
		}
	}
	return out
}

// loadZone finds a zone by its name, or gives nil. The machine's own is none
// of a person.
func loadZone(name string) *time.Location {
	if name == "" || name == "Local" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

// ZoneText names the zone and its offset now.
func (v *view) ZoneText() string {
	name, offset := v.Now.In(v.Zone).Zone()
	text := fmt.Sprintf("UTC%+03d:%02d", offset/3600, abs(offset)/60%60)
	if !strings.HasPrefix(name, "+") && !strings.HasPrefix(name, "-") {
		text = name + ", " + text
	}
	if v.Zone == time.UTC || v.Zone.String() == "UTC" {
		return "UTC"
	}
	return v.Zone.String() + " (" + text + ")"
}

func abs(n int) int { return max(n, -n) }

// PageTitle is the browser's title of the page. In discreet mode it says
// nothing.
func (v *view) PageTitle() string {
	if v.Discreet {
		return "Dashboard"
	}
	return v.Title + " · switchlog"
}

// SystemName is what the system is called.
func (v *view) SystemName() string {
	switch {
	case v.System.UUID == "":
		return ""
	case v.Discreet:
		return initials(v.System.Name)
	case v.System.Name == "":
		return "System without a name"
	}
	return visible(v.System.Name)
}

// moment is a time as pages show it.
type moment struct{ ISO, Text string }

// At shows a time: of today by its clock time, else with its day.
func (v *view) At(t time.Time) moment {
	t = t.In(v.Zone)
	layout := "2 Jan 2006, 15:04"
	switch days := daysBetween(t, v.Now.In(v.Zone)); {
	case days == 0:
		layout = "15:04"
	case days == 1:
		layout = "'yesterday', 15:04"
	case days > 0 && t.Year() == v.Now.In(v.Zone).Year():
		layout = "2 Jan, 15:04"
	}
	text := strings.ReplaceAll(t.Format(layout), "'", "")
	return moment{ISO: t.UTC().Format(time.RFC3339), Text: text}
}

// daysBetween counts the midnights from a to b.
func daysBetween(a, b time.Time) int {
	day := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	}
	return int(day(b).Sub(day(a)) / (24 * time.Hour))
}

// span says how long something takes, in at most two units.
func span(d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case d < time.Minute:
		return "less than a minute"
	case days > 0 && hours > 0 && days < 7:
		return fmt.Sprintf("%d d %d h", days, hours)
	case days > 0:
		return fmt.Sprintf("%d d", days)
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	}
	return fmt.Sprintf("%d min", minutes)
}

// NameOf is what a system in a list is called.
func (v *view) NameOf(s System) string {
	shown := *v
	shown.System = s
	return shown.SystemName()
}

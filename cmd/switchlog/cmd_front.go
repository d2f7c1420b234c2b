package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/schemas"
)

// front is who fronts in a system, or did: the answer to the query "front".
type front struct {
	System  string        `json:"system_uuid"`
	Name    *string       `json:"name"`        // null: not known
	Switch  *string       `json:"switch_uuid"` // null: no switch is known
	Since   *string       `json:"since"`       // of the switch
	SinceUS *int64        `json:"since_us"`
	Members []frontMember `json:"members"`
}

type frontMember struct {
	UUID        string  `json:"uuid"`
	ID          *string `json:"id"`
	Name        *string `json:"name"`
	DisplayName *string `json:"display_name"`
	Pronouns    *string `json:"pronouns"`
	Color       *string `json:"color"`
	Since       string  `json:"since"` // of the member's whole run through consecutive switches
	SinceUS     int64   `json:"since_us"`
}

func (m frontMember) name() string { return memberName(m.Name, m.DisplayName, m.ID, m.UUID) }

// memberName is the first of a member's names that is known.
func memberName(name, display, id *string, uuid string) string {
	for _, n := range []*string{name, display, id} {
		if n != nil && strings.TrimSpace(*n) != "" {
			return terminal.Plain(*n)
		}
	}
	return terminal.Plain(uuid)
}

func newFront() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "front",
		Short: "Who fronts, and since when",
		Long: "Who fronts, and since when: a member's whole run through consecutive switches. Times are those of this\n" +
			"machine's clock. Without --tenant: of every system there is; --json is then a list, unless there is one.",
		Example: "  switchlog front\n" +
			"  switchlog front --at '2026-01-31 18:00'\n" +
			"  switchlog front --at 3h",
	}
	tenant := cmd.Flags().String("tenant", "", "only this system, by its uuid")
	at := cmd.Flags().String("at", "", "who fronted then: 18:00, '2026-01-31 18:00', RFC 3339, or a duration ago (3h)")
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		q := url.Values{}
		when := time.Now()
		if *at != "" {
			var err error
			if when, err = parseMoment(*at, when); err != nil {
				return fmt.Errorf("%w: --at %w", errUsage, err)
			}
			q.Set("at", schemas.FormatTime(when))
		}
		if *tenant != "" {
			q.Set("tenant", *tenant)
		}
		fronts := []front{}
		if err := c.call(ctx, "GET", "/api/admin/front?"+q.Encode(), nil, &fronts); err != nil {
			return err
		}
		if c.json() && len(fronts) == 1 {
			return printJSON(c.out, fronts[0])
		}
		if c.format != formatTable || c.cmd.Flags().Changed("format") {
			return c.rows(fronts, frontTable(fronts))
		}
		if len(fronts) == 0 {
			return c.say("no system is known yet (hint: switchlog source add pluralkit --help)")
		}
		return printFronts(c.out, fronts, when, *at != "")
	})
}

// printFronts writes a sentence for each system; named if there is more than one.
func printFronts(w io.Writer, fronts []front, when time.Time, past bool) error {
	for _, f := range fronts {
		mark := ""
		if len(fronts) > 1 {
			mark = f.name() + ": "
		}
		terminal.PrintWrapped(w, terminal.Plain(mark), f.words(when, past))
	}
	return nil
}

func frontTable(fronts []front) *terminal.Table {
	t := terminal.NewTable("SYSTEM", "MEMBER", "ID", "SINCE")
	for _, f := range fronts {
		for _, m := range f.Members {
			t.Add(f.name(), m.name(), deref(m.ID), m.Since)
		}
	}
	return t
}

func (f front) name() string { return memberName(f.Name, nil, nil, f.System) }

// words says in a sentence who fronts, or fronted, at a moment; since when, in
// local time, and how long that was then.
func (f front) words(at time.Time, past bool) string {
	verb := func(one, many string) string { return counted(max(len(f.Members), 1), one, many) }
	does := verb("fronts", "front")
	if past {
		does = "fronted at " + clock(at, time.Now())
	}
	switch {
	case f.Switch == nil && past:
		return "No switch is known from before " + clock(at, time.Now()) + "."
	case f.Switch == nil:
		return "No switch is known yet, so nobody is known to front."
	case len(f.Members) == 0:
		return fmt.Sprintf("Nobody %s, since %s.", does, since(*f.SinceUS, at))
	}
	names := make([]string, len(f.Members))
	same := true
	for i, m := range f.Members {
		names[i] = m.name()
		same = same && m.SinceUS == f.Members[0].SinceUS
	}
	who := joinNames(names) + " " + does
	if same {
		return fmt.Sprintf("%s, since %s.", who, since(f.Members[0].SinceUS, at))
	}
	each := make([]string, len(f.Members))
	for i, m := range f.Members {
		each[i] = fmt.Sprintf("%s since %s", names[i], since(m.SinceUS, at))
	}
	return who + ": " + strings.Join(each, ", ") + "."
}

// joinNames is a list as a person says it.
func joinNames(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// since is a moment and how long it is before another.
func since(us int64, at time.Time) string {
	t := time.UnixMicro(us)
	return clock(t, time.Now()) + " (" + length(at.Sub(t)) + ")"
}

// clock is a moment by the clock of this machine, with as much of its date as
// it takes to know the day.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	days := func(a time.Time) int64 {
		return time.Date(a.Year(), a.Month(), a.Day(), 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
	}
	switch ago := days(now) - days(t); {
	case ago == 0:
		return t.Format("15:04")
	case ago == 1:
		return "yesterday " + t.Format("15:04")
	case ago > 1 && ago < 7:
		return t.Format("Monday 15:04")
	case t.Year() == now.Year():
		return t.Format("2 January 15:04")
	}
	return t.Format("2 January 2006 15:04")
}

// length is a duration in words, to its two largest units.
func length(d time.Duration) string {
	if d < 0 {
		return "yet to come"
	}
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case days > 0 && hours > 0:
		return fmt.Sprintf("%d %s %d h", days, counted(days, "day", "days"), hours)
	case days > 0:
		return fmt.Sprintf("%d %s", days, counted(days, "day", "days"))
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	case minutes > 0:
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d s", int(d/time.Second))
}

// parseMoment reads a moment as a person writes it, by the clock of this machine
// where no zone is given: 18:00 is the last time it was that.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if t, err := time.Parse("15:04", text); err == nil {
		l := now.Local()
		at := time.Date(l.Year(), l.Month(), l.Day(), t.Hour(), t.Minute(), 0, 0, time.Local)
		if at.After(now) {
			at = time.Date(l.Year(), l.Month(), l.Day()-1, t.Hour(), t.Minute(), 0, 0, time.Local)
		}
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%q: want 18:00, 2026-01-31 18:00, 2026-01-31T18:00:00Z, or a duration ago such as 3h", terminal.Plain(text))
}

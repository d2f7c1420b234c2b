package pluralkit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// String is the report in plain words, a line for each thing to know.
func (r Report) String() string {
	var b strings.Builder
	how := "looked at"
	if r.DryRun {
		how = "only looked at, so that nothing is put right,"
	}
	fmt.Fprintf(&b, "%s: %s in %.1f s with %s to PluralKit; state %s\n", r.System, how, r.Took.Seconds(), count(r.Requests, "request"), r.State)
	if len(r.Repairs) == 0 {
		b.WriteString("  nothing was different\n")
	}
	for _, kind := range []struct {
		of    func(Repair) int
		says  string
		would string
	}{
		{func(p Repair) int { return p.Missing }, "was missing, and is added", "is missing, and would be added"},
		{func(p Repair) int { return p.Wrong }, "was wrong, and is put right", "is wrong, and would be put right"},
		{func(p Repair) int { return p.Extra }, "is gone from PluralKit, and is marked so", "is gone from PluralKit, and would be marked so"},
		{func(p Repair) int { return p.Unsaid }, "is completed with what no webhook tells", "would be completed with what no webhook tells"},
	} {
		if list := r.list(kind.of); list != "" {
			says := kind.says
			if r.DryRun {
				says = kind.would
			}
			fmt.Fprintf(&b, "  %s: %s\n", says, list)
		}
	}
	if l := r.Late; l.Count > 0 {
		fmt.Fprintf(&b, "  of %s it is known how late: the oldest %s, half of them %s or more\n",
			count(l.Count, "thing"), length(l.Oldest), length(l.Median))
	}
	switch {
	case r.First:
		b.WriteString("  this is the first look: what was there before is not counted as missed\n")
	case r.Heard+r.missed() == 0:
		b.WriteString("  webhooks brought nothing, and nothing had changed\n")
	default:
		fmt.Fprintf(&b, "  webhooks brought %s, %.0f %% of what changed\n", count(r.Heard, "event"), 100*r.Coverage())
	}
	r.left(&b)
	return b.String()
}

// list names what there is of a kind, by noun.
func (r Report) list(of func(Repair) int) string {
	var parts []string
	for _, noun := range slices.Sorted(maps.Keys(r.Repairs)) {
		if n := of(r.Repairs[noun]); n > 0 {
			parts = append(parts, count(n, strings.ReplaceAll(noun, "_", " ")))
		}
	}
	return strings.Join(parts, ", ")
}

// left says what was found and not put right.
func (r Report) left(b *strings.Builder) {
	if r.Unheard > 0 {
		fmt.Fprintf(b, "  messages: about %d were not announced, and cannot be asked for\n", r.Unheard)
	}
	if r.Disputed > 0 {
		fmt.Fprintf(b, "  %s announced as deleted, but PluralKit still has it: left as deleted\n", count(r.Disputed, "thing"))
	}
	if r.Refused > 0 {
		fmt.Fprintf(b, "  %s: what PluralKit says cannot be taken, and is not said again (hint: the table skipped has the reasons)\n", count(r.Refused, "thing"))
	}
	if r.Unlistable > 0 {
		fmt.Fprintf(b, "  at %s there are more switches than PluralKit lists\n", count(r.Unlistable, "moment"))
	}
	if len(r.Deferred) > 0 {
		fmt.Fprintf(b, "  to be looked at again: %s\n", strings.Join(r.Deferred, ", "))
	}
}

// count is a number of things, in English.
func count(n int, noun string) string {
	switch {
	case n == 1 || noun == "settings" || noun == "autoproxy":
	case strings.HasSuffix(noun, "ch"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// length is a time as people say it: its two largest parts.
func length(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

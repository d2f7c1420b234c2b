package pluralkit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Report is what a reconciliation found.
type Report struct {
	System string
	Depth  Depth
	DryRun bool
	Began  time.Time
	Took   time.Duration
	State  State

	Emitted int               // events appended; of a dry run: that would have been
	Repairs map[string]Repair // by noun: member, group, switch, …; those without any are not in it
	Heard   int               // events that webhooks brought since the last look at the lists
	// Unheard is by how much PluralKit's message counters are ahead of those
	// we hold: messages whose webhook was lost, or is still on its way.
	Unheard int64
	// Disputed things are listed by PluralKit though it said they were
	// deleted for good. They are left alone.
	Disputed int
	// Unlistable moments have more switches than PluralKit can list.
	Unlistable int
	// Deferred is what did not hold still, or could not all be asked for; it
	// is looked at again.
	Deferred []string
	// Differences says what was different, at most 100: the noun, the id and
	// the names of fields; no values.
	Differences []string
}

// Repair counts what was different, by kind.
type Repair struct {
	Missing int // PluralKit has it, we did not
	Wrong   int // we held something else
	Extra   int // we held it, PluralKit does not have it
	Unsaid  int // only what no webhook ever tells: short ids, order in a switch, who is in a group
}

// maxDifferences are told in a Report.
const maxDifferences = 100

func newReport(system string, dryRun bool) Report {
	return Report{System: system, DryRun: dryRun, Began: time.Now(), Repairs: map[string]Repair{}}
}

// finding is which of a Repair's counts.
type finding string

const (
	missing finding = "missing"
	wrong   finding = "wrong"
	extra   finding = "extra"
	unsaid  finding = "unsaid"
)

func (r *Report) found(f finding, noun, id, what string) {
	counts := r.Repairs[noun]
	switch f {
	case missing:
		counts.Missing++
	case wrong:
		counts.Wrong++
	case extra:
		counts.Extra++
	case unsaid:
		counts.Unsaid++
	default:
		panic("pluralkit: no such finding: " + string(f))
	}
	r.Repairs[noun] = counts
	r.Emitted++
	if len(r.Differences) < maxDifferences {
		line := string(f) + ": " + noun + " " + id
		if what != "" {
			line += " (" + what + ")"
		}
		r.Differences = append(r.Differences, line)
	}
}

// add counts another report in. What is of one look alone stays as it is.
func (r *Report) add(o Report) {
	for noun, p := range o.Repairs {
		q := r.Repairs[noun]
		r.Repairs[noun] = Repair{q.Missing + p.Missing, q.Wrong + p.Wrong, q.Extra + p.Extra, q.Unsaid + p.Unsaid}
	}
	r.Emitted += o.Emitted
	r.Heard += o.Heard
	r.Unheard += o.Unheard
	r.Took += o.Took
}

// Total is all kinds of things together.
func (r Report) Total() Repair {
	var t Repair
	for _, p := range r.Repairs {
		t.Missing += p.Missing
		t.Wrong += p.Wrong
		t.Extra += p.Extra
		t.Unsaid += p.Unsaid
	}
	return t
}

// Coverage is which part of what changed webhooks brought before this look had
// to, from 0 to 1; 1 when nothing changed.
func (r Report) Coverage() float64 {
	t := r.Total()
	repaired := t.Missing + t.Wrong + t.Extra
	if r.Heard+repaired == 0 {
		return 1
	}
	return float64(r.Heard) / float64(r.Heard+repaired)
}

// String is the report in plain words, a line for each thing to know.
func (r Report) String() string {
	var b strings.Builder
	t := r.Total()
	repaired := t.Missing + t.Wrong + t.Extra
	verb := "repaired"
	if r.DryRun {
		verb = "would be repaired"
	}
	fmt.Fprintf(&b, "%s: state %s; ", r.System, r.State)
	switch {
	case repaired+t.Unsaid == 0:
		b.WriteString("what we hold is what PluralKit says")
	default:
		fmt.Fprintf(&b, "%d %s (%d missing, %d wrong, %d extra), %d completed", repaired, verb, t.Missing, t.Wrong, t.Extra, t.Unsaid)
	}
	fmt.Fprintf(&b, "; webhooks brought %d events, %.0f %% of what changed\n", r.Heard, 100*r.Coverage())
	for _, noun := range slices.Sorted(maps.Keys(r.Repairs)) {
		p := r.Repairs[noun]
		fmt.Fprintf(&b, "  %s: %d missing, %d wrong, %d extra, %d completed\n", noun, p.Missing, p.Wrong, p.Extra, p.Unsaid)
	}
	if r.Unheard > 0 {
		fmt.Fprintf(&b, "  messages: about %d were not announced, and cannot be asked for\n", r.Unheard)
	}
	if r.Disputed > 0 {
		fmt.Fprintf(&b, "  %d things were announced as deleted, but PluralKit still has them: left as deleted\n", r.Disputed)
	}
	if r.Unlistable > 0 {
		fmt.Fprintf(&b, "  at %d moments there are more switches than PluralKit lists\n", r.Unlistable)
	}
	if len(r.Deferred) > 0 {
		fmt.Fprintf(&b, "  to be looked at again: %s\n", strings.Join(r.Deferred, ", "))
	}
	return b.String()
}

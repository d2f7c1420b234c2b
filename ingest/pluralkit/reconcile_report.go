package pluralkit

import "time"

// A Report is what a reconciliation found.
type Report struct {
	System string
	Depth  Depth
	DryRun bool
	Began  time.Time
	Took   time.Duration
	State  State
	First  bool // PluralKit was never asked before: what is found is the past, and nobody missed it

	Emitted  int               // events appended of what was different; of a dry run: that would have been
	Requests int               // to PluralKit, repeated ones included
	Late     Late              // how old what was missing was
	Repairs  map[string]Repair // by noun: member, group, switch, …; those without any are not in it
	Heard    int               // events that webhooks brought since the last look at the lists
	// Unheard is by how much PluralKit's message counters are ahead of those
	// we hold: messages whose webhook was lost, or is still on its way.
	Unheard int64
	// Disputed things are listed by PluralKit though it said they were
	// deleted for good. They are left alone.
	Disputed int
	// Refused things differ, and what PluralKit says of them was said before and
	// not taken: most are in the table skipped, with the reason.
	Refused int
	// Unlistable moments have more switches than PluralKit can list.
	Unlistable int
	// Deferred is what changed meanwhile, or could not all be asked for; it
	// is looked at again.
	Deferred []string
	// Differences says what was different, at most 100: the noun, the id and
	// the names of fields; no values.
	Differences []string

	late ages           // of single things
	tell func(Progress) // is told how far the look is; nil: nobody is
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

func (r *Report) found(d difference) {
	counts := r.Repairs[d.noun]
	switch d.of {
	case missing:
		counts.Missing++
	case wrong:
		counts.Wrong++
	case extra:
		counts.Extra++
	case unsaid:
		counts.Unsaid++
	default:
		panic("pluralkit: no such finding: " + string(d.of))
	}
	r.Repairs[d.noun] = counts
	r.Emitted++
	if d.of == missing && !d.born.IsZero() {
		r.late.add(r.Began.Sub(d.born))
	}
	if len(r.Differences) < maxDifferences {
		line := string(d.of) + ": " + d.noun + " " + d.id
		if d.what != "" {
			line += " (" + d.what + ")"
		}
		r.Differences = append(r.Differences, line)
	}
}

// add counts another report in, but for what a first look found. What is of one
// look alone stays as it is.
func (r *Report) add(o Report) {
	if o.First {
		o.Repairs, o.Emitted = nil, 0
	}
	for noun, p := range o.Repairs {
		q := r.Repairs[noun]
		r.Repairs[noun] = Repair{q.Missing + p.Missing, q.Wrong + p.Wrong, q.Extra + p.Extra, q.Unsaid + p.Unsaid}
	}
	r.Emitted += o.Emitted
	r.Heard += o.Heard
	r.Unheard += o.Unheard
	r.Took += o.Took
	r.Requests += o.Requests
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
	missed := r.missed()
	if r.Heard+missed == 0 {
		return 1
	}
	return float64(r.Heard) / float64(r.Heard+missed)
}

// missed is what webhooks should have brought and did not.
func (r Report) missed() int {
	if r.First {
		return 0
	}
	t := r.Total()
	return t.Missing + t.Wrong + t.Extra
}

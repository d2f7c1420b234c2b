package pluralkit

import (
	"slices"
	"time"

	"switchlog/schemas"
)

// Late is how old what was missing was when a look found it, where PluralKit
// says when it came to be: members, groups and switches. What a first look
// finds is not late.
type Late struct {
	Count          int // things of which it is known
	Oldest, Median time.Duration
}

// ages are those of single things.
type ages struct {
	all    []time.Duration // at most maxAges
	count  int
	oldest time.Duration
}

// maxAges are kept for the median: 800 KB.
const maxAges = 100_000

func (a *ages) add(d time.Duration) {
	d = max(d, 0) // a switch may lie in the future, and clocks differ
	a.count++
	a.oldest = max(a.oldest, d)
	if len(a.all) < maxAges {
		a.all = append(a.all, d)
	}
}

// late sums them up.
func (a *ages) late() Late {
	if a.count == 0 {
		return Late{}
	}
	sorted := slices.Sorted(slices.Values(a.all))
	return Late{Count: a.count, Oldest: a.oldest, Median: sorted[(len(sorted)-1)/2]}
}

// born is when a thing that PluralKit has came to be; zero: it does not say.
func born(said schemas.Object) time.Time {
	if us, ok := micros(said["created"]); ok {
		return time.UnixMicro(us)
	}
	return time.Time{}
}

// Progress is how far a look has come.
type Progress struct {
	Step  Step
	Done  int
	Total int // 0: not known
}

// Step is a part of a look.
type Step string

// The steps there are, in order.
const (
	StepLists   Step = "lists"   // the system, its settings, members, groups and who fronts
	StepHistory Step = "history" // switches, of which nobody knows how many there are
	StepServers Step = "servers" // what PluralKit lists nowhere: settings in servers, accounts
	StepAgain   Step = "again"   // what changed meanwhile: looked at once more
)

// tell tells whoever asked how far the look is.
func (l *look) tell(s Step, done, total int) {
	if l.report.tell != nil {
		l.report.tell(Progress{s, done, total})
	}
}

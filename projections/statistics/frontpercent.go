package statistics

import (
	"cmp"
	"slices"
)

// A Breakdown is PluralKit's front breakdown (pk;system frontpercent).
type Breakdown struct {
	StartUS int64 // its range begins at the first switch, if that is after the start of the period
	EndUS   int64
	Rows    []Row // by time, the longest first; then by uuid
}

// Row is one member's part of a breakdown, or nobody's, whose UUID is empty.
type Row struct {
	UUID    string
	TotalUS int64
	Percent Percentages
}

// Percentages are PluralKit's four, by what is 100: not rounded. Nobody has
// none of the two without nobody.
type Percentages struct {
	Range            float64 // the whole range; together more than 100 where members co-front
	FrontersOnly     float64 // the range without the time in which nobody fronted
	Flat             float64 // the time of all rows together
	FlatFrontersOnly float64 // the time of all members together
}

// Frontpercent computes what PluralKit's own command shows for the period from
// fromUS to toUS (its command: 30 days to now). Its rules differ from those of
// [Compute]: switches of one timestamp are one, and a member that is in two of
// them counts twice. Only may name the members that count (those of a group; an
// entry without any of them is nobody's); nil: all do.
//
// Switches are in order of time, back to the last one before fromUS. Source:
// PluralKit's SwitchRepository.GetFrontBreakdown.
func Frontpercent(switches []Switch, fromUS, toUS int64, only map[string]bool) Breakdown {
	b := Breakdown{StartUS: toUS, EndUS: toUS}
	total := make(map[string]int64)
	var nobodyUS int64
	counted := false
	end := toUS
	for i := len(switches) - 1; i >= 0 && end > fromUS; i-- {
		if switches[i].StartUS >= toUS {
			continue
		}
		first := i
		for first > 0 && switches[first-1].StartUS == switches[i].StartUS {
			first--
		}
		start := max(switches[i].StartUS, fromUS)
		found := false
		for _, s := range switches[first : i+1] {
			for _, uuid := range s.Members {
				if only == nil || only[uuid] {
					total[uuid] += end - start
					found = true
				}
			}
		}
		if !found {
			nobodyUS, counted = nobodyUS+end-start, true
		}
		b.StartUS = start
		end, i = switches[i].StartUS, first
	}
	if counted {
		total[""] = nobodyUS
	}
	for uuid, us := range total {
		b.Rows = append(b.Rows, Row{UUID: uuid, TotalUS: us})
	}
	slices.SortFunc(b.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.TotalUS, a.TotalUS), cmp.Compare(a.UUID, b.UUID))
	})
	b.percentages(nobodyUS)
	return b
}

func (b *Breakdown) percentages(nobodyUS int64) {
	var flat int64
	for _, r := range b.Rows {
		flat += r.TotalUS
	}
	of := func(part, whole int64) float64 {
		if whole == 0 {
			return 0
		}
		return float64(part) / float64(whole) * 100
	}
	length := b.EndUS - b.StartUS
	for i := range b.Rows {
		r := &b.Rows[i]
		r.Percent = Percentages{Range: of(r.TotalUS, length), Flat: of(r.TotalUS, flat)}
		if r.UUID != "" {
			r.Percent.FrontersOnly, r.Percent.FlatFrontersOnly = of(r.TotalUS, length-nobodyUS), of(r.TotalUS, flat-nobodyUS)
		}
	}
}

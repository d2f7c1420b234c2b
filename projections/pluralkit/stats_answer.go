package pluralkit

import (
	"switchlog/projections/statistics"
	"switchlog/schemas"
	"time"
)

// describe makes the answer of what was computed.
func (r *statsReader) describe(s statistics.Statistics) Stats {
	out := Stats{
		FrontedSeconds: seconds(s.FrontedUS), NobodySeconds: seconds(s.NobodyUS), MemberSeconds: seconds(s.MemberUS),
		Switches: s.Switches, PairsOmitted: s.PairsLimit,
		Members: []MemberStats{}, Groups: []GroupStats{}, Pairs: []PairStats{},
		Gaps: GapStats{Count: s.Gaps.Count, LongestSeconds: seconds(s.Gaps.LongestUS), Longest: []Gap{}},
	}
	if s.Days > 0 {
		out.SwitchesADay = float64(s.Switches) / s.Days
	}
	for _, m := range s.Members {
		out.Members = append(out.Members, MemberStats{
			Named: r.member(m.UUID), Sessions: m.Sessions, TotalSeconds: seconds(m.TotalUS),
			AverageSeconds: seconds(m.AverageUS), MedianSeconds: seconds(m.MedianUS),
			ShortestSeconds: seconds(m.ShortestUS), LongestSeconds: seconds(m.LongestUS),
			Share: m.Share, FlatShare: m.FlatShare,
		})
	}
	for _, g := range s.Groups {
		if named, known := r.groups[g.UUID]; known {
			out.Groups = append(out.Groups, GroupStats{Named: named, TotalSeconds: seconds(g.TotalUS), Share: g.Share})
		}
	}
	for _, g := range s.Gaps.List {
		out.Gaps.Longest = append(out.Gaps.Longest, Gap{Started: instantOf(g.StartUS), Ended: instantOf(g.EndUS), Seconds: seconds(g.EndUS - g.StartUS)})
	}
	for _, p := range s.Pairs {
		out.Pairs = append(out.Pairs, PairStats{Members: [2]Named{r.member(p.A), r.member(p.B)}, TotalSeconds: seconds(p.TotalUS)})
	}
	for day, hours := range s.Hours {
		for hour, us := range hours {
			out.HoursSeconds[day][hour] = seconds(us)
		}
	}
	return out
}

func (r *statsReader) breakdown(b statistics.Breakdown) Breakdown {
	out := Breakdown{From: instantOf(b.StartUS), To: instantOf(b.EndUS), Rows: []BreakdownRow{}}
	for _, row := range b.Rows {
		one := BreakdownRow{Seconds: seconds(row.TotalUS), Percent: row.Percent.Range, PercentFlat: row.Percent.Flat}
		if row.UUID != "" {
			named := r.member(row.UUID)
			one.Member, one.PercentFrontersOnly, one.PercentFlatFrontersOnly = &named, &row.Percent.FrontersOnly, &row.Percent.FlatFrontersOnly
		}
		out.Rows = append(out.Rows, one)
	}
	return out
}

// member is a member with its names; of one nobody has told of there is the uuid.
func (r *statsReader) member(uuid string) Named {
	if named, known := r.members[uuid]; known {
		return named
	}
	return Named{UUID: uuid}
}

func seconds(us int64) float64 { return float64(us) / 1e6 }

func instantOf(us int64) string { return schemas.FormatTime(time.UnixMicro(us)) }

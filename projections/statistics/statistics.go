package statistics

import (
	"cmp"
	"slices"
	"time"
)

// Limits of what is listed. Sums are over everything.
const (
	maxPairs = 100
	maxGaps  = 100
	// maxPairSteps bounds the work on pairs: 150 members who all change at each
	// switch make 11,175 pairs of each. Past it pairs are left out, and said so.
	maxPairSteps = 20_000_000
)

// A Switch is one entry of a system's timeline.
type Switch struct {
	StartUS int64
	Members []string // uuids; one that is listed twice counts once; none: nobody fronts
}

// Options say what to compute.
type Options struct {
	FromUS int64               // the window begins here
	ToUS   int64               // and ends before this: at most the present moment
	Zone   *time.Location      // of the hours; nil: UTC
	Member string              // whose hours; empty: those in which anybody fronted
	Groups map[string][]string // members of each group, by the group's uuid
}

// Statistics is what there is to say of a window. Lengths are in microseconds;
// shares in percent, rounded to a tenth.
type Statistics struct {
	FirstUS    int64 // where knowledge begins inside the window; ToUS: nothing is known
	FrontedUS  int64 // in which somebody fronted
	NobodyUS   int64 // in which nobody did
	MemberUS   int64 // the front time of all members together
	Switches   int   // that began inside the window
	Days       float64
	Members    []Member // by total, the longest first; then by uuid
	Groups     []Group  // the same
	Gaps       Gaps
	Pairs      []Pair // who fronted together, the longest first; at most 100
	PairsLimit bool   // there were too many pairs to count; Pairs is empty
	Hours      Hours
}

// Member is the front time of one member.
type Member struct {
	UUID       string
	Sessions   int
	TotalUS    int64
	AverageUS  int64
	MedianUS   int64 // of an even count: the mean of the two in the middle
	ShortestUS int64
	LongestUS  int64
	Share      float64 // of the time that is known; of all members together more than 100 where members co-front
	FlatShare  float64 // of the front time of all members; the shares of all add up to 100.0
}

// Group is the time in which at least one member of a group fronted.
type Group struct {
	UUID    string
	TotalUS int64
	Share   float64 // of the time that is known
}

// Gap is a stretch in which nobody fronted.
type Gap struct{ StartUS, EndUS int64 }

// Gaps are the stretches in which nobody fronted.
type Gaps struct {
	Count     int
	LongestUS int64
	List      []Gap // the longest first; at most 100
}

// Pair is two members that fronted together. A's uuid is the smaller one.
type Pair struct {
	A, B    string
	TotalUS int64
}

// Compute gives the statistics of a window. Switches are in order of time;
// those before the window are needed back to the one that was current when it
// began. Of equal times the last one counts.
func Compute(switches []Switch, o Options) Statistics {
	c := newCollector(switches, o)
	for i := range c.segments {
		c.add(&c.segments[i])
	}
	return c.finish(switches)
}

// segment is a part of the window in which the same members front.
type segment struct {
	startUS, endUS int64
	members        []int // indexes; each once
}

// collector holds what is open while the segments are walked in order.
type collector struct {
	Options
	segments []segment
	uuids    []string // by index of the member
	sessions [][]int64
	began    []int64 // by member: when the open session began; notOpen: none is
	last     []int   // by member: the last segment that has it, from 1
	current  []int
	at       int
	out      Statistics
	pairs    pairCounter
	groups   groupCounter
	hours    hourWalker
	hoursOf  int // index of the member whose hours are asked for; anybody: all
}

const (
	notOpen = -1 << 63
	anybody = -1
	nobody  = -2
)

func newCollector(switches []Switch, o Options) *collector {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	c := &collector{Options: o, hours: hourWalker{zone: o.Zone}, hoursOf: anybody}
	index := make(map[string]int)
	c.segments = cut(switches, o.FromUS, o.ToUS, func(uuid string) int {
		i, known := index[uuid]
		if !known {
			i = len(c.uuids)
			index[uuid] = i
			c.uuids = append(c.uuids, uuid)
		}
		return i
	})
	n := len(c.uuids)
	c.sessions, c.began, c.last = make([][]int64, n), make([]int64, n), make([]int, n)
	for i := range c.began {
		c.began[i] = notOpen
	}
	if o.Member != "" {
		c.hoursOf = nobody
		if i, known := index[o.Member]; known {
			c.hoursOf = i
		}
	}
	c.groups = newGroupCounter(o.Groups, index, n)
	c.out.FirstUS = o.ToUS
	if len(c.segments) > 0 {
		c.out.FirstUS = c.segments[0].startUS
	}
	return c
}

// cut makes the segments of the window, without those of no length.
func cut(switches []Switch, fromUS, toUS int64, indexOf func(string) int) []segment {
	var segments []segment
	for i, s := range switches {
		end := toUS
		if i+1 < len(switches) {
			end = min(end, switches[i+1].StartUS)
		}
		start := max(s.StartUS, fromUS)
		if end <= start {
			continue
		}
		seg := segment{startUS: start, endUS: end, members: make([]int, 0, len(s.Members))}
		for _, uuid := range s.Members {
			seg.members = append(seg.members, indexOf(uuid))
		}
		slices.Sort(seg.members)
		seg.members = slices.Compact(seg.members)
		segments = append(segments, seg)
	}
	return segments
}

// add takes the next segment.
func (c *collector) add(s *segment) {
	c.at++
	length := s.endUS - s.startUS
	for _, m := range s.members {
		c.last[m] = c.at
		if c.began[m] == notOpen {
			c.began[m] = s.startUS
		}
		if m == c.hoursOf {
			c.hours.add(s.startUS, s.endUS)
		}
	}
	for _, m := range c.current {
		if c.last[m] != c.at {
			c.close(m, s.startUS)
		}
	}
	c.current = s.members
	c.out.MemberUS += length * int64(len(s.members))
	if len(s.members) == 0 {
		c.out.NobodyUS += length
		c.widenGap(s)
	} else {
		c.out.FrontedUS += length
		if c.hoursOf == anybody {
			c.hours.add(s.startUS, s.endUS)
		}
	}
	c.pairs.add(s)
	c.groups.add(s)
}

// close ends the session of a member.
func (c *collector) close(m int, us int64) {
	c.sessions[m] = append(c.sessions[m], us-c.began[m])
	c.began[m] = notOpen
}

func (c *collector) widenGap(s *segment) {
	if gaps := c.out.Gaps.List; len(gaps) > 0 && gaps[len(gaps)-1].EndUS == s.startUS {
		gaps[len(gaps)-1].EndUS = s.endUS
		return
	}
	c.out.Gaps.List = append(c.out.Gaps.List, Gap{s.startUS, s.endUS})
}

func (c *collector) finish(switches []Switch) Statistics {
	for _, m := range c.current {
		c.close(m, c.ToUS)
	}
	out := &c.out
	known := out.FrontedUS + out.NobodyUS
	totals := make([]int64, len(c.uuids))
	for m, lengths := range c.sessions {
		member := ofSessions(lengths)
		member.UUID, member.Share = c.uuids[m], percent(member.TotalUS, known)
		totals[m] = member.TotalUS
		out.Members = append(out.Members, member)
	}
	for m, share := range Apportion(totals) {
		out.Members[m].FlatShare = share
	}
	slices.SortFunc(out.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(b.TotalUS, a.TotalUS), cmp.Compare(a.UUID, b.UUID))
	})
	for _, s := range switches {
		if s.StartUS >= c.FromUS && s.StartUS < c.ToUS {
			out.Switches++
		}
	}
	out.Days = float64(known) / float64(24*time.Hour/time.Microsecond)
	out.Gaps.finish()
	out.Pairs, out.PairsLimit = c.pairs.finish(c.uuids)
	out.Groups = c.groups.finish(known)
	out.Hours = c.hours.sums
	return *out
}

// ofSessions is what follows from the lengths of a member's sessions.
func ofSessions(lengths []int64) Member {
	m := Member{Sessions: len(lengths)}
	if len(lengths) == 0 {
		return m
	}
	slices.Sort(lengths)
	for _, l := range lengths {
		m.TotalUS += l
	}
	n := len(lengths)
	m.AverageUS = m.TotalUS / int64(n)
	m.MedianUS = lengths[n/2]
	if n%2 == 0 {
		m.MedianUS = lengths[n/2-1] + (lengths[n/2]-lengths[n/2-1])/2
	}
	m.ShortestUS, m.LongestUS = lengths[0], lengths[n-1]
	return m
}

func (g *Gaps) finish() {
	g.Count = len(g.List)
	slices.SortFunc(g.List, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(b.EndUS-b.StartUS, a.EndUS-a.StartUS), cmp.Compare(a.StartUS, b.StartUS))
	})
	if g.Count > 0 {
		g.LongestUS = g.List[0].EndUS - g.List[0].StartUS
	}
	g.List = g.List[:min(g.Count, maxGaps)]
}

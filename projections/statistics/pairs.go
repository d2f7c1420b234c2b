package statistics

import (
	"cmp"
	"slices"
)

// pairCounter adds up how long each two members fronted together.
type pairCounter struct {
	total map[[2]int]int64
	steps int
}

func (p *pairCounter) add(s *segment) {
	n := len(s.members)
	p.steps += n * (n - 1) / 2
	if n < 2 || p.steps > maxPairSteps {
		return
	}
	if p.total == nil {
		p.total = make(map[[2]int]int64)
	}
	length := s.endUS - s.startUS
	for i, a := range s.members {
		for _, b := range s.members[i+1:] {
			p.total[[2]int{a, b}] += length
		}
	}
}

// finish is the longest pairs; limit says that there were too many to count.
func (p *pairCounter) finish(uuids []string) (pairs []Pair, limit bool) {
	if p.steps > maxPairSteps {
		return nil, true
	}
	for members, total := range p.total {
		a, b := uuids[members[0]], uuids[members[1]]
		pairs = append(pairs, Pair{min(a, b), max(a, b), total})
	}
	slices.SortFunc(pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.TotalUS, a.TotalUS), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
	})
	return pairs[:min(len(pairs), maxPairs)], false
}

// groupCounter adds up the time in which any member of a group fronted.
type groupCounter struct {
	uuids []string
	of    [][]int // by member: the groups it is in
	total []int64
	last  []int // by group: the last segment that counted
	at    int
}

func newGroupCounter(groups map[string][]string, index map[string]int, members int) groupCounter {
	c := groupCounter{of: make([][]int, members), total: make([]int64, len(groups)), last: make([]int, len(groups))}
	for uuid := range groups {
		c.uuids = append(c.uuids, uuid)
	}
	slices.Sort(c.uuids)
	for g, uuid := range c.uuids {
		for _, member := range groups[uuid] {
			if m, known := index[member]; known {
				c.of[m] = append(c.of[m], g)
			}
		}
	}
	return c
}

func (c *groupCounter) add(s *segment) {
	c.at++
	for _, m := range s.members {
		for _, g := range c.of[m] {
			if c.last[g] != c.at {
				c.last[g] = c.at
				c.total[g] += s.endUS - s.startUS
			}
		}
	}
}

func (c *groupCounter) finish(known int64) []Group {
	var groups []Group
	for g, uuid := range c.uuids {
		groups = append(groups, Group{UUID: uuid, TotalUS: c.total[g], Share: percent(c.total[g], known)})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.TotalUS, a.TotalUS), cmp.Compare(a.UUID, b.UUID))
	})
	return groups
}

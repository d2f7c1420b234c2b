package fakepk

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A Life is what some people do over time, decided by the seed. It uses every action, about as often as people do, and
// tries things that PluralKit refuses.
type Life struct {
	s    *System
	rng  *rand.Rand
	seen int // names given so far

	// Ties lets two switches share a timestamp, after which nobody knows who fronts.
	Ties bool
	// Futures lets switches be dated ahead, which the list of switches does not show.
	Futures bool
}

// Live begins a life.
func (s *System) Live(seed uint64) *Life {
	return &Life{s: s, rng: rand.New(rand.NewPCG(seed, 0x6c696665))}
}

// A deed is an action that Life may choose.
type deed struct {
	name   string
	weight int
	do     func(l *Life) error
}

var guildsLived = []string{"1150000000000000001", "1150000000000000011"}

// Step does one thing and says what. The error is PluralKit's refusal, or the failure that Odds ask for.
func (l *Life) Step() (name string, err error) {
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	n := l.rng.IntN(total)
	for _, d := range deeds {
		if n -= d.weight; n < 0 {
			return d.name, d.do(l)
		}
	}
	panic("fakepk: no deed")
}

// Steps does n things.
func (l *Life) Steps(n int) {
	for range n {
		_, _ = l.Step() // refusals are part of life
	}
}

func second(_ string, err error) error { return err }

// one of the members or groups, or an id of nobody when there is none.
func (l *Life) pick(list []string) string {
	if len(list) == 0 {
		return "00000000-0000-4000-8000-000000000000"
	}
	return list[l.rng.IntN(len(list))]
}

// ids reads uuids under the lock of readers.
func (l *Life) ids(read func() []string) []string {
	l.s.w.mu.RLock()
	defer l.s.w.mu.RUnlock()
	return read()
}

func (l *Life) member() string {
	return l.pick(l.ids(func() []string { return frontOrder(l.s.members) }))
}

func (l *Life) group() string {
	return l.pick(l.ids(func() (list []string) {
		for _, g := range l.s.groups {
			list = append(list, g.uuid)
		}
		return list
	}))
}

func (l *Life) turn() string {
	return l.pick(l.ids(func() (list []string) {
		for _, t := range l.s.turns {
			list = append(list, t.uuid)
		}
		return list
	}))
}

func (l *Life) message() string {
	return l.pick(l.ids(func() (list []string) {
		for id, m := range l.s.w.messages {
			if m.system == l.s {
				list = append(list, id)
			}
		}
		slices.Sort(list) // a map has no order that a seed decides
		return list
	}))
}

func (l *Life) members(most int) []string {
	var list []string
	for range l.rng.IntN(most + 1) {
		list = append(list, l.member())
	}
	return list
}

func (l *Life) guild() string { return l.pick(guildsLived) }

func (l *Life) text() string {
	l.seen++
	return fmt.Sprintf("%s %d", l.pick([]string{"Ash", "Brook", "Çınar", "Dune 🏜️", "E\"lm\""}), l.seen)
}

func (l *Life) level() string { return l.pick([]string{"public", "private"}) }

func (l *Life) textOrNil() any {
	if l.rng.IntN(3) == 0 {
		return nil
	}
	return l.text()
}

// account is one of the system's, or one to be linked.
func (l *Life) account() string {
	return l.pick([]string{l.s.accountIDs()[0], "1150000000000000101", "1150000000000000102"})
}

func (s *System) accountIDs() []string {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	var list []string
	for _, a := range s.accounts {
		list = append(list, a.id)
	}
	return list
}

// moment is around the time of the last switches, with nanoseconds.
func (l *Life) moment() time.Time {
	back := time.Duration(l.rng.Int64N(int64(48 * time.Hour)))
	t := l.s.w.now().Add(-back)
	if l.Futures && l.rng.IntN(8) == 0 {
		t = l.s.w.now().Add(back)
	}
	l.s.w.mu.RLock()
	defer l.s.w.mu.RUnlock()
	if latest := l.s.latest(); l.Ties && latest != nil && l.rng.IntN(4) == 0 {
		return latest.at.Add(time.Duration(1 + l.rng.IntN(999)))
	}
	return t
}

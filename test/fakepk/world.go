package fakepk

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// Config of a World; the zero value works.
type Config struct {
	Seed uint64           // of every id, token and decision
	Now  func() time.Time // nil: a Clock, at World.Clock
	Odds Odds             // of races between PluralKit's own writes and its events
	Old  bool             // the build before spring 2026: account events have a null system_id
}

// Odds are how often a race inside PluralKit goes the rarer way, each from 0 to 1.
type Odds struct {
	// APICreateSeen: the dispatcher sees the row of a member or group created by the API in time to announce it.
	// PluralKit's own rate is about Measured; zero never.
	APICreateSeen float64
	// CounterFirst: a message's counters are written before its event takes its snapshot.
	CounterFirst float64
	// WriteFails: a write fails after its event was sent (only the kinds that are sent first): a phantom.
	WriteFails float64
	// EditLost: the entity of an UPDATE is gone, or not readable, when the dispatcher reads it again: no event.
	EditLost float64
}

// Measured is how often a re-creation of the API-create race announced the row: 44 of 2000.
const Measured = 0.022

// A World is all of PluralKit: systems and what belongs to them. Actions run one at a time; reads, also over the API,
// may run beside them and see each write whole.
type World struct {
	// Clock is the world's time, nil when Config.Now was given.
	Clock *Clock

	tb   testing.TB
	conf Config
	now  func() time.Time

	actions sync.Mutex // held by an action from start to end; guards ids and race
	ids     *ids
	race    *rand.Rand
	action  int // how many actions have begun

	mu       sync.RWMutex // guards the rows below and all that hangs on them
	systems  []*System    // in the order they were made; deleted ones are taken out
	messages map[string]*message
	serial   int // the last row number of members, groups, switches

	out sync.Mutex // guards what follows
	// sink takes each delivery as it is made; nil keeps them in queue.
	sink  func(Delivery)
	queue []Delivery
	sent  int
}

// New makes an empty world. Only Must uses tb.
func New(tb testing.TB, c Config) *World {
	w := &World{tb: tb, conf: c, now: c.Now, ids: newIDs(c.Seed), messages: map[string]*message{}}
	w.race = rand.New(rand.NewPCG(c.Seed, 0x72616365))
	if w.now == nil {
		w.Clock = NewClock(time.Date(2025, 11, 28, 12, 0, 0, 0, time.UTC))
		w.now = w.Clock.Now
	}
	return w
}

// SetOdds changes the races from the next action on.
func (w *World) SetOdds(o Odds) {
	w.actions.Lock()
	defer w.actions.Unlock()
	w.conf.Odds = o
}

// Must fails the test when an action was refused.
func (w *World) Must(err error) {
	if err != nil {
		w.tb.Helper()
		w.tb.Fatalf("fakepk: %v", err)
	}
}

// begin opens an action of the system's user; the caller runs what it returns at the end.
func (s *System) begin() (end func(), err error) {
	w := s.w
	w.actions.Lock()
	if s.deleted {
		w.actions.Unlock()
		return nil, ErrSystemDeleted
	}
	w.tick()
	return w.actions.Unlock, nil
}

func (w *World) tick() {
	w.action++
	if w.Clock != nil {
		w.Clock.Advance(clockStep)
	}
}

// do runs f as one action.
func (s *System) do(f func() error) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	return f()
}

// write changes rows: readers see all of f or nothing.
func (w *World) write(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// chance decides a race. A probability of 0 or 1 takes nothing from the seed.
func (w *World) chance(p float64) bool {
	return p >= 1 || p > 0 && w.race.Float64() < p
}

func (w *World) nextSerial() int {
	w.serial++
	return w.serial
}

// System finds a system by its uuid, nil when there is none.
func (w *World) System(uuid string) *System {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return find(w.systems, func(s *System) bool { return s.uuid == uuid })
}

func find[T any](list []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i]
	}
	return nil
}

// toEnd moves an updated row to the end of its list: an update in PostgreSQL writes a new row version, and a scan of
// the heap finds it there.
func toEnd[T any](list []*T, row *T) []*T {
	i := slices.Index(list, row)
	if i < 0 {
		panic(fmt.Sprintf("fakepk: no such row %v", row))
	}
	return append(slices.Delete(slices.Clone(list), i, i+1), row)
}

func without[T any](list []*T, row *T) []*T {
	return slices.DeleteFunc(slices.Clone(list), func(r *T) bool { return r == row })
}

// newest sorts by timestamp descending; equal ones stay in heap order, since PluralKit promises nothing about them.
func newest(list []*turn) []*turn {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *turn) int { return b.at.Compare(a.at) })
	return sorted
}

// bySerial sorts rows as they were created.
func bySerial(list []*member) []*member {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *member) int { return cmp.Compare(a.serial, b.serial) })
	return sorted
}

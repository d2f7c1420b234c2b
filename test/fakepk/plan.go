package fakepk

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// A Plan is what happens to deliveries on their way, decided by its seed alone. Probabilities are from 0 to 1. The zero
// Plan delivers everything once and in order.
type Plan struct {
	Seed    uint64
	Drop    float64  // lost for good: PluralKit does not retry
	Double  float64  // arrives twice (a proxy on the way tried again)
	Late    float64  // arrives after up to LateBy that were made later
	LateBy  int      // 0: 1
	Silence []Window // nothing arrives
	// Delay is how long a delivery may take to leave, at most; only a Dispatcher that sends in Parallel has time.
	Delay time.Duration
}

// A Window is deliveries From ≤ N < To.
type Window struct{ From, To int }

// Arrivals is the order in which a receiver gets ds under the plan. The same plan and ds give the same.
func (p Plan) Arrivals(ds []Delivery) []Delivery {
	q := newQueue(p)
	var out []Delivery
	for _, d := range ds {
		out = append(out, q.push(d)...)
	}
	return append(out, q.flush()...)
}

// Shuffle is any order that PluralKit's dispatcher could give: every one, since it promises none. spread is how many
// places a delivery can fall behind; 0 is no limit.
func Shuffle(rng *rand.Rand, ds []Delivery, spread int) []Delivery {
	if spread <= 0 {
		spread = len(ds)
	}
	type placed struct {
		at int
		d  Delivery
	}
	list := make([]placed, len(ds))
	for i, d := range ds {
		list[i] = placed{i + rng.IntN(spread+1), d}
	}
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	out := make([]Delivery, len(ds))
	for i, p := range list {
		out[i] = p.d
	}
	return out
}

// queue carries out a plan one delivery at a time.
type queue struct {
	plan Plan
	rng  *rand.Rand
	held []heldBack
}

// heldBack is late: it goes when so many more were made.
type heldBack struct {
	wait int
	d    Delivery
}

func newQueue(p Plan) *queue {
	return &queue{plan: p, rng: rand.New(rand.NewPCG(p.Seed, 0x706c616e))}
}

// delay is how long the next one waits.
func (q *queue) delay() time.Duration {
	if q.plan.Delay <= 0 {
		return 0
	}
	return time.Duration(q.rng.Int64N(int64(q.plan.Delay)))
}

// push takes a delivery and returns what arrives now. It takes the same from the seed whatever is decided.
func (q *queue) push(d Delivery) []Delivery {
	drop, double, late, by := q.rng.Float64(), q.rng.Float64(), q.rng.Float64(), 1+q.rng.IntN(max(q.plan.LateBy, 1))
	var out []Delivery
	silent := slices.ContainsFunc(q.plan.Silence, func(w Window) bool { return w.From <= d.N && d.N < w.To })
	switch {
	case silent || drop < q.plan.Drop:
	case late < q.plan.Late:
		// The second copy of a doubled one goes at once: both ends of a retry.
		if double < q.plan.Double {
			out = append(out, d)
		}
		q.held = append(q.held, heldBack{by + 1, d})
	case double < q.plan.Double:
		out = append(out, d, d)
	default:
		out = append(out, d)
	}
	var still []heldBack
	for _, h := range q.held {
		if h.wait--; h.wait <= 0 {
			out = append(out, h.d)
		} else {
			still = append(still, h)
		}
	}
	q.held = still
	return out
}

// flush returns what is still held back.
func (q *queue) flush() []Delivery {
	var out []Delivery
	for _, h := range q.held {
		out = append(out, h.d)
	}
	q.held = nil
	return out
}

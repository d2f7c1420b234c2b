package processor

import (
	"context"
	"sync"
	"time"

	"switchlog/schemas"
)

// item is an event on its way from the log to the sink.
type item struct {
	event  schemas.Recorded
	bytes  int
	stored time.Time
	more   bool // others followed it in the log when it was read
}

// gatherFor is how long take waits for what the log said would follow: it may
// never come (erased meanwhile).
const gatherFor = 5 * time.Millisecond

// queue is between reading and applying: bounded by count and by bytes, one
// producer, one consumer. The consumer takes all that is waiting at once, and
// what is known to be on its way.
type queue struct {
	maxItems, maxBytes int

	mu    sync.Mutex // guards what follows
	items []item
	bytes int

	filled  chan struct{} // has a token when items may have become non-empty
	drained chan struct{} // has a token when there may be room again
}

func newQueue(maxItems, maxBytes int) *queue {
	return &queue{
		maxItems: maxItems, maxBytes: maxBytes,
		filled: make(chan struct{}, 1), drained: make(chan struct{}, 1),
	}
}

// put waits for room. An item larger than the queue fits when it is alone.
func (q *queue) put(ctx context.Context, it item) error {
	for {
		q.mu.Lock()
		if len(q.items) == 0 || len(q.items) < q.maxItems && q.bytes+it.bytes <= q.maxBytes {
			q.items = append(q.items, it)
			q.bytes += it.bytes
			q.mu.Unlock()
			signal(q.filled)
			return nil
		}
		q.mu.Unlock()
		select {
		case <-q.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take waits for an item, then takes all that wait, up to max and maxBytes;
// while more are on their way, it waits for those a moment too, since a
// transaction costs the same for all. It reuses into.
func (q *queue) take(ctx context.Context, into []item, max, maxBytes int) ([]item, error) {
	var late <-chan time.Time
	for {
		some, coming := q.look(max, maxBytes)
		if some && coming && late == nil {
			t := time.NewTimer(gatherFor)
			defer t.Stop()
			late = t.C
		}
		if some && !coming {
			break
		}
		select {
		case <-q.filled:
			continue
		case <-late:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		break
	}
	into = q.grab(into[:0], max, maxBytes)
	signal(q.drained)
	return into, nil
}

// look reports whether there are items, and whether others follow that belong
// to the same batch.
func (q *queue) look(max, maxBytes int) (some, coming bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.items)
	return n > 0, n > 0 && q.items[n-1].more && n < max && q.bytes < maxBytes
}

func (q *queue) grab(into []item, max, maxBytes int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.items) && n < max && (n == 0 || bytes+q.items[n].bytes <= maxBytes) {
		bytes += q.items[n].bytes
		n++
	}
	into = append(into, q.items[:n]...)
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:]) // let go of the bodies
	q.items = q.items[:rest]
	q.bytes -= bytes
	return into
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a token already
	}
}

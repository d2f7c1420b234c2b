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
}

// queue is between reading and applying: bounded by count and by bytes, one
// producer, one consumer. The consumer takes all that is waiting at once.
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

// take waits for an item, then takes all that wait, up to max and maxBytes.
// It reuses into.
func (q *queue) take(ctx context.Context, into []item, max, maxBytes int) ([]item, error) {
	for {
		if into = q.grab(into[:0], max, maxBytes); len(into) > 0 {
			signal(q.drained)
			return into, nil
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
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

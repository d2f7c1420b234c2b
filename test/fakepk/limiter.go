package fakepk

import (
	"sync"
	"time"
)

const (
	readRate     = 10                     // reads in a period of 1 s, and the burst
	readInterval = time.Second / readRate // between two of them
)

// A limiter is PluralKit's: GCRA, with the slip that a request is refused when the count that remains after taking it
// is zero, though it was taken. So a burst has 9 reads, and the 10th costs as much as the others and is told to wait
// for 0 ms.
type limiter struct {
	mu  sync.Mutex // guards tat
	tat map[string]time.Time
}

type verdict struct {
	ok         bool
	remaining  int
	retryAfter time.Duration
	reset      time.Time // when the whole burst is there again
}

func newLimiter() *limiter { return &limiter{tat: map[string]time.Time{}} }

func (l *limiter) take(key string, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	tat := l.tat[key] // the theoretical arrival time: when the bucket is empty
	if tat.Before(now) {
		tat = now
	}
	const burst = readRate * readInterval
	next := tat.Add(readInterval)
	room := now.Sub(next.Add(-burst))
	if room < 0 { // nothing left, nothing taken
		left := now.Sub(tat.Add(-burst))
		return verdict{remaining: int(left / readInterval), retryAfter: -room, reset: tat}
	}
	l.tat[key] = next
	remaining := int(room / readInterval)
	return verdict{ok: remaining > 0, remaining: remaining, reset: next}
}

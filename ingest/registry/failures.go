package registry

import (
	"sync"
	"time"
)

const (
	burstSize   = 3                // requests with a wrong secret that are suspect
	burstWithin = time.Minute      // and within what time; a provider's own probe sends one
	burstQuiet  = 10 * time.Minute // and then no more is told for so long
)

// AuthFailures counts requests that name a source and do not prove to be from it.
// What is here a stranger can set: it is shown, and decides nothing.
type AuthFailures struct {
	mu    sync.Mutex // guards what follows
	total uint64
	last  time.Time
	began time.Time // of the burst
	size  int
	told  time.Time
}

// Add counts one, and reports whether it makes a burst that must be told.
func (f *AuthFailures) Add(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	f.last = now
	if f.size == 0 || now.Sub(f.began) > burstWithin || now.Before(f.began) {
		f.began, f.size = now, 0
	}
	f.size++
	if f.size < burstSize || !f.told.IsZero() && now.Sub(f.told) < burstQuiet && !now.Before(f.told) {
		return false
	}
	f.told, f.size = now, 0
	return true
}

// Seen is how many there were, and when the last was, in microseconds since 1970;
// 0: none.
func (f *AuthFailures) Seen() (total uint64, last int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.total == 0 {
		return 0, 0
	}
	return f.total, f.last.UnixMicro()
}

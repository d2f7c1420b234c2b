package fakesink

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// TB is what a sink needs of a test.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// maxBody is the largest request any receiver takes.
const maxBody = 8 << 20

// Taken is a delivery that a receiver accepted.
type Taken struct {
	Key  string // the receiver's key against doubles
	Body []byte
	At   time.Time
}

// Sink is what all receivers have: what they took, and what they were sent
// that they should not have been.
type Sink struct {
	t TB

	mu     sync.Mutex // guards what follows
	taken  []Taken
	counts map[string]int
	news   chan struct{}
}

func newSink(t TB) Sink { return Sink{t: t, counts: map[string]int{}, news: make(chan struct{}, 1)} }

func (s *Sink) take(key string, body []byte) {
	s.mu.Lock()
	s.taken = append(s.taken, Taken{key, body, time.Now()})
	s.counts[key]++
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Taken is what was accepted, in the order it came.
func (s *Sink) Taken() []Taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Taken(nil), s.taken...)
}

// Counts is how often each key was accepted.
func (s *Sink) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.counts))
	for k, n := range s.counts {
		counts[k] = n
	}
	return counts
}

// Distinct is how many different keys were accepted.
func (s *Sink) Distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.counts)
}

// News receives after something was accepted.
func (s *Sink) News() <-chan struct{} { return s.news }

// misused fails the test: the original would refuse this for ever.
func (s *Sink) misused(w http.ResponseWriter, status int, body, format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("fakesink: "+format, args...)
	answer(w, status, body)
}

func answer(w http.ResponseWriter, status int, body string) {
	if body != "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the sender may have hung up
}

func readAll(r *http.Request) ([]byte, error) { return io.ReadAll(io.LimitReader(r.Body, maxBody)) }

// Serve puts a handler on loopback until the test ends, and gives its URL.
func Serve(t TB, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

package fakesink

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// A Mood is what a Bad receiver does.
type Mood int32

// The moods there are.
const (
	Good     Mood = iota // 200
	Fails                // 500
	Busy                 // 503 with Retry-After: 1
	Throttle             // 429 with Retry-After: 1
	Gone                 // 410
	Resets               // cuts the connection
	Hangs                // answers nothing
	Slow                 // 200, and then a byte a second
	Redirect             // 302 to To
	Huge                 // 500, and a body without end
	Echoes               // 400, and all it was sent
)

// Bad is a receiver that may be in any mood.
type Bad struct {
	Sink
	To string // where Redirect leads

	mood  atomic.Int32
	calls atomic.Int64
}

// NewBad makes a receiver in a mood.
func NewBad(t TB, m Mood) *Bad {
	b := &Bad{Sink: newSink(t)}
	b.Set(m)
	return b
}

// Set changes the mood.
func (b *Bad) Set(m Mood) { b.mood.Store(int32(m)) }

// Calls is how often it was called.
func (b *Bad) Calls() int { return int(b.calls.Load()) }

func (b *Bad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.calls.Add(1)
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	switch Mood(b.mood.Load()) {
	case Good:
		b.take(r.Header.Get("Webhook-Id"), body)
		w.WriteHeader(200)
	case Fails:
		answer(w, 500, `{"error":"it broke"}`)
	case Busy:
		w.Header().Set("Retry-After", "1")
		answer(w, 503, "")
	case Throttle:
		w.Header().Set("Retry-After", "1")
		answer(w, 429, "")
	case Gone:
		answer(w, 410, "")
	case Resets:
		b.reset(w)
	case Hangs:
		<-r.Context().Done()
	case Slow:
		b.slow(w, r)
	case Redirect:
		http.Redirect(w, r, b.To, http.StatusFound)
	case Huge:
		w.WriteHeader(500)
		chunk := strings.Repeat("x", 32<<10)
		for {
			if _, err := w.Write([]byte(chunk)); err != nil {
				return
			}
		}
	case Echoes:
		w.WriteHeader(400)
		_ = r.Header.Write(w) // what the sender reads of it is what counts
		_, _ = w.Write([]byte(r.URL.String() + "\n"))
		_, _ = w.Write(body)
	}
}

func (b *Bad) slow(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(200)
	for {
		_, _ = w.Write([]byte("."))
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (b *Bad) reset(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return // not over HTTP/1.1
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not a close
	}
	_ = conn.Close()
}

// Refused is a URL at which nobody listens.
func Refused(t TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Errorf("fakesink: %v", err)
		return ""
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

package deliver

import (
	"bufio"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"switchlog/schemas"
)

// TestIdleConnectionClosed: a receiver that closes a connection it promised to
// keep, just as the next request is written, costs no failed attempt.
func TestIdleConnectionClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns atomic.Int32
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			r := bufio.NewReader(conn)
			if req, err := http.ReadRequest(r); err == nil {
				_, _ = r.Discard(int(req.ContentLength))
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
				_, _ = r.Peek(1) // the next request begins, and is cut off
			}
			conn.Close()
		}
	}()
	w := newWorld(t)
	sub := standardSub("a")
	sub.Ordered = true // one after another, on one connection
	w.add(sub, "http://"+l.Addr().String(), testSecret)
	const n = 20
	for range n {
		w.event("a", "t")
	}
	w.start()
	w.count(n)
	if got := with(w.notes(), "a", schemas.OutcomeDelivered); got != n || conns.Load() < 2 {
		t.Errorf("%d delivered at the first attempt over %d connections, want %d", got, conns.Load(), n)
	}
}

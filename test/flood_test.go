package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestFlood: while thousands of connections are idle, drip a header or a body,
// or speak TLS to a listener that does not, and come again whenever they are
// cut off, eight senders get each of their 200 in time. In a soak there are
// more of them than the listener takes: a new connection then waits until an
// idle one is cut off.
func TestFlood(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	before := s.settled()
	begin := s.memory()
	body := string(switchBody(uuid.NewString(), time.Now()))
	head := fmt.Sprintf("POST /in/pluralkit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body)+10)
	evil := []string{
		"", "", "", "", "", "", // idle
		"POST /in/pluralkit HTTP/1.1\r\nHost: x\r\nX-A:", // a header that does not end
		head + body[:len(body)/2],                        // half a body
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",   // the begin of a TLS handshake
		"\x16\x03\x01" + strings.Repeat("\x00", 100),
	}
	stop := make(chan struct{})
	var there sync.WaitGroup
	for i := range rounds(2000, 17_000) {
		c := s.dial() // as long as there is room in the kernel's queue
		if _, err := io.WriteString(c, evil[i%len(evil)]); err != nil {
			t.Fatal(err)
		}
		if i%len(evil) < 6 {
			continue
		}
		there.Go(func() { s.pester(c, evil[i%len(evil)], stop) })
	}
	var took []time.Duration
	var mu sync.Mutex
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range rounds(50, 2000) {
				begun := time.Now()
				status, err := postTo(s.Public+"/in/pluralkit", switchBody(uuid.NewString(), begun))
				if err != nil || status != http.StatusOK {
					t.Errorf("a good request: got %d, %v, want 200", status, err)
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	close(stop)
	there.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d requests: median %v, p99 %v, longest %v; memory %d MiB more", len(took), took[len(took)/2], p99, took[len(took)-1], (s.memory()-begin)>>20)
	if p99 > 5*time.Second { // of the 10 s PluralKit waits
		t.Errorf("p99: got %v, want at most 5 s", p99)
	}
	// As for TestIdleConnections; the race detector makes it several times as large.
	if most := rounds(400, 1200) << 20; s.memory() > begin+most {
		t.Errorf("memory: got %d MiB more, want at most %d MiB", (s.memory()-begin)>>20, most>>20)
	}
	if log := Check(s); len(log) != int(before)+len(took) {
		t.Errorf("log: got %d events, want %d", len(log), int(before)+len(took))
	}
}

// pester sends a byte now and then on c, and comes again when it is cut off.
func (s *server) pester(c net.Conn, text string, stop chan struct{}) {
	defer func() { c.Close() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if _, err := io.WriteString(c, " "); err == nil {
			continue
		}
		c.Close()
		again, err := net.DialTimeout("tcp", strings.TrimPrefix(s.Public, "http://"), time.Second)
		if err != nil {
			continue // there is no room just now
		}
		if c = again; text != "" {
			io.WriteString(c, text) // if it is cut off again, the next byte tells
		}
	}
}

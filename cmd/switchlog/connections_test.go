package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// limitedServer serves with limits of its own. Requests to /wait are answered
// when the test says so, all others at once.
type limitedServer struct {
	t       *testing.T
	address string
	began   chan struct{} // a request to /wait is being handled
	answer  chan struct{} // closed: they are answered
}

func newLimitedServer(t *testing.T, most, perAddress int, trusted ...netip.Prefix) *limitedServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &limitedServer{t: t, address: l.Addr().String(), began: make(chan struct{}, 100), answer: make(chan struct{})}
	limited := newConnections(l, most, perAddress, trusted, slog.New(slog.DiscardHandler))
	counted := limited.proxied(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			s.began <- struct{}{}
			<-s.answer
		}
	}))
	var handling sync.WaitGroup // Close does not wait for handlers
	srv := &http.Server{ConnState: limited.state, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handling.Add(1)
		defer handling.Done()
		counted.ServeHTTP(w, r)
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(limited) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-done; err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
		handling.Wait()
		limited.mu.Lock()
		defer limited.mu.Unlock()
		if limited.open != 0 || len(limited.hosts) != 0 || limited.idle.Len() != 0 || len(limited.clients) != 0 {
			t.Errorf("at the end: %d open, %d addresses, %d idle, %d clients; want none", limited.open, len(limited.hosts), limited.idle.Len(), len(limited.clients))
		}
	})
	return s
}

// dial connects from an address of the loopback network.
func (s *limitedServer) dial(from string) net.Conn {
	s.t.Helper()
	c, err := (&net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ask sends a request on c; forwarded names a client.
func (s *limitedServer) ask(c net.Conn, path, forwarded string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n\r\n", path, forwarded); err != nil {
		s.t.Fatal(err)
	}
}

// answered is the status of the next answer; 0: the connection was closed.
func answered(c net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err != nil || resp.Body.Close() != nil {
		return 0
	}
	return resp.StatusCode
}

// TestConnectionsOfOneAddress: one that has its share gets a new connection in
// place of the one that has waited longest, and none where all are at work; no
// other address notices.
func TestConnectionsOfOneAddress(t *testing.T) {
	s := newLimitedServer(t, 100, 3)
	first, second, third := s.dial("127.0.0.2"), s.dial("127.0.0.2"), s.dial("127.0.0.2")
	s.ask(first, "/", "")
	if got := answered(first); got != 200 { // it has waited for the shortest time now
		t.Fatalf("first: got %d, want 200", got)
	}
	fourth := s.dial("127.0.0.2")
	s.ask(fourth, "/wait", "")
	<-s.began
	if got := answered(second); got != 0 {
		t.Errorf("the one that has waited longest: got %d, want it closed", got)
	}
	s.ask(first, "/wait", "")
	<-s.began
	s.ask(third, "/wait", "")
	<-s.began
	if got := answered(s.dial("127.0.0.2")); got != 0 {
		t.Errorf("a fourth where three are at work: got %d, want it closed", got)
	}
	other := s.dial("127.0.0.3")
	s.ask(other, "/", "")
	if got := answered(other); got != 200 {
		t.Errorf("another address: got %d, want 200", got)
	}
	close(s.answer)
	for name, c := range map[string]net.Conn{"first": first, "third": third, "fourth": fourth} {
		if got := answered(c); got != 200 {
			t.Errorf("%s, at work all along: got %d, want 200", name, got)
		}
	}
}

// TestFullListener: where there is no room, a connection that waits gives way;
// where all are at work, a new one waits until one ends.
func TestFullListener(t *testing.T) {
	s := newLimitedServer(t, 2, 10)
	idle, busy := s.dial("127.0.0.2"), s.dial("127.0.0.3")
	s.ask(busy, "/wait", "")
	<-s.began
	next := s.dial("127.0.0.4")
	s.ask(next, "/wait", "")
	<-s.began
	if got := answered(idle); got != 0 {
		t.Errorf("the idle one: got %d, want it closed", got)
	}
	late := s.dial("127.0.0.5")
	s.ask(late, "/", "")
	close(s.answer)
	for name, c := range map[string]net.Conn{"busy": busy, "next": next, "late": late} {
		if got := answered(c); got != 200 {
			t.Errorf("%s: got %d, want 200", name, got)
		}
	}
}

// TestTrustedProxy: its connections are not limited by address; the requests
// that it passes on are, by the client that it names, and not by what that
// client wrote before.
func TestTrustedProxy(t *testing.T) {
	s := newLimitedServer(t, 100, 2, netip.MustParsePrefix("127.0.0.2/32"))
	for range 2 {
		s.ask(s.dial("127.0.0.2"), "/wait", "9.9.9.9, 10.0.0.1")
		<-s.began
	}
	for _, c := range []struct {
		from, forwarded string
		want            int
	}{
		{"127.0.0.2", "8.8.8.8, 10.0.0.1", 503},
		{"127.0.0.2", "10.0.0.1, 127.0.0.2", 503},
		{"127.0.0.2", "10.0.0.1, 8.8.8.8", 200},
		{"127.0.0.2", "2001:db8::1", 200},
		{"127.0.0.2", "", 200},
		{"127.0.0.2", "unknown", 200},
		{"127.0.0.3", "10.0.0.1", 200}, // no proxy of ours: it may say what it likes
	} {
		conn := s.dial(c.from)
		s.ask(conn, "/", c.forwarded)
		if got := answered(conn); got != c.want {
			t.Errorf("from %s for %q: got %d, want %d", c.from, c.forwarded, got, c.want)
		}
	}
	close(s.answer)
}

// TestShareOfAnAddress: what counts as one address.
func TestShareOfAnAddress(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := share(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
}

// TestNATSCredentials: user and password from a file, and never two of them.
func TestNATSCredentials(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"ada:a:b/c\n": "ada a:b/c", "ada": "", "ada:": "", ":x": "", "a:b\nc:d": "", "": ""} {
		path := dir + "/creds"
		if err := writeFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		c := Config{NATSCredsFile: path}
		got, err := c.natsUser(nil)
		if (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "ada") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if err == nil {
			if password, _ := got.Password(); got.Username()+" "+password != want {
				t.Errorf("%q: got %s %s, want %s", text, got.Username(), password, want)
			}
		}
	}
}

package main

import (
	"container/list"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// connections is the public listener with its limits: so many connections in
// all, and so many of one address. Of those that wait for a request the one
// that has waited longest is closed for a new one; only where all are at work does a new one
// wait (there is no room at all) or is it closed at once (its address has its share).
//
// An address is an IPv4 address, or the 64 bits of IPv6 that one customer has.
// Connections of a trusted proxy are not counted by address: its requests are,
// by the client that it names.
type connections struct {
	net.Listener
	most, perAddress int
	trusted          []netip.Prefix
	log              *slog.Logger

	closing   chan struct{}
	closeOnce sync.Once
	freed     chan struct{} // of 1: a connection has ended, or waits

	mu      sync.Mutex // guards what follows
	open    int
	hosts   map[netip.Prefix]*host
	idle    *list.List // of *limitedConn, the longest waiting first
	clients map[netip.Prefix]int
	warned  time.Time
}

// host is what is open of one address.
type host struct {
	open int
	idle *list.List // as in connections
}

// limitedConn is a connection that is counted.
type limitedConn struct {
	net.Conn
	from    *connections
	address netip.Prefix
	counted bool          // by address
	all     *list.Element // in from.idle; nil: it is at work
	own     *list.Element // in the host's idle
	ended   bool
}

func newConnections(l net.Listener, most, perAddress int, trusted []netip.Prefix, log *slog.Logger) *connections {
	return &connections{
		Listener: l, most: most, perAddress: perAddress, trusted: trusted, log: log,
		closing: make(chan struct{}), freed: make(chan struct{}, 1),
		hosts: map[netip.Prefix]*host{}, idle: list.New(), clients: map[netip.Prefix]int{},
	}
}

// Accept gives the next connection that there is room for.
func (c *connections) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l := c.admit(conn); l != nil {
			return l, nil
		}
	}
}

// Close also ends an Accept that waits for room.
func (c *connections) Close() error {
	c.closeOnce.Do(func() { close(c.closing) })
	return c.Listener.Close()
}

// admit makes room for a connection. Nil: it was closed.
func (c *connections) admit(conn net.Conn) *limitedConn {
	address, trusted := c.addressOf(conn.RemoteAddr().String())
	l := &limitedConn{Conn: conn, from: c, address: address, counted: !trusted}
	for {
		victim, wait, refused := c.place(l)
		if victim != nil {
			victim.Close() // it waits for a request: nothing is lost
		}
		if refused {
			conn.Close()
			return nil
		}
		if !wait {
			return l
		}
		select {
		case <-c.freed:
		case <-c.closing:
			conn.Close()
			return nil
		}
	}
}

// place counts a connection if there is room, or says what is to be done.
func (c *connections) place(l *limitedConn) (victim *limitedConn, wait, refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[l.address]
	if h == nil {
		h = &host{idle: list.New()}
	}
	if l.counted && h.open >= c.perAddress {
		if now := time.Now(); now.Sub(c.warned) > time.Minute {
			c.warned = now
			c.log.Warn("one address has all the connections it may have; those that wait are closed for new ones "+
				"(hint: --connections-per-address; if it is a proxy, --trusted-proxies)", "limit", c.perAddress)
		}
		if victim = c.remove(h.idle.Front()); victim == nil {
			return nil, false, true
		}
	} else if c.open >= c.most {
		if victim = c.remove(c.idle.Front()); victim == nil {
			return nil, true, false
		}
	}
	c.hosts[l.address] = h
	h.open++
	c.open++
	c.setIdle(l, true) // until it has sent a request's header
	return victim, false, false
}

// remove takes a connection that waits out of the count.
func (c *connections) remove(e *list.Element) *limitedConn {
	if e == nil {
		return nil
	}
	l := e.Value.(*limitedConn)
	c.release(l)
	return l
}

// release takes a connection out of the count, once.
func (c *connections) release(l *limitedConn) {
	if l.ended {
		return
	}
	c.setIdle(l, false)
	l.ended = true
	c.open--
	if h := c.hosts[l.address]; h.open == 1 {
		delete(c.hosts, l.address)
		h.open = 0
	} else {
		h.open--
	}
	c.wake()
}

func (c *connections) setIdle(l *limitedConn, idle bool) {
	h := c.hosts[l.address]
	switch {
	case l.ended || idle == (l.all != nil):
	case idle:
		l.all, l.own = c.idle.PushBack(l), h.idle.PushBack(l)
	default:
		c.idle.Remove(l.all)
		h.idle.Remove(l.own)
		l.all, l.own = nil, nil
	}
}

// state is the server's http.Server.ConnState.
func (c *connections) state(conn net.Conn, s http.ConnState) {
	for {
		inner, wrapped := conn.(interface{ NetConn() net.Conn })
		if !wrapped {
			break
		}
		conn = inner.NetConn()
	}
	l, ours := conn.(*limitedConn)
	if !ours {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.setIdle(l, s == http.StateIdle || s == http.StateNew); l.all != nil {
		c.wake()
	}
}

// wake has a connection that waits for room look again.
func (c *connections) wake() {
	select {
	case c.freed <- struct{}{}:
	default: // it will
	}
}

// Close closes the connection and makes room.
func (l *limitedConn) Close() error {
	err := l.Conn.Close()
	l.from.mu.Lock()
	defer l.from.mu.Unlock()
	l.from.release(l)
	return err
}

// addressOf is by what a peer is counted, and whether it is a trusted proxy.
func (c *connections) addressOf(hostPort string) (address netip.Prefix, trusted bool) {
	peer, err := netip.ParseAddrPort(hostPort)
	if err != nil {
		return netip.Prefix{}, false
	}
	return share(peer.Addr()), c.isTrusted(peer.Addr())
}

func (c *connections) isTrusted(a netip.Addr) bool {
	return slices.ContainsFunc(c.trusted, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// share is the network that counts as one address.
func share(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// proxied limits how many requests of one client a trusted proxy may pass on
// at once. The client is the last address of X-Forwarded-For that is not itself
// a trusted proxy's: what stands before it the client may have written.
func (c *connections) proxied(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, named := c.client(r)
		if !named {
			h.ServeHTTP(w, r)
			return
		}
		if !c.enter(client) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"error":"too many requests of one address at once"}`)) // a client that hung up does not want it
			return
		}
		defer c.leave(client)
		h.ServeHTTP(w, r)
	})
}

// client is whose request a trusted proxy passes on.
func (c *connections) client(r *http.Request) (netip.Prefix, bool) {
	if _, trusted := c.addressOf(r.RemoteAddr); !trusted {
		return netip.Prefix{}, false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return netip.Prefix{}, false
		}
		if !c.isTrusted(a) {
			return share(a), true
		}
	}
	return netip.Prefix{}, false
}

func (c *connections) enter(client netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[client] >= c.perAddress {
		return false
	}
	c.clients[client]++
	return true
}

func (c *connections) leave(client netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients[client]--; c.clients[client] == 0 {
		delete(c.clients, client)
	}
}

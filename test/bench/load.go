//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// load is a generator of HTTP requests: one thread, non-blocking sockets and
// epoll, since it shares the machine with what it measures. A request costs
// it two system calls and a few microseconds.
type load struct {
	addr        string
	connections int
	rate        float64 // requests a second, however fast answers come (open loop); 0: each connection sends when it is answered (closed loop)

	// request appends the n-th request to b; n counts from first.
	request  func(b []byte, n uint64) []byte
	first    uint64
	answered func(n uint64, at time.Time) // nil, or told of each 200
}

// loaded is how a run went.
type loaded struct {
	sent, ok, refused uint64
	took              time.Duration // to the last answer
	latency           histogram     // of all 200s: from when it was sent or, in an open loop, should have been
	generator         time.Duration // CPU time of the generator's own process
}

func (l loaded) perSecond() float64 { return float64(l.ok) / l.took.Seconds() }

// patience is how long an answer may take before the run has failed.
const patience = 30 * time.Second

// client is one connection.
type client struct {
	fd     int
	n      uint64
	since  time.Time
	answer []byte
}

// run sends for d and waits for the last answers.
func (l *load) run(d time.Duration) (res loaded, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &running{load: l, res: &res, next: l.first, out: make([]byte, 0, 4<<10)}
	defer r.close()
	if err := r.open(); err != nil {
		return res, err
	}
	cpu := ownCPU()
	if r.begun = time.Now(); r.rate > 0 {
		if err := r.openTimer(); err != nil {
			return res, err
		}
	}
	r.until = r.begun.Add(d)
	if err := r.loop(); err != nil {
		return res, err
	}
	res.took = r.last.Sub(r.begun)
	res.generator = ownCPU() - cpu
	return res, nil
}

// running is a run.
type running struct {
	*load
	res               *loaded
	epoll, timer      int
	clients           []*client
	idle              []*client // in an open loop
	next              uint64
	out               []byte
	begun, until      time.Time
	last              time.Time
	outstanding, dued int
}

func (r *running) open() (err error) {
	r.timer = -1
	if r.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return err
	}
	to, err := net.ResolveTCPAddr("tcp4", r.addr)
	if err != nil {
		return err
	}
	sa := &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	for i := range r.connections {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		r.clients = append(r.clients, &client{fd: fd, answer: make([]byte, 0, 8<<10)})
		if err := syscall.Connect(fd, sa); err != nil {
			return fmt.Errorf("connect %s: %w", r.addr, err)
		}
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
			return err
		}
		if err := syscall.SetNonblock(fd, true); err != nil {
			return err
		}
		if err := r.watch(fd, i); err != nil {
			return err
		}
	}
	if r.rate > 0 {
		r.idle = append(r.idle, r.clients...)
	}
	return nil
}

// timerIndex marks the timer among the events of epoll.
const timerIndex = -1

// openTimer makes a timer that rings at the rate.
func (r *running) openTimer() error {
	const monotonic = 1
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return errno
	}
	r.timer = int(fd)
	interval := syscall.NsecToTimespec(int64(1e9 / r.rate))
	spec := [2]syscall.Timespec{interval, interval}
	if _, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0); errno != 0 {
		return errno
	}
	return r.watch(r.timer, timerIndex)
}

func (r *running) watch(fd, index int) error {
	return syscall.EpollCtl(r.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(index)})
}

func (r *running) close() {
	for _, c := range r.clients {
		_ = syscall.Close(c.fd) // nothing was written that could be lost
	}
	_, _ = syscall.Close(r.timer), syscall.Close(r.epoll)
}

// loop sends and receives until the time is over and all is answered.
func (r *running) loop() error {
	if r.rate == 0 {
		for _, c := range r.clients {
			if err := r.send(c, time.Now()); err != nil {
				return err
			}
		}
	}
	events := make([]syscall.EpollEvent, 256)
	for {
		now := time.Now()
		over := !now.Before(r.until)
		if over && r.outstanding == 0 {
			return nil
		}
		if over && now.After(r.until.Add(patience)) {
			return fmt.Errorf("%d requests were not answered within %v", r.outstanding, patience)
		}
		n, err := syscall.EpollWait(r.epoll, events, 100)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == timerIndex {
				err = r.ring()
			} else {
				err = r.receive(r.clients[e.Fd])
			}
			if err != nil {
				return err
			}
		}
		if err := r.sendDue(); err != nil {
			return err
		}
	}
}

// ring takes note of the requests that have become due.
func (r *running) ring() error {
	var b [8]byte
	if _, err := syscall.Read(r.timer, b[:]); err != nil && err != syscall.EAGAIN {
		return err
	}
	if time.Now().Before(r.until) {
		r.dued += int(binary.NativeEndian.Uint64(b[:]))
	}
	return nil
}

// sendDue sends what is due in an open loop, on connections that are free.
// What has to wait for one is late already.
func (r *running) sendDue() error {
	for r.rate > 0 && int(r.next-r.first) < r.dued && len(r.idle) > 0 {
		c := r.idle[0] // in turn: a server hangs up on one that says nothing
		r.idle = r.idle[1:]
		after := time.Duration(float64(r.next-r.first+1) / r.rate * 1e9)
		if err := r.send(c, r.begun.Add(after)); err != nil {
			return err
		}
	}
	return nil
}

func (r *running) send(c *client, since time.Time) error {
	c.n, c.since = r.next, since
	r.out = r.request(r.out[:0], r.next)
	r.next++
	r.res.sent++
	r.outstanding++
	n, err := syscall.Write(c.fd, r.out)
	if err != nil || n < len(r.out) {
		return fmt.Errorf("send: %d of %d bytes: %w", n, len(r.out), err)
	}
	return nil
}

// receive reads what has come, and goes on when the answer is whole.
func (r *running) receive(c *client) error {
	if len(c.answer) == cap(c.answer) {
		c.answer = append(make([]byte, 0, 2*cap(c.answer)), c.answer...)
	}
	n, err := syscall.Read(c.fd, c.answer[len(c.answer):cap(c.answer)])
	switch {
	case err == syscall.EAGAIN:
		return nil
	case err != nil || n == 0:
		return fmt.Errorf("the server hung up: %w", err)
	}
	c.answer = c.answer[:len(c.answer)+n]
	status, whole := parse(c.answer)
	if !whole {
		return nil
	}
	now := time.Now()
	r.last = now
	r.outstanding--
	c.answer = c.answer[:0]
	if status == "200" {
		r.res.ok++
		r.res.latency.add(now.Sub(c.since))
		if r.answered != nil {
			r.answered(c.n, now)
		}
	} else {
		r.res.refused++
	}
	switch {
	case r.rate > 0:
		r.idle = append(r.idle, c)
	case now.Before(r.until):
		return r.send(c, now)
	}
	return nil
}

// parse reads an answer as far as we must: its status, and whether it is
// whole.
func parse(b []byte) (status string, whole bool) {
	head, body, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found || len(head) < 12 {
		return "", false
	}
	status = string(head[9:12])
	if value, ok := header(head, "\r\nContent-Length: "); ok {
		n, err := strconv.Atoi(string(value))
		return status, err == nil && len(body) >= n
	}
	if _, ok := header(head, "\r\nTransfer-Encoding: "); ok {
		return status, bytes.HasSuffix(body, []byte("0\r\n\r\n"))
	}
	return status, true
}

func header(head []byte, name string) ([]byte, bool) {
	at := bytes.Index(head, []byte(name))
	if at < 0 {
		return nil, false
	}
	value, _, _ := bytes.Cut(head[at+len(name):], []byte("\r\n"))
	return value, true
}

// ownCPU is the CPU time this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

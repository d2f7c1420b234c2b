package test

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/test/faultfs"
)

// TestLaw1EveryStep cuts the power at every write, every fsync and every change
// of a name that accepting, forwarding, folding, publishing and a rebuild with
// its swap consist of: all of them in a soak, some at random in the everyday
// run. After each: what was answered 200 is in the log once and in order, and
// the database equals a replay.
func TestLaw1EveryStep(t *testing.T) {
	t.Parallel()
	disk := faultfs.Mount(t)
	s := start(t, disk.Dir)
	t.Cleanup(s.kill)
	s.addPluralKit()
	s.ready()
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))

	steps := newStepper(disk)
	loads := []*load{work(s)}
	total := steps.count.Load()
	steps.stop()
	t.Logf("%d steps", total)

	var at []int64
	if soaking() {
		for k := range total {
			at = append(at, k+1)
		}
	} else {
		for range 6 {
			at = append(at, 1+random.Int64N(total))
		}
	}
	for _, k := range at {
		steps := newStepper(disk)
		steps.cutAt.Store(k)
		l := make(chan *load, 1)
		go func() { l <- work(s) }()
		select {
		case <-steps.cut:
		case done := <-l: // it took fewer steps this time
			l <- done
			disk.Cut()
		}
		s.kill()
		loads = append(loads, <-l)
		steps.stop()
		disk.Restore(random)
		s.start()
	}
	s.ready()
	checkLoad(t, Check(s), loads...)
}

// work does everything that writes, once; it goes on to the end also if the
// server is dead.
func work(s *server) *load {
	l := &load{accept: [][]string{nil}, unsure: map[string]bool{}}
	post := func() {
		id := uuid.NewString()
		resp, err := http.Post(s.Public+"/in/pluralkit", "application/json", bytes.NewReader(switchBody(id, time.Now())))
		status := 0
		if err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		}
		l.note(0, id, status, err)
	}
	for range 3 {
		post()
	}
	if _, errOut, code := s.try("", "rebuild"); code != 0 {
		s.t.Logf("rebuild: exit code %d: %s", code, tail(errOut, 200))
	}
	for range 3 {
		post()
	}
	return l
}

// stepper counts what changes the disk, and cuts the power at one of them.
type stepper struct {
	disk  *faultfs.FS
	count atomic.Int64
	cutAt atomic.Int64
	cut   chan struct{}
	once  sync.Once
}

func newStepper(disk *faultfs.FS) *stepper {
	s := &stepper{disk: disk, cut: make(chan struct{})}
	disk.Refuse(func(op faultfs.Op, _ string) syscall.Errno {
		if op == faultfs.Read {
			return 0
		}
		if n := s.count.Add(1); n == s.cutAt.Load() {
			s.once.Do(func() {
				disk.Cut()
				close(s.cut)
			})
			return syscall.EIO
		}
		return 0
	})
	return s
}

func (s *stepper) stop() { s.disk.Refuse(nil) }

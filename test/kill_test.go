package test

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soaking reports whether the long variants were asked for (make soak).
func soaking() bool { return os.Getenv("SOAK") != "" }

// rounds is how often a fault is repeated: few in the everyday run, many in
// a soak.
func rounds(short, long int) int {
	if soaking() {
		return long
	}
	return short
}

// TestLaw1KilledInside kills the server at random moments under load, with the
// log inside it: every 200 is in the log exactly once, in order, and the
// database equals a replay.
func TestLaw1KilledInside(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	killLoop(t, s, rounds(12, 200))
}

// TestLaw1KilledOutside is the same with the log in a NATS server of its own.
func TestLaw1KilledOutside(t *testing.T) {
	t.Parallel()
	o := startOutside(t)
	s := start(t, t.TempDir(), "--nats", o.url())
	s.addPluralKit()
	killLoop(t, s, rounds(8, 200))
}

func killLoop(t *testing.T, s *server, kills int) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var loads []*load
	for range kills {
		l := startLoad(t, s, 8)
		loads = append(loads, l)
		// The moment is an amount of work, then a little more or less.
		want := random.IntN(150)
		await(t, "load", func() bool { return l.accepted() >= want })
		moment := time.NewTimer(time.Duration(random.IntN(20_000)) * time.Microsecond)
		<-moment.C
		s.kill()
		l.stop()
		s.start()
		if soaking() {
			if out, errOut, code := s.try("", "verify"); code != 0 {
				t.Fatalf("verify: exit code %d\n%s%s", code, out, errOut)
			}
		}
	}
	s.ready()
	if got := strings.Count(s.out.String(), "the server was not stopped cleanly; nothing is lost"); got != kills {
		t.Errorf("after %d kills it said %d times that it was not stopped cleanly and nothing is lost", kills, got)
	}
	if strings.Contains(s.out.String(), `"level":"WARN","msg":"nats server: Filestore`) {
		t.Errorf("what is right after a kill is a warning:\n%s", tail(s.out.String(), 4000))
	}
	checkLoad(t, Check(s), loads...)
}

// TestLogAway stops the outside NATS server under load, in turn by killing and
// by freezing it: all requests are answered 200 meanwhile, and all events are
// in the log afterwards, in order.
func TestLogAway(t *testing.T) {
	t.Parallel() // it waits more than it works
	away := 5 * time.Second
	if soaking() {
		away = 60 * time.Second
	}
	o := startOutside(t)
	s := start(t, t.TempDir(), "--nats", o.url())
	s.addPluralKit()
	s.ready()
	l := startLoad(t, s, 4)
	until := func(n int) { await(t, "load", func() bool { return l.accepted() >= n }) }

	until(100)
	o.kill()
	wait(t, away)
	until(l.accepted() + 100) // taken while it is away
	o.start()
	until(l.accepted() + 100)

	o.signal(syscall.SIGSTOP)
	wait(t, away)
	until(l.accepted() + 100)
	o.signal(syscall.SIGCONT)
	until(l.accepted() + 100)

	l.stop()
	if l.refused > 0 || len(l.unsure) > 4 { // the last of each connection may be cut off by us
		t.Errorf("got %d refused, %d unanswered, want all answered 200", l.refused, len(l.unsure))
	}
	s.ready()
	checkLoad(t, Check(s), l)
}

// wait lets time pass where the passing of time is what is tested.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

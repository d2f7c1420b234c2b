package test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"switchlog/test/fakesink"
)

// TestHealthyBesideBad: twenty webhooks, a third of whose receivers fail for
// good, each in its own way, and a server that is killed while events come in.
// The healthy ones get all of it, as fast as if they were alone, and doubles are
// no more than were on their way at a kill. In a soak: 10,000 events, 20 kills.
func TestHealthyBesideBad(t *testing.T) {
	t.Parallel()
	const healthy = 13
	moods := []fakesink.Mood{fakesink.Fails, fakesink.Busy, fakesink.Throttle, fakesink.Resets, fakesink.Hangs, fakesink.Slow}
	part := rounds(60, 2500)

	s := start(t, t.TempDir(), local...)
	s.addPluralKit()
	s.ready()
	var receivers []*hookReceiver
	for range healthy {
		r := newReceiver(t, fakesink.Good)
		receivers = append(receivers, r)
		s.addHook(s.secret(hookSecret), "standard", "--url", r.url, "--owner-only", "--event", "switch.create")
	}
	var loads []*load
	send := func(n int) {
		l := startLoad(t, s, 4)
		loads = append(loads, l)
		await(t, "load", func() bool { return l.accepted() >= n })
		l.stop()
	}
	round := func(what string) {
		begun := time.Now()
		send(part)
		s.settled()
		arrive(t, receivers, switches(s.stream("EVENTS")))
		t.Logf("%s: %.0f deliveries a second to %d receivers, from the first post to the last arrival; %d MiB resident",
			what, float64(loads[len(loads)-1].accepted()*healthy)/time.Since(begun).Seconds(), healthy, s.statusOf("VmRSS")>>20)
	}
	round("alone")
	for _, mood := range moods {
		s.addHook(s.secret(hookSecret), "standard", "--url", newReceiver(t, mood).url, "--owner-only", "--event", "switch.create")
	}
	s.addHook(s.secret(hookSecret), "standard", "--url", fakesink.Refused(t), "--owner-only", "--event", "switch.create")
	round(fmt.Sprintf("beside %d that fail", len(moods)+1))

	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	kills := rounds(2, 20)
	for range kills {
		l := startLoad(t, s, 4)
		loads = append(loads, l)
		want := 1 + random.IntN(2*part/kills)
		await(t, "load", func() bool { return l.accepted() >= want })
		s.kill()
		l.stop()
		s.start()
	}
	s.ready()
	round("after the kills")
	// Of each webhook at most 8 are on their way at once, and 32 not yet noted.
	if got, most := doubles(receivers), kills*healthy*(8+32); got > most {
		t.Errorf("%d doubles after %d kills, want at most %d", got, kills, most)
	} else {
		t.Logf("%d doubles after %d kills, each with the id of the first", got, kills)
	}
	s.settled()
	checkLoad(t, Check(s), loads...)
}

package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/test/fakesink"
)

// hookSecret is known to the receivers of these tests.
const hookSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// local lets webhooks reach the receivers of a test.
var local = []string{"--deliver-allow", "127.0.0.0/8"}

// addHook makes a webhook from the shell and gives its id.
func (s *server) addHook(secret string, args ...string) string {
	s.t.Helper()
	if secret != "" {
		args = append(args, "--secret-file", "-")
		secret += "\n"
	}
	out := s.cli(secret, append([]string{"webhook", "add", "--json"}, args...)...)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.ID == "" {
		s.t.Fatalf("webhook add: %v: %s", err, out)
	}
	return made.ID
}

// hookReceiver is a strict receiver that may have a bad day.
type hookReceiver struct {
	*fakesink.Standard
	bad   *fakesink.Bad
	isBad atomic.Bool
	url   string
}

func newReceiver(t *testing.T, mood fakesink.Mood) *hookReceiver {
	r := &hookReceiver{Standard: fakesink.NewStandard(t, hookSecret), bad: fakesink.NewBad(t, mood)}
	r.isBad.Store(mood != fakesink.Good)
	r.url = fakesink.Serve(t, r)
	return r
}

func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.isBad.Load() {
		r.bad.ServeHTTP(w, req)
		return
	}
	r.Standard.ServeHTTP(w, req)
}

// switches counts the events of the log that the receivers of these tests ask for.
func switches(log []stored) int {
	n := 0
	for _, m := range log {
		if strings.HasSuffix(m.Subject, ".switch.create") {
			n++
		}
	}
	return n
}

// arrive waits until each receiver has n different deliveries.
func arrive(t *testing.T, receivers []*hookReceiver, n int) {
	t.Helper()
	for i, r := range receivers {
		await(t, fmt.Sprintf("delivery of all %d to receiver %d, which has %d,", n, i, r.Distinct()), func() bool { return r.Distinct() >= n })
	}
	for i, r := range receivers {
		if got := r.Distinct(); got != n {
			t.Errorf("receiver %d has %d different deliveries, want %d", i, got, n)
		}
	}
}

// doubles counts what the receivers got more than once; each time with the
// same id, or it would not count as one.
func doubles(receivers []*hookReceiver) int {
	n := 0
	for _, r := range receivers {
		n += len(r.Taken()) - r.Distinct()
	}
	return n
}

// TestDeliveredThoughKilled: many webhooks, a third of whose receivers are down
// at first, and a server that is killed at random moments while events come
// in. Each event of the log reaches each receiver; doubles carry the same id.
func TestDeliveredThoughKilled(t *testing.T) {
	t.Parallel()
	hooks, kills, each := rounds(6, 20), rounds(3, 10), rounds(60, 1000)
	s := start(t, t.TempDir(), local...)
	s.addPluralKit()
	s.ready()
	var receivers []*hookReceiver
	moods := []fakesink.Mood{fakesink.Fails, fakesink.Resets, fakesink.Hangs}
	for i := range hooks {
		mood := fakesink.Good
		if i%3 == 0 {
			mood = moods[i/3%len(moods)]
		}
		r := newReceiver(t, mood)
		receivers = append(receivers, r)
		s.addHook(s.secret(hookSecret), "standard", "--url", r.url, "--owner-only", "--event", "switch.create")
	}
	var loads []*load
	for i := range kills {
		l := startLoad(t, s, 4)
		loads = append(loads, l)
		await(t, "load", func() bool { return l.accepted() >= each })
		if i == kills-1 {
			l.stop() // the last part is delivered while nothing else happens
		}
		s.kill()
		l.stop()
		for _, r := range receivers {
			r.isBad.Store(false)
		}
		s.start()
	}
	begun := time.Now()
	s.ready()
	s.settled()
	n := switches(s.stream("EVENTS"))
	arrive(t, receivers, n)
	t.Logf("%d events to %d receivers, %d kills: all arrived %v after the last start; %d doubles of %d, each with the id of the first",
		n, hooks, kills, time.Since(begun).Round(time.Millisecond), doubles(receivers), n*hooks)
	s.settled()
	checkLoad(t, Check(s), loads...)
	if out, errOut, code := s.try("", "verify"); code != 0 {
		t.Errorf("Law 7: verify: exit code %d\n%s%s", code, out, errOut)
	}
}

// TestNoDoublesOnStop: who stops the server and starts it again gets nothing
// twice: what was sent is noted first.
func TestNoDoublesOnStop(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), local...)
	s.addPluralKit()
	s.ready()
	receivers := []*hookReceiver{newReceiver(t, fakesink.Good), newReceiver(t, fakesink.Good)}
	for _, r := range receivers {
		s.addHook(s.secret(hookSecret), "standard", "--url", r.url, "--owner-only", "--event", "switch.create")
	}
	for range rounds(3, 20) {
		l := startLoad(t, s, 4)
		await(t, "load", func() bool { return l.accepted() >= 50 })
		s.stop()
		l.stop()
		s.start()
	}
	s.ready()
	s.settled()
	arrive(t, receivers, switches(s.stream("EVENTS")))
	if n := doubles(receivers); n != 0 {
		t.Errorf("%d doubles, want none", n)
	}
}

// TestLaw8OnlyNewEventsAreSent: a rebuild, a verification, a replay, a restart
// and a database that was lost send nothing.
func TestLaw8OnlyNewEventsAreSent(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), local...)
	s.addPluralKit()
	s.ready()
	good := newReceiver(t, fakesink.Good)
	s.addHook(s.secret(hookSecret), "standard", "--url", good.url, "--owner-only", "--event", "switch.create", "--event", "front.changed")
	const n = 25
	for i := range n {
		if code := s.post(switchBody(uuid.NewString(), time.Now().Add(time.Duration(i)*time.Millisecond))); code != 200 {
			t.Fatalf("post: got %d, want 200", code)
		}
	}
	receivers := []*hookReceiver{good}
	s.settled()
	await(t, "an end of what is due", func() bool {
		return slices.Equal(rows(t, s.database(), "SELECT count(*) FROM deliveries WHERE status = 'due'"), []string{"0"})
	})
	s.settled()
	if good.Distinct() <= n {
		t.Errorf("%d different deliveries, want %d switches and a change of front at least", good.Distinct(), n)
	}
	before := len(good.Taken())
	quiet := func(what string) {
		t.Helper()
		s.ready()
		s.settled()
		if got := len(good.Taken()); got != before {
			t.Errorf("Law 8: %s sent %d deliveries, want none", what, got-before)
			before = got
		}
	}
	s.cli("", "rebuild")
	quiet("a rebuild")
	s.cli("", "verify")
	quiet("a verification")
	s.cli("", "replay", "--tenant", sampleSystem)
	quiet("a replay")
	s.stop()
	s.start()
	quiet("a restart")
	s.stop()
	for _, file := range []string{"projections.db", "projections.db-wal", "projections.db-shm"} {
		if err := os.Remove(filepath.Join(s.dir, file)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	s.start()
	quiet("a lost database")
	if code := s.post(switchBody(uuid.NewString(), time.Now().Add(time.Second))); code != 200 {
		t.Fatalf("post: got %d, want 200", code)
	}
	await(t, "the next delivery", func() bool { return len(good.Taken()) > before })
	if doubles(receivers) != 0 {
		t.Errorf("%d doubles, want none", doubles(receivers))
	}
	Check(s)
}

// TestBenchLatency: the command by which people measure their own machine
// measures all four steps, in their order, and leaves nothing behind. From
// PluralKit's request to the message in the channel it takes at most a second.
func TestBenchLatency(t *testing.T) {
	t.Parallel() // it waits more than it works
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(path, "bench", "latency", "--json", "--switches", strconv.Itoa(rounds(4, 100)), "--data", filepath.Join(dir, "data"))
	cmd.Env = append(os.Environ(), gorace, "SWITCHLOG_ROLES=ingest,process") // settings of another server are not for this one
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	var r struct {
		Switches int
		Steps    []struct {
			Step  string
			P50   time.Duration `json:"p50_ns"`
			Worst time.Duration `json:"worst_ns"`
		}
	}
	if err := errors.Join(err, json.Unmarshal(out, &r)); err != nil || r.Switches < 1 || len(r.Steps) != 4 {
		t.Fatalf("got %s, %s, %v; want four steps", out, errOut.String(), err)
	}
	for i, s := range r.Steps {
		if s.P50 <= 0 || s.Worst < s.P50 {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	t.Logf("%+v", r)
	if p50 := r.Steps[3].P50; p50 > time.Second {
		t.Errorf("to Discord: p50 is %v, want at most 1 s", p50)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

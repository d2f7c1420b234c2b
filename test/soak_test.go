package test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"switchlog/test/fakesink"
)

// TestSoak sends events at a steady rate with everything on: several systems, a
// webhook to which each change of who fronts is passed on, a subscriber on NATS,
// a program that asks. What a server holds on to (memory, files, goroutines) and what waits must be the
// same at the end as near the beginning. SOAK=1h makes it an hour at 500 events
// a second; every day it is a few seconds at a lower rate.
func TestSoak(t *testing.T) {
	length, rate := 6*time.Second, 60
	if soaking() {
		rate = 500
		if d, err := time.ParseDuration(os.Getenv("SOAK")); err == nil {
			length = d
		}
	}
	s := start(t, filepath.Join(t.TempDir(), "data"), "--deliver-allow", "127.0.0.0/8") // made by it, with its permissions
	s.ready()
	var passedOn atomic.Int64
	url := fakesink.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			passedOn.Add(1)
		}
	}))
	s.cli("", "webhook", "add", "--url", url, "--owner-only", "--event", "front.changed")
	var systems []soakSystem
	for range 5 {
		system := soakSystem{uuid: uuid.NewString(), token: s.newSecret()}
		for range 12 {
			system.members = append(system.members, uuid.NewString())
		}
		s.cli(system.token, "source", "add", "pluralkit", "--token-file", "-", "--system", system.uuid)
		systems = append(systems, system)
	}
	s.ready()
	before := s.settled()

	// A subscriber that cannot keep up loses messages, and sees it by their
	// sequences; what it hears of the end is what counts here.
	var heard, heardLast atomic.Int64
	nc := s.admin()
	_, err := nc.Subscribe("events.>", func(m *nats.Msg) {
		heard.Add(1)
		if seq, err := strconv.ParseInt(m.Header.Get("Nats-Sequence"), 10, 64); err == nil {
			heardLast.Store(max(heardLast.Load(), seq))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &soakWriter{s: s, systems: systems, random: rand.New(rand.NewPCG(1, 2))}
	watch := s.watchItself(max(length/40, 250*time.Millisecond))
	w.run(t, length, rate)
	samples := watch()
	answered := w.answers[http.StatusOK]
	var last uint64 // each attempt is an event, too
	await(t, fmt.Sprintf("a log of the %d events that were answered 200, and of what was passed on", answered), func() bool {
		last = s.settled()
		return last-before == uint64(answered)+uint64(passedOn.Load())
	})
	t.Logf("%d passed on", passedOn.Load())

	for status, n := range w.answers {
		if status != http.StatusOK {
			t.Errorf("%d answers of %d", n, status)
		}
	}
	await(t, "the last event on NATS", func() bool { return heardLast.Load() == int64(last) })
	t.Logf("%d of %d heard by a live subscriber", heard.Load(), last-before)
	judge(t, samples)
	if !soaking() {
		Check(s)
		return
	}
	for _, command := range []string{"verify", "doctor"} { // a million events are too many to look at one by one
		if out, errOut, code := s.try("", command); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", command, code, out, errOut)
		}
	}
}

type soakSystem struct {
	uuid, token string
	members     []string
}

// soakWriter posts what systems do, in about the shares of every day.
type soakWriter struct {
	s       *server
	systems []soakSystem

	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	sent    int
	answers map[int]int
}

// body makes the next event: mostly messages, many switches, some changes.
func (w *soakWriter) body() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	system := w.systems[w.random.IntN(len(w.systems))]
	member := system.members[w.random.IntN(len(system.members))]
	head := fmt.Sprintf(`{"signing_token":%q,"system_id":%q,`, system.token, system.uuid)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	switch n := w.random.IntN(100); {
	case n < 55:
		text := strings.Repeat("Somebody wrote a few words here. ", 7) // such a request has about 1.5 KB
		return fmt.Appendf(nil, `%s"type":"CREATE_MESSAGE","id":null,"data":{"timestamp":%q,"id":"%d","original":"%d","sender":"1150000000000000003","channel":"1150000000000000002","guild":"1150000000000000001",`+
			`"system":{"id":"kfazoe","uuid":%q,"name":"Harbour House","description":%q,"avatar_url":"https://cdn.example.org/harbour.png","privacy":{"front_privacy":"private"}},`+
			`"member":{"id":"abvenk","uuid":%q,"name":"Alder","display_name":"Alder of the Harbour","description":%q,"avatar_url":"https://cdn.example.org/alder.png","message_count":%d,"proxy_tags":[]}}}`,
			head, now, 1444000000000000000+w.sent, 1443000000000000000+w.sent, system.uuid, text, member, text, w.sent)
	case n < 85:
		id := uuid.NewString()
		return fmt.Appendf(nil, `%s"type":"CREATE_SWITCH","id":%q,"data":{"id":%q,"timestamp":%q,"members":[%q]}}`, head, id, id, now, member)
	default:
		return fmt.Appendf(nil, `%s"type":"UPDATE_MEMBER","id":%q,"data":{"name":"Alder %d"}}`, head, member, w.sent%7)
	}
}

// run posts at a rate, whatever the answers take: who waits for a late answer
// would hide it.
func (w *soakWriter) run(t *testing.T, length time.Duration, rate int) {
	t.Helper()
	const connections = 8
	w.answers = map[int]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	due := make(chan struct{}, rate)
	var posts sync.WaitGroup
	for range connections {
		posts.Go(func() {
			for range due {
				status := 0
				res, err := client.Post(w.s.Public+"/in/pluralkit", "application/json", bytes.NewReader(w.body()))
				if err == nil {
					status = res.StatusCode
					res.Body.Close()
				}
				w.mu.Lock()
				w.answers[status]++
				w.mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begun, sent := time.Now(), 0
	for elapsed := time.Duration(0); elapsed < length; elapsed = time.Since(begun) {
		for ; sent < int(elapsed.Seconds()*float64(rate)); sent++ {
			due <- struct{}{}
		}
		<-tick.C
	}
	close(due)
	posts.Wait()
	t.Logf("%d events in %v", sent, length)
}

// soakSample is what the server holds on to at one moment.
type soakSample struct {
	rss, files, goroutines int
	spool, wal             int64 // bytes
	waiting, lag           int   // events
}

// watchItself takes samples at intervals until the returned function is
// called, which gives them.
func (s *server) watchItself(interval time.Duration) (stop func() []soakSample) {
	done := make(chan struct{})
	var samples []soakSample
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				samples = append(samples, s.sample())
			}
		}
	})
	return func() []soakSample {
		close(done)
		wg.Wait()
		return samples
	}
}

func (s *server) sample() soakSample {
	pid := s.cmd.Process.Pid
	sample := soakSample{rss: s.statusOf("VmRSS")}
	if files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); err == nil {
		sample.files = len(files)
	}
	for _, db := range []string{"spool.db", "projections.db", "secrets.db"} {
		if info, err := os.Stat(filepath.Join(s.dir, db+"-wal")); err == nil {
			sample.wal += info.Size()
		}
	}
	if info, err := os.Stat(filepath.Join(s.dir, "spool.db")); err == nil {
		sample.spool = info.Size()
	}
	_, _, metrics := s.get("/metrics")
	for line := range strings.Lines(string(metrics)) {
		fmt.Sscanf(line, "go_goroutines %d", &sample.goroutines)
		fmt.Sscanf(line, "switchlog_spool_depth %d", &sample.waiting)
		fmt.Sscanf(line, "switchlog_projection_lag_events %d", &sample.lag)
	}
	return sample
}

// judge holds the last third of the samples against the second: the first is
// for warming up.
func judge(t *testing.T, samples []soakSample) {
	t.Helper()
	third := len(samples) / 3
	if third < 3 {
		t.Fatalf("%d samples, want 9 or more", len(samples))
	}
	for _, m := range []struct {
		name  string
		of    func(soakSample) int
		slack int // that much more is no growth
	}{
		{"resident memory", func(s soakSample) int { return s.rss }, 32 << 20},
		{"open files", func(s soakSample) int { return s.files }, 8},
		{"goroutines", func(s soakSample) int { return s.goroutines }, 16},
		{"bytes of the spool", func(s soakSample) int { return int(s.spool) }, 48 << 20}, // 2 million ids, which it remembers at most
		{"bytes of write-ahead logs", func(s soakSample) int { return int(s.wal) }, 32 << 20},
		{"events waiting in the spool", func(s soakSample) int { return s.waiting }, 500},
		{"events behind", func(s soakSample) int { return s.lag }, 500},
	} {
		begin, end := median(samples[third:2*third], m.of), median(samples[2*third:], m.of)
		t.Logf("%-28s %12d at first, %12d at the end, %12d at most", m.name, begin, end, slices.Max(each(samples, m.of)))
		if end > begin+begin/5+m.slack {
			t.Errorf("%s grew from %d to %d", m.name, begin, end)
		}
	}
}

func median(samples []soakSample, of func(soakSample) int) int {
	values := each(samples, of)
	slices.Sort(values)
	return values[len(values)/2]
}

func each(samples []soakSample, of func(soakSample) int) []int {
	var values []int
	for _, s := range samples {
		values = append(values, of(s))
	}
	return values
}

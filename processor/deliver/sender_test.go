package deliver

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchlog/schemas"
	"switchlog/test/fakesink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func standardSub(id string) schemas.Subscription {
	return schemas.Subscription{ID: id, Provider: schemas.ProviderStandard, Events: []string{"*"}}
}

// TestNotSentTwiceWhileUnfolded: between the note and its fold the row says
// due, however often somebody looks.
func TestNotSentTwiceWhileUnfolded(t *testing.T) {
	w := newWorld(t)
	sink := fakesink.NewStandard(t, testSecret)
	w.add(standardSub("a"), fakesink.Serve(t, sink), testSecret)
	const n = 100
	for range n {
		w.event("a", "t")
	}
	w.hold()
	w.start()
	w.count(maxUnfolded) // then it waits for the projection
	for range 5 {
		w.wake()
	}
	if got := len(sink.Taken()); got > maxUnfolded+8 {
		t.Errorf("%d sent while nothing is folded, want at most %d", got, maxUnfolded+8)
	}
	w.release()
	w.count(n)
	counts := sink.Counts()
	for key, times := range counts {
		if times != 1 {
			t.Errorf("%s: sent %d times, want 1", key, times)
		}
	}
	if len(counts) != n {
		t.Errorf("%d deliveries, want %d", len(counts), n)
	}
}

// TestNotedLater: an attempt whose note fails is noted when that works again,
// and is not made again for want of it.
func TestNotedLater(t *testing.T) {
	w := newWorld(t)
	sink := fakesink.NewStandard(t, testSecret)
	w.add(standardSub("a"), fakesink.Serve(t, sink), testSecret)
	w.event("a", "t")
	w.broken = errors.New("disk full")
	w.start()
	<-sink.News()
	w.mu.Lock()
	w.broken = nil
	w.mu.Unlock()
	w.count(1)
	if got := len(sink.Taken()); got != 1 {
		t.Errorf("sent %d times, want 1", got)
	}
}

// TestBadReceivers: of each bad day what is noted, and what it costs.
func TestBadReceivers(t *testing.T) {
	for _, tc := range []struct {
		name             string
		mood             fakesink.Mood
		status           int
		outcome, say     string
		disabled, isLong bool
	}{
		{"500", fakesink.Fails, 500, schemas.OutcomeFailed, "it broke", false, false},
		{"503", fakesink.Busy, 503, schemas.OutcomeFailed, "", false, false},
		{"410", fakesink.Gone, 410, schemas.OutcomeRefused, "", true, false},
		{"reset", fakesink.Resets, 0, schemas.OutcomeFailed, "reset", false, false},
		{"redirect", fakesink.Redirect, 302, schemas.OutcomeFailed, "", false, false},
		{"huge", fakesink.Huge, 500, schemas.OutcomeFailed, "xxx", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			bad := fakesink.NewBad(t, tc.mood)
			trap := fakesink.NewBad(t, fakesink.Good)
			bad.To = fakesink.Serve(t, trap)
			w.add(standardSub("a"), fakesink.Serve(t, bad), testSecret)
			w.event("a", "t")
			w.start()
			got := w.count(1)[0]
			if got.Status != tc.status || got.Outcome != tc.outcome || !strings.Contains(got.Response, tc.say) {
				t.Errorf("got %d %s %.80q, want %d %s %q", got.Status, got.Outcome, got.Response, tc.status, tc.outcome, tc.say)
			}
			if n := len([]rune(got.Response)); n > schemas.MaxResponseChars || tc.isLong && n != schemas.MaxResponseChars {
				t.Errorf("kept %d characters, want at most %d", n, schemas.MaxResponseChars)
			}
			if trap.Calls() != 0 {
				t.Error("a redirect was followed")
			}
			if tc.outcome == schemas.OutcomeFailed && got.RetryAt == "" {
				t.Error("no next attempt is planned")
			}
			if tc.disabled {
				poll(t, "disabled", func() bool {
					w.mu.Lock()
					defer w.mu.Unlock()
					return w.disabled["a"] != ""
				})
			}
		})
	}
}

// poll waits for something that no channel tells of.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waited for: %s", what)
		}
	}
}

// TestNobodyListens: the reason is noted, and no address of ours is in it but
// the one that was asked for.
func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	w.add(standardSub("a"), fakesink.Refused(t), testSecret)
	w.event("a", "t")
	w.start()
	if got := w.count(1)[0]; got.Status != 0 || !strings.Contains(got.Response, "refused") {
		t.Errorf("got %d %q, want a refused connection", got.Status, got.Response)
	}
}

// TestLaw9NoSecretInAnswers: a receiver that repeats all it was sent tells
// history nothing.
func TestLaw9NoSecretInAnswers(t *testing.T) {
	const token, key = "tk_s3cr3t/+=token", "tokenInThePath0123456789"
	for _, provider := range []string{schemas.ProviderStandard, schemas.ProviderCloudEvents, schemas.ProviderDiscord,
		schemas.ProviderBotGhost, schemas.ProviderNtfy} {
		t.Run(provider, func(t *testing.T) {
			w := newWorld(t)
			bad := fakesink.NewBad(t, fakesink.Echoes)
			path, secret := "/hooks/"+key+"?auth=queryS3cret", token
			switch provider {
			case schemas.ProviderStandard:
				secret = testSecret
			case schemas.ProviderDiscord:
				path = "/api/webhooks/1150000000000000001/" + key
			case schemas.ProviderBotGhost:
				path = "/webhook/1150000000000000001/ev"
			case schemas.ProviderNtfy:
				path = "/" + key
			}
			w.add(schemas.Subscription{ID: "a", Provider: provider}, fakesink.Serve(t, bad)+path, secret)
			w.event("a", "t")
			w.start()
			got := w.count(1)[0]
			all := fmt.Sprintf("%+v", got)
			for _, s := range []string{token, key, testSecret, testSecret[6:], "queryS3cret"} {
				if strings.Contains(all, s) {
					t.Errorf("%q is in %s", s, all)
				}
			}
			if !strings.Contains(got.Response, hidden) && provider != schemas.ProviderStandard {
				t.Errorf("nothing was hidden in %q", got.Response)
			}
		})
	}
}

// TestShutdown: what has begun is finished; what hangs is let be and not noted.
func TestShutdown(t *testing.T) {
	w := newWorld(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	url := fakesink.Serve(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
	}))
	w.add(standardSub("a"), url, testSecret)
	w.event("a", "t")
	stop := w.start()
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(leave)
	<-stopped
	if got := w.notes(); len(got) != 1 || got[0].Outcome != schemas.OutcomeDelivered {
		t.Errorf("noted %+v, want one delivered", got)
	}
}

// TestDisabledAndBack: nothing is sent while it is disabled, and what is due
// is when it is back.
func TestDisabledAndBack(t *testing.T) {
	w := newWorld(t)
	sink := fakesink.NewStandard(t, testSecret)
	w.add(standardSub("a"), fakesink.Serve(t, sink), testSecret)
	w.event("a", "t")
	w.start()
	w.count(1)
	w.enable("a", false)
	poll(t, "its worker to end", func() bool { return len(w.sender.Status()) == 0 })
	w.event("a", "t")
	w.wake()
	w.enable("a", true)
	w.count(2)
	if got := len(sink.Taken()); got != 2 {
		t.Errorf("sent %d, want 2", got)
	}
}

// TestManyReceiversAThirdBad: the healthy ones are not slowed, none gets
// anything twice, and memory does not grow with the backlog.
func TestManyReceiversAThirdBad(t *testing.T) {
	const receivers, events = 20, 200
	w := newWorld(t)
	var sinks []*fakesink.Standard
	var servers []*httptest.Server
	moods := []fakesink.Mood{fakesink.Hangs, fakesink.Fails, fakesink.Resets}
	for i := range receivers {
		id := fmt.Sprintf("s%02d", i)
		if i%3 == 0 {
			bad := httptest.NewServer(fakesink.NewBad(t, moods[i/3%len(moods)]))
			servers = append(servers, bad)
			w.add(standardSub(id), bad.URL, testSecret)
		} else {
			sink := fakesink.NewStandard(t, testSecret)
			sinks = append(sinks, sink)
			w.add(standardSub(id), fakesink.Serve(t, sink), testSecret)
		}
	}
	for range events {
		for i := range receivers {
			w.event(fmt.Sprintf("s%02d", i), "t")
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begun := time.Now()
	stop := w.start()
	want := len(sinks) * events
	w.until("all good deliveries", func(n []schemas.DeliveryAttempt) bool { return with(n, "", schemas.OutcomeDelivered) == want })
	took := time.Since(begun)
	runtime.ReadMemStats(&after)
	t.Logf("%d deliveries to %d receivers beside %d bad ones: %v, %.0f/s; heap in use grew by %d KiB",
		want, len(sinks), receivers-len(sinks), took, float64(want)/took.Seconds(), (int64(after.HeapInuse)-int64(before.HeapInuse))>>10)
	for _, s := range servers {
		s.CloseClientConnections() // those that hang
	}
	stop()
	for _, s := range servers {
		s.Close()
	}
	for i, sink := range sinks {
		if sink.Distinct() != events || len(sink.Taken()) != events {
			t.Errorf("receiver %d: %d different of %d, want %d once each", i, sink.Distinct(), len(sink.Taken()), events)
		}
	}
}

package ingest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// When registry.AuthFailures reports a burst.
const (
	burstSize   = 3
	burstWithin = time.Minute
	burstQuiet  = 10 * time.Minute
)

// watched keeps what a Watcher is told.
type watched struct {
	mu   sync.Mutex // guards told
	told []string
}

func (w *watched) tell(what, kind, tenant string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if kind != schemas.PluralKit || tenant != testSystem {
		what += " of another"
	}
	w.told = append(w.told, what)
}

func (w *watched) Suspect(kind, tenant string) { w.tell("suspect", kind, tenant) }
func (w *watched) Missed(kind, tenant string)  { w.tell("missed", kind, tenant) }
func (w *watched) Tried(kind, tenant string)   { w.tell("tried", kind, tenant) }

func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

const otherSystem = "00000000-0000-4000-8000-000000000001"

// wrong is PluralKit's body with a token that is not ours.
func wrong(system string) string {
	return fmt.Sprintf(`{"type":"UPDATE_SYSTEM","signing_token":"wrong","system_id":%q,"id":null,"data":{"name":"a"}}`, system)
}

// TestSuspect: a burst of requests that name a system of ours and have a wrong
// token is told, once in a while, and changes no answer.
func TestSuspect(t *testing.T) {
	w := &watched{}
	b := newBench(t, EdgeConfig{Watch: w})
	b.add(t)
	answers := map[string]bool{}
	post := func(body string) {
		t.Helper()
		resp, err := http.Post(b.edge.URL+"/in/pluralkit", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Header.Del("Date")
		answers[fmt.Sprint(resp.StatusCode, resp.Header, resp.ContentLength, string(got))] = true
	}
	expect := func(when string, want ...string) {
		t.Helper()
		if got := w.take(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	ours := wrong(testSystem)
	for _, body := range []string{
		"", "{", "null", wrong(otherSystem), wrong("x"), wrong(""), strings.ToUpper(wrong(testSystem)),
		`{"signing_token":"wrong","data":"` + strings.Repeat("x", maxClaimBytes) + `","system_id":"` + testSystem + `"}`,
		`{"system_id":"` + otherSystem + `","system_id":"` + testSystem + `","signing_token":"wrong"}`,
		strings.Replace(wrong(testSystem), "UPDATE_SYSTEM", "PING", 1), // PluralKit's own, to see that it is refused
		`{"data":{"system_id":"` + testSystem + `"},"signing_token":"wrong"}`,
	} {
		for range 2 * burstSize {
			post(body)
		}
	}
	expect("of nobody we know")
	post(ours)
	post(ours)
	expect("two")
	b.clock.pass(burstWithin + time.Second)
	post(ours)
	post(ours)
	expect("two, and two long before")
	post(ours + "  ")
	expect("three", "suspect")
	for range 4 * burstSize {
		post(ours)
	}
	expect("more of it")
	b.clock.pass(burstQuiet)
	post(ours)
	expect("one, later")
	post(`{"system_id":"` + testSystem + `"}`)
	post(`{"system_id":"` + strings.ToUpper(testSystem) + `","type":"` + strings.Repeat("x", 2*maxClaimBytes))
	expect("a burst, later", "suspect")
	if len(answers) != 1 {
		t.Errorf("got answers %v, want one", answers)
	}
	if s := b.reg.Sources()[0]; s.Unproven != 20 || s.LastUnproven == nil || s.Refused != 0 {
		t.Errorf("got %+v, want 20 unproven requests", s)
	}
}

// TestMissedAndTried: a request that could not be stored is told, and so is a
// ping that was good.
func TestMissedAndTried(t *testing.T) {
	w := &watched{}
	b := newBench(t, EdgeConfig{Watch: w})
	b.add(t)
	expect := func(when string, want ...string) {
		t.Helper()
		if got := w.take(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	ping := `{"type":"PING","signing_token":"` + testToken + `","system_id":"` + testSystem + `"}`
	b.post(t, ping)
	expect("a ping", "tried")
	b.post(t, strings.Replace(ping, testToken, "wrong", 1))
	b.post(t, update1)
	expect("a wrong ping and an event")
	b.log.fail(errDiskFull)
	if got := b.post(t, update1); got != 503 {
		t.Errorf("got %d, want 503", got)
	}
	expect("no room", "missed")
	b.log.fail(fmt.Errorf("%w: too large for the log", schemas.ErrInvalid))
	if got := b.post(t, update1); got != 400 {
		t.Errorf("got %d, want 400", got)
	}
	expect("an event that is wrong")
	b.log.fail(nil)
	b.post(t, update1)
	expect("room again")
}

// BenchmarkUnverified: what a wrong token costs after its answer, of a system
// that is ours and of one that is not.
func BenchmarkUnverified(b *testing.B) {
	bench := newBench(b, EdgeConfig{})
	bench.add(b)
	h := bench.edge.Config.Handler.(*edge)
	for name, body := range map[string][]byte{"ours": []byte(wrong(testSystem)), "another": []byte(wrong(otherSystem)),
		"large": []byte(`{"a":"` + strings.Repeat("x", 200<<10))} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h.unverified(pluralKit, nil, body)
			}
		})
	}
}

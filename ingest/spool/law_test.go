package spool

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"switchlog/schemas"
)

// A process that appends is killed at random moments. Whatever it had answered
// is in the file, once, and each caller's events in the caller's order.
func TestLaw1AnsweredIsDurable(t *testing.T) {
	cfg := temp(t)
	answered := map[string]bool{}
	for range 5 {
		for _, id := range appendAndKill(t, cfg.Path, 1+rand.IntN(400)) {
			answered[id] = true
		}
	}
	log := newLog(t)
	s := start(t, cfg, log)
	s.mustAppend(1, event("0-0-0"))
	log.wait(func(l *fakeLog) bool { return len(l.stored) > 0 && l.stored[len(l.stored)-1].Pos == s.known.last })
	next := map[string]int{}
	for _, id := range log.ids() { // the fake sees to positions
		i := strings.LastIndex(id, "-")
		if want := fmt.Sprint(next[id[:i]]); id[i+1:] != want {
			t.Fatalf("caller %s: got event %s, want %s", id[:i], id[i+1:], want)
		}
		next[id[:i]]++
		delete(answered, id)
	}
	if len(answered) > 0 {
		t.Errorf("answered, but not there: got %d events, want none", len(answered))
	}
}

// appendAndKill kills a child after it has printed n answers, and returns all
// it printed.
func appendAndKill(t *testing.T, path string, n int) (ids []string) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "error:") {
			t.Errorf("child: got %s, want none", lines.Text())
		}
		ids = append(ids, lines.Text())
		if len(ids) == n {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Error("child: got a clean end, want killed")
	}
	if len(ids) < n {
		t.Fatalf("child: got %d answers, want at least %d", len(ids), n)
	}
	return ids
}

// Whatever happens to spool and log, and in whatever order, the log ends with
// what was accepted, once and in order.
func TestLaw1ExactlyOnceInAnyHistory(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // backoff costs nothing
		histories := 0
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // a *testing.T would be asked for its deadline
			histories++
			h := &history{t: t, rt: rt, cfg: Config{Path: filepath.Join(dir, fmt.Sprint(histories))}, log: newLog(t)}
			h.s = start(t, h.cfg, h.log)
			rt.Repeat(map[string]func(*rapid.T){
				"append":     h.append,
				"repeat":     h.repeat,
				"store":      h.storeFault,
				"log":        h.logFault,
				"away":       func(rt *rapid.T) { h.log.set(func(l *fakeLog) { l.away = rapid.Bool().Draw(rt, "away") }) },
				"damaged":    func(rt *rapid.T) { h.log.set(func(l *fakeLog) { l.damaged = rapid.Bool().Draw(rt, "damaged") }) },
				"crash":      func(*rapid.T) { h.s.crash(); h.s = start(t, h.cfg, h.log) },
				"restart":    func(*rapid.T) { h.s.close(); h.s = start(t, h.cfg, h.log) },
				"let it run": func(*rapid.T) { synctest.Wait() },
			})
			h.log.set(func(l *fakeLog) { l.away, l.damaged = false, false })
			h.log.holds(h.accepted...)
			h.s.close()
		})
	})
}

type history struct {
	t        *testing.T
	rt       *rapid.T
	cfg      Config
	log      *fakeLog
	s        *running
	n        int
	accepted []string
}

func (h *history) append(rt *rapid.T) {
	var events []schemas.Event
	var ids []string
	for range rapid.IntRange(1, 5).Draw(rt, "events") {
		h.n++
		e := event(fmt.Sprint(h.n))
		e.Repeats = 1 << 60
		events, ids = append(events, e), append(ids, e.ID)
	}
	fresh, err := h.s.Append(h.t.Context(), events...)
	switch {
	case err != nil:
	case fresh != len(events):
		rt.Fatalf("append: got %d fresh, want %d", fresh, len(events))
	default:
		h.accepted = append(h.accepted, ids...)
	}
}

func (h *history) repeat(rt *rapid.T) {
	if len(h.accepted) == 0 {
		return
	}
	e := event(rapid.SampledFrom(h.accepted).Draw(rt, "id"))
	e.Repeats = 1 << 60
	if fresh, err := h.s.Append(h.t.Context(), e); err == nil && fresh != 0 {
		rt.Fatalf("repeat: got %d fresh, want 0", fresh)
	}
}

// storeFault makes the next commit fail, before or after it was done.
func (h *history) storeFault(rt *rapid.T) {
	h.s.disk.commits(failOnce(rapid.Bool().Draw(rt, "done")))
}

func (h *history) logFault(rt *rapid.T) {
	after := rapid.SampledFrom([]int{0, 1, 3, all}).Draw(rt, "stored")
	h.log.set(func(l *fakeLog) { l.faults = append(l.faults, fault{after}) })
}

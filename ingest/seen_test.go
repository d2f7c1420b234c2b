package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchlog/ingest/registry"
)

// TestSeenOutlivesTheProcess: what came of a source is known after a restart; a
// new source of the same name begins at nothing, and so does a file that cannot
// be read.
func TestSeenOutlivesTheProcess(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end() // it writes down what there is, and returns
	b := newBench(t, EdgeConfig{})
	b.add(t)
	restart := func() {
		t.Helper()
		if err := b.reg.Run(over); err != nil {
			t.Fatal(err)
		}
		if err := b.reg.Close(); err != nil {
			t.Fatal(err)
		}
		b = newBenchIn(t, b.dir, b.clock, registry.Config{}, EdgeConfig{})
	}
	expect := func(when, want string) {
		t.Helper()
		s := b.reg.Sources()[0]
		got := fmt.Sprintln(s.Accepted, s.SinceStart, s.Refused, s.Unstored, s.LastEvent != nil, s.LastPing != nil, s.LastUnstored != nil)
		if got != want+"\n" {
			t.Errorf("%s: got %swant %s", when, got, want)
		}
	}
	b.post(t, bodies(t)["01-ping-valid"])
	b.post(t, update1)
	b.post(t, update1)
	b.log.fail(errDiskFull)
	b.post(t, update1)
	b.log.fail(nil)
	b.post(t, update1[:len(update1)-1]) // wrong, and no matter of ours
	expect("at first", "2 2 2 1 true true true")
	restart()
	expect("after a restart", "2 0 2 1 true true true")
	b.post(t, update1)
	expect("one more", "3 1 2 1 true true true")

	if err := b.reg.Remove(t.Context(), "pluralkit", "home"); err != nil {
		t.Fatal(err)
	}
	b.clock.pass(1)
	b.add(t)
	restart()
	expect("another source of this name", "0 0 0 0 false false false")

	b.post(t, update1)
	if err := b.reg.Run(over); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "seen.json"), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.reg.Close(); err != nil {
		t.Fatal(err)
	}
	b = newBenchIn(t, b.dir, b.clock, registry.Config{}, EdgeConfig{})
	expect("a file that is cut short", "0 0 0 0 false false false")
	if !strings.Contains(b.lines.String(), "counting begins anew") {
		t.Error("it is not said that the counts are lost")
	}
}

// TestAccessLog: each request that was accepted is a line of its own, with no
// more than where it came from, its type and its id; a ping and one that is
// refused are none.
func TestAccessLog(t *testing.T) {
	lines := &output{}
	b := newBench(t, EdgeConfig{Access: lines.logger()})
	b.add(t)
	b.post(t, bodies(t)["01-ping-valid"])
	b.post(t, strings.Replace(update1, testToken, "unknown", 1))
	b.post(t, update1)
	got := lines.String()
	id := b.log.webhooks()[0].ID
	if want := `msg=accepted source=pluralkit type=` + b.log.webhooks()[0].Type + ` event=` + id + ` events=1 new=1`; strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("got %q, want one line with %s", got, want)
	}
}

package test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/test/faultfs"
)

// TestDiskFull lets the disk fill up under each part of the data directory.
// Where the spool has no room a webhook is answered 503, elsewhere 200; what is
// wrong is said; and with room again everything goes on by itself, with nothing
// lost that was answered 200.
func TestDiskFull(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, c := range []struct {
		name   string
		full   func(path string) bool
		answer int // to a webhook, meanwhile
	}{
		{"everything", func(string) bool { return true }, 503},
		{"spool", func(p string) bool { return strings.HasPrefix(p, "spool.db") }, 503},
		{"log", func(p string) bool { return strings.HasPrefix(p, "nats/") }, 200},
		{"database", func(p string) bool { return strings.HasPrefix(p, "projections.db") }, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := faultfs.Mount(t)
			s := start(t, disk.Dir)
			t.Cleanup(s.kill)
			s.addPluralKit()
			s.ready()
			l := startLoad(t, s, 4)
			await(t, "load", func() bool { return l.accepted() >= 50 })
			l.stop()

			disk.Refuse(func(op faultfs.Op, path string) syscall.Errno {
				if (op == faultfs.Write || op == faultfs.Change) && c.full(path) {
					return syscall.ENOSPC
				}
				return 0
			})
			full := &load{accept: [][]string{nil}, unsure: map[string]bool{}}
			answers := map[int]int{}
			post := func() {
				id := uuid.NewString()
				got := s.post(switchBody(id, time.Now()))
				answers[got]++
				full.note(0, id, got, nil)
			}
			for range 20 {
				post()
			}
			if answers[c.answer] != 20 {
				t.Errorf("full: got answers %v, want 20 of %d", answers, c.answer)
			}
			await(t, "word of the full disk", func() bool {
				status, _, body := s.get("/readyz")
				return status == http.StatusServiceUnavailable && strings.Count(string(body), "(hint: ") > 0
			})
			_, _, body := s.get("/readyz")
			t.Logf("said: %s", body)
			if status, _, _ := s.get("/healthz"); status != http.StatusOK {
				t.Errorf("healthz: got %d, want 200: it lives", status)
			}

			if c.full("projections.db.rebuild") {
				for _, command := range []string{"verify", "rebuild"} {
					out, errOut, code := s.try("", command)
					if code != 1 || !strings.HasPrefix(errOut, "switchlog: there is no room on the disk of ") || strings.Count(errOut, "(hint: ") != 1 {
						t.Errorf("%s: got exit code %d, %s%s; want the cause first, and one hint", command, code, out, errOut)
					}
				}
			}

			disk.Refuse(nil)
			await(t, "readiness, with room again", func() bool {
				post() // what was full is tried again when something comes
				status, _, _ := s.get("/readyz")
				return status == http.StatusOK
			})
			post()
			if got := answers[http.StatusOK]; got == 0 {
				t.Errorf("with room again: got answers %v, want some 200", answers)
			}
			checkLoad(t, Check(s), l, full)
		})
	}
}

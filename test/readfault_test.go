package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/test/faultfs"
)

// block is the first block of the log.
const block = "nats/jetstream/APP/streams/EVENTS/msgs/1.blk"

// refused reports whether the disk is to refuse this: reading a file whose path
// begins so. Not SQLite's -shm: that is memory, and never read from a disk but
// to be made anew.
func refused(op faultfs.Op, path, prefix string) bool {
	return op == faultfs.Read && strings.HasPrefix(path, prefix) && !strings.HasSuffix(path, "-shm")
}

// unreadable has the disk refuse to read these files. What the kernel holds of
// them is dropped.
func unreadable(t *testing.T, disk *faultfs.FS, prefix string) {
	t.Helper()
	disk.Refuse(func(op faultfs.Op, path string) syscall.Errno {
		if refused(op, path, prefix) {
			return syscall.EIO
		}
		return 0
	})
	files, err := filepath.Glob(filepath.Join(disk.Dir, prefix) + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if !refused(faultfs.Read, strings.TrimPrefix(path, disk.Dir+"/"), prefix) {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		const dontNeed = 4 // POSIX_FADV_DONTNEED
		_, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0)
		if err := f.Close(); err != nil || e != 0 {
			t.Fatalf("%s: %v, %v", path, err, e)
		}
	}
}

// TestUnreadable lets the disk refuse to read one file, at start and while the
// server runs. Nothing is begun anew in place of what cannot be read, but for
// the database, which comes back from the log; what is wrong is said; and when
// the disk reads again, everything is there.
func TestUnreadable(t *testing.T) {
	t.Parallel() // it waits more than it works
	disk := faultfs.Mount(t)
	s := start(t, disk.Dir)
	t.Cleanup(s.kill)
	s.addPluralKit()
	l := startLoad(t, s, 4)
	await(t, "load", func() bool { return l.accepted() >= 100 })
	l.stop()
	s.settled()
	more := &load{accept: [][]string{nil}, unsure: map[string]bool{}}
	post := func() {
		t.Helper()
		id := uuid.NewString()
		got := s.post(switchBody(id, time.Now()))
		if got != http.StatusOK {
			t.Errorf("a webhook meanwhile: got %d, want 200", got)
		}
		more.note(0, id, got, nil)
	}
	says := func(want string) bool {
		status, _, body := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), want) && strings.Contains(string(body), "(hint: ")
	}

	s.stop()
	for _, file := range []string{"spool.db", "secrets.db"} {
		unreadable(t, disk, file)
		if err := s.launch(); err == nil || !strings.Contains(err.Error(), "input/output error") || !strings.Contains(err.Error(), "dmesg") {
			t.Fatalf("%s cannot be read: got %v, want no start, and a hint at dmesg", file, err)
		}
		disk.Refuse(nil)
	}

	aside := filepath.Join(disk.Back, "projections.db.damaged")
	unreadable(t, disk, "projections.db")
	disk.Refuse(func(op faultfs.Op, path string) syscall.Errno { // this file, and not the one in its place
		if _, err := os.Stat(aside); err != nil && refused(op, path, "projections.db") {
			return syscall.EIO
		}
		return 0
	})
	s.start()
	post()
	s.ready() // from the log
	if _, err := os.Stat(aside); err != nil {
		t.Errorf("the database that could not be read: %v, want it put aside", err)
	}
	disk.Refuse(nil)
	s.stop()

	unreadable(t, disk, block)
	s.start()
	post()
	await(t, "word of the block", func() bool { return says("cannot read the streams") })
	await(t, "the doctor's word of the block", func() bool { // not while the NATS server is being started once more
		found, code := s.doctor()
		return code == 1 && hasFinding(found, "server", "problem", "whose files are there as they were", "dmesg")
	})
	disk.Refuse(nil)
	s.ready() // by itself
	checkLoad(t, Check(s), l, more)

	s.stop() // so that neither the server nor the kernel has the block in memory
	disk.Remount()
	s.start()
	s.ready()
	unreadable(t, disk, block)
	await(t, "a read of the block", func() bool {
		unreadable(t, disk, block)
		out, errOut, code := s.try("", "rebuild", "--yes")
		if code != 0 && !strings.Contains(out+errOut, "(hint: ") {
			t.Errorf("rebuild: got %s%s, want a hint", out, errOut)
		}
		return code != 0
	})
	post()
	disk.Refuse(nil)
	s.ready()
	checkLoad(t, Check(s), l, more)
}

// TestSpoolUnreadable lets the disk refuse to read what waits for a log that
// comes back: nothing is sent in its place, and with the disk all arrives.
func TestSpoolUnreadable(t *testing.T) {
	t.Parallel() // it waits more than it works
	o := startOutside(t)
	disk := faultfs.Mount(t)
	s := start(t, disk.Dir, "--nats", o.url())
	t.Cleanup(s.kill)
	s.addPluralKit()
	before := s.settled()
	o.kill()
	post := func() {
		t.Helper()
		body := string(switchBody(uuid.NewString(), time.Now()))
		body = strings.Replace(body, `"members":[`, fmt.Sprintf(`"x":%q,"members":[`, strings.Repeat("x", 100_000)), 1)
		if got := s.post([]byte(body)); got != http.StatusOK {
			t.Errorf("a webhook: got %d, want 200", got)
		}
	}
	for range 3 {
		post()
	}
	s.stop()
	disk.Remount()
	s.start()
	unreadable(t, disk, "spool.db")
	o.start()
	await(t, "word of what cannot be read", func() bool {
		status, _, body := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), "reading what waits") && strings.Contains(string(body), "(hint: ")
	})
	disk.Refuse(nil)
	post()
	s.ready()
	if log := Check(s); uint64(len(log)) != before+4 {
		t.Errorf("log: got %d events, want %d", len(log), before+4)
	}
}

package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/test/faultfs"
)

// TestDoctor: nothing is found where nothing is wrong; and each thing that is
// wrong is named, with what to do, whether the server runs or not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	disk := faultfs.Mount(t)
	s := start(t, disk.Dir)
	t.Cleanup(s.kill)
	s.addPluralKit()
	if got := s.post(switchBody(uuid.NewString(), time.Now())); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	s.settled()
	if found, code := s.doctor(); code != 0 || len(found) < 8 {
		t.Errorf("nothing is wrong: got exit code %d, %v", code, found)
	}
	if out := s.cli("", "doctor", "--quick"); !strings.Contains(out, "nothing is wrong") {
		t.Errorf("nothing is wrong: got %s", out)
	}

	disk.Room(10 << 20)
	s.wantFinding("disk", "problem", "10.0 MiB free", "make room")
	disk.Room(500 << 20)
	s.wantFinding("disk", "warning", "500.0 MiB free", "make room")
	disk.Room(0)

	token := filepath.Join(s.dir, "admin.token")
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	s.wantFinding("permissions", "problem", "others may read "+token, "chmod 600")
	if err := os.Chmod(token, 0o600); err != nil {
		t.Fatal(err)
	}

	s.stop()
	s.wantFinding("server", "problem", "no server runs", "start it with")
	shell(t, filepath.Join(s.dir, "spool.db"), `UPDATE state SET last_us = last_us + 7200000000`)
	s.wantFinding("clock", "problem", "it was set back by ", "set it right")
	shell(t, filepath.Join(s.dir, "spool.db"), `UPDATE state SET last_us = last_us - 7200000000`)

	// What the system refuses is named as that, and not as damage.
	refuse := func(op faultfs.Op, name string, errno syscall.Errno) {
		disk.Refuse(func(o faultfs.Op, path string) syscall.Errno {
			if o == op && strings.HasSuffix(path, name) {
				return errno
			}
			return 0
		})
	}
	refuse(faultfs.Change, "", syscall.EROFS)
	s.wantFinding("writing", "problem", "on a disk that is read-only", "dmesg")
	refuse(faultfs.Change, "", syscall.ENOSPC)
	s.wantFinding("writing", "problem", "no space left", "make room")
	refuse(faultfs.Open, "secrets.db", syscall.EACCES)
	s.wantFinding("secrets", "problem", "secrets.db may not be used by", "as the user it belongs to")
	refuse(faultfs.Open, "secrets.db", syscall.EIO)
	s.wantFinding("secrets", "problem", "the disk cannot read or write", "copy the data directory")
	disk.Refuse(nil)

	for check, name := range map[string]string{"spool": "spool.db", "secrets": "secrets.db", "database": "projections.db"} {
		path := filepath.Join(s.dir, name)
		whole := readFile(t, path)
		writeFile(t, path, string(whole[:len(whole)/2]))
		s.wantFinding(check, "problem", path+" is damaged", "")
		writeFile(t, path, string(whole))
	}
	s.start()
	s.ready()
	if found, code := s.doctor(); code != 0 {
		t.Errorf("all put right: got exit code %d, %v", code, found)
	}
	Check(s)
}

// doctorSays is a finding as the command gives it.
type doctorSays struct{ Check, Verdict, Says, Hint string }

func (s *server) doctor() ([]doctorSays, int) {
	s.t.Helper()
	out, errOut, code := s.try("", "doctor", "--json")
	var found []doctorSays
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		s.t.Fatalf("doctor: %v in %s%s", err, out, errOut)
	}
	return found, code
}

// wantFinding wants the doctor to say this, and to exit 1 if it is a problem.
func (s *server) wantFinding(check, verdict, says, hint string) {
	s.t.Helper()
	found, code := s.doctor()
	if want := map[string]int{"problem": 1, "warning": 0}[verdict]; code != want {
		s.t.Errorf("%s: exit code %d, want %d", check, code, want)
	}
	if !hasFinding(found, check, verdict, says, hint) {
		s.t.Errorf("got %+v, want a %s of %s with %q and %q", found, verdict, check, says, hint)
	}
}

func hasFinding(found []doctorSays, check, verdict, says, hint string) bool {
	return slices.ContainsFunc(found, func(f doctorSays) bool {
		return f.Check == check && f.Verdict == verdict && strings.Contains(f.Says, says) && f.Hint != "" && strings.Contains(f.Hint, hint)
	})
}

// shell changes a database with the sqlite3 shell.
func shell(t *testing.T, path, statement string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sqlite3", path, statement).CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
}

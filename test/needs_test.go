package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// needs runs test/needs.sh where only these programs are there. id and apt-get
// are stand-ins: one gives the user's number, the other notes what it is asked.
func needs(t *testing.T, user string, without []string, env ...string) (out, asked string, code int) {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"bash", "awk", "sort", "head", "gcc", "git", "make", "sqlite3", "node", "npm", "chromium", "fusermount3", "go"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(t.TempDir(), "asked")
	for name, script := range map[string]string{
		"id":      "[[ $1 == -u ]] && echo " + user + " || echo ann",
		"apt-get": `echo "$*" >> ` + log,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range without {
		if err := os.Remove(filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "bash"), "needs.sh")
	cmd.Env = append([]string{"PATH=" + bin, "HOME=" + t.TempDir()}, env...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	b, err := os.ReadFile(log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return both.String(), string(b), cmd.ProcessState.ExitCode()
}

// TestNeeds: the test command says first what it needs: it installs that where
// it may, and else prints one line with the command to type. A machine on which
// the tests cannot run is named before anything is installed or built.
func TestNeeds(t *testing.T) {
	if out, asked, code := needs(t, "1000", nil); code != 0 || out != "" || asked != "" {
		t.Errorf("all there: got exit code %d, %q, apt-get %q, want nothing", code, out, asked)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	for _, c := range []struct {
		name    string
		user    string
		without []string
		env     []string
		code    int
		says    string // the one line
		asked   string // of apt-get
	}{
		{"a user without two programs", "1000", []string{"sqlite3", "npm"}, nil, 1,
			"missing: sqlite3 npm (hint: sudo apt-get install -y --no-install-recommends sqlite3 npm)", ""},
		{"a user without fuse3 and certificates", "1000", []string{"fusermount3"}, []string{"CERTIFICATES=" + empty}, 1,
			"missing: fuse3 ca-certificates (hint: sudo apt-get install -y --no-install-recommends fuse3 ca-certificates)", ""},
		{"a user without a compiler", "1000", []string{"gcc"}, nil, 1,
			"missing: gcc libc6-dev (hint: sudo apt-get install -y --no-install-recommends gcc libc6-dev)", ""},
		{"root", "0", []string{"node", "npm"}, nil, 0,
			"installing nodejs npm", "update -q\ninstall -y --no-install-recommends nodejs npm\n"},
		{"root, and no Debian", "0", []string{"node", "apt-get"}, nil, 1,
			"missing, by the names of their Debian packages: nodejs (hint: install them with this system's package manager)", ""},
		{"no list of mounts", "1000", nil, []string{"MTAB=" + empty}, 1, "there is no " + empty + ", which fusermount3 reads (hint: sudo ln -s", ""},
		{"no device", "0", []string{"node"}, []string{"FUSE_DEVICE=" + empty}, 1,
			"there is no " + empty + ", on which", ""},
	} {
		out, asked, code := needs(t, c.user, c.without, c.env...)
		if code != c.code || !strings.Contains(out, c.says) || strings.Count(out, "\n") != 1 || asked != c.asked {
			t.Errorf("%s: got exit code %d, %q, apt-get %q\nwant %d, one line with %q, apt-get %q", c.name, code, out, asked, c.code, c.says, c.asked)
		}
	}
}

// TestNeedsAreTold: README names all that is needed, the test command begins
// with it, and CI runs that command and has no second list.
func TestNeedsAreTold(t *testing.T) {
	readme := string(read(t, "README.md"))
	list := regexp.MustCompile(`(?m)^need (\S+) `).FindAllStringSubmatch(string(read(t, "test/needs.sh")), -1)
	if len(list) < 7 {
		t.Fatalf("test/needs.sh: %d needs", len(list))
	}
	above, _, _ := strings.Cut(readme, "\n## ")
	for _, need := range append(list, []string{"", "libc6-dev"}, []string{"", "/dev/fuse"}, []string{"", "ca-certificates"}) {
		if !strings.Contains(above, need[1]) {
			t.Errorf("README.md does not say that %s is needed", need[1])
		}
	}
	if !regexp.MustCompile(`(?m)^check: needs `).Match(read(t, "Makefile")) {
		t.Error("Makefile: check does not begin with needs")
	}
	ci := string(read(t, ".ci/run"))
	if !strings.HasSuffix(ci, "\nexec make check\n") || strings.Contains(ci, "apt-get") {
		t.Errorf(".ci/run: want make check at its end and no list of its own:\n%s", ci)
	}
}

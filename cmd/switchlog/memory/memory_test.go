package memory

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMachineMemory holds that a limit of the group we run in counts, and of the
// groups around it.
func TestMachineMemory(t *testing.T) {
	machine := machineMemory(t.TempDir()) // which has no groups
	if machine < 64<<20 || machine > 1<<50 {
		t.Fatalf("the machine has %d bytes", machine)
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, machine},
		{"a container", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "33554432\n"}, 32 << 20},
		{"a service", map[string]string{"proc/self/cgroup": "0::/system.slice/switchlog.service\n",
			"sys/fs/cgroup/system.slice/switchlog.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "16777216\n"}, 16 << 20},
		{"version 1", map[string]string{"proc/self/cgroup": "4:memory:/x\n", "sys/fs/cgroup/memory.max": "1\n"}, machine},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := machineMemory(root); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

// TestMemoryLimit: the limit leaves room to what is in use, and does not rise
// with it beyond what keeps the process below 400 MB, unless it must.
func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ live, least, want int64 }{
		{20 * mib, 256 * mib, 256 * mib},
		{140 * mib, 256 * mib, 272 * mib}, // a long import: the NATS server's blocks
		{300 * mib, 256 * mib, 375 * mib}, // an index of many subjects
		{20 * mib, 96 * mib, 96 * mib},
		{140 * mib, 96 * mib, 212 * mib},
	} {
		if got := limitFor(c.live, c.least); got != c.want {
			t.Errorf("%d MiB in use: limit %d MiB, want %d", c.live/mib, got/mib, c.want/mib)
		}
	}
}

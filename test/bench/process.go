//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that we started.
type process struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan error
}

func startProcess(env []string, path string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(path, args...), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// If we die, it must not stay behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// end stops the process by sig and waits for it; after a while it is killed.
func (p *process) end(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(fmt.Errorf("%s did not stop", p.cmd.Path), p.cmd.Process.Kill())
	}
}

// await polls until ok, or fails after within or when the process has ended.
func (p *process) await(what string, within time.Duration, ok func() bool) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !ok() {
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s: the process has ended: %v\n%s", what, err, p.out.Bytes())
		case <-deadline:
			return fmt.Errorf("%s: not within %v\n%s", what, within, p.out.Bytes())
		case <-tick.C:
		}
	}
	return nil
}

// usage is what processes have used since they began.
type usage struct {
	cpu     time.Duration
	written int64 // bytes, as the kernel sent them to the disk
}

func (u usage) minus(v usage) usage { return usage{u.cpu - v.cpu, u.written - v.written} }

// ticks a second in /proc: the same on every Linux that Go runs on.
const ticks = 100

func used(all ...*process) (u usage) {
	for _, p := range all {
		stat, err := os.ReadFile(p.proc("stat"))
		if err != nil {
			continue // it has ended: what it had is lost
		}
		// The name in parentheses may hold anything; utime and stime are the
		// 12th and 13th field after it.
		_, rest, _ := bytes.Cut(stat, []byte(") "))
		if f := strings.Fields(string(rest)); len(f) > 13 {
			u.cpu += time.Duration(number(f[11])+number(f[12])) * time.Second / ticks
		}
		u.written += p.field("io", "write_bytes:")
	}
	return u
}

// rss is the memory of all, now and at most, in bytes.
func rss(all ...*process) (now, peak int64) {
	for _, p := range all {
		now += p.field("status", "VmRSS:") << 10
		peak += p.field("status", "VmHWM:") << 10
	}
	return now, peak
}

func (p *process) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}

func (p *process) field(file, name string) int64 {
	b, err := os.ReadFile(p.proc(file))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), name)
	if f := strings.Fields(rest); len(f) > 0 {
		return number(f[0])
	}
	return 0
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// syncs counts the fsyncs of processes, by the kernel's tracepoints.
type syncs struct{ perf *process }

// countSyncs begins; without perf, or the right to use it, nothing is counted.
func countSyncs(all ...*process) syncs {
	pids := make([]string, len(all))
	for i, p := range all {
		pids[i] = strconv.Itoa(p.cmd.Process.Pid)
	}
	perf, err := startProcess(nil, "perf", "stat", "-x", ",", "-e", "syscalls:sys_enter_fsync,syscalls:sys_enter_fdatasync",
		"-p", strings.Join(pids, ","))
	if err != nil {
		return syncs{}
	}
	return syncs{perf}
}

// end gives the number; -1: it is not known.
func (s syncs) end() int64 {
	if s.perf == nil || s.perf.end(syscall.SIGINT) != nil {
		return -1
	}
	total, lines := int64(0), 0
	for _, line := range strings.Split(s.perf.out.String(), "\n") {
		count, what, _ := strings.Cut(line, ",")
		if n, err := strconv.ParseInt(count, 10, 64); err == nil && strings.Contains(what, "sync") {
			total += n
			lines++
		}
	}
	if lines != 2 {
		return -1
	}
	return total
}

// sizeOf is how many bytes the files below dirs take.
func sizeOf(dirs ...string) (total int64) {
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil // files come and go
			}
			if info, err := d.Info(); err == nil {
				total += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
			return nil
		})
	}
	return total
}

// freeAddress is one nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

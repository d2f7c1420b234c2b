package faultfs_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"switchlog/test/faultfs"
)

// TestPowerCut writes a file in two parts, the second without fsync: after a
// cut the first is there whole, and the second is there, gone, or in part.
func TestPowerCut(t *testing.T) {
	first, second := bytes.Repeat([]byte("durable."), 2000), bytes.Repeat([]byte("perhaps."), 2000)
	gone, whole, part := 0, 0, 0
	f := faultfs.Mount(t)
	path := filepath.Join(f.Dir, "file")
	for seed := range uint64(40) {
		file := write(t, path, first)
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(second); err != nil {
			t.Fatal(err)
		}
		f.Cut()
		if _, err := file.Write(second); !errors.Is(err, syscall.EIO) {
			t.Fatalf("write without power: got %v, want EIO", err)
		}
		file.Close()
		f.Restore(rand.New(rand.NewPCG(seed, 0)))
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(got, first) {
			t.Fatalf("seed %d: bytes that were fsynced are gone", seed)
		}
		switch rest := got[len(first):]; {
		case len(rest) == 0:
			gone++
		case bytes.Equal(rest, second):
			whole++
		default:
			part++
		}
	}
	if gone == 0 || part == 0 {
		t.Errorf("of 40 cuts: %d lost all, %d kept all, %d kept a part; want each of the first and the last", gone, whole, part)
	}
}

// TestPowerCutUndoes overwrites and shortens a file without fsync: after a cut
// that takes everything, it is as it was.
func TestPowerCutUndoes(t *testing.T) {
	f := faultfs.Mount(t)
	path := filepath.Join(f.Dir, "file")
	want := bytes.Repeat([]byte("0123456789abcdef"), 1024)
	same := 0
	for seed := range uint64(20) {
		file := write(t, path, want)
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt([]byte("overwritten"), 5000); err != nil {
			t.Fatal(err)
		}
		if err := file.Truncate(7000); err != nil {
			t.Fatal(err)
		}
		f.Cut()
		file.Close()
		f.Restore(rand.New(rand.NewPCG(seed, 1)))
		if got, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		} else if bytes.Equal(got, want) {
			same++
		}
	}
	if same == 0 {
		t.Error("no cut of 20 gave the file as it was")
	}
}

// TestLie shows that with a lying fsync even what was fsynced is lost.
func TestLie(t *testing.T) {
	f := faultfs.Mount(t)
	f.Lie()
	path := filepath.Join(f.Dir, "file")
	lost := 0
	for seed := range uint64(10) {
		file := write(t, path, []byte("durable?"))
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
		f.Cut()
		file.Close()
		f.Restore(rand.New(rand.NewPCG(seed, 2)))
		if got, _ := os.ReadFile(path); string(got) != "durable?" {
			lost++
		}
	}
	if lost == 0 {
		t.Error("nothing was lost")
	}
}

// TestRefuse refuses writes to one file, and reads after a remount.
func TestRefuse(t *testing.T) {
	f := faultfs.Mount(t)
	path := filepath.Join(f.Dir, "file")
	write(t, path, []byte("here")).Close()
	f.Refuse(func(op faultfs.Op, p string) syscall.Errno {
		if op == faultfs.Write && p == "file" {
			return syscall.ENOSPC
		}
		return 0
	})
	if err := os.WriteFile(path, []byte("more"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write: got %v, want ENOSPC", err)
	}
	f.Refuse(func(op faultfs.Op, _ string) syscall.Errno {
		if op == faultfs.Read {
			return syscall.EIO
		}
		return 0
	})
	if _, err := os.ReadFile(path); !errors.Is(err, syscall.EIO) {
		t.Errorf("read: got %v, want EIO", err)
	}
	f.Refuse(nil)
	if got, err := os.ReadFile(path); err != nil || string(got) != "here" {
		t.Errorf("read: got %q, %v, want here", got, err)
	}
}

// write makes the file anew and leaves it open.
func write(t *testing.T, path string, content []byte) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	return file
}

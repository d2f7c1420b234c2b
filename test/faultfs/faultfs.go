package faultfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Op is what is asked of the file system.
type Op string

// The operations a test can refuse.
const (
	Open   Op = "open"
	Read   Op = "read"
	Write  Op = "write" // also truncate and allocate
	Sync   Op = "sync"
	Change Op = "change" // of names: create, rename, remove, link, mkdir
)

// FS is a mounted file system. Its methods may be called while it is in use.
type FS struct {
	Dir  string // where it is mounted: what the program under test works in
	Back string // where its files really are

	t      testing.TB
	server *fuse.Server
	off    atomic.Bool // the power is off: everything fails
	lie    atomic.Bool
	refuse atomic.Pointer[func(Op, string) syscall.Errno]
	room   atomic.Int64 // bytes said to be free; 0: what is true

	mu    sync.Mutex           // guards files, and orders writes and fsyncs
	files map[uint64]*unsynced // by inode: written since its last fsync
	pins  map[uint64]*os.File  // every inode that had a handle: its number must not be used again
}

// Mount mounts a new, empty file system below t's temporary directory, and
// takes it away when the test ends.
func Mount(t testing.TB) *FS {
	t.Helper()
	dir := t.TempDir()
	f := &FS{Dir: filepath.Join(dir, "mounted"), Back: filepath.Join(dir, "back"), t: t, files: map[uint64]*unsynced{}, pins: map[uint64]*os.File{}}
	for _, d := range []string{f.Dir, f.Back} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.mount()
	t.Cleanup(func() {
		f.unmount()
		for _, pin := range f.pins {
			pin.Close()
		}
	})
	return f
}

func (f *FS) mount() {
	f.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(f.Back, &st); err != nil {
		f.t.Fatal(err)
	}
	root := &fs.LoopbackRoot{Path: f.Back, Dev: uint64(st.Dev)}
	first := &node{LoopbackNode: &fs.LoopbackNode{RootData: root}, fs: f}
	root.RootNode = first
	server, err := fs.Mount(f.Dir, first, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMount: true, FsName: "faultfs", Name: "faultfs", DisableXAttrs: true,
	}})
	if err != nil {
		f.t.Fatalf("mount: %v (hint: make needs says what is missing)", err)
	}
	f.server = server
}

func (f *FS) unmount() {
	f.t.Helper()
	if err := f.server.Unmount(); err != nil {
		f.t.Errorf("unmount: %v", err)
	}
}

// Refuse makes every operation ask fn, which gets the path below Dir; what is
// not 0 is the answer. nil: nothing is refused.
func (f *FS) Refuse(fn func(op Op, path string) syscall.Errno) {
	if fn == nil {
		f.refuse.Store(nil)
		return
	}
	f.refuse.Store(&fn)
}

// Room has the file system say that so many bytes are free.
func (f *FS) Room(bytes int64) { f.room.Store(bytes) }

// Lie makes fsync a word without a deed.
func (f *FS) Lie() { f.lie.Store(true) }

// Cut switches the power off: from now on everything fails, and nothing
// reaches the disk. The caller then kills the program and calls Restore.
func (f *FS) Cut() { f.off.Store(true) }

// Restore is the machine after the cut: what was not fsynced is gone, or there
// in part as random says, and everything works again. No file may be open.
func (f *FS) Restore(random *rand.Rand) {
	f.t.Helper()
	f.unmount() // with it goes the kernel's cache
	f.mu.Lock()
	for ino, u := range f.files {
		if err := u.lose(random); err != nil {
			f.t.Errorf("power cut: %v", err)
		}
		delete(f.files, ino)
	}
	f.mu.Unlock()
	f.off.Store(false)
	f.mount()
}

// Remount empties the kernel's cache, so that the next read asks us. No file
// may be open.
func (f *FS) Remount() {
	f.t.Helper()
	f.unmount()
	f.mount()
}

// answer is what an operation is refused with; 0: it may be done.
func (f *FS) answer(op Op, path string) syscall.Errno {
	if f.off.Load() {
		return syscall.EIO
	}
	if fn := f.refuse.Load(); fn != nil {
		return (*fn)(op, path)
	}
	return 0
}

// remember keeps what the file held before [from, to) is changed to something
// else; to -1 is its end. f.mu is held.
func (f *FS) remember(file *os.File, from, to int64) error {
	ino, st, err := stat(file)
	if err != nil {
		return err
	}
	if f.pins[ino] == nil {
		if f.pins[ino], err = reopen(file, os.O_RDONLY); err != nil {
			return err
		}
	}
	u := f.files[ino]
	if u == nil {
		own, err := reopen(file, os.O_RDWR)
		if err != nil {
			return err
		}
		u = &unsynced{file: own, size: st.Size, blocks: map[int64][]byte{}}
		f.files[ino] = u
	}
	if to < 0 {
		to = st.Size
	}
	return u.keep(from, to)
}

// synced forgets what the file held before.
func (f *FS) synced(file *os.File) error {
	if f.lie.Load() {
		return nil
	}
	ino, _, err := stat(file)
	if err != nil {
		return err
	}
	if u := f.files[ino]; u != nil {
		delete(f.files, ino)
		return u.file.Close()
	}
	return nil
}

func stat(file *os.File) (uint64, syscall.Stat_t, error) {
	var st syscall.Stat_t
	err := syscall.Fstat(int(file.Fd()), &st)
	return st.Ino, st, err
}

// reopen opens the file anew, though it may have lost its name by now.
func reopen(file *os.File, flags int) (*os.File, error) {
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), flags, 0)
}

func errno(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e
	}
	return syscall.EIO
}

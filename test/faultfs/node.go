package faultfs

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or directory.
type node struct {
	*fs.LoopbackNode
	fs *FS
}

// WrapChild is called for every node that is found or made.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: child.(*fs.LoopbackNode), fs: n.fs}
}

func (n *node) path() string { return n.Path(nil) }

func (n *node) child(name string) string {
	if n.IsRoot() {
		return name
	}
	return n.path() + "/" + name
}

func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if e := n.fs.answer(Open, n.path()); e != 0 {
		return nil, 0, e
	}
	file, err := os.OpenFile(n.fs.Back+"/"+n.path(), int(flags)&^(syscall.O_APPEND|syscall.O_TRUNC|fuse.FMODE_EXEC), 0)
	if err != nil {
		return nil, 0, errno(err)
	}
	h := newHandle(n, file, n.path())
	if flags&syscall.O_TRUNC != 0 {
		if e := h.change(0, -1, func() error { return file.Truncate(0) }); e != 0 {
			file.Close()
			return nil, 0, e
		}
	}
	return h, 0, 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.fs.answer(Change, n.child(name)); e != 0 {
		return nil, nil, 0, e
	}
	inode, inner, fuseFlags, e := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	if e != 0 {
		return nil, nil, 0, e
	}
	inner.(fs.FileReleaser).Release(ctx)
	// Our own handle, opened anew, so that reads and writes come by us.
	file, err := os.OpenFile(n.fs.Back+"/"+n.child(name), int(flags)&^(syscall.O_APPEND|syscall.O_TRUNC|syscall.O_EXCL|syscall.O_CREAT), 0)
	if err != nil {
		return nil, nil, 0, errno(err)
	}
	return inode, newHandle(inode.Operations().(*node), file, n.child(name)), fuseFlags, 0
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	e := n.LoopbackNode.Statfs(ctx, out)
	if room := n.fs.room.Load(); room > 0 {
		out.Bavail = uint64(room) / uint64(out.Bsize)
	}
	return e
}

// Setattr truncates, too.
func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	size, truncates := in.GetSize()
	if !truncates {
		return n.LoopbackNode.Setattr(ctx, nil, in, out)
	}
	own, ok := h.(*handle)
	if !ok {
		file, err := os.OpenFile(n.fs.Back+"/"+n.path(), os.O_RDWR, 0)
		if err != nil {
			return errno(err)
		}
		defer file.Close()
		own = newHandle(n, file, n.path())
	}
	e := own.change(int64(size), -1, func() error { return own.file.Truncate(int64(size)) })
	if e != 0 {
		return e
	}
	return own.Getattr(ctx, out)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.fs.answer(Change, n.child(name)); e != 0 {
		return e
	}
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if e := n.fs.answer(Change, n.child(name)); e != 0 {
		return e
	}
	return n.LoopbackNode.Rmdir(ctx, name)
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.fs.answer(Change, n.child(name)); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if e := n.fs.answer(Change, n.child(name)); e != 0 {
		return e
	}
	return n.LoopbackNode.Rename(ctx, name, to, newName, flags)
}

// CopyFileRange would go past us: programs fall back to read and write.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOTSUP
}

// handle is an open file.
type handle struct {
	node *node
	file *os.File
	path string // when it was opened, for Refuse
}

func newHandle(n *node, file *os.File, path string) *handle {
	return &handle{node: n, file: file, path: path}
}

// change does what changes the bytes of [from, to), or up to the end for -1.
func (h *handle) change(from, to int64, do func() error) syscall.Errno {
	if e := h.node.fs.answer(Write, h.path); e != 0 {
		return e
	}
	h.node.fs.mu.Lock()
	defer h.node.fs.mu.Unlock()
	if h.node.fs.off.Load() {
		return syscall.EIO // it went off while we waited
	}
	if err := h.node.fs.remember(h.file, from, to); err != nil {
		return errno(err)
	}
	return errno(do())
}

func (h *handle) Read(_ context.Context, buf []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if e := h.node.fs.answer(Read, h.path); e != 0 {
		return nil, e
	}
	n, err := h.file.ReadAt(buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errno(err)
	}
	return fuse.ReadResultData(buf[:n]), 0
}

func (h *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	var n int
	e := h.change(off, off+int64(len(data)), func() (err error) {
		n, err = h.file.WriteAt(data, off)
		return err
	})
	return uint32(n), e
}

func (h *handle) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	return h.change(int64(off), int64(off+size), func() error {
		return syscall.Fallocate(int(h.file.Fd()), mode, int64(off), int64(size))
	})
}

func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	if e := h.node.fs.answer(Sync, h.path); e != 0 {
		return e
	}
	h.node.fs.mu.Lock()
	defer h.node.fs.mu.Unlock()
	if h.node.fs.off.Load() {
		return syscall.EIO
	}
	return errno(h.node.fs.synced(h.file))
}

func (h *handle) Flush(context.Context) syscall.Errno { return 0 }

func (h *handle) Release(context.Context) syscall.Errno { return errno(h.file.Close()) }

func (h *handle) Getattr(_ context.Context, out *fuse.AttrOut) syscall.Errno {
	_, st, err := stat(h.file)
	out.FromStat(&st)
	return errno(err)
}

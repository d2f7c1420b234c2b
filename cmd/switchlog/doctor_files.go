package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// mayWrite is W_OK of access(2).
const mayWrite = 2

// examineWriting wants the directory and its files to be writable: a server
// that cannot write answers no webhook.
func examineWriting(data string, info fs.FileInfo) finding {
	const check = "writing"
	probe, err := os.CreateTemp(data, ".doctor-*")
	if err != nil {
		return found(check, problem, fileTrouble(data, err))
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return found(check, problem, fileTrouble(data, err))
	}
	for _, name := range []string{fileSpool, fileSecrets, fileDatabase} {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			path := filepath.Join(data, name+suffix)
			file, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = syscall.Access(path, mayWrite)
			}
			if err != nil {
				return found(check, problem, fileTrouble(path, err))
			}
			if of, in := owner(file), owner(info); of != in {
				return found(check, warning, fmt.Sprintf("%s belongs to %s, its directory to %s: a server of %[3]s may be unable to write it (hint: sudo chown %[3]s %[1]s)", path, userName(of), userName(in)))
			}
		}
	}
	return found(check, fine, data+" can be written")
}

// fileTrouble says what the system's refusal to open or write a file means, and
// what helps. None of it is damage, and nothing of it is mended by deleting.
func fileTrouble(path string, err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("%s is on a disk that is read-only (hint: the system may have made it so after an error: see dmesg; then mount it for writing again)", path)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("there is no space left for %s (hint: make room on the disk; nothing of what is there is damaged)", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s may not be used by %s; it belongs to %s (hint: run this, and the server, as the user it belongs to, or give it to the server's user: sudo chown -R USER %s)",
			path, userName(os.Geteuid()), ownerOf(path), filepath.Dir(path))
	case errors.Is(err, syscall.EIO):
		return fmt.Sprintf("the disk cannot read or write %s (hint: copy the data directory to another disk as soon as you can; see dmesg)", path)
	}
	return fmt.Sprintf("%s: %v", path, err)
}

// databaseTrouble tells the faults of SQLite apart: only two of its codes are
// damage.
func databaseTrouble(check, path, hint string, err error) finding {
	var fault sqlite3.Error
	if !errors.As(err, &fault) {
		return found(check, problem, fileTrouble(path, err))
	}
	switch fault.Code {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return found(check, problem, fmt.Sprintf("%s is damaged: %v (hint: %s)", path, err, hint))
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return found(check, warning, path+" is in use by another program, so it was not looked through (hint: try again; lsof "+path+" says who uses it)")
	case sqlite3.ErrFull:
		return found(check, problem, fileTrouble(path, syscall.ENOSPC))
	case sqlite3.ErrIoErr:
		return found(check, problem, fileTrouble(path, syscall.EIO))
	case sqlite3.ErrReadonly, sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrAuth:
		// To read a file in WAL mode is to write its -shm.
		if err := syscall.Access(filepath.Dir(path), mayWrite); err != nil {
			return found(check, problem, fileTrouble(filepath.Dir(path), err))
		}
		return found(check, problem, fileTrouble(path, fs.ErrPermission))
	}
	return found(check, problem, fmt.Sprintf("%s: %v", path, err))
}

func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

func ownerOf(path string) string {
	for {
		if info, err := os.Stat(path); err == nil {
			return userName(owner(info))
		}
		parent := filepath.Dir(path)
		if parent == path {
			return "another user"
		}
		path = parent
	}
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

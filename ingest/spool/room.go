package spool

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// reserveBytes is what is left free on the disk, or a twentieth of it if that
// is less: room for what was accepted to move on into log and projection.
const reserveBytes = 64 << 20

// roomLeft is ErrFull when the disk has come down to the reserve.
func (s *Spool) roomLeft() error {
	free, total, err := s.diskFree(s.cfg.Path)
	if err != nil {
		return fmt.Errorf("free room of the disk: %w", err)
	}
	if free < min(reserveBytes, total/20) {
		return fmt.Errorf("%w: the disk has come down to its reserve (hint: make room on the disk of the data directory)", ErrFull)
	}
	return nil
}

// diskFree is what the file system of path has free for us, and its size.
func diskFree(path string) (free, total uint64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return 0, 0, err
	}
	unit := uint64(fs.Bsize)
	return fs.Bavail * unit, fs.Blocks * unit, nil
}

package faultfs

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
)

const blockBytes = 4096

// unsynced is a file with bytes that no fsync has made durable.
type unsynced struct {
	file   *os.File         // our own handle: the file may be deleted or renamed meanwhile
	size   int64            // at the last fsync
	blocks map[int64][]byte // what the blocks changed since then held; nil: they were not there
}

// keep remembers the blocks of [from, to), unless it did already.
func (u *unsynced) keep(from, to int64) error {
	for b := from / blockBytes; b*blockBytes < to; b++ {
		if _, kept := u.blocks[b]; kept {
			continue
		}
		if b*blockBytes >= u.size {
			u.blocks[b] = nil
			continue
		}
		old := make([]byte, min(blockBytes, u.size-b*blockBytes))
		n, err := u.file.ReadAt(old, b*blockBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		u.blocks[b] = old[:n]
	}
	return nil
}

// lose takes from the file what a power cut takes. Half of the time that is
// everything since the last fsync; else every block is there or not by itself,
// and the file has its old or its new size.
func (u *unsynced) lose(random *rand.Rand) error {
	defer u.file.Close()
	info, err := u.file.Stat()
	if err != nil {
		return err
	}
	size := u.size
	partly := random.IntN(2) == 0
	if partly && random.IntN(2) == 0 {
		size = info.Size()
	}
	for b, old := range u.blocks {
		if partly && random.IntN(2) == 0 {
			continue // this one made it
		}
		block := make([]byte, blockBytes) // what was not there reads as zeros
		copy(block, old)
		if _, err := u.file.WriteAt(block, b*blockBytes); err != nil {
			return err
		}
	}
	return u.file.Truncate(size)
}

package engine

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void trim(void) { malloc_trim(0); }
// #else
// static void trim(void) {}
// #endif
import "C"

import (
	"errors"
	"fmt"
)

const shrinkSQL = `PRAGMA shrink_memory`

// Rest gives back the memory of rows and pages that are kept in case they are
// needed again. It is for when there is nothing to do; what is kept comes back
// as it is needed. Questions that are being answered keep theirs.
//
// After 300,000 events that were 54 MB: 15 that SQLite gave back by itself, and
// 39 that glibc would have kept, since pages lie between other things.
func (d *DB) Rest() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.tx.forgetStates() // between batches all of them are flushed
	err := errors.Join(d.tx.exec(shrinkSQL), d.readers.rest(), d.past.rest())
	C.trim()
	if err != nil {
		return fmt.Errorf("projections: rest: %w", d.fault(err))
	}
	return nil
}

// rest gives back the pages of the connections that nobody uses.
func (r *readers) rest() error {
	var err error
	for range maxReaders {
		select {
		case tx := <-r.free:
			if tx != nil {
				err = errors.Join(err, tx.exec(shrinkSQL))
			}
			r.free <- tx
		default:
		}
	}
	return err
}

package spool

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"math"
)

// key is what is kept of an ID: the first bytes of the SHA-256 of the
// Nats-Msg-Id. Whoever chooses IDs cannot make two with one key.
type key [16]byte

func keyOf(msgID string) key {
	h := sha256.Sum256([]byte(msgID))
	return key(h[:len(key{})])
}

// remembered are the IDs whose senders may still repeat them.
//
// They are looked up in memory, about 30 bytes each. In the file there is a
// row for each transaction, with the keys that came in it, in the order in
// which they are over: so remembering costs one page, however many there are,
// and not a page for each somewhere in a tree.
type remembered struct {
	keys  map[key]struct{}
	fresh map[int64][]byte // by until, µs: those of the transaction that runs

	over   int64 // µs: what was good until then is not among keys any more
	next   int64 // µs: the lowest until among keys, or before it
	behind bool  // rows of the file may be over
	anew   bool  // a key is good until a time before over: the clock was set back, see forget
}

// maxRemembered bounds the memory. Above it those go first that would be over
// first. A variable for tests.
var maxRemembered = 2_000_000

// forgetStep is how many rows one transaction deletes. A variable for tests.
var forgetStep int64 = 1000

// load reads what is not over by now.
func (ids *remembered) load(f *file, now int64) error {
	*ids = remembered{keys: map[key]struct{}{}, fresh: map[int64][]byte{}, over: now, behind: true}
	if err := ids.each(f, now, math.MaxInt64, func(k key) { ids.keys[k] = struct{}{} }); err != nil {
		return err
	}
	return ids.findNext(f)
}

// each calls fn with the keys that are good until a time after from, up to to.
func (ids *remembered) each(f *file, from, to int64, fn func(key)) (err error) {
	rows, err := f.conn.QueryContext(context.Background(), `SELECT keys FROM ids WHERE until_us > ? AND until_us <= ?`, from, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return err
		}
		for ; len(b) >= len(key{}); b = b[len(key{}):] {
			fn(key(b))
		}
	}
	return rows.Err()
}

func (ids *remembered) findNext(f *file) error {
	return f.row(`SELECT coalesce(min(until_us), ?) FROM ids WHERE until_us > ?`, math.MaxInt64, ids.over).Scan(&ids.next)
}

// add remembers an ID until then, and reports whether it is new.
func (ids *remembered) add(msgID string, until int64) (fresh bool) {
	k := keyOf(msgID)
	if _, known := ids.keys[k]; known {
		return false
	}
	ids.keys[k] = struct{}{}
	ids.fresh[until] = append(ids.fresh[until], k[:]...)
	ids.next = min(ids.next, until)
	ids.anew = ids.anew || until <= ids.over
	return true
}

// save writes the IDs of the transaction; last is its last position.
func (ids *remembered) save(f *file, last uint64) error {
	for until, keys := range ids.fresh {
		if _, err := f.remember.ExecContext(context.Background(), until, last, keys); err != nil {
			return err
		}
	}
	return nil
}

// forget forgets what is over by now, and what is too much. In memory that is
// at once, in the file a step at a time.
func (ids *remembered) forget(f *file, now int64) error {
	clear(ids.fresh)
	if ids.anew { // what is said by over is not so any more
		if err := ids.load(f, now); err != nil {
			return err
		}
	}
	for upTo := now; ids.next <= upTo || len(ids.keys) > maxRemembered; {
		if ids.next > upTo {
			upTo = ids.next
		}
		if err := ids.each(f, ids.over, upTo, func(k key) { delete(ids.keys, k) }); err != nil {
			return err
		}
		ids.over, ids.behind = upTo, true
		if err := ids.findNext(f); err != nil {
			return err
		}
	}
	if !ids.behind {
		return nil
	}
	res, err := f.conn.ExecContext(context.Background(), `DELETE FROM ids WHERE (until_us, last) IN
		(SELECT until_us, last FROM ids WHERE until_us <= ? ORDER BY until_us, last LIMIT ?)`, ids.over, forgetStep)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	ids.behind = n == forgetStep
	return err
}

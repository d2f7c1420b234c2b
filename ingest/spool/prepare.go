package spool

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The state on disk, format 3. It is fixed when the file is made. A file of
// format 2, which had no checksums, is converted; one of another is refused.
//
//   - state, one row: the spool's identity; the last position handed out; the
//     last time stamped on an event, microseconds since 1970, so that stamps
//     rise over restarts though the clock jumps back; how many bytes the rows of
//     waiting hold; and the anchor: the log as it was when everything up to
//     position delivered had been stored there.
//   - waiting: the events that one transaction accepted, as many as there are,
//     the last at position last. Positions have no gaps. A row goes when all of it
//     was delivered. One row, and not one for each event, makes an event cost
//     what its bytes cost. Each event in it has a checksum, see appendMessage.
//   - ids: of the events that one transaction accepted, those IDs that their
//     senders may repeat until then: 16 bytes each, see key.
const createSQL = `
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE state (
	one       INTEGER PRIMARY KEY CHECK (one = 1),
	spool_id  TEXT    NOT NULL,
	last_pos  INTEGER NOT NULL,
	last_us   INTEGER NOT NULL,
	bytes     INTEGER NOT NULL,
	epoch     TEXT    NOT NULL,
	seq       INTEGER NOT NULL,
	msg_id    TEXT    NOT NULL,
	count     INTEGER NOT NULL,
	delivered INTEGER NOT NULL
) STRICT;
CREATE TABLE waiting (
	last        INTEGER PRIMARY KEY,
	events      INTEGER NOT NULL,
	accepted_us INTEGER NOT NULL,
	body        BLOB    NOT NULL
) STRICT;
CREATE TABLE ids (
	until_us INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	keys     BLOB    NOT NULL,
	PRIMARY KEY (until_us, last)
) STRICT, WITHOUT ROWID;
PRAGMA application_id = 1398230131;
PRAGMA user_version = 3;
`

const (
	format = 3
	// The oldest format that is converted.
	formatConverted = 2
	applicationID   = 1398230131 // "SWLs": this SQLite file is a spool of ours
)

// prepare sees to it that there is a spool file of our format at path.
func prepare(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(path + "-wal"); err == nil {
			return fmt.Errorf("%w: the file is gone but its -wal is there (hint: put the file back, or restore a backup)", ErrDamaged)
		}
		return create(path)
	case err != nil:
		return err
	case info.Mode().Perm() != 0o600:
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
	}
	version, err := checkHeader(path)
	if err == nil && version != format {
		err = convert(path)
	}
	return err
}

// create makes the file under another name and renames it, so that a spool is
// either whole or not there.
func create(path string) error {
	made := path + ".new"
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(made, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", dataSource(made, "mode=rw&_journal_mode=DELETE&_synchronous=FULL"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(context.Background(), createSQL)
	if err == nil {
		_, err = db.ExecContext(context.Background(), `INSERT INTO state VALUES (1, ?, 0, 0, 0, '', 0, '', 0, 0)`, rand.Text())
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return classify(err)
	}
	if err := os.Rename(made, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// checkHeader reads the first bytes of the file itself: before SQLite does,
// which would take an empty file for a new one and change a strange one.
func checkHeader(path string) (version uint32, err error) {
	// Places in SQLite's file header, from its file format documentation.
	const size, userVersionAt, applicationIDAt = 100, 60, 68
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	var head [size]byte
	_, err = io.ReadFull(f, head[:])
	if closeErr := f.Close(); closeErr != nil {
		return 0, closeErr
	}
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return 0, fmt.Errorf("%w: the file is cut short %s", ErrDamaged, damagedHint)
	case err != nil:
		return 0, fmt.Errorf("%w (hint: the disk fails: dmesg tells; nothing is begun anew)", err)
	case string(head[:16]) != "SQLite format 3\x00":
		return 0, fmt.Errorf("%w: not a SQLite file %s", ErrDamaged, damagedHint)
	}
	id := binary.BigEndian.Uint32(head[applicationIDAt:])
	version = binary.BigEndian.Uint32(head[userVersionAt:])
	switch {
	case id != applicationID:
		return 0, fmt.Errorf("%w: a SQLite file, but not a spool %s", ErrDamaged, damagedHint)
	case version > format:
		return 0, fmt.Errorf("format %d is newer than this program knows, which is %d (hint: run the newer switchlog again)", version, format)
	case version == 1:
		return 0, errors.New("format 1 is of a program before the first release (hint: run that one until nothing waits, stop it, and move the file away)")
	case version < formatConverted:
		return 0, fmt.Errorf("%w: format %d never existed %s", ErrDamaged, version, damagedHint)
	}
	return version, nil
}

// lockFile keeps a second process out: two writers would hand out the same
// positions. It is a file of its own, since SQLite's locks on the database
// would be lost when any descriptor of it is closed.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("in use by %s (hint: a switchlog runs on this data directory; stop that one, or name another directory with --data)", holder(f))
		}
		return nil, errors.Join(err, f.Close())
	}
	// Who is kept out is told who is in. A disk without room must not keep us
	// from starting, so it is no fault if that cannot be written.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return f, nil
}

// holder is the process that has the lock, as it wrote itself down.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0) // a shorter file ends it, which is no fault here
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// dataSource names the file for the driver, which takes a URI.
func dataSource(path, options string) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options
}

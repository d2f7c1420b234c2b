package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"switchlog/ingest/spool"
)

// Below these the doctor speaks up. The spool keeps a reserve of its own, and
// answers 503 when the disk comes down to it.
const (
	littleRoom = 1 << 30
	noRoom     = 128 << 20
)

// networkFileSystems, by the magic number of statfs(2): file locks and fsync
// over a network are not what SQLite and JetStream count on.
var networkFileSystems = map[int64]string{
	0x6969: "NFS", 0x517B: "SMB", 0xFE534D42: "SMB", 0xFF534D42: "CIFS", 0x01021997: "9P", 0x00C36400: "Ceph",
}

// examineMachine looks at what can be seen without a server.
func examineMachine(ctx context.Context, data string, quick bool) []finding {
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return []finding{found("directory", problem, fmt.Sprintf("%s is not there (hint: start a server: switchlog serve --data %s, or name its directory with --data)", data, data))}
	}
	if err == nil && !info.IsDir() {
		return []finding{found("directory", problem, data+" is a file (hint: name the server's directory with --data)")}
	}
	if err != nil {
		return []finding{found("directory", problem, fileTrouble(data, err))}
	}
	findings := []finding{examineModes(data, info), examineWriting(data, info), examineDisk(data), examineClock(data, time.Now())}
	if !quick {
		findings = append(findings, examineWaiting(filepath.Join(data, fileSpool))...)
	}
	for _, f := range []struct{ check, name, hint string }{
		{"spool", fileSpool, "keep the file: events may wait in it. Restore it from a backup, or ask for help with a copy of it"},
		{"secrets", fileSecrets, "keep the file, and put a good copy from a backup in its place while the server is stopped. Without one, move it to another name and give each source its secret again: switchlog source rotate"},
		{"database", fileDatabase, "restart the server: it moves the file aside and builds another from the log"},
	} {
		findings = append(findings, examineFile(ctx, f.check, filepath.Join(data, f.name), f.hint, quick))
	}
	return findings
}

// examineModes wants everything that is secret to be its owner's alone.
func examineModes(data string, info fs.FileInfo) finding {
	if info.Mode().Perm()&0o077 != 0 {
		return found("permissions", problem, fmt.Sprintf("others may look into %s, mode %v (hint: chmod 700 %s)", data, info.Mode().Perm(), data))
	}
	for _, name := range []string{fileAdmin, fileNATS, fileSecretKey, fileSecrets, fileSpool, fileDatabase} {
		path := filepath.Join(data, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // made when it is needed
		}
		if err != nil {
			return found("permissions", problem, fileTrouble(path, err))
		}
		if info.Mode().Perm()&0o077 != 0 {
			return found("permissions", problem, fmt.Sprintf("others may read %s, mode %v (hint: chmod 600 %s)", path, info.Mode().Perm(), path))
		}
	}
	return found("permissions", fine, data+" is its owner's alone")
}

func examineDisk(data string) finding {
	var st syscall.Statfs_t
	if err := syscall.Statfs(data, &st); err != nil {
		return found("disk", warning, fmt.Sprintf("the disk does not say how full it is: %v", err))
	}
	room := st.Bavail * uint64(st.Bsize)
	says := size(room) + " free"
	switch name, far := networkFileSystems[int64(st.Type)]; {
	case far:
		return found("disk", warning, fmt.Sprintf("%s is on a network file system (%s) (hint: move it to a local disk: what is answered 200 may be lost otherwise)", data, name))
	case room < noRoom:
		return found("disk", problem, says+" (hint: make room; without it webhooks are answered 503, and PluralKit does not send them again)")
	case room < littleRoom:
		return found("disk", warning, says+" (hint: make room before it runs out)")
	case st.Files > 0 && st.Ffree < 1000:
		return found("disk", problem, fmt.Sprintf("%d files more can be made (hint: other programs have many small files on this disk: make room there; switchlog has few)", st.Ffree))
	}
	return found("disk", fine, says)
}

// examineClock compares the clock with what was written last, and asks the
// kernel whether somebody keeps it right.
func examineClock(data string, now time.Time) finding {
	last, err := lastStamp(filepath.Join(data, fileSpool))
	if err == nil && last.After(now.Add(5*time.Second)) {
		return found("clock", problem, fmt.Sprintf("it says %s, but an event was accepted at %s: it was set back by %s, or was wrong before (hint: set it right; "+
			"no event is lost and their order stays, but until then new ones are stamped a little after the last)",
			now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339), last.Sub(now).Round(time.Second)))
	}
	const clockUnsynced = 5 // TIME_ERROR of adjtimex(2)
	var tx syscall.Timex
	if state, err := syscall.Adjtimex(&tx); err == nil && state == clockUnsynced {
		return found("clock", warning, "nobody keeps it right (hint: let a time service run, e.g. systemd-timesyncd or chrony)")
	}
	return found("clock", fine, now.UTC().Format(time.RFC3339))
}

// lastStamp is the time the spool gave its last event.
func lastStamp(path string) (last time.Time, err error) {
	db, err := openReadOnly(path)
	if err != nil {
		return last, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var us int64
	err = db.QueryRow(`SELECT last_us FROM state`).Scan(&us)
	return time.UnixMicro(us), err
}

// examineFile has SQLite look through a file.
func examineFile(ctx context.Context, check, path, hint string, quick bool) finding {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(path + "-wal"); err == nil {
			return found(check, problem, fmt.Sprintf("%s is gone, but its -wal is there (hint: put it back; do not delete the -wal)", path))
		}
		return found(check, fine, "none yet")
	}
	if err != nil {
		return found(check, problem, fileTrouble(path, err))
	}
	// SQLite's own words for a file it may not open are those for a damaged one.
	f, err := os.Open(path)
	if err != nil {
		return found(check, problem, fileTrouble(path, err))
	}
	if err := f.Close(); err != nil {
		return found(check, problem, fileTrouble(path, err))
	}
	pragma := `PRAGMA integrity_check(1)`
	if quick {
		pragma = `PRAGMA schema_version`
	}
	db, err := openReadOnly(path)
	if err != nil {
		return found(check, problem, fmt.Sprintf("%s: %v", path, err))
	}
	var says string
	err = errors.Join(db.QueryRowContext(ctx, pragma).Scan(&says), db.Close())
	if err != nil {
		return databaseTrouble(check, path, hint, err)
	}
	if !quick && says != "ok" {
		return found(check, problem, fmt.Sprintf("%s is damaged: %.200s (hint: %s)", path, says, hint))
	}
	return found(check, fine, size(uint64(info.Size())))
}

// examineWaiting holds the events that wait in the spool against their
// checksums.
func examineWaiting(path string) []finding {
	if _, err := os.Stat(path); err != nil {
		return nil // examineFile says what that means
	}
	if _, err := spool.Verify(path); err != nil {
		return []finding{found("spool", problem, err.Error())}
	}
	return nil
}

// openReadOnly opens a file that another process may be writing.
func openReadOnly(path string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=ro&_query_only=1&_busy_timeout=5000"}
	return sql.Open("sqlite3", u.String())
}

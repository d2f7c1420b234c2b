package spool

import (
	"database/sql"
	"errors"
	"fmt"

	"switchlog/schemas"
)

// convert makes a file of format 2, in which events had no checksum, one of
// this format, in one transaction: after a crash it is one or the other.
func convert(path string) (err error) {
	db, err := sql.Open("sqlite3", dataSource(path, "mode=rw&_synchronous=FULL&_txlock=immediate&_busy_timeout=5000"))
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.Begin()
	if err != nil {
		return classify(err)
	}
	if err := convertIn(tx); err != nil {
		return errors.Join(classify(err), tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return classify(err)
	}
	_, err = db.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`)
	return classify(err)
}

func convertIn(tx *sql.Tx) error {
	// The header of the file may be behind the WAL, and this be done already.
	var version int
	if err := tx.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil || version == format {
		return err
	}
	for last := uint64(0); ; {
		var events uint64
		var old []byte
		err := tx.QueryRow(`SELECT last, events, body FROM waiting WHERE last > ? ORDER BY last LIMIT 1`, last).Scan(&last, &events, &old)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return err
		}
		var body []byte
		for pos := last - events + 1; len(old) > 0; pos++ {
			var m schemas.Message
			if m, old, err = cutParts(old); err != nil {
				return fmt.Errorf("%w: position %d: %w %s", ErrDamaged, pos, err, damagedHint)
			}
			body = appendMessage(body, m, pos)
		}
		if _, err := tx.Exec(`UPDATE waiting SET body = ? WHERE last = ?`, body, last); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE state SET bytes = (SELECT coalesce(sum(length(body)), 0) FROM waiting);
		PRAGMA user_version = 3`)
	return err
}

package projections

import (
	"errors"

	"switchlog/schemas"
)

// foldSwitchPurge deletes every switch of the system that was heard of before
// the event, and that the API did not have later. It costs what it deletes.
//
// A switch is purged by the first of the purges after that. So of those that
// live or went later, each one that was heard of before is this one's.
func foldSwitchPurge(tx *Tx, e schemas.Recorded) error {
	system, at := e.Route.Tenant, e.Time.UnixMicro()
	if err := tx.Exec(`INSERT OR IGNORE INTO switch_purges (system_uuid, purged_us) VALUES (?, ?)`, system, at); err != nil {
		return err
	}
	touch := func(r Row) error { return tx.Touch("switches", r.Text(0)) }
	err := errors.Join(
		tx.Each(`SELECT uuid FROM switches WHERE system_uuid = ?1 AND deleted_us IS NULL
			AND coalesce(observed_us, first_us) < ?2`, []any{system, at}, touch),
		tx.Exec(`UPDATE switches SET deleted_us = ?2, ended_us = NULL, listed = 0, real_uuid = NULL
			WHERE system_uuid = ?1 AND deleted_us IS NULL AND coalesce(observed_us, first_us) < ?2`, system, at),
		// Only if this event was overtaken: what a later one has deleted, this one had.
		tx.Each(`SELECT uuid FROM switches WHERE system_uuid = ?1 AND deleted_us > ?2
			AND coalesce(observed_us, first_us) < ?2`, []any{system, at}, touch),
		tx.Exec(`UPDATE switches SET deleted_us = ?2
			WHERE system_uuid = ?1 AND deleted_us > ?2 AND coalesce(observed_us, first_us) < ?2`, system, at))
	if err != nil {
		return err
	}
	if err := tx.Exec(`DELETE FROM switch_stints WHERE (system_uuid, timestamp_us, switch_uuid) IN
		(SELECT system_uuid, timestamp_us, uuid FROM switches WHERE system_uuid = ? AND deleted_us = ?)`, system, at); err != nil {
		return err
	}
	if err := rejoin(tx, system); err != nil {
		return err
	}
	if err := resettleAll(tx, system); err != nil {
		return err
	}
	return rereadFront(tx, e)
}

// rejoin makes neighbours of what a purge left over. There is something left
// only if the purge was overtaken by the creation of newer switches.
func rejoin(tx *Tx, system string) error {
	var prev *keptSwitch
	for {
		next, err := nextSwitch(tx, system, prev)
		if err != nil {
			return err
		}
		tx.join(prev, next)
		if next == nil {
			return nil
		}
		prev = next
	}
}

// nextSwitch is the listed switch after prev; after nil it is the first.
func nextSwitch(tx *Tx, system string, prev *keptSwitch) (*keptSwitch, error) {
	if prev == nil {
		return oneSwitch(tx, `SELECT uuid FROM switches
			WHERE system_uuid = ? AND listed = 1
			ORDER BY timestamp_us, uuid LIMIT 1`, system)
	}
	return oneSwitch(tx, `SELECT uuid FROM switches
		WHERE system_uuid = ? AND listed = 1
			AND (timestamp_us, uuid) > (?, ?)
		ORDER BY timestamp_us, uuid LIMIT 1`, system, prev.timestampUS, prev.uuid)
}

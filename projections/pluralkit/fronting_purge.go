package pluralkit

import (
	"errors"
	"slices"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// foldSwitchPurge deletes every switch of the system that was heard of before
// the event, and that the API did not have later. It costs what it deletes.
//
// A switch is purged by the first of the purges after that. So of those that
// live or went later, each one that was heard of before is this one's.
func foldSwitchPurge(tx *engine.Tx, t *tenant, e schemas.Recorded, _ struct{}) error {
	at := e.Time.UnixMicro()
	before, err := t.front(tx)
	if err == nil {
		err = t.readPurges(tx)
	}
	if err == nil {
		err = t.flushSwitches(tx)
	}
	if err != nil {
		return err
	}
	if i, known := slices.BinarySearch(t.purges, at); !known {
		t.purges = slices.Insert(t.purges, i, at)
	}
	const deleted = `coalesce(observed_us, first_us) < ?2`
	err = errors.Join(
		tx.Exec(`INSERT OR IGNORE INTO switch_purges (system_uuid, purged_us) VALUES (?, ?)`, t.system, at),
		tx.Exec(`DELETE FROM switch_stints WHERE system_uuid = ?1 AND switch_uuid IN
			(SELECT uuid FROM switches WHERE system_uuid = ?1 AND listed = 1 AND `+deleted+`)`, t.system, at),
		tx.Exec(`UPDATE switches SET deleted_us = ?2, ended_us = NULL, listed = 0, real_uuid = NULL
			WHERE system_uuid = ?1 AND deleted_us IS NULL AND `+deleted, t.system, at),
		// Only if this event was overtaken: what a later one has deleted, this one had.
		tx.Exec(`UPDATE switches SET deleted_us = ?2
			WHERE system_uuid = ?1 AND deleted_us > ?2 AND `+deleted, t.system, at))
	if err != nil {
		return err
	}
	t.forgetSwitches()
	// What is left over become neighbours. There is something left only if the
	// purge was overtaken by the creation of newer switches.
	err = t.walk(tx, func(prev, next *cachedSwitch) error {
		t.join(tx, prev, next)
		return nil
	})
	if err == nil {
		err = t.flushSwitches(tx)
	}
	if err == nil {
		err = t.readLine(tx)
	}
	if err == nil {
		err = t.resettleAll(tx)
	}
	if err == nil {
		err = t.storeFront(tx)
	}
	if err != nil {
		return err
	}
	return t.publishFront(tx, e, before)
}

// Package processor is what moves: the NATS server inside us, the log in it,
// the loop that reads the log in order, and the sender of changes.
//
//	spool ──Append──▶ EVENTS ──Loop──▶ Sink (projections) ──Outbox──▶ Changes ──▶ CHANGES, FRONTERS
//
// [StartServer] runs NATS from nats.conf, [Connect] reaches it (or one
// outside), [Log] is the log, [Loop] applies it to a [Sink], [Changes] sends
// what an [Outbox] holds. What is stored below log.events and log.changes
// is republished below events and changes, so what people subscribe to is on
// the disk.
//
// # Laws
//
// Law 1, exactly once and in order. The spool hands over in order and waits.
// Singles go one after the other, so a later one is never stored before an
// earlier one that failed; a batch is atomic. After any error nobody knows
// what was stored, and [Log.Recover] finds out: each message carries its
// spool's id and position, and everything behind the anchor is read for the
// highest one. Four things stand between a message that was sent, whose
// answer was lost, and storing it twice:
//
//   - Recover first sends a message that the stream must refuse. Its answer
//     comes after all that was sent before on this connection is stored.
//   - A publish fails while there is no connection; nothing is buffered to be
//     sent later ([Connect]).
//   - After a reconnect, Append refuses until Recover has looked again: it may
//     be a server that lost its end, or another one.
//   - What is still under way on a connection that was given up (the server
//     was frozen, and thaws) arrives about when the second sending does: both
//     have the same Nats-Msg-Id, and the stream's duplicate window of half a
//     minute, measured by the server's clock when it stores, is wide enough.
//     If the server was not frozen but dead, so is what was under way.
//
// Law 2. The log is created once, when the spool's anchor is empty. After that
// a log that is missing, shorter, another one, or has a gap that
// [Log.Erase] did not make is [schemas.ErrLogDamaged], for [Log.Recover] and
// for the [Loop]; nothing is created, truncated or sent until a person has
// decided. nats-server itself only writes a line of warning when it drops a
// damaged block, or a whole stream, on restart. Erase counts in the
// stream's metadata what it takes out, so a gap that is meant can be told.
//
// Law 4 and 6. The position is the sink's own, in its transaction. The loop
// reads it, checks that the log holds that event there, and goes on behind
// it. A batch is what happens to wait, and what is on its way behind it, so where
// the log is cut is chance.
//
// Law 8. Changes are sent only after the loop has reached the end of the log
// once. Which were sent is read from CHANGES itself, so one that was published
// but not marked as sent is not published again, however long ago that was.
//
// Law 10. Batches, queues (by count and bytes), what the server sends ahead,
// and every wait for an answer are bounded.
//
// # Killed at each step
//
//   - Recover, while creating: the anchor is still empty; the rest is created
//     next time.
//   - Append: some, all or (a batch) all or nothing is stored; Recover.
//   - Erase: what was counted but not taken out yet makes the count too high,
//     until Erase is run again.
//   - Loop, in Apply: the transaction happened or not; the position says which.
//   - Changes, before publishing, between publishing and the bucket, between
//     the bucket and Sent: the entry is still due; published changes are
//     skipped, the bucket gets what it has.
//   - Server: acknowledged means fsynced (sync_interval: always). A stream
//     that a full disk has frozen comes back by [Server.Run].
//
// A NATS server that cannot read a stream when it starts removes it. [Server]
// links the streams' files to a second name before each start, puts back what
// the server gave up, says so by Health, and Run tries again. After a crash in
// between, the next start puts back what is missing.
//
// # Left to others
//
// The spool keeps the anchor and the order. The sink keeps rows, position and
// outbox. cmd makes passwords, wires, and decides what to do about errors.
// Deliveries to other people's endpoints are in processor/deliver.
package processor

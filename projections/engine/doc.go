// Package engine folds events into rows of one SQLite file that anybody may read,
// and answers queries from them.
//
// It knows no provider: what is folded, and how, is a list of [Projection] values
// (tables, handlers, queries) that [Open] is given. The engine calls them through
// [Handler], [State] and [Listener], and they have a [Tx] of it.
//
// # Laws
//
//   - Law 4: [DB.Apply] changes rows, position, skipped and outbox in one
//     transaction. The position in the file is held against the one in memory
//     before each batch, so that a second writer is noticed.
//   - Law 5: a [Handler] gets a [Tx] and an event. There is no clock, no randomness
//     and no context in either.
//   - Law 6: events at or below the position are passed over. A [Handler] checks
//     an event before it changes anything, so one that breaks its contract leaves
//     nothing to undo, and what is set aside does not depend on its neighbours.
//   - Law 7: [DB.Scratch] folds the log anew beside the live file, [DB.Compare]
//     holds row against row, [DB.Replace] swaps.
//   - Law 8: nothing here sends. What a fold wants sent is in the outbox, in the
//     order of the log; a rebuild keeps what was due and adds only what the live
//     file never folded.
//   - Law 10: rows, bytes and time of an answer, readers at once, the text of a
//     reason, differences told: all are bounded.
//
// # One file
//
// One connection writes, under a mutex; it speaks to the driver directly and
// keeps its prepared statements. Up to four others answer questions, read-only,
// each from one state of the file together with the position of that state.
// Other programs may read as well (WAL). The version in meta is a hash of the
// engine, the schemas and the folds' versions: if it is not this program's, the
// file is stale. It opens, it answers as far as it can, it is not folded on, and
// Replace makes it new.
//
// # State in memory
//
// A projection may keep a [State] of Go values between events. A live database has
// it written before each commit ([State] Flush); a scratch, which nobody reads, when
// the State finds that there is much of it, and at the end. Whatever undoes a
// transaction drops it. A fold that reads the tables of a projection with a State
// calls [Tx.Settle] first. Data is decoded on another goroutine, ahead of its turn.
//
// [DB.FoldTenant] folds one tenant's events in memory, by the same handlers;
// [DB.Watch] looks at a row while it does.
//
// # When it stops half-way
//
//   - while tables are made: all or none, so the file is empty and begun again;
//   - in the middle of a batch: the transaction never happened, the position in
//     the file says where to go on;
//   - after the commit, before the caller heard of it: it gives the batch again,
//     and the events are passed over;
//   - after an outbox entry was sent, before [DB.Sent] forgot it: it is due
//     again. Its id follows from its cause, so the receiver can tell;
//   - power cut: the last transactions may be gone, rows and position together
//     (synchronous=NORMAL). An entry of the outbox may then be due again;
//   - while a scratch is built or compared: its file is removed by the next one;
//   - in the middle of Replace: the commit frame comes last, so the file has the
//     old rows or the new ones;
//   - after Replace, before Discard: as while a scratch is built;
//   - disk full: the batch, or the swap, fails as a whole, and works once there
//     is room;
//   - the file is damaged: [ErrDamaged]. It is derived: delete it, and it comes
//     back from the log.
//
// # What it leaves to others
//
// Reading the log, in order and from the position: processor. Holding the
// position against the log: processor. When to rebuild: cmd. Sending the
// outbox: processor. HTTP and NATS: projections/query.
package engine

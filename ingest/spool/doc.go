// Package spool is the durable file an accepted event waits in until the log
// has it. PluralKit sends everything once: what is not on disk when we answer
// is gone, whether or not the log's server can be reached just then.
//
// [Spool.Append] returns when its events are fsynced. One writer, [Spool.Run],
// serves all callers with a group commit: it takes one request, then all that
// already wait, writes them in one transaction and answers everyone; while the
// disk is busy the next batch gathers, so no timer is needed. [Spool.Forward]
// moves what waits into the log, in order, for as long as it takes; its batches
// begin 20 ms apart, so that everything behind it has batches too.
//
// # Laws
//
// Law 1, durable before the answer: SQLite in WAL mode with synchronous=FULL,
// checked when the file is opened. A commit that fails is looked up again in
// the file before anyone is answered.
//
// Law 1, exactly once and in order: each event gets the next position, in the
// order of acceptance, and is stored in the log under it. Before the forwarder
// sends anything, and after any doubt, it asks the log for the last position
// it holds and goes on behind that. This does not lean on the stream's
// duplicate window.
//
// What waits has a checksum, over its position and its bytes, checked when it
// is read for the log: what the disk has changed is not what was accepted. The
// forwarder stops in front of it; events are still accepted.
//
// An event larger than the log's server takes is moved into a table of its own
// and goes on at a later position when the server takes more, see aside.go: it
// is then the one event that is not in the order of acceptance.
//
// Law 3: an ID that its sender may repeat is remembered for that long, in the
// same transaction that stores the event.
//
// Law 10: the queue is bounded in requests and bytes, a batch in events and
// bytes, the file in waiting bytes, the remembered IDs in number (two million:
// above it those go first that would be over first); a low-water mark keeps room
// on the disk for what was accepted to move on.
//
// # What a crash does
//
//   - Before the commit: nothing is stored and nobody was answered.
//   - After the commit, before the answer: the event is stored. Its sender
//     learned nothing, may send it again, and the ID tells.
//   - After the log took a batch, before the spool noted it: the rows are still
//     there; at the next start the log says that it has them, and they are
//     skipped.
//   - After that was noted, before the rows are deleted: the row of state says
//     up to where they were delivered; they are deleted later.
//   - While the file is made: it is made under another name and renamed, so a
//     file that is there and empty is damage and never a beginning.
//
// An older copy of the file, put back, is noticed by positions in the log that
// it never handed out. It then gets a new identity: what was in the copy counts
// as delivered, what was accepted since is kept.
//
// # What it leaves to others
//
// What an event means, whether it is verified, and that its data is JSON, is
// ingest's. How the log stores a batch and finds positions in it is the [Log]'s.
// Run must outlive those who call Append: stop the listener first, then Run.
package spool

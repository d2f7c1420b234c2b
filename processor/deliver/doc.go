// Package deliver is the sender: it posts what is due to other people's
// endpoints, and notes what came of it. Nothing else of switchlog changes the
// world outside (Law 8).
//
//	projection ──what is due──▶ Sender ──POST──▶ receiver
//	                              │
//	     spool ◀──…delivery.attempted──┘   and back, through the log, to the projection
//
// What is due is a projection ([Deliveries]); that an attempt was made is an
// event ([Appender]); the projection learns of it like of any other. Between
// the two lies a moment in which the row still says "due": the [Sender]
// remembers what it has attempted and skips the row until it shows as many
// attempts.
//
// # At least once
//
// An attempt whose note was lost is made again. All attempts at an event for a
// subscription carry one message id (Webhook-Id, or a variable), by which a
// receiver can tell. Killed at each step:
//
//   - Before the request: the row is due, and is sent after the restart.
//   - During it, or before the note is durable: it is sent again; the message
//     id is the same. (On a clean stop what has begun gets 5 s to finish.)
//   - After the note, before it is folded: nothing is sent before the spool
//     has drained and the loop has caught up (Config.Ready), so the row is up
//     to date by then.
//   - While noting fails (the spool is full, or the disk): the attempt holds
//     its place and is noted when that works again. Nothing else of that
//     subscription goes out meanwhile than what was under way.
//
// A rebuild makes the same rows and sends nothing: it has no Sender.
//
// # One bad receiver costs the others nothing
//
// Each subscription has a worker with at most 8 attempts under way, 1 where
// the provider wants it so. After five failures in a row a subscription is
// circuit open: one attempt at a time, after a pause of 2 s to 1 min, until one
// succeeds; suspects share places of their own. What waits meanwhile loses
// none of its attempts.
//
// A failed attempt is repeated after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h,
// 24 h and 24 h, each 10 % more or less, and later if the receiver says
// Retry-After (at most a day). Then the delivery has failed. A
// subscription without a success for 5 days is disabled, as is one whose
// receiver says that it is gone (410, and providers' own ways of saying so).
// An answer of 429 is a pause, not a failure. One that means our address and
// not the one webhook (Discord's global limit, or its ban of an address) pauses
// all webhooks of that host; see place. [Sender.Sending] says what such answers
// were, since the log does not have them.
//
// # Where a request may go
//
// [CheckURL] refuses a URL that two programs could read differently. The
// address is checked when it is dialled, after the name was looked up, each
// time: it must be of the internet, and reached by TLS, or be one that the
// operator allows. No redirect is followed, and no proxy is taken from the
// environment.
//
// Law 9: secrets are asked for at each attempt, and are not kept. Of a
// receiver's answer its beginning is noted, without what is secret in URL and
// headers.
//
// Law 10: time, bytes, attempts under way, deliveries in memory, retries and
// label values are bounded.
//
// # Left to others
//
// Who may subscribe, and secrets at rest: ingest. Which events are due, to
// whom, and what of them may be seen: projections.
package deliver

// Package registry is which sources, subscriptions and readers there are, with their
// secrets, and the commands that change it. It knows no provider: what may be set of a
// source, which secrets it has and how it reads a request is said by its [Kind],
// and package ingest has those.
//
// # State and commands
//
// The registry is events of source switchlog in the log. The file secrets.db
// holds the secrets and a copy of those events, so that a start needs no log.
// One function changes the state: apply, for a command as for a replay. A
// command
//
//  1. writes its secrets and its event, marked, in one transaction,
//  2. appends the event to the log,
//  3. takes the mark away, and lets requests see the new state.
//
// After a crash before 1 nothing has happened. After a crash behind 1 or 2
// the next start finds the mark, appends the event (a repeat, if it was there
// already: it has an ID) and goes on. If 2 fails, 1 is undone and the command
// with it, also when the time for the command is over. If undoing fails too, the
// answer says so ([schemas.ErrUncertain]): the next command undoes it first, but a start
// before that finds the mark and carries the command out.
//
// # Subscriptions
//
// Outgoing webhooks are in the registry, too: by the same commands, with the
// same steps, and a URL that is sealed like a secret, for often it is one. The
// sender asks the registry where to and signed with what, and is told of each
// change ([Registry.Watch]). A secret that is made here
// is answered once.
package registry

// Package latency measures how long a switch takes from PluralKit's post to
// everybody who waits for it: the answer, the event and the change on NATS, and the
// message in a Discord channel.
//
// It runs the program that people run: a server of its own, started from the binary
// that is given, on a data directory of its own and free ports of loopback. It plays
// PluralKit and Discord itself. Nothing leaves the machine, and nothing is left
// behind: a server that runs beside it is not asked and not disturbed, but shares the
// disk and the processor.
//
// It knows the program from outside alone, as a user does: by its commands, its
// routes and its subjects.
package latency

// Package ingest is how things come in: the public HTTP listener that takes
// providers' webhooks, and the sources that understand them. Which sources there
// are, with their secrets, is in ingest/registry.
//
// A request passes these steps, and the first that objects answers it:
//
//	method (405) → size (413) → who sent it (401) → what it says (400)
//	→ room (429) → stored durably (503) → success
//
// # Laws
//
// Law 1: [NewEdge] answers success only after the [Appender] has returned,
// which means fsynced. It goes on storing when the sender hangs up: PluralKit
// sends each event once, and does not read our answer.
//
// Law 3: a source fixes the ID of an event: the provider's delivery id or
// natural key, else a new UUIDv7. Event.Repeats says for how long the same
// ID is the same event.
//
// Law 9: data is stored less its secrets, at whatever depth they stand.
// Tokens that are only compared are kept as SHA-256; those that must be sent
// again are sealed under a key that is not in the same file. Events of the
// registry carry references, and new secrets sealed (ingest/registry). Log lines, answers and metrics never quote a
// body, a token or a tenant.
//
// What may have been missed is told to a [Watcher]: a verified request that was
// not stored, a burst of requests that name a tenant of ours with a wrong
// secret. The second is what a stranger can make up, so it is counted after the
// 401, in the same bounded work for any name, and only ever leads to a
// look at the provider.
//
// Law 10: bodies have a size and a time, large ones share a budget of memory,
// JSON has a depth, a source has a number of requests that wait to be
// stored. An unverified request is scanned up to its token, hashed once and
// answered with 401; it never reaches the disk, and never gets a 429. There are
// limits to how many signatures are checked, and a stand-in does that work for
// a source that is not there (decoy.go).
//
// # Adding a kind of source
//
// A file with a [Kind] and its [Source], samples in testdata, a line in
// sources.go. A kind whose path names the source ("/in/discord/{name}") has
// no Credential. A source that is probed answers a ping with no events. One
// whose provider wants another success than an empty 200 is an [Acker]. One
// whose provider signs nothing is let in by a path with a key (KeyRoute) that
// is made here, told once and kept as a hash; its events say that nobody
// vouches for them. A provider that asks by OPTIONS before it sends is answered
// by Kind.Options. A [Prober] makes requests as its provider does, for
// [registry.Registry.Test]. CONTRIBUTING.md walks through all there is to do.
//
// # Senders that are nobody in particular
//
// The kinds standard, token and cloudevents take any type, and cloudevents any
// source. What such an event claims moves nothing: its route, its origin and
// the extension switchlogsource are set here, and folds look at the route.
//
// # What it leaves to others
//
// Storing (ingest/spool), TLS and the number of connections (cmd), who may
// call registry.NewHandler (cmd), judging what data means (the folds), which
// events a subscription gets (the folds) and sending them (processor/deliver).
package ingest

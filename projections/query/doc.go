// Package query shows the queries that projections declare: over HTTP, with
// [NewHandler], and over NATS, with [ServeNATS]; the log of one tenant again,
// and the stream of what changes in it.
//
// It has no queries of its own. Route, endpoint, OpenAPI entry and metric label
// follow from projections.Query. It writes nothing, so there is nothing that a
// crash could leave half done: whoever asked asks again.
//
// What it promises:
//
//   - A tenant's reader sees that tenant alone (P7). Over HTTP the tenant is the
//     one in the path that was authorized, never a parameter; any other tenant
//     is the same 404, word for word, as one there is not. Over NATS the
//     subject is the permission, which the server checks; tokens are read
//     back exactly, so a wildcard is refused, and every event of a replay is
//     held against the tenant's subject once more before it is sent.
//   - Over NATS an answer goes to the inbox of a reader who may ask about the
//     tenant, and nowhere else. NATS does not check whether a requester may
//     publish to the subject it wants the answer at, and we may publish anywhere.
//   - A reader of what is public gets what [Public] gives, and no events.
//   - An answer says at which position it is true. One may wait for a position
//     first; then it knows that event, or there is no answer (504).
//   - A stream of changes can be left and taken up again: with the last id a
//     client had, it gets what came after it, none missing and none twice. A
//     client slower than the log holds back its own consumer and nothing else;
//     one that does not read for ten seconds is let go.
//   - A replay calls nobody (Law 8) and says at its end how many events it
//     sent. Being a core NATS subject, an inbox may lose some, and then the
//     count and the sequences show it.
//   - No answer over NATS is larger than the server's max_payload: an answer
//     comes in pages, an event of a replay without its data.
//   - Everything has a limit, and the answer beyond it is 429 for what one
//     reader or tenant has too much of and 503 for what we all have (Law 10).
//
// It leaves to others: answering (projections), reading the log (processor,
// through [Log]), who the readers are and what NATS lets them do (cmd).
package query

// Package schemas is the vocabulary of switchlog: what an event is, what its
// types are called, what they carry, and where they travel.
//
// Every other package speaks in these words, and this one imports none of
// them. A program that wants to read switchlog's log needs only this package.
//
//   - [Event] is a CloudEvent 1.0 in the form we handle it; [Recorded] is an
//     event with its position in the log. [Message] is an event as it
//     travels: encoded once, when it is accepted, and from then on the same
//     bytes everywhere.
//   - [Route] says whose event it is and what it is about. The NATS subject
//     is made from it, by one function, here.
//   - pluralkit.go and its neighbours name the event types of a source and the
//     fields of its payloads.
//   - jsonschema/, examples/ and asyncapi.json describe the same for people
//     and programs outside; [Types], [Schema], [Examples] and [AsyncAPI] give
//     them out of the binary. TestContract holds all of them, the constants
//     and the Go types against each other.
//
// A new event type is a constant, a line in types.go, a schema in jsonschema/,
// its Go type or list of fields in contract_test.go, and an example made in
// examples_test.go; then go test -run Fresh -update writes examples/ and
// asyncapi.json.
//
// But for [Export], which writes files where it is told to, the package does
// no input or output, and it starts nothing.
package schemas

package projections

import "switchlog/schemas"

// A Projection is a fold with the tables it owns and the questions they
// answer. It is a value: all of them are listed in all.go.
//
// A row of an answer is a JSON object with the columns in order. A column named
// x_json holds JSON and becomes the member x; one named x_bool holds 0 or 1 and
// becomes true or false.
//
// Schema holds STRICT tables and views; nothing is ever migrated. Changing
// Schema, or what Fold does, means raising Version: the file is then built
// anew from the log.
type Projection struct {
	Name    string
	Source  string // kind of the source whose events it folds; its queries are asked below that
	Version int
	Schema  string
	Fold    Fold
	Ahead   map[string]Decoder // by event type: what Fold asks data for, read in advance; may be nil
	Queries []Query
}

// Fold changes the projection's rows by one event. It depends on the event
// and its own tables, nothing else: no clock, no randomness, no network
// (Law 5); and its rows must come out the same in whatever order a provider
// may send (Law 6). It ignores types it does not know.
//
// An error that wraps schemas.ErrInvalid means this event breaks the contract
// of its type: everything the event did is undone and it is noted in the
// table skipped. Any other error stops the projection, to be tried again.
type Fold func(tx *Tx, e schemas.Recorded) error

// A Query is a question as data: the HTTP route, the NATS endpoint, the
// command and the OpenAPI entry follow from it.
type Query struct {
	Name   string  // of the command and the NATS endpoint: members, member
	Path   string  // of the HTTP route below /api/v1/{source}/{tenant}/: members, members/{ref}
	Doc    string  // one sentence
	Params []Param // besides :tenant, which is always bound
	One    bool    // the answer is one object (404 if there is no row), not an array
	SQL    string  // always with an order and a LIMIT
}

// A Param is a parameter of a query, :name in its SQL. One that is absent is
// bound to its default, or NULL.
type Param struct {
	Name    string
	Kind    schemas.Kind // Time is given as RFC 3339 and bound as microseconds
	Default string       // as it would be given
	Doc     string       // one sentence
}

package engine

import (
	"context"
	"time"

	"switchlog/schemas"
)

// A Projection is a fold with the tables it owns and the questions they
// answer. It is a value.
//
// A row of an answer is a JSON object with the columns in order. A column named
// x_json holds JSON and becomes x; one named x_bool holds 0 or 1 and
// becomes true or false.
//
// Schema holds STRICT tables and views; nothing is ever migrated. Changing
// Schema, or what a handler does, means raising Version: the file is then built
// anew from the log.
type Projection struct {
	Name     string
	Source   string // kind of the source whose events it folds; its queries are asked below that
	Version  int
	Schema   string
	Handlers map[string]Handler // by event type; under "" is the one for events of any type
	State    func() State       // what it keeps in memory between events; nil: nothing
	Quiet    []string           // columns whose change alone does not count as one for explain
	Queries  []Query

	// ShortID reads a name that people have for a row besides its key: the id in the
	// column id. Nil: rows have none. It is for explain and histories.
	ShortID func(text string) (id string, ok bool)
}

// A Handler folds the events of one type into the projection's rows.
//
// Decode reads the event's data and checks it. It is pure, and may run on
// another goroutine before the event's turn. Nil: the data is not needed.
//
// Fold changes rows by the event. It depends on the event, what Decode gave and
// its own tables, nothing else: no clock, no randomness, no network (Law 5);
// and its rows must come out the same in whatever order a provider may send
// (Law 6).
//
// An error that wraps schemas.ErrInvalid means that the event breaks the
// contract of its type; it is noted in the table skipped. Both functions check
// first and change then: such an error must come before the first change. Any
// other error stops the projection, to be tried again.
type Handler struct {
	Decode func(e schemas.Recorded) (any, error)
	Fold   func(tx *Tx, e schemas.Recorded, data any) error
}

// On makes a Handler of two functions that agree on the type of the data.
func On[T any](decode func(schemas.Recorded) (T, error), fold func(*Tx, schemas.Recorded, T) error) Handler {
	return Handler{
		Decode: func(e schemas.Recorded) (any, error) { return decode(e) },
		Fold:   func(tx *Tx, e schemas.Recorded, data any) error { return fold(tx, e, data.(T)) },
	}
}

// Any makes the Handlers of a fold that takes events of every type of its
// source and reads their data itself.
func Any(fold func(*Tx, schemas.Recorded) error) map[string]Handler {
	return map[string]Handler{"": {Fold: func(tx *Tx, e schemas.Recorded, _ any) error { return fold(tx, e) }}}
}

// A State is what a projection keeps in memory of its rows, for one database.
// It is used by one goroutine at a time, and only while events are folded.
// Whoever changes it calls [Tx.Changed].
type State interface {
	// Flush writes everything that the file does not have yet. The engine calls
	// it before a commit; a rebuild, where no one reads the file, only at its end.
	Flush(tx *Tx) error
	// Trim keeps what is in memory within its limits. It is called after each event.
	Trim(tx *Tx) error
	// Forget drops everything: the transaction was undone, or memory is wanted.
	// What is not flushed by then is lost, as it must be.
	Forget()
}

// A Listener is a State that is called for each event after it was folded, and
// for each change that an event causes.
type Listener interface {
	State
	// Hears reports whether the listener may need an event of that type and route.
	Hears(tx *Tx, typ string, route schemas.Route) (bool, error)
	// Listen takes an event; n is 0 for the event that is folded, else it counts
	// the changes the event caused that the listener hears, from 1.
	Listen(tx *Tx, e schemas.Event, n int) error
}

// A Query is a question as data: the HTTP route, the NATS endpoint, the
// command and the OpenAPI entry follow from it.
type Query struct {
	Name   string  // of the command and the NATS endpoint: things, thing
	Path   string  // of the HTTP route below /api/v1/{source}/{tenant}/: things, things/{ref}
	Doc    string  // one sentence
	Params []Param // besides :tenant, which is always bound
	One    bool    // the answer is one object (404 if there is no row), not an array
	SQL    string  // always with an order and a LIMIT; empty: Compute answers

	// Compute answers what SQL cannot, in Go: it reads with tx and returns what
	// becomes the answer's JSON; nil: there is no row, and the query is One. It has
	// as much time as the question, and an answer has the same limits.
	Compute func(tx *Tx, a Asked) (any, error)

	// History answers from the tenant's events up to a sequence, instead of from
	// rows: it folds them again. The answer is as Compute's.
	History func(ctx context.Context, d *DB, a Asked, source string, to uint64) (any, error)
}

// Asked is what a computed query is asked with.
type Asked struct {
	Tenant string
	Now    time.Time      // the present; of a question about the past, that moment
	Params map[string]any // as their kinds are bound; one that was left out and has no default is not there
}

// Text is a parameter that is a text; empty: it was left out.
func (a Asked) Text(name string) string {
	text, _ := a.Params[name].(string)
	return text
}

// Int is a parameter that is a number, or a time in microseconds.
func (a Asked) Int(name string) (n int64, given bool) {
	n, given = a.Params[name].(int64)
	return n, given
}

// A Param is a parameter of a query, :name in its SQL. One that is absent is
// bound to its default, or NULL.
type Param struct {
	Name    string
	Kind    schemas.Kind // Time is given as RFC 3339 and bound as microseconds
	Default string       // as it would be given
	Doc     string       // one sentence
}

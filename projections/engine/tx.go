package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// Tx is what a fold sees of the database: one transaction, for one event.
//
// It speaks to the SQLite driver directly and keeps every statement it has
// prepared: database/sql costs more than SQLite itself on statements this
// small. It is used by one goroutine at a time.
type Tx struct {
	conn    *sqlite3.SQLiteConn
	stmts   map[string]*statement // by SQL text; the texts are constants
	changes int                   // statements that write, and changes of states, so far

	states   map[string]State // by projection; of a connection that only reads: none
	listener Listener         // nil: nobody listens

	view  context.Context  // of a View: what is read ends with it; else nil
	event schemas.Recorded // the event being folded
	out   int              // entries it has put in the outbox
	mute  bool             // its entries are left out, see Scratch
	heard int              // changes it has caused that the listener hears
}

func newTx(conn *sqlite3.SQLiteConn) *Tx {
	return &Tx{conn: conn, stmts: make(map[string]*statement)}
}

// begin turns to the next event.
func (tx *Tx) begin(e schemas.Recorded, mute bool) {
	tx.event, tx.out, tx.mute, tx.heard = e, 0, mute, 0
}

// Event is the event that is being folded.
func (tx *Tx) Event() schemas.Recorded { return tx.event }

// State is what the projection of that name keeps in memory.
func (tx *Tx) State(name string) State { return tx.states[name] }

// Changed notes that a State was changed: from here on the event cannot be
// refused any more.
func (tx *Tx) Changed() { tx.changes++ }

// Settle writes everything that states keep in memory and the file has not.
// After it a statement sees the rows as they are at this event.
func (tx *Tx) Settle() error {
	for _, s := range tx.states {
		if err := s.Flush(tx); err != nil {
			return err
		}
	}
	return nil
}

// Statements is the SQL of every statement that was prepared so far, in no order.
// It is for tests of how SQLite would carry them out.
func (tx *Tx) Statements() []string { return slices.Collect(maps.Keys(tx.stmts)) }

func (tx *Tx) forgetStates() {
	for _, s := range tx.states {
		s.Forget()
	}
}

// Exec runs one statement. Arguments are nil, bool, int, int64, float64, string,
// []byte or a pointer to a string (nil: NULL).
func (tx *Tx) Exec(query string, args ...any) error {
	stmt, err := tx.ready(query)
	if err != nil {
		return err
	}
	return stmt.run(args)
}

// Row is one row of an answer: int64, float64, string, []byte or nil in each
// column.
type Row []driver.Value

// Text is column i as a string; NULL is empty.
func (r Row) Text(i int) string {
	s, _ := r[i].(string)
	return s
}

// Int is column i as an integer; NULL is 0.
func (r Row) Int(i int) int64 {
	n, _ := r[i].(int64)
	return n
}

// Null reports whether column i is NULL.
func (r Row) Null(i int) bool { return r[i] == nil }

// Get returns the first row of the answer, or nil if there is none.
func (tx *Tx) Get(query string, args ...any) (Row, error) {
	stmt, err := tx.ready(query)
	if err != nil {
		return nil, err
	}
	return stmt.first(args)
}

// Rows returns all rows of the answer. For fewer than memory has room for.
func (tx *Tx) Rows(query string, args ...any) ([]Row, error) {
	var all []Row
	err := tx.Each(query, args, func(r Row) error {
		all = append(all, append(Row(nil), r...))
		return nil
	})
	return all, err
}

// Each calls fn with every row of the answer, until fn returns an error;
// io.EOF means enough. The row is only valid during the call, and fn must not
// run the same query.
func (tx *Tx) Each(query string, args []any, fn func(Row) error) error {
	return tx.each(context.Background(), query, values(nil, args), nil, fn)
}

// each is Each with a context that interrupts SQLite when it ends, arguments
// that may have names, and the names of the columns told to head, if it is not
// nil, before the first row.
func (tx *Tx) each(ctx context.Context, query string, args []driver.NamedValue, head func(columns []string), fn func(Row) error) error {
	stmt, err := tx.ready(query)
	if err != nil {
		return err
	}
	return stmt.each(ctx, tx.view, args, head, fn)
}

// Publish puts a change into the outbox, to be sent after the transaction has
// committed, once (D13), and tells the listener.
// A rebuild throws the outbox away, and tells the listener the same.
func (tx *Tx) Publish(change schemas.Event) error { return tx.PublishFront(change, "", nil) }

// PublishFront is Publish and PutFront in one entry.
func (tx *Tx) PublishFront(change schemas.Event, tenant string, front []byte) error {
	hears, err := tx.hears(change.Type, change.Route)
	if err != nil {
		return err
	}
	if hears {
		tx.heard++
		if err := tx.listener.Listen(tx, change, tx.heard); err != nil {
			return err
		}
	}
	if tx.mute {
		tx.out++
		return nil
	}
	m, err := change.Message()
	if err != nil {
		return err
	}
	m.Subject = change.Route.ChangeSubject()
	return tx.send(m.Subject, m.ID, m.Body, tenant, front)
}

// listen hands the event itself to the listener.
func (tx *Tx) listen(e schemas.Event) error {
	hears, err := tx.hears(e.Type, e.Route)
	if err != nil || !hears {
		return err
	}
	return tx.listener.Listen(tx, e, 0)
}

func (tx *Tx) hears(typ string, r schemas.Route) (bool, error) {
	if tx.listener == nil {
		return false, nil
	}
	return tx.listener.Hears(tx, typ, r)
}

// Hears reports whether anybody would hear of a change of this type that the
// event caused: the outbox, which a rebuild has not, or the listener. A fold
// need not make one that nobody hears.
func (tx *Tx) Hears(typ string) (bool, error) {
	if !tx.mute {
		return true, nil
	}
	return tx.hears(typ, changeRoute(typ, tx.event.Route))
}

// Mute reports whether nothing of the event is sent: it is folded in a rebuild.
func (tx *Tx) Mute() bool { return tx.mute }

// changeRoute is the route of a change of this type that an event caused.
func changeRoute(typ string, cause schemas.Route) schemas.Route {
	if r, err := schemas.RouteOf(schemas.Event{Type: typ, Source: schemas.SelfURI}); err == nil {
		cause.Noun, cause.Verb = r.Noun, r.Verb
	}
	return cause
}

// PutFront puts a new entry of the FRONTERS bucket into the outbox.
func (tx *Tx) PutFront(tenant string, front []byte) error {
	return tx.send("", "", nil, tenant, front)
}

func (tx *Tx) send(subject, id string, body []byte, key string, front []byte) error {
	n := tx.out
	tx.out++
	if tx.mute {
		return nil
	}
	return tx.Exec(`INSERT INTO outbox (seq, n, subject, msg_id, body, fronters_key, fronters) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(tx.event.Seq), n, subject, id, body, key, front)
}

// exec runs SQL that is not worth keeping prepared: schema, pragmas.
func (tx *Tx) exec(query string) error {
	if _, err := tx.conn.Exec(query, nil); err != nil {
		return fmt.Errorf("%s: %w", short(query), err)
	}
	return nil
}

// forget gives up the prepared statements.
func (tx *Tx) forget() error {
	var err error
	for query, stmt := range tx.stmts {
		err = errors.Join(err, stmt.Close())
		delete(tx.stmts, query)
	}
	return err
}

// close gives up the prepared statements and the connection.
func (tx *Tx) close() error {
	return errors.Join(tx.forget(), tx.conn.Close())
}

// short is the beginning of an SQL text, enough to recognise it in an error.
func short(query string) string {
	if line := strings.Join(strings.Fields(query), " "); len(line) > 80 {
		return line[:80] + "…"
	} else {
		return line
	}
}

// values brings arguments into the forms the driver binds, after what is in out.
func values(out []driver.NamedValue, args []any) []driver.NamedValue {
	for i, a := range args {
		v := driver.NamedValue{Ordinal: i + 1}
		switch a := a.(type) {
		case nil, bool, int64, float64, string, []byte:
			v.Value = a
		case int:
			v.Value = int64(a)
		case *string:
			if a != nil {
				v.Value = *a
			}
		default:
			panic(fmt.Sprintf("projections: cannot bind a %T", a))
		}
		out = append(out, v)
	}
	return out
}

// TextOrNull is an argument: a text, or NULL if it is empty.
func TextOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

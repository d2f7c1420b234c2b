package projections

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
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
	conn  *sqlite3.SQLiteConn
	stmts map[string]*statement // by SQL text; the texts are constants
	kept  memory                // rows of entities, and what waits to be written
	limit int                   // of rows that are kept

	preparing *statement // for authorize; else nil

	view  context.Context  // of a View: what is read ends with it; else nil
	event schemas.Recorded // the event being folded
	ahead any              // what was read of it in advance; nil: nothing
	out   int              // entries it has put in the outbox
	mute  bool             // its entries are left out, see Scratch
	heard int              // changes it has caused that some subscription listens for

	audience *audience // who has subscribed; nil: there is no table of them, or nothing is folded
}

func newTx(conn *sqlite3.SQLiteConn) *Tx {
	tx := &Tx{conn: conn, stmts: make(map[string]*statement), limit: maxKept}
	conn.RegisterAuthorizer(tx.authorize)
	return tx
}

// begin turns to the next event.
func (tx *Tx) begin(e schemas.Recorded, ahead any, mute bool) {
	tx.event, tx.ahead, tx.out, tx.mute, tx.heard = e, ahead, 0, mute, 0
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
// committed, once (D13), and makes a delivery of it for each subscription that
// asks for it. A rebuild throws the outbox away, and makes the same deliveries.
func (tx *Tx) Publish(change schemas.Event) error { return tx.PublishFront(change, "", nil) }

// PublishFront is Publish and PutFront in one entry.
func (tx *Tx) PublishFront(change schemas.Event, tenant string, front []byte) error {
	found, err := tx.listeners(change.Type, change.Route)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		tx.heard++
		if err := tx.deliver(change, tx.heard); err != nil {
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
	// Nothing that a fold keeps in memory is in the outbox.
	return tx.run(`INSERT INTO outbox (seq, n, subject, msg_id, body, fronters_key, fronters) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(tx.event.Seq), n, subject, id, body, key, front)
}

// exec runs SQL that is not worth keeping prepared: schema, pragmas.
func (tx *Tx) exec(query string) error {
	if err := tx.settleAll(); err != nil {
		return err
	}
	tx.kept = memory{} // it may change anything
	if _, err := tx.conn.Exec(query, nil); err != nil {
		return fmt.Errorf("%s: %w", short(query), err)
	}
	return nil
}

// forget gives up the prepared statements, and what is remembered.
func (tx *Tx) forget() error {
	var err error
	tx.kept = memory{}
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

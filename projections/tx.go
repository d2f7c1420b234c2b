package projections

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
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
	stmts map[string]*sqlite3.SQLiteStmt // by SQL text; the texts are constants

	view  context.Context  // of a View: what is read ends with it; else nil
	event schemas.Recorded // the event being folded
	out   int              // entries it has put in the outbox
	mute  bool             // its entries are left out, see Scratch
	heard int              // changes it has caused that some subscription listens for

	audience *audience // who has subscribed; nil: there is no table of them, or nothing is folded
}

func newTx(conn *sqlite3.SQLiteConn) *Tx {
	return &Tx{conn: conn, stmts: make(map[string]*sqlite3.SQLiteStmt)}
}

// begin turns to the next event.
func (tx *Tx) begin(e schemas.Recorded, mute bool) {
	tx.event, tx.out, tx.mute, tx.heard = e, 0, mute, 0
}

// Exec runs one statement. Arguments are nil, bool, int, int64, float64, string,
// []byte or a pointer to a string (nil: NULL).
func (tx *Tx) Exec(query string, args ...any) error {
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	if _, err := stmt.ExecContext(context.Background(), values(args)); err != nil {
		return fmt.Errorf("%s: %w", short(query), err)
	}
	return nil
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
	var first Row
	err := tx.Each(query, args, func(r Row) error {
		first = append(first, r...)
		return io.EOF
	})
	return first, err
}

// Each calls fn with every row of the answer, until fn returns an error;
// io.EOF means enough. The row is only valid during the call, and fn must not
// run the same query.
func (tx *Tx) Each(query string, args []any, fn func(Row) error) error {
	return tx.each(context.Background(), query, values(args), nil, fn)
}

// each is Each with a context that interrupts SQLite when it ends, arguments
// that may have names, and the names of the columns told to head, if it is not
// nil, before the first row.
func (tx *Tx) each(ctx context.Context, query string, args []driver.NamedValue, head func(columns []string), fn func(Row) error) (err error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args)
	if err != nil {
		return fmt.Errorf("%s: %w", short(query), err)
	}
	defer func() {
		// Closing a statement that failed repeats its error.
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	columns := rows.Columns()
	if head != nil {
		head(columns)
	}
	row := make(Row, len(columns))
	for {
		if tx.view != nil && tx.view.Err() != nil {
			return tx.view.Err()
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", short(query), err)
		}
		switch err := fn(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Touch notes that the event made or changed the row of table under key; this
// is what explain tells. A second note of the same row changes nothing.
func (tx *Tx) Touch(table, key string) error {
	return tx.Exec(`INSERT OR IGNORE INTO entity_events (table_name, key, seq) VALUES (?, ?, ?)`,
		table, key, int64(tx.event.Seq))
}

// Publish puts a change into the outbox, to be sent after the transaction has
// committed, once (D13), and makes a delivery of it for each subscription that
// asks for it. A rebuild throws the outbox away, and makes the same deliveries.
func (tx *Tx) Publish(change schemas.Event) error {
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
	return tx.send(m.Subject, m.ID, m.Body, "", nil)
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

func (tx *Tx) prepare(query string) (*sqlite3.SQLiteStmt, error) {
	if stmt, ok := tx.stmts[query]; ok {
		return stmt, nil
	}
	prepared, err := tx.conn.Prepare(steady(query))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", short(query), err)
	}
	stmt := prepared.(*sqlite3.SQLiteStmt)
	tx.stmts[query] = stmt
	return stmt, nil
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

// values brings arguments into the forms the driver binds.
func values(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i].Ordinal = i + 1
		switch v := a.(type) {
		case nil, bool, int64, float64, string, []byte:
			out[i].Value = v
		case int:
			out[i].Value = int64(v)
		case *string:
			if v != nil {
				out[i].Value = *v
			}
		default:
			panic(fmt.Sprintf("projections: cannot bind a %T", a))
		}
	}
	return out
}

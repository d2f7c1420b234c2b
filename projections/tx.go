package projections

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

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

	event schemas.Recorded // the event being folded
	out   int              // entries it has put in the outbox
}

func newTx(conn *sqlite3.SQLiteConn) *Tx {
	return &Tx{conn: conn, stmts: make(map[string]*sqlite3.SQLiteStmt)}
}

// Exec runs one statement. Arguments are nil, bool, int, int64, string,
// []byte or a pointer to a string (nil: NULL).
func (tx *Tx) Exec(query string, args ...any) error {
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	if _, err := stmt.Exec(values(args)); err != nil {
		return fmt.Errorf("%s: %w", query, err)
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
func (tx *Tx) Each(query string, args []any, fn func(Row) error) (err error) {
	stmt, err := tx.prepare(query)
	if err != nil {
		return err
	}
	rows, err := stmt.Query(values(args))
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make(Row, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", query, err)
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
// committed, once (D13). A rebuild throws the outbox away.
func (tx *Tx) Publish(change schemas.Event) error {
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
	return tx.Exec(`INSERT INTO outbox (seq, n, subject, msg_id, body, fronters_key, fronters) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		int64(tx.event.Seq), n, subject, id, body, key, front)
}

func (tx *Tx) prepare(query string) (*sqlite3.SQLiteStmt, error) {
	if stmt, ok := tx.stmts[query]; ok {
		return stmt, nil
	}
	prepared, err := tx.conn.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	stmt := prepared.(*sqlite3.SQLiteStmt)
	tx.stmts[query] = stmt
	return stmt, nil
}

// exec runs SQL that is not worth keeping prepared: schema, pragmas.
func (tx *Tx) exec(query string) error {
	if _, err := tx.conn.Exec(query, nil); err != nil {
		return fmt.Errorf("%.60s: %w", query, err)
	}
	return nil
}

// close gives up the prepared statements and the connection.
func (tx *Tx) close() error {
	var err error
	for _, stmt := range tx.stmts {
		err = errors.Join(err, stmt.Close())
	}
	tx.stmts = nil
	return errors.Join(err, tx.conn.Close())
}

// values brings arguments into the forms the driver binds.
func values(args []any) []driver.Value {
	out := make([]driver.Value, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case nil, bool, int64, string, []byte:
			out[i] = v
		case int:
			out[i] = int64(v)
		case *string:
			if v != nil {
				out[i] = *v
			}
		default:
			panic(fmt.Sprintf("projections: cannot bind a %T", a))
		}
	}
	return out
}

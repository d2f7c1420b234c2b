package pluralkit

import (
	"strings"

	"switchlog/projections/engine"
)

// insertRows is how many rows one statement inserts where many wait: they take
// about 0.7 of the time of single ones.
const insertRows = 50

// inserts are rows that wait to be inserted into one table.
type inserts struct {
	columns   int
	one, many string // statements for a row, and for insertRows
	args      []any
}

// newInserts: head is INSERT INTO … VALUES, tail is what follows the values.
func newInserts(head string, columns int, tail string) inserts {
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return inserts{columns: columns, one: head + row + tail, many: head + row + strings.Repeat(", "+row, insertRows-1) + tail}
}

// add adds a row, and writes rows when there are enough.
func (n *inserts) add(tx *engine.Tx, row ...any) error {
	n.args = append(n.args, row...)
	if len(n.args) < insertRows*n.columns {
		return nil
	}
	err := tx.Exec(n.many, n.args...)
	clear(n.args)
	n.args = n.args[:0]
	return err
}

// flush writes what is left, row by row.
func (n *inserts) flush(tx *engine.Tx) error {
	for args := n.args; len(args) > 0; args = args[n.columns:] {
		if err := tx.Exec(n.one, args[:n.columns]...); err != nil {
			return err
		}
	}
	clear(n.args)
	n.args = n.args[:0]
	return nil
}

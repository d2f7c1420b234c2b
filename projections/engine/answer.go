package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"switchlog/schemas"
)

// Limits of an answer (Law 10). A query has a LIMIT of its own far below; these
// are for the one that forgot it.
const (
	maxAnswerRows  = 10_000
	maxAnswerBytes = 8 << 20
)

// ErrUnknownQuery is wrapped by the error for a query there is not.
var ErrUnknownQuery = errors.New("unknown query")

// ErrTooLarge is wrapped by the error for an answer over 10,000 rows or 8 MiB.
var ErrTooLarge = errors.New("the answer is too large")

// Answer is what a query found.
type Answer struct {
	Body     json.RawMessage  // an array of objects, or one object if the query is One
	Found    bool             // false: the query is One and there is no row; Body is nil
	Position schemas.Position // the answer is true at this position, exactly
}

// encoder writes rows as JSON objects, keys in the order of the columns.
type encoder struct {
	buf     []byte
	columns []string
	rows    int
}

func (e *encoder) head(columns []string) { e.columns = columns }

// row appends one row, after a comma if it is not the first.
func (e *encoder) row(r Row) error {
	if e.rows++; e.rows > maxAnswerRows {
		return fmt.Errorf("%w: over %d rows (hint: ask with a smaller limit)", ErrTooLarge, maxAnswerRows)
	}
	if e.rows > 1 {
		e.buf = append(e.buf, ',')
	}
	if err := e.object(r); err != nil {
		return err
	}
	if len(e.buf) > maxAnswerBytes {
		return fmt.Errorf("%w: over %d bytes (hint: ask with a smaller limit)", ErrTooLarge, maxAnswerBytes)
	}
	return nil
}

func (e *encoder) object(r Row) error {
	e.buf = append(e.buf, '{')
	for i, column := range e.columns {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		name, isJSON := strings.CutSuffix(column, "_json")
		name, isBool := strings.CutSuffix(name, "_bool")
		e.buf = append(appendText(e.buf, name), ':')
		var err error
		switch text, number := r.Text(i), r.Int(i); {
		case r.Null(i):
			e.buf = append(e.buf, "null"...)
		case isJSON && json.Valid([]byte(text)):
			e.buf = append(e.buf, text...)
		case isJSON:
			err = errors.New("it is no JSON")
		case isBool && (number == 0 || number == 1):
			e.buf = strconv.AppendBool(e.buf, number == 1)
		case isBool:
			err = errors.New("it is neither 0 nor 1")
		default:
			e.buf, err = appendValue(e.buf, r[i])
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", column, err)
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

// appendValue writes a value as SQLite has it: bytes become base64.
func appendValue(buf []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(buf, v, 10), nil
	case string:
		return appendText(buf, v), nil
	}
	raw, err := json.Marshal(v)
	return append(buf, raw...), err
}

// appendText writes a JSON string. Almost all need no escape.
func appendText(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return appendEscaped(buf, s)
		}
	}
	buf = append(buf, '"')
	buf = append(buf, s...)
	return append(buf, '"')
}

func appendEscaped(buf []byte, s string) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("projections: a string that is no JSON: " + err.Error())
	}
	return append(buf, strings.TrimSuffix(b.String(), "\n")...)
}

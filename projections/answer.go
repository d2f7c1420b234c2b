package projections

import (
	"encoding/json"
	"errors"

	"switchlog/schemas"
)

// ErrUnknownQuery is wrapped by the error for a query there is not.
var ErrUnknownQuery = errors.New("unknown query")

// ErrTooLarge is wrapped by the error for an answer beyond its limits.
var ErrTooLarge = errors.New("the answer is too large")

// ErrStale is wrapped by the error for rows that another version of switchlog
// made.
var ErrStale = errors.New("the rows are of another version of switchlog, and are being rebuilt")

// Answer is what a query found.
type Answer struct {
	Body     json.RawMessage  // an array of objects, or one object if the query is One
	Found    bool             // false: the query is One and there is no row; Body is nil
	Position schemas.Position // the answer is true at this position, exactly
}

package query

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Faults that only this package knows.
var (
	errNotFound    = errors.New("not found")
	errNotOne      = errors.New("@me stands for the only one there is, and there is none or several: name one")
	errMethod      = errors.New("method not allowed")
	errBusy        = errors.New("too many requests at once")
	errTooMany     = errors.New("too many at once of this reader or tenant")
	errBehind      = errors.New("position not reached in time")
	errUnavailable = errors.New("the log cannot be reached")
)

// refusal is the one place where an error becomes a code, of HTTP and of the
// NATS service alike, and a sentence. The sentence is ours: an error's own text
// may hold internals. Only schemas.ErrInvalid is meant for whoever asked.
//
// What nobody may know is not told from what there is not (P7): both are 404
// with the same words.
func refusal(err error) (code int, says string) {
	switch {
	case errors.Is(err, ErrUnauthorized):
		return http.StatusUnauthorized, "unauthorized (hint: send the header Authorization: Bearer TOKEN)"
	case errors.Is(err, errNotFound), errors.Is(err, engine.ErrUnknownQuery):
		return http.StatusNotFound, "not found"
	case errors.Is(err, errNotOne):
		return http.StatusNotFound, errNotOne.Error()
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed, "method not allowed"
	case errors.Is(err, schemas.ErrInvalid):
		return http.StatusBadRequest, strings.ReplaceAll(err.Error(), schemas.ErrInvalid.Error()+": ", "")
	case errors.Is(err, engine.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, "the answer is too large (hint: ask for less, with a limit)"
	case errors.Is(err, errTooMany):
		return http.StatusTooManyRequests, "too many at once (hint: end another first)"
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, "too many requests at once (hint: try again)"
	case errors.Is(err, engine.ErrStale):
		return http.StatusServiceUnavailable, "the database is being rebuilt (hint: try again later)"
	case errors.Is(err, errUnavailable):
		return http.StatusServiceUnavailable, "the log cannot be reached (hint: try again)"
	case errors.Is(err, errBehind):
		return http.StatusGatewayTimeout, "that position was not reached in time (hint: try again)"
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "it took too long (hint: ask for less)"
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, "the request was ended early"
	}
	return http.StatusInternalServerError, "internal error"
}

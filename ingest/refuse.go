package ingest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"switchlog/schemas"
)

// Faults of a request that only this package's edge knows.
var (
	errMethod   = errors.New("method not allowed")
	errMedia    = errors.New("media type not understood")
	errTooLarge = errors.New("body too large")
	errSlow     = errors.New("body took too long")
	errBroken   = errors.New("body ended early")
	errBusy     = errors.New("too many requests of this source at once")
	errCrowded  = errors.New("too many large bodies at once")
	errNoTenant = errors.New("it is not known yet whose this is")
	errPanic    = errors.New("panic in handler")
)

// overLimit is a verified request that exceeds a limit of ours. Its sender is
// told which, and how much is too much: nothing that is secret.
type overLimit struct {
	status int // 413, or 400 if no smaller request would do
	says   string
}

func (o overLimit) Error() string { return o.says }

// Is makes it the sender's fault, like everything else that is wrong with a
// request.
func (o overLimit) Is(target error) bool { return target == schemas.ErrInvalid }

// refuse is the one place where an error becomes an answer. The sentence is
// ours: an error's own text may hold internals.
func refuse(w http.ResponseWriter, err error) (outcome string) {
	type refusal struct {
		status  int
		says    string
		outcome string
		close   bool // the rest of the body is not worth reading
		again   bool // Retry-After
	}
	a := refusal{http.StatusServiceUnavailable, "cannot store this now", outcomeUnavailable, false, true}
	var limit overLimit
	switch {
	case errors.As(err, &limit):
		a = refusal{limit.status, limit.says, outcomeInvalid, false, false}
		if limit.status == http.StatusRequestEntityTooLarge {
			a.outcome = outcomeTooLarge
		}
	case errors.Is(err, errMethod):
		a = refusal{http.StatusMethodNotAllowed, "method not allowed", outcomeMethod, false, false}
	case errors.Is(err, errTooLarge):
		a = refusal{http.StatusRequestEntityTooLarge, "body too large", outcomeTooLarge, true, false}
	case errors.Is(err, errSlow):
		a = refusal{http.StatusRequestTimeout, "body took too long", outcomeSlow, true, false}
	case errors.Is(err, errBroken):
		a = refusal{http.StatusBadRequest, "body ended early", outcomeBroken, true, false}
	case errors.Is(err, errCrowded):
		a = refusal{http.StatusServiceUnavailable, "too many large bodies at once", outcomeUnavailable, true, true}
	case errors.Is(err, ErrUnauthorized):
		a = refusal{http.StatusUnauthorized, "unauthorized", outcomeUnauthorized, false, false}
	case errors.Is(err, schemas.ErrNotFound):
		a = refusal{http.StatusNotFound, "not found", outcomeNotFound, false, false}
	case errors.Is(err, errMedia):
		a = refusal{http.StatusUnsupportedMediaType, "this media type is not understood", outcomeMediaType, false, false}
	case errors.Is(err, schemas.ErrInvalid):
		a = refusal{http.StatusBadRequest, "not in this provider's format", outcomeInvalid, false, false}
	case errors.Is(err, errNoTenant):
		a.says = errNoTenant.Error()
	case errors.Is(err, errBusy):
		a = refusal{http.StatusTooManyRequests, "too many requests at once", outcomeBusy, false, true}
	}
	if a.close {
		w.Header().Set("Connection", "close")
	}
	if a.again {
		w.Header().Set("Retry-After", "1")
	}
	answer(w, a.status, a.says)
	return a.outcome
}

// readBody reads the whole body, within MaxBodyBytes and BodyTimeout. The
// caller calls release when the body is no longer in use.
//
// A small body is simply read. A large one first waits until the large ones
// in memory leave it room, so that ten thousand connections which each
// announce the greatest size hold no more than MaxLargeBytes.
func (e *edge) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	size := r.ContentLength
	if size > e.MaxBodyBytes {
		return nil, nil, errTooLarge
	}
	deadline := time.Now().Add(e.BodyTimeout)
	conn := http.NewResponseController(w)
	if err := conn.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, nil, errBroken
	}
	limit := size
	if size < 0 {
		limit = e.MaxBodyBytes + 1 // a byte more, to see that it ends
	}
	release = func() {}
	if limit > smallBodyBytes {
		ctx, cancel := context.WithDeadline(r.Context(), deadline)
		defer cancel()
		if e.large.Acquire(ctx, limit) != nil {
			return nil, nil, errCrowded
		}
		release = func() { e.large.Release(limit) }
	}
	if size < 0 {
		body, err = io.ReadAll(io.LimitReader(r.Body, limit))
	} else {
		body = make([]byte, size)
		_, err = io.ReadFull(r.Body, body)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlow
	case err != nil:
		err = errBroken
	case int64(len(body)) > e.MaxBodyBytes:
		err = errTooLarge
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	// From here on the connection is watched for a client that hangs up; a
	// deadline would look like one.
	if err := conn.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		release()
		return nil, nil, errBroken
	}
	return body, release, nil
}

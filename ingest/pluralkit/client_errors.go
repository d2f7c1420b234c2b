package pluralkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"switchlog/schemas"
)

// What a caller decides on. An answer that is not of the shape that was
// promised is schemas.ErrInvalid.
var (
	// ErrUnauthorized: PluralKit does not know the token. Either it was
	// renewed or the system is deleted; SystemExists tells which.
	ErrUnauthorized = errors.New("PluralKit does not know the token (hint: pk;token in Discord gives the one that counts now)")

	// ErrAnonymous: PluralKit showed, or refused, what it does to everybody:
	// the token does not count as the owner's. Nothing of such an answer is
	// true of what the owner sees.
	ErrAnonymous = errors.New("PluralKit does not take the token for the owner's (hint: check whose system the token is of)")

	// ErrNotFound: PluralKit says that the one thing asked for is not there.
	// The *APIError beside it has the code.
	ErrNotFound = errors.New("not found")

	// ErrTies: some of the history cannot be listed; see TiesError.
	ErrTies = errors.New("more switches at one moment than can be listed")

	// ErrTooLarge: the answer is longer than we read.
	ErrTooLarge = errors.New("the answer is too large")
)

// An APIError is a refusal. It is ErrUnauthorized, ErrAnonymous or ErrNotFound
// where it means that.
type APIError struct {
	Status  int           // of HTTP
	Code    int           // PluralKit's own; 0: none
	Message string        // PluralKit's own sentence, cut short; empty: the answer was not in PluralKit's form
	Wait    time.Duration // of a 429: how long it asked us to stay away
}

func (e *APIError) Error() string {
	text := "answered " + strconv.Itoa(e.Status)
	if e.Code != 0 {
		text += ", code " + strconv.Itoa(e.Code)
	}
	switch {
	case e.Message != "":
		text += ": " + strconv.Quote(e.Message)
	case e.Status >= 300 && e.Status < 400:
		text += ": a redirect, which is not followed (hint: give the address it leads to)"
	case e.Status < 500:
		text += ", not in PluralKit's form (hint: is the address PluralKit's, and what stands between?)"
	}
	return text
}

// Codes of PluralKit's that are told apart.
const (
	codeNoSystem     = 20001
	codeSwitchHidden = 20008 // another system's, or history is private: not for the owner of the switch asked for
	codeNoMemberRow  = 20010
)

// Is makes errors.Is say what a status means.
func (e *APIError) Is(target error) bool {
	own := e.Message != "" // a proxy's word counts for nothing
	switch target {
	case ErrUnauthorized:
		return own && e.Status == http.StatusUnauthorized
	case ErrNotFound:
		return own && e.Status == http.StatusNotFound && e.Code != codeSwitchHidden &&
			e.Code >= codeNoSystem && e.Code <= codeNoMemberRow
	case ErrAnonymous: // nothing of one's own is ever refused
		return own && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound && e.Code == codeSwitchHidden)
	}
	return false
}

// passes reports whether the same request may be answered well a little later.
func (e *APIError) passes() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// maxMessageBytes of PluralKit's sentences; the longest known has about 100.
const maxMessageBytes = 200

// refusal reads the body of an answer that is none. It quotes only what stands
// in PluralKit's place for a sentence.
func refusal(res *http.Response, body []byte, token string) *APIError {
	e := &APIError{Status: res.StatusCode}
	var said schemas.Object
	_ = json.Unmarshal(body, &said) // what is no object has no members
	message, _ := said.Text("message")
	code, err := strconv.Atoi(string(said["code"]))
	ours := message != "" && err == nil // both are always there
	if ours {
		e.Message, e.Code = clean(strings.ReplaceAll(message, token, "[token]")), code
	}
	if e.Status == http.StatusTooManyRequests {
		e.Wait = time.Second // what the budget's period is
		if ms, err := strconv.ParseFloat(string(said["retry_after"]), 64); ours && err == nil {
			e.Wait = duration(ms, time.Millisecond) // may be 0
		} else if s, err := strconv.ParseFloat(res.Header.Get("Retry-After"), 64); err == nil {
			e.Wait = duration(s, time.Second) // of what stands before PluralKit
		}
		e.Wait = max(e.Wait, minRefusedWait)
	}
	return e
}

// duration is n units, within a day.
func duration(n float64, unit time.Duration) time.Duration {
	const day = 24 * time.Hour
	if !(n > 0) { // NaN too
		return 0
	}
	return time.Duration(min(n*float64(unit), float64(day)))
}

// clean is one line of limited length.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessageBytes {
		s = strings.ToValidUTF8(s[:maxMessageBytes], "") + "…"
	}
	return s
}

// invalid is schemas.ErrInvalid with words of ours: those of a decoder may
// quote what was sent.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", schemas.ErrInvalid, fmt.Sprintf(format, args...))
}

// A brokenError is an answer that did not come, or not whole.
type brokenError struct {
	err     error
	timeout bool
}

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// broken sorts a failure of the network; one of the caller's ctx is not the
// network's.
func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w while waiting for the answer", ctx.Err())
	}
	var timeout interface{ Timeout() bool }
	return &brokenError{err, errors.As(err, &timeout) && timeout.Timeout()}
}

package mirror

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// positionHeader says at which position an answer is true.
const positionHeader = "Switchlog-Position"

// maxBytes of an answer (Law 10). PluralKit's longest, a system's 1,000 members
// with everything they may have, is about half of it.
const maxBytes = 8 << 20

type handler struct {
	Config
	metrics *metrics
	room    chan struct{} // as many places as may be answered at once
}

// NewHandler returns the mirror, to be mounted at Root with the whole path.
func NewHandler(c Config) http.Handler {
	c = c.withDefaults()
	return &handler{Config: c, metrics: newMetrics(c.Metrics), room: make(chan struct{}, c.MaxRequests)}
}

// A request is one that found its route, and the state of the database that it
// is answered from.
type request struct {
	*handler
	tx     *engine.Tx
	args   []string // what stands at the placeholders of the route
	params url.Values
	viewer viewer
}

func (q *request) now() time.Time { return q.Now() }

// ServeHTTP answers one request, and is where its error ends.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	label, code := labelNone, http.StatusOK
	head := w.Header()
	if !h.NoCORS {
		head.Set("Access-Control-Allow-Origin", "*")
		head.Set("Access-Control-Allow-Methods", "*")
		head.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, sentry-trace, User-Agent")
		head.Set("Access-Control-Max-Age", "86400")
	}
	rt, args := findRoute(r.URL.EscapedPath())
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(code)
	case rt == nil:
		code = http.StatusNotFound
		w.WriteHeader(code)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		label, code = rt.pattern, errMethod.status
		head.Set("Allow", "GET, HEAD, OPTIONS")
		respond(w, code, errMethod.body())
	default:
		label = rt.pattern
		body, err := h.answer(w, r, rt, args)
		code = h.finish(w, body, err, label)
	}
	h.metrics.answered(label, code, begin)
}

// answer runs the route on one state of the database.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, rt *route, args []string) (body []byte, err error) {
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	default:
		return nil, errUnavailable
	}
	if h.Private && !h.viewer(r.Header.Values("Authorization")).let {
		return nil, errUnauthorized
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	q := &request{handler: h, args: args, params: r.URL.Query(), viewer: h.viewer(r.Header.Values("Authorization"))}
	err = h.Store.View(ctx, func(tx *engine.Tx, at schemas.Position) (err error) {
		w.Header().Set(positionHeader, strconv.FormatUint(at.Seq, 10))
		q.tx = tx
		body, err = rt.answer(q)
		return err
	})
	return body, err
}

// finish is the one place where an error becomes a code. A client is told
// nothing of what is inside.
func (h *handler) finish(w http.ResponseWriter, body []byte, err error, label string) (code int) {
	var refused *refusal
	switch {
	case err == nil:
		respond(w, http.StatusOK, body)
		return http.StatusOK
	case errors.Is(err, errNoContent):
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent
	case errors.As(err, &refused):
	case errors.Is(err, context.DeadlineExceeded):
		refused = errTooSlow
	case errors.Is(err, context.Canceled), errors.Is(err, engine.ErrStale):
		refused = errUnavailable
	default:
		refused = errInternal
		h.Logger.Error("mirror", "route", label, "err", err)
	}
	if refused.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	respond(w, refused.status, refused.body())
	return refused.status
}

// respond writes an answer. It is somebody's data, so nothing on the way may
// keep it. A client that has gone by now needs no answer.
func respond(w http.ResponseWriter, code int, body []byte) {
	head := w.Header()
	head.Set("Content-Type", "application/json; charset=utf-8")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

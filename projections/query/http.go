package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// Root is the path everything here is below.
const Root = "/api/v1/"

// positionHeader says which event an answer is true at, over HTTP and NATS.
const positionHeader = "Switchlog-Position"

// handler is the HTTP door.
type handler struct {
	*core
	js      jetstream.JetStream
	openAPI []byte
	streams *shares
	sse     sseTimes
}

// NewHandler returns the read API: GET /api/v1/{source}/{tenant}/… for every
// query, …/changes for the stream of changes, and /api/v1/openapi.json
// and asyncapi.json, which describe HTTP and NATS. It goes where the whole path can be seen, at "/api/v1/".
//
// The order is: who asks (401), whether there is such a thing for them (404),
// method (405), parameters (400), room (503, 429), position (504), answer.
func NewHandler(c Config) http.Handler {
	k := newCore(c)
	js, err := jetstream.New(k.Conn)
	if err != nil {
		panic("query: " + err.Error()) // without options there is nothing to go wrong
	}
	return &handler{
		core: k, js: js, openAPI: OpenAPI(k.Projections), sse: defaultTimes,
		streams: newShares(k.MaxStreams, k.MaxReaderStreams),
	}
}

// ServeHTTP answers one request, and is where its error ends.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	label, err := h.serve(w, r)
	code := http.StatusOK
	if err != nil {
		var says string
		code, says = refusal(err)
		h.report(code, label, begin, err)
		refuse(w, code, says)
	}
	if label == labelChanges { // how long a stream was open is not how long an answer took
		h.metrics.requests.WithLabelValues(label, strconv.Itoa(code)).Inc()
		return
	}
	h.metrics.asked(label, code, begin)
}

// serve answers, or returns why not; then nothing has been written.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) (label string, err error) {
	reader, err := h.authorize(r)
	if err != nil {
		return labelNone, err
	}
	path, ok := segments(r.URL)
	if !ok {
		return labelNone, errNotFound
	}
	if document, is := map[string][]byte{"openapi.json": h.openAPI, "asyncapi.json": schemas.AsyncAPI()}[path[0]]; is && len(path) == 1 {
		if err := allow(w, r, "GET, HEAD"); err != nil {
			return labelOpenAPI, err
		}
		answerJSON(w, http.StatusOK, document)
		return labelOpenAPI, nil
	}
	if len(path) == 1 {
		return labelTenants, h.tenants(w, r, reader, path[0])
	}
	if len(path) < 3 {
		return labelNone, errNotFound
	}
	source := path[0]
	tenant, err := h.tenantOf(r.Context(), reader, source, path[1])
	if err != nil {
		return labelNone, err
	}
	if !reader.May(source, tenant) {
		return labelNone, errNotFound // whatever there is (P7)
	}
	if _, known := h.sources[source]; known && len(path) == 3 && path[2] == "changes" {
		return labelChanges, h.changes(w, r, reader, source, tenant)
	}
	query, bound, ok := h.match(source, path[2:])
	if !ok {
		return labelNone, errNotFound
	}
	if err := allow(w, r, "GET, HEAD"); err != nil {
		return query.Name, err
	}
	given, err := urlParams(r.URL.RawQuery)
	if err != nil {
		return query.Name, err
	}
	q, err := ask(source, tenant, query, given, bound)
	if err != nil {
		return query.Name, err
	}
	q.public = reader.Public
	a, err := h.answer(r.Context(), q)
	if err == nil || errors.Is(err, errNotFound) {
		w.Header().Set(positionHeader, strconv.FormatUint(a.Position.Seq, 10))
	}
	if err != nil {
		return query.Name, err
	}
	answerJSON(w, http.StatusOK, a.Body)
	return query.Name, nil
}

// maxTenants is how many tenants are listed at most.
const maxTenants = 1000

// tenants lists the tenants of a kind of source that the reader may ask about, by name; with ?after=NAME
// those behind it.
func (h *handler) tenants(w http.ResponseWriter, r *http.Request, reader Reader, source string) error {
	if _, known := h.sources[source]; !known || h.Tenants == nil || source == schemas.SelfSource && !reader.Admin {
		return errNotFound
	}
	if err := allow(w, r, "GET, HEAD"); err != nil {
		return err
	}
	given, err := urlParams(r.URL.RawQuery)
	if err != nil {
		return err
	}
	for name := range given {
		if name != "after" {
			return fmt.Errorf("%w: unknown parameter %q", schemas.ErrInvalid, clip(name))
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	list := []Tenant{}
	if reader.Tenant == "" {
		list, err = h.Tenants.List(ctx, source, given["after"], maxTenants)
	} else if reader.May(source, reader.Tenant) && reader.Tenant > given["after"] {
		var known bool
		if known, err = h.Tenants.Knows(ctx, source, reader.Tenant); known {
			list = append(list, Tenant{Tenant: reader.Tenant})
		}
	}
	if err != nil {
		h.Logger.Warn("tenants", "source", source, "err", err)
		return errUnavailable
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, body)
	return nil
}

func (h *handler) authorize(r *http.Request) (Reader, error) {
	if h.Authorize == nil {
		return Reader{}, ErrUnauthorized
	}
	return h.Authorize(r)
}

// segments takes the path below Root apart. Each segment is decoded by
// itself, so an encoded slash is part of one and divides nothing.
func segments(u *url.URL) ([]string, bool) {
	below, ok := strings.CutPrefix(u.EscapedPath(), Root)
	if !ok {
		return nil, false
	}
	parts := strings.Split(below, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" || !utf8.ValidString(text) || strings.IndexFunc(text, unicode.IsControl) >= 0 {
			return nil, false
		}
		parts[i] = text
	}
	return parts, true
}

// allow refuses other methods than these, and says so.
func allow(w http.ResponseWriter, r *http.Request, methods string) error {
	for method := range strings.SplitSeq(methods, ", ") {
		if r.Method == method {
			return nil
		}
	}
	w.Header().Set("Allow", methods)
	return errMethod
}

func refuse(w http.ResponseWriter, code int, says string) {
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	body, err := json.Marshal(map[string]string{"error": says})
	if err != nil {
		panic("query: a string that is no JSON: " + err.Error())
	}
	answerJSON(w, code, body)
}

// answerJSON writes an answer. It is somebody's data, so nothing on the way may
// keep it. A client that is gone by now needs no answer.
func answerJSON(w http.ResponseWriter, code int, body []byte) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

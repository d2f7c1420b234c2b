package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

// EdgeConfig is what can be set about the public listener. The zero value
// works.
type EdgeConfig struct {
	MaxBodyBytes  int64         // of one request; 256 KiB
	BodyTimeout   time.Duration // for a request's whole body; 5 s
	StoreTimeout  time.Duration // for making it durable; 8 s, since PluralKit hangs up after 10
	MaxLargeBytes int64         // all bodies above 8 KiB together that are in memory at once; 32 MiB
	MaxWaiting    int64         // requests of one source that may wait to be stored; 4,096

	Watch      Watcher               // is told what may have been missed; nil: nobody is
	Pings      *Pings                // remembers PINGs; nil: nobody wants to see them
	Now        func() time.Time      // the clock; nil: time.Now
	Log        *slog.Logger          // nil: nothing is logged
	Access     *slog.Logger          // a line for each request that was accepted; nil: none
	Registerer prometheus.Registerer // nil: metrics are not registered
}

// smallBodyBytes is what a body may have without asking for room: no more
// than the connection it came on costs anyway.
const smallBodyBytes = 8 << 10

// edge is the public face: webhooks and /healthz, nothing else.
type edge struct {
	EdgeConfig
	sources *registry.Registry
	store   Appender
	mux     *http.ServeMux
	large   *semaphore.Weighted // bytes of large bodies
	metrics *metrics

	decoys  map[string]Source     // by kind: verify for names that no source has
	unknown registry.AuthFailures // what is counted of tenants that are not ours, for the time it takes
}

// NewEdge returns the handler of the public listener. It verifies by the
// sources of r and stores in a.
//
// The order is: method (405), size (413), who sent it (401), what it says
// (400), room (429), storing (503). Nothing is answered with success before a
// has it (Law 1). Whoever is not verified gets a 401 and never a 429,
// however many there are: verifying waits for nothing but the body, and a
// body above 8 KiB for its share of MaxLargeBytes (503 if none comes free
// within BodyTimeout; such a request cannot be told good from bad).
//
// How many connections there may be is for the listener to limit.
func NewEdge(c EdgeConfig, r *registry.Registry, a Appender) http.Handler {
	c.MaxBodyBytes = orDefault(c.MaxBodyBytes, 256<<10)
	c.BodyTimeout = orDefault(c.BodyTimeout, 5*time.Second)
	c.StoreTimeout = orDefault(c.StoreTimeout, 8*time.Second)
	c.MaxLargeBytes = max(orDefault(c.MaxLargeBytes, 32<<20), c.MaxBodyBytes+1)
	c.MaxWaiting = orDefault(c.MaxWaiting, 4096)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Watch == nil {
		c.Watch = nobody{}
	}
	if c.Pings == nil {
		c.Pings = NewPings(c.Now)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Access == nil {
		c.Access = slog.New(slog.DiscardHandler)
	}
	e := &edge{
		EdgeConfig: c, sources: r, store: a,
		mux:     http.NewServeMux(),
		large:   semaphore.NewWeighted(c.MaxLargeBytes),
		metrics: newMetrics(c.Registerer),
		decoys:  newDecoys(c.Now),
	}
	e.mux.HandleFunc("/", notFound)
	e.mux.HandleFunc("/healthz", health)
	for _, k := range Kinds {
		for _, route := range []string{k.Route, k.KeyRoute} {
			if route != "" {
				e.mux.Handle(route, e.receive(k, wildcards(route)))
			}
		}
	}
	return e
}

func orDefault[T int64 | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.TransferEncoding) > 0 {
		// It may have had a Content-Length besides, which net/http takes away. What
		// somebody on the way holds for the rest of it is no request.
		w.Header().Set("Connection", "close")
	}
	r, ok := onePath(r)
	if !ok || !strings.HasPrefix(r.URL.Path, "/") {
		notFound(w, r)
		return
	}
	e.mux.ServeHTTP(w, r)
}

// notFound answers all that is served nowhere: the mux would write its own 404.
func notFound(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusNotFound, "not found")
}

// onePath is the request with the one spelling of its path: slashes that are
// doubled or at the end, as people make them when they put an address
// together, are left out. The mux would redirect, and a provider that posts does
// not follow. Not ok: the path has dots for a part, which no address of ours has.
func onePath(r *http.Request) (_ *http.Request, ok bool) {
	written := r.URL.EscapedPath()
	clean := path.Clean(written)
	if clean == written {
		return r, true
	}
	for _, part := range strings.Split(written, "/") {
		if part == "." || part == ".." {
			return r, false
		}
	}
	u := *r.URL
	plain, err := url.PathUnescape(clean)
	if err != nil {
		return r, false
	}
	u.Path, u.RawPath = plain, clean
	same := *r
	same.URL = &u
	return &same, true
}

func health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	w.WriteHeader(http.StatusOK)
}

// receive handles the requests of one kind of source.
func (e *edge) receive(k Kind, names []string) http.Handler {
	metrics := e.metrics.ofKind(k.Name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := e.Now()
		outcome := outcomePanic
		defer func() {
			if p := recover(); p != nil {
				// The value may quote the body; where it happened does not.
				e.Log.Error("panic in handler", "source", k.Name, "err", fmt.Sprintf("panic: %T", p), "stack", string(debug.Stack()))
				answer(w, http.StatusInternalServerError, "internal error")
			}
			now := e.Now()
			metrics.done(outcome, now, now.Sub(began))
		}()
		outcome = e.handle(w, r, k, names)
	})
}

// handle does the work, answers, and returns how it ended.
func (e *edge) handle(w http.ResponseWriter, r *http.Request, k Kind, names []string) string {
	switch {
	case r.Method == http.MethodOptions && k.Options != nil:
		return e.options(w, k, newRequest(r, names))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", methods(k))
		return refuse(w, errMethod)
	}
	body, release, err := e.readBody(w, r)
	if err != nil {
		return refuse(w, err)
	}
	defer release()
	req := newRequest(r, names)
	src, err := e.verify(r.Context(), k, req, body)
	if err != nil && e.Pings.isProbe(k, req, body) {
		return answerProbe(w)
	}
	if err != nil {
		if src != nil {
			src.Stats.Refused.Add(1)
		}
		e.logUnless(err, k, schemas.Event{})
		outcome := refuse(w, err)
		if outcome == outcomeUnavailable && src != nil && !errors.Is(err, errSecretLost) {
			src.Stats.Lost(e.Now())
		}
		if outcome == outcomeUnauthorized {
			e.unverified(k, src, body)
		}
		return outcome
	}
	outcome := outcomePanic
	defer func() {
		if outcome == outcomePanic { // a verified request on which the handler panics is lost like one that cannot be stored
			src.Stats.Refused.Add(1)
			e.unstored(k, src, errPanic)
		}
	}()
	outcome = e.keep(r.Context(), w, k, src, req, body)
	return outcome
}

// keep stores what a verified request says, answers, and returns how it ended.
func (e *edge) keep(ctx context.Context, w http.ResponseWriter, k Kind, src *registry.Entry, req *Request, body []byte) string {
	events, err := src.Source.Events(req, body)
	if err != nil {
		src.Stats.Refused.Add(1)
		e.Log.Info("refused a verified request", "source", k.Name, "err", err)
		return refuse(w, err)
	}
	if len(events) == 0 {
		src.Stats.LastPing.Store(e.Now().UnixMicro())
		acknowledge(w, src.Source, nil)
		e.Pings.right(k, src.Name(), body)
		e.Watch.Tried(k.Name, src.Tenant())
		return outcomePing
	}
	if _, tells := src.Source.(TenantTeller); tells && src.Tenant() == "" {
		// To file it under the name of the source would part it from its tenant's events for ever.
		err = errNoTenant
		src.Stats.Refused.Add(1)
		src.Stats.Lost(e.Now())
		e.Log.Warn("refused a verified request: it does not say whose it is, and none before it did (hint: add the source with its tenant: --system)", "source", k.Name)
		return refuse(w, err)
	}
	fresh, err := e.append(ctx, src, events)
	if err != nil {
		src.Stats.Refused.Add(1)
		e.logUnless(err, k, events[0])
		e.unstored(k, src, err)
		return refuse(w, err)
	}
	src.Stats.Accepted.Add(1)
	src.Stats.LastEvent.Store(e.Now().UnixMicro())
	acknowledge(w, src.Source, events)
	e.Access.Info("accepted", "source", k.Name, "type", events[0].Type, "event", events[0].ID, "events", len(events), "new", fresh)
	if fresh == 0 {
		return outcomeRepeat
	}
	return outcomeAccepted
}

// options answers a provider that asks before it sends.
func (e *edge) options(w http.ResponseWriter, k Kind, r *Request) string {
	s, exists := e.decoys[k.Name], false
	if src := e.find(k, r, nil); src != nil {
		s, exists = src.Source, true
	}
	a, err := k.Options(s, exists, r)
	if err != nil {
		return refuse(w, err)
	}
	w.Header().Set("Allow", methods(k))
	write(w, a)
	return outcomeAsked
}

// find is the source a request claims to be from; nil if there is none.
func (e *edge) find(k Kind, r *Request, body []byte) *registry.Entry {
	if k.Credential == nil {
		return e.sources.Find(k.Name, r.Path["name"])
	}
	hash, ok := k.Credential(r, body)
	if !ok {
		return nil
	}
	return e.sources.FindByToken(k.Name, hash)
}

// verify finds the source that sent the request. The source is also given
// with an error, if it is known whose request it pretends to be.
//
// A source that was added without a tenant learns it here, before anything
// of the request is stored.
func (e *edge) verify(ctx context.Context, k Kind, r *Request, body []byte) (*registry.Entry, error) {
	src := e.find(k, r, body)
	if src == nil {
		if decoy := e.decoys[k.Name]; decoy != nil && decoy.Verify(r, body) == nil {
			panic("ingest: a decoy was signed for") // its keys are random and known to nobody
		}
		return nil, e.unproved(k, nil, body)
	}
	if err := src.Source.Verify(r, body); errors.Is(err, ErrUnauthorized) {
		return src, e.unproved(k, src, body)
	} else if err != nil {
		return src, err
	}
	if src.Tenant() != "" {
		return src, nil
	}
	teller, tells := src.Source.(TenantTeller)
	if !tells {
		return src, nil
	}
	tenant := teller.TellTenant(r, body)
	if tenant == "" {
		return src, nil
	}
	ctx, cancel := e.storing(ctx)
	defer cancel()
	switch err := e.sources.Learn(ctx, k.Name, src.Name(), tenant); {
	case errors.Is(err, schemas.ErrConflict), errors.Is(err, schemas.ErrNotFound):
		src.Stats.Conflict.Store(&tenant)
		return src, fmt.Errorf("%w: %w", ErrUnauthorized, err)
	case err != nil:
		return src, err
	}
	// The source as it is now; it may have been removed meanwhile.
	if src = e.find(k, r, body); src == nil {
		return nil, ErrUnauthorized
	}
	return src, src.Source.Verify(r, body)
}

// append makes the events durable. It does not stop when the client hangs
// up: PluralKit's event is lost if we do not keep it, and nobody reads the
// answer.
func (e *edge) append(ctx context.Context, src *registry.Entry, events []schemas.Event) (fresh int, err error) {
	defer src.Stats.Waiting.Add(-1)
	if src.Stats.Waiting.Add(1) > e.MaxWaiting {
		return 0, errBusy
	}
	ctx, cancel := e.storing(ctx)
	defer cancel()
	return e.store.Append(ctx, events...)
}

func (e *edge) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), e.StoreTimeout)
}

// logUnless logs an error that is not the sender's fault.
func (e *edge) logUnless(err error, k Kind, event schemas.Event) {
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, errSecretLost) { // a stranger may send as many as they like
		e.Log.Debug("refused an unverified request", "source", k.Name, "err", err)
		return
	}
	e.Log.Error("a verified request was not stored", "source", k.Name, "type", event.Type, "event", event.ID, "err", err)
}

// wildcards are the names in a path pattern.
func wildcards(pattern string) []string {
	var names []string
	for _, part := range strings.Split(pattern, "/") {
		if inner, is := strings.CutPrefix(part, "{"); is {
			names = append(names, strings.TrimSuffix(inner, "}"))
		}
	}
	return names
}

// newRequest is what sources see of r; names are the wildcards of its route.
func newRequest(r *http.Request, names []string) *Request {
	req := &Request{Header: r.Header}
	if len(names) > 0 {
		req.Path = make(map[string]string, len(names))
		for _, name := range names {
			req.Path[name] = r.PathValue(name)
		}
	}
	if r.URL.RawQuery != "" {
		req.Query = r.URL.Query()
	}
	return req
}

// acknowledge answers a request that succeeded; no events: a ping.
func acknowledge(w http.ResponseWriter, s Source, events []schemas.Event) {
	acker, unusual := s.(Acker)
	if !unusual {
		w.WriteHeader(http.StatusOK)
		return
	}
	write(w, acker.Ack(events))
}

func write(w http.ResponseWriter, a Answer) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a client that hung up does not want it
}

// answer writes the answer to a request that failed.
func answer(w http.ResponseWriter, status int, sentence string) {
	body, err := json.Marshal(map[string]string{"error": sentence})
	if err != nil {
		panic(err) // a string is always JSON
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up does not want it
}

package fakepk

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// APIConfig of an API; the zero value works.
type APIConfig struct {
	Now    func() time.Time // of the rate limits; nil: time.Now. What "now" is to PluralKit is the World's
	Strict Strict
	// Before runs ahead of every answer with the route, and may act on the world: a snapshot of many requests is not
	// of one moment.
	Before func(route string)
	// Unlimited turns the rate limits off.
	Unlimited bool
}

// An API is the read side of PluralKit's API v2 over a World. It is strict: a client that misuses it fails the test.
type API struct {
	w     *World
	tb    testing.TB
	conf  APIConfig
	limit *limiter

	mu       sync.Mutex // guards what follows
	counts   map[string]int
	faults   []*Fault
	freed    chan struct{} // closed when hanging requests may end
	misuses  []string
	refusals int
	blocked  map[string]wait // by rate limit key: what the last 429 told it
	noMe     bool            // @me was last answered with 401
}

// NewAPI serves w. Misuse is an error of tb.
func NewAPI(tb testing.TB, w *World, c APIConfig) *API {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &API{w: w, tb: tb, conf: c, limit: newLimiter(), counts: map[string]int{}, freed: make(chan struct{}),
		blocked: map[string]wait{}}
}

// Counts is how many requests each route has had, refused ones too; the route is its pattern, such as
// "/systems/{ref}/members".
func (a *API) Counts() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.counts)
}

// A request is one that found its route.
type request struct {
	api    *API
	r      *http.Request
	route  *route
	args   []string // what stands at the placeholders
	viewer *System  // whose token it is; nil: anonymous
	redact bool     // the owner is shown what everybody sees (FaultRedacted)
}

// owns reports whether the viewer sees what is private to s.
func (q *request) owns(s *System) bool { return q.viewer == s && !q.redact }

const apiVersion = "44f244b4"

// ServeHTTP answers as PluralKit's gateway and API do together.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-PluralKit-Version", apiVersion)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "*")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization, sentry-trace, User-Agent")
	h.Set("Access-Control-Max-Age", "86400")
	rt, args := findRoute(r.URL.EscapedPath())
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
	case strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == "/v1":
		w.WriteHeader(http.StatusGone)
	case rt == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.UserAgent() == "":
		a.misuse("%s %s: no User-Agent", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusBadRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		a.misuse("%s %s: this fake can only be read", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		a.serve(w, &request{api: a, r: r, route: rt, args: args})
	}
}

func (a *API) serve(w http.ResponseWriter, q *request) {
	if a.conf.Before != nil {
		a.conf.Before(q.route.pattern)
	}
	a.mu.Lock()
	a.counts[q.route.pattern]++
	a.mu.Unlock()
	fault := a.fault(q.route.pattern)
	if !a.delay(q.r.Context(), fault) {
		panic(http.ErrAbortHandler)
	}

	a.w.mu.RLock()
	q.authenticate(fault)
	key, scope := q.bucket()
	a.w.mu.RUnlock()
	a.strictRefs(q)
	if !a.conf.Unlimited || fault.is(FaultThrottle) {
		if body := a.throttle(w.Header(), key, scope, fault); body != nil {
			respond(w, http.StatusTooManyRequests, body, fault)
			return
		}
	}
	if fault.is(FaultStatus) {
		e := refused(fault.Status, 0, strconv.Itoa(fault.Status)+": "+http.StatusText(fault.Status))
		respond(w, e.Status, e.body(), fault)
		return
	}
	status, body := q.answer()
	a.mu.Lock()
	if len(q.args) > 0 && q.args[0] == "@me" {
		a.noMe = status == http.StatusUnauthorized
	}
	a.mu.Unlock()
	respond(w, status, body, fault)
}

// answer runs the route's handler on the rows as they are at this moment.
func (q *request) answer() (status int, body []byte) {
	q.api.w.mu.RLock()
	defer q.api.w.mu.RUnlock()
	v, err := q.route.handle(q)
	var e *Error
	switch {
	case err == errNoContent:
		return http.StatusNoContent, nil
	case errors.As(err, &e):
		return e.Status, e.body()
	case err != nil:
		panic(err)
	}
	return http.StatusOK, appendJSON(nil, v)
}

func respond(w http.ResponseWriter, status int, body []byte, fault *Fault) {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if fault.is(FaultTruncate) {
		_, _ = w.Write(body[:len(body)/2]) // the client is about to be cut off anyway
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // a client that has gone is no concern of the server
}

// authenticate finds whose token it is. One that nobody has, or an empty one, is anonymous.
func (q *request) authenticate(fault *Fault) {
	token := q.r.Header.Get("Authorization")
	if token == "" || fault.is(FaultAnonymous) {
		return
	}
	q.viewer = find(q.api.w.systems, func(s *System) bool { return s.token == token })
	q.redact = fault.is(FaultRedacted)
}

// bucket is the rate limit a request falls into: the token's own system, when the address is about it, else the
// client's address. Messages fall into reads.
func (q *request) bucket() (key, scope string) {
	if q.viewer != nil && len(q.args) > 0 && q.route.owner != nil && q.route.owner(q, q.args[0]) == q.viewer {
		return "system " + q.viewer.uuid, "own_system_get"
	}
	host, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		host = q.r.RemoteAddr
	}
	return "client " + host, "generic_get"
}

// delay holds a request back. It reports false when the client has gone or the server must hang up.
func (a *API) delay(ctx context.Context, f *Fault) bool {
	if f == nil {
		return true
	}
	a.mu.Lock()
	freed := a.freed
	a.mu.Unlock()
	if f.Kind == FaultHang {
		select {
		case <-ctx.Done():
		case <-freed:
		}
		return false
	}
	if f.Latency > 0 {
		timer := time.NewTimer(f.Latency)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-freed:
		case <-timer.C:
		}
	}
	return true
}

// A FaultKind is a way in which the API misbehaves.
type FaultKind int

// The kinds of faults.
const (
	FaultLatency   FaultKind = iota // nothing but Latency
	FaultStatus                     // answers with Status
	FaultHang                       // never answers
	FaultThrottle                   // 429 whatever the budget, with RetryAfter
	FaultTruncate                   // hangs up in the middle of the body
	FaultAnonymous                  // takes the token for nobody's: 401 on @me, the public view elsewhere
	FaultRedacted                   // knows the token, yet shows the public view, even on @me
)

// A Fault is injected into answers.
type Fault struct {
	Kind       FaultKind
	Route      string        // a pattern as in Counts; empty: every one
	Skip       int           // so many requests are answered well first
	Times      int           // so many are not; 0: all until Heal
	Latency    time.Duration // before any answer, of every kind
	Status     int           // of FaultStatus; 0: 500
	RetryAfter time.Duration // of FaultThrottle
}

func (f *Fault) is(k FaultKind) bool { return f != nil && f.Kind == k }

// Inject adds a fault. The first that fits a request is the one that happens.
func (a *API) Inject(f Fault) {
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	if f.Times == 0 {
		f.Times = -1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, &f)
}

// Heal removes all faults and lets go of requests that hang.
func (a *API) Heal() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
	close(a.freed)
	a.freed = make(chan struct{})
}

func (a *API) fault(route string) *Fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.faults {
		if f.Route != "" && f.Route != route || f.Times == 0 {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return f
	}
	return nil
}

// Misuses is what a client did that it must not do, in order.
func (a *API) Misuses() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.misuses)
}

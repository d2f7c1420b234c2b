// Package manage is how people make and watch outgoing webhooks: StellarStack's management
// API, with a few routes more. It changes the registry by commands, asks the sender for
// a test or a retry, and shows what the projections know of deliveries. A secret that
// is made here is answered once; no other answer holds one (Law 9). A replay is a list
// of events that ask for deliveries, appended all at once or not at all.
package manage

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"switchlog/processor/deliver"
	"switchlog/schemas"
)

// Caller is who asks the management API.
type Caller struct {
	Name   string // of the reader: the webhooks it makes are its own
	Source string // kind of source the tenant belongs to; empty: any
	Tenant string // the only one it may hear about; empty: all
	All    bool   // it sees everybody's webhooks, not only its own
}

// History is what is known of deliveries; the projections have it. schemas.ErrNotFound:
// there is no such delivery.
type History interface {
	// Deliveries are those of a webhook, newest first, and how many there are.
	Deliveries(ctx context.Context, webhook string, limit, offset int) (rows []schemas.DeliveryRecord, total int, err error)
	Delivery(ctx context.Context, webhook, id string) (schemas.DeliveryRecord, error)
	// DeliveryAgain is a new delivery of what one delivered, for one attempt.
	DeliveryAgain(ctx context.Context, webhook, id string) (schemas.Delivery, error)
}

// LogReader reads what the log has already; it is a deliver.LogReader.
type LogReader interface {
	// Matching hands to fn, in order, what a subscription would have been sent
	// of the part of the log between from and to, as people write them (see
	// schemas.ParseBound; to may be empty). n is 0 for an event and counts from
	// 1 the changes it caused. An error of fn ends it and is returned.
	Matching(ctx context.Context, s schemas.Subscription, from, to string, fn func(seq uint64, n int, e schemas.Event) error) error
}

// Appender stores events durably: it returns when they are fsynced. After an
// error none is stored.
type Appender interface {
	Append(ctx context.Context, events ...schemas.Event) (fresh int, err error)
}

// Registry is which webhooks there are, and the commands on them. Their errors are
// those of package schemas: ErrInvalid, ErrNotFound, ErrConflict and ErrUncertain.
type Registry interface {
	SubscriptionRecords() []schemas.SubscriptionRecord // newest first
	SubscriptionRecord(id string) (schemas.SubscriptionRecord, error)

	Subscribe(ctx context.Context, s schemas.Subscription, url, secret string) (schemas.Subscription, error)
	Resubscribe(ctx context.Context, s schemas.Subscription, updated time.Time, url string) (schemas.Subscription, error)
	RotateSubscription(ctx context.Context, id, secret string) (schemas.Subscription, error)
	Unsubscribe(ctx context.Context, id string) error

	NewSigningSecret() string
	CleanSecret(secret string, signing bool) (string, error)
}

// Sender sends; it is a *deliver.Sender.
type Sender interface {
	// Once makes one attempt, and waits for the answer. of is the delivery it
	// repeats; empty: it is a test. An error says that there was no attempt.
	Once(ctx context.Context, d schemas.Delivery, of string) (schemas.DeliveryAttempt, error)
	// Sending is how the sending to a subscription goes now.
	Sending(subscription string) schemas.Sending
}

var _ Sender = (*deliver.Sender)(nil)

// Config is what the management API needs. All but Now and Log is needed.
type Config struct {
	Registry  Registry
	Events    Appender
	History   History
	Sender    Sender
	LogReader LogReader

	Kinds []string       // of sources, which a webhook may be limited to
	Allow []netip.Prefix // private addresses that webhooks may be sent to

	// Condition says what is wrong with a condition.
	Condition func(expr string) error
	// State is one of the states of a webhook, and what keeps it from passing
	// events on, as a sentence that follows its name; empty: nothing does.
	State func(schemas.Subscription) (state, problem string)
	// Withheld is what a webhook asks for and is not sent as things are now.
	Withheld func(context.Context, schemas.Subscription) ([]schemas.Withheld, error)
	// Server gives the name of a StellarStack server, of one tenant or (empty)
	// of any.
	Server func(ctx context.Context, tenant, id string) (name string, found bool, err error)
	// Authorize says who asks.
	Authorize func(*http.Request) (Caller, bool)

	Now func() time.Time // the clock; nil: time.Now
	Log *slog.Logger     // nil: nothing is logged
}

// attemptTimeout is for a test or a retry: longer than the sender waits.
const attemptTimeout = 30 * time.Second

// webhookRoots are where the API is: StellarStack's code says the first, its
// documents the second.
var webhookRoots = []string{"/api/webhooks", "/webhooks"}

type webhooks struct {
	Config
	replaying sync.Mutex // held by the one replay that may run
}

// webhookRoute is one thing the API does. Its path is below each root.
type webhookRoute struct {
	method, path string
	do           func(h *webhooks, w http.ResponseWriter, r *http.Request, who Caller) error
}

// webhookRoutes are the routes there are. The first ten are StellarStack's.
var webhookRoutes = []webhookRoute{
	{"GET", "/events", (*webhooks).events},
	{"GET", "", (*webhooks).list},
	{"POST", "", (*webhooks).create},
	{"GET", "/{id}", (*webhooks).show},
	{"PATCH", "/{id}", (*webhooks).change},
	{"DELETE", "/{id}", (*webhooks).remove},
	{"GET", "/{id}/deliveries", (*webhooks).deliveries},
	{"GET", "/{id}/deliveries/{delivery}", (*webhooks).delivery},
	{"POST", "/{id}/deliveries/{delivery}/retry", (*webhooks).retry},
	{"POST", "/{id}/test", (*webhooks).test},

	{"POST", "/{id}/rotate", (*webhooks).rotate},
	{"POST", "/{id}/replay", (*webhooks).replay},
	{"GET", "/openapi.json", (*webhooks).openAPI},
}

// NewHandler serves the management of outgoing webhooks below
// /api/webhooks and /webhooks: StellarStack's routes, and three more. Its
// answers are described by /api/webhooks/openapi.json. No answer holds a
// secret, but that to the command that made it.
func NewHandler(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := &webhooks{Config: c}
	mux := http.NewServeMux()
	for _, root := range webhookRoots {
		byPath := map[string]map[string]webhookRoute{}
		for _, route := range webhookRoutes {
			if byPath[route.path] == nil {
				byPath[route.path] = map[string]webhookRoute{}
			}
			byPath[route.path][route.method] = route
		}
		for path, methods := range byPath {
			mux.Handle(root+path, h.serve(methods))
		}
		mux.Handle(root+"/{$}", h.serve(byPath[""]))
		mux.Handle(root+"/", h.serve(nil))
	}
	return mux
}

// serve answers the methods of one path; none: there is nothing there.
func (h *webhooks) serve(methods map[string]webhookRoute) http.Handler {
	var allowed []string
	for method := range methods {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := h.Authorize(r)
		route, known := methods[r.Method]
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, "Unauthorized")
		case len(methods) == 0:
			answer(w, http.StatusNotFound, "Not found")
		case !known:
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			answer(w, http.StatusMethodNotAllowed, "Method not allowed")
		default:
			if err := route.do(h, w, r, who); err != nil {
				h.fail(w, err)
			}
		}
	})
}

// What is not there, or not for this caller.
var (
	errNoWebhook  = errors.New("no such webhook")
	errNoDelivery = errors.New("no such delivery")
	errNoServer   = errors.New("no such server")
)

// faults says what is wrong with a request, member by member.
type faults struct {
	Error         string   `json:"error"`
	Details       []detail `json:"details,omitempty"`
	InvalidEvents []string `json:"invalidEvents,omitempty"`
	OwnerOnly     bool     `json:"ownerOnly,omitempty"` // these events there are, for webhooks that are owner-only
}

type detail struct {
	Path    []string `json:"path"`
	Message string   `json:"message"`
}

// faulty is an error that is answered 400, with all that is wrong.
type faulty struct{ faults }

func (f faulty) Error() string { return f.faults.Error }

func oneFault(member, message string) error {
	path := []string{}
	if member != "" {
		path = append(path, member)
	}
	return faulty{faults{Error: "Validation failed", Details: []detail{{path, message}}}}
}

// fail is the one place where an error of the API becomes an answer.
func (h *webhooks) fail(w http.ResponseWriter, err error) {
	var f faulty
	switch {
	case errors.As(err, &f):
		reply(w, http.StatusBadRequest, f.faults)
	case errors.Is(err, errTooLarge):
		w.Header().Set("Connection", "close")
		answer(w, http.StatusRequestEntityTooLarge, "Body too large")
	case errors.Is(err, errNoDelivery):
		answer(w, http.StatusNotFound, "Delivery not found")
	case errors.Is(err, errNoServer):
		answer(w, http.StatusNotFound, "Server not found")
	case errors.Is(err, errNoWebhook), errors.Is(err, schemas.ErrNotFound): // the latter: it went away meanwhile
		answer(w, http.StatusNotFound, "Webhook not found")
	case errors.Is(err, schemas.ErrInvalid):
		reply(w, http.StatusBadRequest, faults{Error: "Validation failed", Details: []detail{{[]string{}, sentence(err, schemas.ErrInvalid)}}})
	case errors.Is(err, schemas.ErrConflict):
		answer(w, http.StatusConflict, sentence(err, schemas.ErrConflict))
	case errors.Is(err, schemas.ErrUncertain):
		h.Log.Error("a webhook command was not carried out, and may be by the next start", "err", err)
		answer(w, http.StatusServiceUnavailable, uncertain)
	default:
		h.Log.Error("a webhook command was not carried out", "err", err)
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, "This could not be done now; try again")
	}
}

// sentence is an error's text less that of the sentinel it wraps.
func sentence(err, sentinel error) string {
	return strings.TrimPrefix(err.Error(), sentinel.Error()+": ")
}

// own is a webhook the caller may see.
func (h *webhooks) own(r *http.Request, who Caller) (schemas.SubscriptionRecord, error) {
	d, err := h.Registry.SubscriptionRecord(r.PathValue("id"))
	if err != nil || !who.owns(d) {
		return d, errNoWebhook
	}
	return d, nil
}

func (c Caller) owns(d schemas.SubscriptionRecord) bool {
	return c.All || d.Owner == c.Name && (c.Tenant == "" || d.Tenant == c.Tenant && (c.Source == "" || d.Source == c.Source))
}

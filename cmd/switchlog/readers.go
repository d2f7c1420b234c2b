package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"switchlog/ingest/registry"
	"switchlog/processor"
	"switchlog/projections/query"
	"switchlog/schemas"
)

// inboxPrefix begins the inbox prefix of every reader: nobody else's answers arrive there.
const inboxPrefix = "_INBOX_"

// readers carries the registry's readers to where they are let in: to the NATS server inside us,
// and to the requests over HTTP that last.
type readers struct {
	n *node

	applying sync.Mutex       // guards users, and that one change is carried out after another
	users    []processor.User // as the NATS server has them

	mu   sync.Mutex // guards open
	open map[*openRequest]bool
}

// openRequest is a request of a reader that is being answered.
type openRequest struct {
	valid func() bool // its reader is still one
	end   func()
}

func newReaders(n *node) *readers { return &readers{n: n, open: map[*openRequest]bool{}} }

// find is the reader of a token, by the token's SHA-256: the operator, or one of the registry.
func (n *node) find(hash [sha256.Size]byte) (query.Reader, bool) {
	if admin := sha256.Sum256([]byte(n.token)); subtle.ConstantTimeCompare(hash[:], admin[:]) == 1 {
		return query.Reader{Name: adminUser, Admin: true}, true
	}
	if n.registry == nil {
		return query.Reader{}, false
	}
	found, ok := n.registry.ReaderByToken(hash)
	return asReader(found), ok
}

func asReader(r registry.Reader) query.Reader {
	return query.Reader{Name: r.Name, Source: r.Source, Tenant: r.Tenant, Public: r.Public, Expires: r.Expires}
}

// inbox is the reader who receives below an inbox prefix. The common prefix is the operator's.
func (n *node) inbox(prefix string) (query.Reader, bool) {
	name, own := strings.CutPrefix(prefix, inboxPrefix)
	if !own {
		return query.Reader{Name: adminUser, Admin: true}, prefix == strings.TrimSuffix(inboxPrefix, "_")
	}
	found, err := n.registry.Reader(name)
	return asReader(found), err == nil && !found.Over(time.Now())
}

// natsUser is what a reader may do on the NATS server: subscribe to the events and changes of its
// tenant and below its own inbox prefix, and publish to the two endpoints of the service for its
// tenant. There is no $JS.API in it: whoever may create a consumer can read everybody's events.
func natsUser(r registry.Reader) processor.User {
	source, tenant := "*", "*"
	if r.Tenant != "" {
		source, tenant = schemas.Token(r.Source), schemas.Token(r.Tenant)
	}
	of := source + "." + tenant
	u := processor.User{
		Name: r.Name, Password: r.PasswordHash,
		Publish:   []string{"switchlog.query." + of + ".*"},
		Subscribe: []string{inboxPrefix + r.Name + ".>"},
	}
	if !r.Public { // what is live is as the owner sees it
		u.Publish = append(u.Publish, "switchlog.replay."+of)
		u.Subscribe = append(u.Subscribe, "events."+of+".>", "changes."+of+".>")
	}
	if r.Tenant == "" { // what switchlog says of itself is the operator's
		u.Subscribe = append(u.Subscribe, "events.>", "changes.>") // as people write it
		const self = schemas.SelfSource + ".>"
		u.DenySubscribe = []string{"events." + self, "changes." + self}
		u.DenyPublish = []string{"switchlog.query." + self, "switchlog.replay." + self}
	}
	return u
}

// natsUsers are the users of all readers whose time is not over and whose password is on this
// machine, and when the first of them is over (zero: never).
func (n *node) natsUsers() (users []processor.User, next time.Time) {
	now := time.Now()
	for _, r := range n.registry.Readers() {
		if r.PasswordHash == "" || r.Over(now) {
			continue
		}
		users = append(users, natsUser(r))
		if !r.Expires.IsZero() && (next.IsZero() || r.Expires.Before(next)) {
			next = r.Expires
		}
	}
	return users, next
}

// apply lets the readers of this moment in, and nobody else: connections and requests of those
// who are no readers any more end. It gives when it must be called again (zero: at the next change).
func (r *readers) apply(ctx context.Context) (next time.Time, err error) {
	r.applying.Lock()
	defer r.applying.Unlock()
	users, next := r.n.natsUsers()
	if r.n.server != nil && !reflect.DeepEqual(users, r.users) {
		if err := r.n.server.SetUsers(users); err != nil {
			return next, err
		}
		r.users = users
	}
	r.mu.Lock()
	for request := range r.open {
		if !request.valid() {
			request.end()
		}
	}
	r.mu.Unlock()
	if r.n.pages != nil {
		r.n.pages.ReadersChanged()
	}
	return next, r.endWebhooks(ctx)
}

// endWebhooks disables the webhooks of those who are no readers any more: they would go on sending
// what their makers may not see. That is switchlog's own doing, whoever revoked the reader.
func (r *readers) endWebhooks(ctx context.Context) error {
	good := map[string]bool{adminUser: true}
	for _, reader := range r.n.registry.Readers() {
		good[reader.Name] = !reader.Over(time.Now())
	}
	var errs []error
	for _, s := range r.n.registry.Subscriptions() {
		if s.Enabled && s.Owner != "" && !good[s.Owner] {
			errs = append(errs, r.n.registry.DisableOf(registry.By(ctx, ""), s.Owner, "the reader who made it was revoked, or its time is over"))
		}
	}
	return errors.Join(errs...)
}

// run applies every change of the registry, from here or from another node, and ends readers when
// their time is over.
func (r *readers) run(ctx context.Context) error {
	changed, stop := r.n.registry.Watch()
	defer stop()
	for {
		next, err := r.apply(ctx)
		if err != nil {
			r.n.log.Error("readers", "err", err)
			next = time.Now().Add(partAgain)
		}
		over := make(<-chan time.Time)
		if !next.IsZero() {
			t := time.NewTimer(time.Until(next))
			defer t.Stop()
			over = t.C
		}
		select {
		case <-changed:
		case <-over:
		case <-ctx.Done():
			return nil
		}
	}
}

// ends makes a request end as soon as its reader is revoked or over, in the middle of an answer
// too. It refuses nobody: that is for the handlers.
func (r *readers) ends(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token := tokenOf(req)
		find := query.FindReader(r.n.find)
		if reader, ok := find.Token(token); !ok || reader.Admin {
			h.ServeHTTP(w, req)
			return
		}
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		conn := http.NewResponseController(w)
		request := &openRequest{
			valid: func() bool { _, ok := find.Token(token); return ok },
			end: func() {
				cancel()
				_ = conn.SetWriteDeadline(time.Now()) // a client that does not read: its connection ends, too
			},
		}
		r.mu.Lock()
		r.open[request] = true
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.open, request)
		}()
		// A handler finds the reader again, behind this line: one who is revoked before it is refused,
		// one who is revoked after it is in r.open.
		h.ServeHTTP(w, req.WithContext(ctx))
	})
}

// tokenOf is the token a request shows in its header: as a bearer token, or bare, as PluralKit's
// clients send it.
func tokenOf(r *http.Request) string {
	if token, ok := query.Bearer(r); ok {
		return token
	}
	return strings.Trim(r.Header.Get("Authorization"), " ")
}

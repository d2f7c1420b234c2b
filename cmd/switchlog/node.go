package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"switchlog/ingest"
	"switchlog/ingest/certificates"
	"switchlog/ingest/pluralkit"
	"switchlog/ingest/registry"
	"switchlog/ingest/spool"
	"switchlog/processor"
	"switchlog/processor/deliver"
	"switchlog/processor/deliver/manage"
	"switchlog/projections"
	"switchlog/projections/engine"
	"switchlog/projections/mirror"
	"switchlog/projections/query"
	"switchlog/projections/query/ui"
	"switchlog/schemas"
)

// What one package declares and another provides meets here.
var (
	_ ingest.Appender  = (*spool.Spool)(nil)
	_ spool.Log        = (*processor.Log)(nil)
	_ processor.Sink   = (*projections.DB)(nil)
	_ processor.Sink   = watchedSink{}
	_ processor.Outbox = (*projections.DB)(nil)
	_ query.Store      = (*projections.DB)(nil)
	_ query.Public     = (*projections.DB)(nil)
	_ query.Log        = logReader{}

	_ pluralkit.Known    = (*projections.DB)(nil)
	_ pluralkit.Appender = (*spool.Spool)(nil)
	_ mirror.Store       = (*projections.DB)(nil)

	_ deliver.Subscriptions = (*registry.Registry)(nil)
	_ deliver.Deliveries    = (*projections.DB)(nil)
	_ deliver.Appender      = (*spool.Spool)(nil)
	_ manage.History        = history{}
	_ manage.Registry       = (*registry.Registry)(nil)
	_ manage.LogReader      = deliver.LogReader{}
	_ deliver.StoredLog     = storedLog{}
)

// adminUser is the operator: the user of NATS who may do everything, and the
// reader who may read everything.
const adminUser = "admin"

// node is a server: all of it, or the parts that its roles say.
type node struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	metrics *prometheus.Registry

	token     string // of the admin
	authorize func(*http.Request) (query.Reader, error)
	readers   *readers
	stopping  chan struct{} // closed when a stop begins

	public net.Listener               // nil without the role ingest
	certs  *certificates.Certificates // nil without --domain
	priv   net.Listener

	pings     *ingest.Pings // that the public listener received
	spool     *spool.Spool
	registry  *registry.Registry // set once the spool runs
	server    *processor.Server
	natsURL   string // without user and password
	natsUser  *url.Userinfo
	nc        *nats.Conn
	unreached atomic.Pointer[string] // why the NATS server is not reached; nil: it is, or was not tried yet
	events    *processor.Log

	// Nil without the role process.
	db      *projections.DB
	loop    *processor.Loop
	changes *processor.Changes
	sender  *deliver.Sender
	pages   *ui.Handler // nil without the role query, too

	private http.Handler // all routes of the private listener

	delivering   sync.WaitGroup // the part that runs the sender
	sendable     chan struct{}  // closed when the database knows of all that was accepted before the start
	sendableOnce sync.Once
	deliverAllow []netip.Prefix // networks outgoing webhooks may reach though they are not public

	reconcilers *pluralkit.Reconcilers // they look only with the role process
	alive       *heartbeat
	wal         *walWatch // nil without the role process

	stoppedMu sync.Mutex        // guards stopped
	stopped   map[string]string // parts that stand still, and why

	spoolLost bool // spool.db was not there at this start, and the log was

	tenants sync.Map // of string, subjects: tenants found in the log

	rebuilding sync.Mutex // held by the one rebuild or verification that may run
}

func (n *node) runs(r role) bool { return n.cfg.Roles.has(r) }

func (n *node) path(name string) string { return filepath.Join(n.cfg.Data, name) }

// openNode opens what must be there before a webhook can be taken: the
// directory, the spool, the listeners. It starts nothing.
func openNode(c Config, log *slog.Logger) (_ *node, err error) {
	n := &node{cfg: c, log: log, started: time.Now(), metrics: prometheus.NewRegistry(), pings: ingest.NewPings(nil), stopping: make(chan struct{}), sendable: make(chan struct{}), stopped: map[string]string{}}
	n.authorize = query.Authorizer(n.find)
	n.readers = newReaders(n)
	if n.deliverAllow, err = deliver.ParseAllow(c.DeliverAllow); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	n.metrics.MustRegister(newBuildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// The spool goes first: its lock keeps a second server out of the
	// directory.
	n.spool, err = spool.Open(spool.Config{Path: n.path(fileSpool), Logger: log, Metrics: n.metrics})
	if err != nil {
		return nil, err
	}
	if s := n.spool.State(); s.Last == 0 && s.Anchor.Epoch == "" {
		if _, err := os.Stat(n.path(dirNATS)); err == nil {
			n.spoolLost = true
			n.log.Error("spool.db was made anew though there is a log: what waited in it is lost, and so is the means to notice a damaged log " +
				"(hint: put a copy back if there is one; else switchlog reconcile finds what can be asked for)")
		}
	}
	if n.token, err = adminToken(c.Data); err != nil {
		return nil, err
	}
	if n.runs(roleIngest) {
		if n.public, err = net.Listen("tcp", c.Listen); err != nil {
			return nil, listenFailed("public listener", "--listen", err)
		}
		if err := n.openCertificates(); err != nil {
			return nil, err
		}
	}
	if n.priv, err = net.Listen("tcp", c.PrivateListen); err != nil {
		return nil, listenFailed("private listener", "--private-listen", err)
	}
	return n, nil
}

// openLog reaches the log: the NATS server inside, or the one outside, which
// need not be there yet.
func (n *node) openLog() error {
	connect := processor.ConnectConfig{Name: "switchlog", User: adminUser, Logger: n.log, Failed: func(err error) {
		if err == nil {
			n.unreached.Store(nil)
			return
		}
		why := err.Error()
		n.unreached.Store(&why)
	}}
	if n.cfg.NATS != "" {
		u, err := url.Parse(n.cfg.NATS)
		if err != nil {
			return fmt.Errorf("%w: --nats: %w", errUsage, err)
		}
		if n.natsUser, err = n.cfg.natsUser(u); err != nil {
			return err
		}
		connect.User = n.natsUser.Username()
		connect.Password, _ = n.natsUser.Password()
		if n.cfg.natsOnCommandLine {
			n.log.Warn("the password of the NATS server is on the command line, where others on this machine can read it (hint: --nats-creds-file)")
		}
		u.User = nil
		n.natsURL, connect.URL = u.String(), u.String()
	} else {
		passwords, err := loadNATSPasswords(n.cfg.Data)
		if err != nil {
			return err
		}
		users, _ := n.natsUsers()
		if err := free(n.cfg.NATSListen); err != nil {
			return listenFailed("NATS listener", "--nats-listen", err)
		}
		n.server, err = processor.StartServer(processor.ServerConfig{
			StoreDir: n.path(dirNATS), Listen: n.cfg.NATSListen,
			AdminPassword: passwords.Admin, SysPassword: passwords.System, Users: users, Logger: n.log,
		})
		if err != nil {
			return err
		}
		n.natsURL, n.natsUser = n.server.ClientURL(), url.UserPassword(adminUser, passwords.Admin)
		connect.Server, connect.Password = n.server, passwords.Admin
	}
	var err error
	if n.nc, err = processor.Connect(connect); err != nil {
		return err
	}
	n.events, err = processor.NewLog(processor.LogConfig{Conn: n.nc, Logger: n.log, Metrics: n.metrics})
	return err
}

// rest gives back memory while there is nothing to do.
func (n *node) rest() {
	if n.db == nil {
		return
	}
	if err := n.db.Rest(); err != nil {
		n.log.Warn("memory was not given back", "err", err)
	}
}

// openDatabase opens the projections and what keeps them going.
func (n *node) openDatabase() (err error) {
	n.db, err = projections.Open(engine.Config{Path: n.path(fileDatabase), Events: n.eventsOf, Log: n.log, Metrics: n.metrics})
	if err != nil {
		return err
	}
	n.wal = newWALWatch(n.path(fileDatabase)+"-wal", time.Now, n.metrics)
	if n.runs(roleQuery) {
		n.pages = ui.New(n.pagesConfig())
	}
	n.loop = processor.NewLoop(processor.LoopConfig{
		Log: n.events, Sink: watchedSink{n.db, n.reconcilers, n.pages}, Applied: n.applied, Logger: n.log, Metrics: n.metrics,
	})
	n.changes = processor.NewChanges(processor.ChangesConfig{
		Log: n.events, Outbox: n.db, Ready: n.loop.CaughtUp(), Logger: n.log, Metrics: n.metrics,
	})
	n.sender = deliver.New(deliver.Config{
		Subscriptions: n.registry, Deliveries: n.db, Appender: n.spool, Ready: n.sendable, Allow: n.deliverAllow, Logger: n.log, Metrics: n.metrics,
	})
	return nil
}

// applied is called when events have been folded: others may have to hear.
func (n *node) applied() {
	n.changes.Wake()
	n.sender.Wake()
}

// close gives up what was opened, in the reverse order.
func (n *node) close() error {
	var errs []error
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	if n.nc != nil {
		n.nc.Close()
	}
	if n.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		errs = append(errs, n.server.Shutdown(ctx))
	}
	if n.registry != nil {
		errs = append(errs, n.registry.Close())
	}
	if n.certs != nil {
		n.certs.Close()
	}
	for _, l := range []net.Listener{n.public, n.priv} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.spool != nil {
		errs = append(errs, n.spool.Close())
	}
	return errors.Join(errs...)
}

// publicURL is what the public listener is called from outside; empty on a
// node without one that was not told.
func (n *node) publicURL() string {
	if n.cfg.PublicURL != "" {
		return n.cfg.PublicURL
	}
	if n.certs != nil {
		return n.domainURL()
	}
	return listensAt(n.public)
}

// publicListensAt is the URL of the public listener as it is from this machine.
func (n *node) publicListensAt() string {
	if n.certs != nil {
		return "https://" + n.public.Addr().String()
	}
	return listensAt(n.public)
}

// listensAt is the URL of a listener of ours, or empty if there is none.
func listensAt(l net.Listener) string {
	if l == nil {
		return ""
	}
	return "http://" + l.Addr().String()
}

func (n *node) endpoints() Endpoints {
	return Endpoints{
		Public:  n.publicListensAt(),
		Private: listensAt(n.priv),
		NATS:    n.natsURL,
		PID:     os.Getpid(),
	}
}

// adminAccess is what the operator needs to connect.
func (n *node) adminAccess() access {
	password, _ := n.natsUser.Password()
	return access{
		Name: adminUser, NATSURL: n.natsURL, NATSUser: n.natsUser.Username(), NATSPassword: password,
		NATSInboxPrefix: "_INBOX", HTTPToken: n.token,
	}
}

// logReader shows the log to the query package.
type logReader struct{ log *processor.Log }

// Replay reads the events of one tenant.
func (l logReader) Replay(ctx context.Context, source, tenant string, from, to uint64, fn func(schemas.Recorded, schemas.Message) error) error {
	subject := schemas.TenantSubjects(schemas.LogEvents, source, tenant)
	return l.log.Read(ctx, processor.ReadOptions{From: from, To: to, Subject: subject}, fn)
}

// SeqAt is the first sequence at or after t.
func (l logReader) SeqAt(ctx context.Context, t time.Time) (uint64, error) {
	return l.log.SeqAt(ctx, t)
}

// Knows reports whether a tenant has a source here, or an event in the log.
// Those found in the log are remembered: asking it again costs a round trip.
func (n *node) Knows(ctx context.Context, source, tenant string) (bool, error) {
	for _, s := range n.registry.Sources() {
		if s.Kind == source && s.Tenant == tenant {
			return true, nil
		}
	}
	key := schemas.TenantSubjects(schemas.LogEvents, source, tenant)
	if _, found := n.tenants.Load(key); found {
		return true, nil
	}
	_, err := n.events.LastOf(ctx, key)
	if errors.Is(err, processor.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n.tenants.Store(key, true)
	return true, nil
}

// Only is the tenant of a kind of source if there is exactly one.
func (n *node) Only(source string) (tenant string, ok bool) {
	tenant, err := n.onlyTenant(source)
	return tenant, err == nil
}

// Resolve is the tenant that a person means: a PluralKit system by its uuid in any form, or by its short id.
func (n *node) Resolve(ctx context.Context, source, text string) (tenant string, err error) {
	if source != schemas.PluralKit {
		return text, nil
	}
	if uuid, ok := schemas.PluralKitUUID(text); ok {
		return uuid, nil
	}
	if tenant, err = n.systemByID(ctx, text); err != nil || tenant == "" {
		return text, err
	}
	return tenant, nil
}

// List is the tenants of a kind of source: those with a source here, and PluralKit systems that are known.
func (n *node) List(ctx context.Context, source, after string, limit int) (list []query.Tenant, err error) {
	found := map[string]query.Tenant{}
	for _, s := range n.registry.Sources() {
		if s.Kind == source && s.Tenant > after {
			found[s.Tenant] = query.Tenant{Tenant: s.Tenant}
		}
	}
	if source == schemas.PluralKit && n.db != nil {
		err = n.db.View(ctx, func(tx *engine.Tx, _ schemas.Position) error {
			return tx.Each(`SELECT uuid, id FROM systems WHERE uuid > ?1 AND deleted_us IS NULL ORDER BY uuid LIMIT ?2`,
				[]any{after, limit}, func(r engine.Row) error {
					found[r.Text(0)] = query.Tenant{Tenant: r.Text(0), ID: r.Text(1)}
					return nil
				})
		})
	}
	for _, name := range sortedKeys(found) {
		if list = append(list, found[name]); len(list) == limit {
			break
		}
	}
	return list, err
}

// queryConfig is what both doors of the query package need.
func (n *node) queryConfig() query.Config {
	return query.Config{
		Store: n.db, Public: n.db, Log: logReader{n.events}, Tenants: n, Conn: n.nc, Authorize: n.authorize, Inbox: n.inbox, Done: n.stopping,
		Logger: n.log, Metrics: n.metrics,
	}
}

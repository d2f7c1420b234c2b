package processor

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func TestConfIsTheOneAtTheRoot(t *testing.T) {
	root, err := os.ReadFile("../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	if string(root) != natsConf {
		t.Error("processor/nats.conf differs from nats.conf at the root (hint: make generate)")
	}
}

// The file as nats-server -c reads it, and as we do, give the same server.
func TestConfStandAloneIsTheEmbedded(t *testing.T) {
	c := testConfig(t)
	c.Listen = ""
	t.Setenv("SWITCHLOG_NATS_STORE_DIR", c.StoreDir)
	t.Setenv("SWITCHLOG_NATS_PASSWORD", c.AdminPassword)
	t.Setenv("SWITCHLOG_NATS_SYS_PASSWORD", c.SysPassword)
	alone, err := server.ProcessConfigFile("../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	inside, err := c.options()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []*server.Options{alone, inside} {
		if !o.SyncAlways {
			t.Error("sync_interval is not always")
		}
		if !o.JetStream || o.JetStreamMaxStore < 1e12 || o.JetStreamMaxMemory <= 0 || o.StoreDir != c.StoreDir {
			t.Errorf("jetstream: got store %d memory %d dir %s", o.JetStreamMaxStore, o.JetStreamMaxMemory, o.StoreDir)
		}
		if o.Host != "127.0.0.1" || o.Port != 4222 || o.HTTPPort != 0 || o.NoAuthUser != "" || o.MaxPayload != 1<<20 {
			t.Errorf("got host %s port %d monitor %d no_auth_user %q max_payload %d", o.Host, o.Port, o.HTTPPort, o.NoAuthUser, o.MaxPayload)
		}
		if o.SystemAccount != "SYS" || len(o.Accounts) != 2 || len(o.Users) != 2 {
			t.Fatalf("got system account %s, %d accounts, %d users", o.SystemAccount, len(o.Accounts), len(o.Users))
		}
	}
	password := func(o *server.Options, name string) string {
		for _, u := range o.Users {
			if u.Username == name {
				return u.Account.GetName() + "/" + u.Password
			}
		}
		return ""
	}
	for _, name := range []string{adminUser, sysUser} {
		if got, want := password(inside, name), password(alone, name); got != want || got == "" {
			t.Errorf("user %s: got %q, want %q", name, got, want)
		}
	}
	// All else is equal, field by field of what can be set.
	for _, o := range []*server.Options{alone, inside} {
		o.Accounts, o.Users, o.ConfigFile, o.NoSigs = nil, nil, "", false
	}
	if got, want := describe(inside), describe(alone); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func describe(o *server.Options) string {
	return strings.Join(strings.Fields(slog.AnyValue(struct {
		Name                                 string
		MaxConn, MaxSubs, PingMax            int
		Line, Payload                        int32
		Pending, Store, Memory, PingInterval int64
		Deadline                             string
		Sync                                 bool
		Limits                               server.JSLimitOpts
	}{
		o.ServerName, o.MaxConn, o.MaxSubs, o.MaxPingsOut, o.MaxControlLine, o.MaxPayload, o.MaxPending,
		o.JetStreamMaxStore, o.JetStreamMaxMemory, int64(o.PingInterval), o.WriteDeadline.String(), o.SyncAlways, o.JetStreamLimits,
	}).String()), " ")
}

func TestConfStandAloneNeedsItsVariables(t *testing.T) {
	if _, err := server.ProcessConfigFile("../nats.conf"); err == nil {
		t.Error("got no error without passwords in the environment")
	}
}

func TestNobodyConnectsWithoutUser(t *testing.T) {
	s := startServer(t, testConfig(t))
	for name, opts := range map[string][]nats.Option{
		"nobody":         nil,
		"wrong password": {nats.UserInfo("admin", "wrong")},
		"placeholder":    {nats.UserInfo("admin", "unset")},
	} {
		nc, err := nats.Connect(s.ClientURL(), opts...)
		if err == nil {
			nc.Close()
			t.Errorf("%s: connected", name)
		}
	}
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("admin", testPassword))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestServerFailsToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*ServerConfig){
		"port is taken":      func(c *ServerConfig) { c.Listen = taken.Addr().String() },
		"no directory":       func(c *ServerConfig) { c.StoreDir = "" },
		"directory is file":  func(c *ServerConfig) { c.StoreDir = file },
		"no password":        func(c *ServerConfig) { c.AdminPassword = "" },
		"address":            func(c *ServerConfig) { c.Listen = "4222" },
		"reader named admin": func(c *ServerConfig) { c.Users = []User{{Name: "admin", Password: "x"}} },
	} {
		c := testConfig(t)
		change(&c)
		if s, err := StartServer(c); err == nil {
			s.Shutdown(t.Context())
			t.Errorf("%s: started", name)
		}
	}
}

// A store directory that JetStream cannot use fails the start; the server's
// own way would be to exit.
func TestServerNoticesThatJetStreamIsNotThere(t *testing.T) {
	c := testConfig(t)
	// There are directories that even root cannot write to.
	if err := os.Symlink("/proc", filepath.Join(c.StoreDir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Logger = slog.New(slog.NewTextHandler(&out, nil))
	s, err := StartServer(c)
	if err == nil {
		s.Shutdown(t.Context())
		t.Fatalf("started; it said:\n%s", out.String())
	}
	if !strings.Contains(err.Error(), "hint:") {
		t.Errorf("got %v, want a hint", err)
	}
}

func TestStoreDirectoryIsPrivate(t *testing.T) {
	c := testConfig(t)
	c.StoreDir = filepath.Join(c.StoreDir, "nats")
	startServer(t, c)
	for _, dir := range []string{c.StoreDir, filepath.Join(c.StoreDir, "jetstream")} {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o700 {
			t.Errorf("%s: got mode %o, want 700", dir, got)
		}
	}
}

func TestReadersComeAndGo(t *testing.T) {
	s := startServer(t, testConfig(t))
	admin := connect(t, s)
	login := []nats.Option{nats.UserInfo("reader", "secret"), nats.CustomInboxPrefix("_INBOX_reader"), nats.NoReconnect()}
	if nc, err := nats.Connect(s.ClientURL(), login...); err == nil {
		nc.Close()
		t.Fatal("connected before it was added")
	}
	user := User{Name: "reader", Password: "secret", Subscribe: []string{"events.pluralkit.a.>", "_INBOX_reader.>"}}
	if err := s.SetUsers([]User{user}); err != nil {
		t.Fatal(err)
	}
	refused, closed := make(chan error, 8), make(chan struct{})
	nc, err := nats.Connect(s.ClientURL(), append(login,
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }))...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	got := make(chan *nats.Msg, 8)
	if _, err := nc.ChanSubscribe("events.pluralkit.a.>", got); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := admin.Publish("events.pluralkit.a.member.update", nil); err != nil {
		t.Fatal(err)
	}
	<-got
	// Other tenants, the API of JetStream, publishing at all: refused.
	if _, err := nc.SubscribeSync("events.pluralkit.b.>"); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("$JS.API.INFO", nil); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("events.pluralkit.a.member.update", nil); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("got %v, want a permission violation", err)
		}
	}
	if err := s.SetUsers(nil); err != nil {
		t.Fatal(err)
	}
	<-closed
	if !admin.IsConnected() || admin.Stats().Reconnects != 0 {
		t.Error("the reload cost admin its connection")
	}
}

// TestReaderOfAll: who may hear everybody but not switchlog itself subscribes to events.> and gets all
// events but those.
func TestReaderOfAll(t *testing.T) {
	c := testConfig(t)
	c.Users = []User{{Name: "all", Password: "secret", Subscribe: []string{"events.>"}, DenySubscribe: []string{"events.switchlog.>"}}}
	s := startServer(t, c)
	admin := connect(t, s)
	refused := make(chan error, 8)
	nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("all", "secret"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	got := make(chan *nats.Msg, 8)
	if _, err := nc.ChanSubscribe("events.>", got); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"events.switchlog.registry.source.added", "events.pluralkit.a.switch.create"} {
		if err := admin.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	if m := <-got; m.Subject != "events.pluralkit.a.switch.create" {
		t.Errorf("got %s first, want the tenant's event", m.Subject)
	}
	if _, err := nc.SubscribeSync("events.switchlog.registry.>"); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("got %v, want a permission violation", err)
	}
}

func TestRestartKeepsAddressAndConnections(t *testing.T) {
	s := startServer(t, testConfig(t))
	url := s.ClientURL()
	back := make(chan struct{}, 1)
	nc, err := Connect(ConnectConfig{Server: s, Password: testPassword,
		Options: []nats.Option{nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} })}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-back
	if got := s.ClientURL(); got != url {
		t.Errorf("got %s, want %s", got, url)
	}
	if err := s.Health(); err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err == nil {
		t.Error("restarted after its shutdown")
	}
}

// While the server is being stopped and started, whoever asks for its health or
// its address has an answer at once.
func TestHealthWhileItRestarts(t *testing.T) {
	s := startServer(t, testConfig(t))
	url := s.ClientURL()
	s.mu.Lock() // as a start that takes long has it
	s.changing.Store(true)
	answered := make(chan error, 1)
	go func() { answered <- s.Health() }()
	select {
	case err := <-answered:
		if err == nil || !strings.Contains(err.Error(), "being started") {
			t.Errorf("got %v, want that it is being started", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("no answer")
	}
	if got := s.ClientURL(); got != url {
		t.Errorf("address: got %s, want %s", got, url)
	}
	s.changing.Store(false)
	s.mu.Unlock()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Health(); err != nil {
		t.Errorf("after the restart: got %v, want nil", err)
	}
}

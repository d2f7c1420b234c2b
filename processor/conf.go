package processor

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

// natsConf is a copy of /nats.conf, which is the one people read and edit.
// An embed directive cannot reach above its package, so `go generate` copies the file,
// and TestConfIsTheOneAtTheRoot fails while the two differ.
//
//go:generate cp ../nats.conf nats.conf
//go:embed nats.conf
var natsConf string

// The users nats.conf declares.
const (
	adminUser = "admin"
	sysUser   = "sys"
	appName   = "APP"
)

// placeholders give nats.conf its variables when it is read inside us: the
// parser looks for them in the file before it looks in the environment, which
// belongs to cmd. Go overrides every value that comes from one.
const placeholders = `
SWITCHLOG_NATS_STORE_DIR: "unset"
SWITCHLOG_NATS_PASSWORD: "unset"
SWITCHLOG_NATS_SYS_PASSWORD: "unset"
`

// User is somebody who may connect to the account APP besides admin.
// What is not listed is not allowed.
type User struct {
	Name      string
	Password  string   // or its bcrypt hash
	Publish   []string // subjects; empty: none
	Subscribe []string // subjects; empty: none

	// Of what is allowed, these are not.
	DenyPublish, DenySubscribe []string
}

func (u User) check() error {
	if u.Name == "" || u.Password == "" || u.Name == adminUser || u.Name == sysUser {
		return fmt.Errorf("nats user %q: needs a name of its own and a password", u.Name)
	}
	return nil
}

// options turns nats.conf and what a deployment decides into server options.
func (c ServerConfig) options() (*server.Options, error) {
	opts := &server.Options{}
	if err := opts.ProcessConfigString(placeholders + natsConf); err != nil {
		return nil, fmt.Errorf("nats.conf: %w", err)
	}
	opts.NoSigs = true // signals are cmd's
	opts.StoreDir = c.StoreDir
	if err := c.listen(opts); err != nil {
		return nil, err
	}
	app, err := c.passwords(opts)
	if err != nil {
		return nil, err
	}
	for _, u := range c.Users {
		if err := u.check(); err != nil {
			return nil, err
		}
		opts.Users = append(opts.Users, &server.User{
			Username: u.Name, Password: u.Password, Account: app,
			Permissions: &server.Permissions{Publish: only(u.Publish, u.DenyPublish), Subscribe: only(u.Subscribe, u.DenySubscribe)},
		})
	}
	return opts, nil
}

func (c ServerConfig) listen(opts *server.Options) error {
	if c.Listen == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("nats address %q: %w (hint: host:port, e.g. 127.0.0.1:4222)", c.Listen, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("nats address %q: port: %w (hint: 0 picks a free one)", c.Listen, err)
	}
	if host != "" { // empty keeps nats.conf's loopback: to the server it would mean every address
		opts.Host = host
	}
	opts.Port = int(n)
	if n == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// passwords sets those of sys and admin, and returns the account APP.
func (c ServerConfig) passwords(opts *server.Options) (*server.Account, error) {
	if c.AdminPassword == "" || c.SysPassword == "" {
		return nil, errors.New("nats server: a password is empty (hint: the users admin and sys need one each)")
	}
	var app *server.Account
	found := 0
	for _, u := range opts.Users {
		switch u.Username {
		case adminUser:
			u.Password, app = c.AdminPassword, u.Account
			found++
		case sysUser:
			u.Password = c.SysPassword
			found++
		}
	}
	if found != 2 || len(opts.Users) != 2 || app.GetName() != appName {
		panic(fmt.Sprintf("processor: nats.conf declares %d users, %d of them ours", len(opts.Users), found))
	}
	return app, nil
}

// only allows these subjects less those denied, and no other. The server takes an empty list of
// allowed subjects for "all", so none is written as a denial of everything.
func only(subjects, denied []string) *server.SubjectPermission {
	if len(subjects) == 0 {
		return &server.SubjectPermission{Deny: []string{">"}}
	}
	return &server.SubjectPermission{Allow: subjects, Deny: denied}
}

package main

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest/linking"
	"switchlog/ingest/pluralkit"
	"switchlog/processor/deliver"
	"switchlog/projections/query/ui"
)

const (
	defaultData   = "./switchlog-data"
	defaultListen = "127.0.0.1:8080"
)

// Config is all that `switchlog serve` can be told. Each setting is a flag;
// the same name in capitals with SWITCHLOG_ in front is its environment
// variable (SWITCHLOG_PRIVATE_LISTEN), and the same name is its key in
// switchlog.yaml in the working directory. Flags win over the environment,
// that over the file, that over the default. An unknown setting is an error.
type Config struct {
	// Data is the directory that holds everything: spool, log, database,
	// secrets. Created with mode 0700. Default ./switchlog-data.
	Data string

	// Listen is the public address: webhooks come in here and nothing else
	// is served. Put HTTPS in front of it. Default 127.0.0.1:8080. Port 0
	// picks a free one, here and below.
	Listen string

	// PrivateListen serves everything else, behind tokens. Default
	// 127.0.0.1:8081.
	PrivateListen string

	// NATSListen is where the NATS server inside listens. Default
	// 127.0.0.1:4222.
	NATSListen string

	// ConnectionsPerAddress is how many connections one address may have open to
	// the public listener: an IPv4 address, or a /64 of IPv6. Default 1024.
	ConnectionsPerAddress int

	// TrustedProxies are networks of proxies in front of the public listener:
	// CIDR[,CIDR]. Theirs are not limited by address; what they pass on is, by the
	// last address in X-Forwarded-For that is not theirs. Default: none.
	TrustedProxies string
	trusted        []netip.Prefix

	// AllowOrigin are origins whose pages may read /api/v1 and /v2 in a browser:
	// https://overlay.example.org[,…]. Default: none.
	AllowOrigin string
	origins     []string

	// AllowHost are names the private listener answers to besides localhost, the
	// machine's own and addresses, e.g. behind a proxy: NAME[,NAME]. Default: none.
	AllowHost string
	hosts     []string

	// PublicView is whether /v2 shows without a token what PluralKit shows to all. Default: yes.
	PublicView bool

	// NATS is the URL of a NATS server to use instead of the one inside:
	// nats://host:4222. Default: none.
	NATS string

	// NATSCredsFile is a file with user and password for it: user:password, on one
	// line. Default: they are in the URL, where others on the machine can read them.
	NATSCredsFile     string
	natsOnCommandLine bool // a password is

	// Roles are the parts this node runs: any of ingest, process, query,
	// deliver. Nodes that share a log are given the same --nats; one of them,
	// and only one, runs process, and beside it query and deliver. Default: all.
	Roles roles

	// PublicURL is what the public listener is called from outside, for the
	// addresses we show: https://hooks.example.org. Default: its address.
	PublicURL string

	// Domain is a name whose A record is this machine: the public listener then has
	// an HTTPS certificate of its own for it, obtained and renewed by itself, and
	// --listen is :443 unless it is set. Default: none; a proxy in front has one.
	Domain string

	// ACMECA is the ACME server that is asked for the certificate. Default: Let's
	// Encrypt.
	ACMECA string

	// ACMECARoots is a file of PEM certificates that sign the ACME server's own.
	// Default: those that the machine trusts.
	ACMECARoots string
	acmeRoots   *x509.CertPool

	// ACMEHTTPListen is where the HTTP challenge is answered, besides that by TLS at
	// the public listener; it is open only while there is one. Empty: there is
	// none. Default :80.
	ACMEHTTPListen string

	// PluralKitAPI is where PluralKit is asked what webhooks missed; /v2 is
	// appended. Only sources with an API token are asked about. Default
	// https://api.pluralkit.me.
	PluralKitAPI string

	// ReconcileEvery is how often that is, give or take a fifth. Default 15m.
	ReconcileEvery time.Duration

	// DeliverAllow are networks that outgoing webhooks may reach though they
	// are not public, by http too: CIDR[,CIDR]. Default: none.
	DeliverAllow string

	// Words are what the dashboard calls a member: ONE or ONE/SEVERAL, such as
	// headmate or person/people. Default: member/members.
	Words string

	// HiddenMembers is what public pages and overlays show of members that are
	// hidden: nothing, their number, or someone. Default: nothing.
	HiddenMembers string

	// ShowAvatars lets the dashboard load members' pictures from where they are, which
	// is on other people's servers: they see who looks, and when.
	ShowAvatars bool

	// SecretKeyFile holds the 32-byte key that seals secrets we must send
	// again. Default: secret.key in Data, created on first start.
	SecretKeyFile string

	// LogFormat is text or json. Default: text on a terminal, else json. If it is
	// set to json, the lines that say where it listens are JSON, too.
	LogFormat string

	// Debug logs more than an operator wants to read.
	Debug bool
}

// settings declares the flags of Config. The doc of each is above.
func (c *Config) settings(f *pflag.FlagSet) {
	f.StringVar(&c.Listen, "listen", defaultListen, "public address: webhooks only (port 0: a free one)")
	f.StringVar(&c.PrivateListen, "private-listen", "127.0.0.1:8081", "private address: everything else, behind tokens")
	f.StringVar(&c.NATSListen, "nats-listen", "127.0.0.1:4222", "address of the NATS server inside")
	f.IntVar(&c.ConnectionsPerAddress, "connections-per-address", 1024, "connections one address may have open to the public address")
	f.StringVar(&c.TrustedProxies, "trusted-proxies", "", "proxies in front of the public address, whose X-Forwarded-For is believed: CIDR[,CIDR]")
	f.StringVar(&c.AllowOrigin, "allow-origin", "", "origins whose pages may read /api/v1 and /v2 in a browser: https://overlay.example.org[,…]")
	f.StringVar(&c.AllowHost, "allow-host", "", "names the private address answers to besides localhost and addresses: NAME[,NAME]")
	f.BoolVar(&c.PublicView, "public-view", true, "show without a token in /v2 what PluralKit shows to all")
	f.StringVar(&c.NATS, "nats", "", "use this NATS server instead of the one inside: nats://host:4222")
	f.StringVar(&c.NATSCredsFile, "nats-creds-file", "", "file with user:password for --nats")
	c.Roles = slices.Clone(allRoles)
	f.Var(&c.Roles, "roles", "parts to run: ingest, process, query, deliver")
	f.StringVar(&c.PublicURL, "public-url", "", "what the public address is called from outside, e.g. https://hooks.example.org")
	f.StringVar(&c.Domain, "domain", "", "have an own HTTPS certificate for this name; --listen is :443 then")
	f.StringVar(&c.ACMECA, "acme-ca", "", "ACME server that gives the certificate of --domain (default: Let's Encrypt)")
	f.StringVar(&c.ACMECARoots, "acme-ca-roots", "", "PEM file of those who sign the ACME server's own certificate")
	f.StringVar(&c.ACMEHTTPListen, "acme-http-listen", ":80", "where the CA's HTTP challenge is answered (empty: by TLS alone)")
	f.StringVar(&c.PluralKitAPI, "pluralkit-api", pluralkit.DefaultBaseURL, "where PluralKit is asked what webhooks missed (/v2 is appended)")
	f.DurationVar(&c.ReconcileEvery, "reconcile-every", 15*time.Minute, "how often PluralKit is asked, for sources with an API token")
	f.StringVar(&c.DeliverAllow, "deliver-allow", "", "networks outgoing webhooks may reach though they are not public: CIDR[,CIDR]")
	f.StringVar(&c.Words, "words", "", "what the dashboard calls a member: headmate, person/people, … (default member)")
	f.StringVar(&c.HiddenMembers, "hidden-members", ui.PrivateNothing, "what public pages show of hidden members: nothing, number or someone")
	f.BoolVar(&c.ShowAvatars, "show-avatars", false, "the dashboard loads members' pictures, from other people's servers")
	f.StringVar(&c.SecretKeyFile, "secret-key-file", "", "file with the key that seals stored secrets (default: secret.key in --data)")
	f.StringVar(&c.LogFormat, "log-format", "", "text or json (default: text on a terminal, else json); json: what is said at the start, too")
	f.BoolVar(&c.Debug, "debug", false, "log more")
}

// natsConfVariables are read by nats.conf, when it starts a NATS server beside
// us. An operator may have them in the same environment.
var natsConfVariables = []string{"SWITCHLOG_NATS_STORE_DIR", "SWITCHLOG_NATS_PASSWORD", "SWITCHLOG_NATS_SYS_PASSWORD"}

// configFile is read from the working directory if it is there.
const configFile = "switchlog.yaml"

// checkSettings reports settings of the environment and the file that are none
// or have wrong values, though the command that runs does not use them.
func checkSettings(cmd *cobra.Command, environ []string) error {
	if slices.Contains([]string{"switchlog serve", "switchlog config print", "switchlog config check"}, cmd.CommandPath()) {
		return nil // they load them themselves, with their flags
	}
	var c Config
	scratch := &cobra.Command{}
	scratch.Flags().String("data", "", "directory that holds everything switchlog keeps")
	c.settings(scratch.Flags())
	return c.load(scratch, environ)
}

// dataDirectory is where every command looks unless --data says otherwise. A
// file that cannot be read is for checkSettings to complain about.
func dataDirectory(environ []string) string {
	for _, entry := range environ {
		if dir, ok := strings.CutPrefix(entry, "SWITCHLOG_DATA="); ok {
			return dir
		}
	}
	if file, problems := readConfigFile(configFile); len(problems) == 0 && file["data"] != "" {
		return file["data"]
	}
	return defaultData
}

// check finds at the start what would go wrong later: all of it.
func (c *Config) check() (problems []error) {
	add := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	for _, l := range []struct{ name, addr string }{{"listen", c.Listen}, {"private-listen", c.PrivateListen}, {"nats-listen", c.NATSListen}} {
		if _, _, err := net.SplitHostPort(l.addr); err != nil {
			add(fmt.Errorf("%w: --%s %q: %w (hint: host:port, e.g. 127.0.0.1:8080)", errUsage, l.name, l.addr, err))
		}
	}
	problems = append(problems, c.checkDomain()...)
	add(c.Roles.check())
	add(c.checkNATS())
	if c.ConnectionsPerAddress < 1 {
		add(fmt.Errorf("%w: --connections-per-address is 1 at least", errUsage))
	}
	var err error
	if c.trusted, err = deliver.ParseAllow(c.TrustedProxies); err != nil {
		add(fmt.Errorf("%w: --trusted-proxies: %w", errUsage, err))
	}
	c.origins, err = parseOrigins(c.AllowOrigin)
	add(err)
	c.hosts, err = parseHosts(c.AllowHost)
	add(err)
	if c.PublicURL != "" {
		if err := linking.CheckURL(c.PublicURL); err != nil {
			add(fmt.Errorf("%w: --public-url %q: %w", errUsage, terminal.Plain(c.PublicURL), err))
		}
		c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	}
	if _, err := deliver.ParseAllow(c.DeliverAllow); err != nil {
		add(fmt.Errorf("%w: --deliver-allow: %w", errUsage, err))
	}
	if err := pluralkit.CheckBaseURL(c.PluralKitAPI); err != nil {
		add(fmt.Errorf("%w: --pluralkit-api: %w", errUsage, err))
	}
	if c.ReconcileEvery < time.Minute {
		add(fmt.Errorf("%w: --reconcile-every is a minute at least: PluralKit limits how often it answers (hint: 15m)", errUsage))
	}
	if !slices.Contains([]string{ui.PrivateNothing, ui.PrivateNumber, ui.PrivateSomeone}, c.HiddenMembers) {
		add(fmt.Errorf("%w: --hidden-members is nothing, number or someone", errUsage))
	}
	if !slices.Contains([]string{"", "text", "json"}, c.LogFormat) {
		add(fmt.Errorf("%w: --log-format is text or json", errUsage))
	}
	return problems
}

// checkNATS checks what is said of a NATS server outside.
func (c *Config) checkNATS() error {
	if c.NATS == "" {
		if c.NATSCredsFile != "" {
			return fmt.Errorf("%w: --nats-creds-file is for the server that --nats names", errUsage)
		}
		return nil
	}
	u, err := url.Parse(c.NATS)
	if err != nil || u.Host == "" || (u.Scheme != "nats" && u.Scheme != "tls") {
		return fmt.Errorf("%w: --nats wants nats://host:port", errUsage)
	}
	if u.User != nil && c.NATSCredsFile != "" {
		return fmt.Errorf("%w: user and password are in --nats and in --nats-creds-file (hint: leave them out of --nats)", errUsage)
	}
	return nil
}

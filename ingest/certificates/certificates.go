package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// LetsEncrypt is the CA that is asked unless another is named.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Config is what can be set. Domain, Dir and Listen are needed.
type Config struct {
	Domain     string         // the one name, in ASCII: hooks.example.org
	Dir        string         // where account, keys and certificates are kept; created with mode 0700
	Listen     string         // host:port of the listener that uses TLSConfig: the TLS-ALPN challenge comes there
	HTTPListen string         // host:port for the HTTP challenge, open only while there is one; empty: there is none
	CA         string         // directory URL of the ACME server; empty: LetsEncrypt
	Roots      *x509.CertPool // who may sign the ACME server's own certificate; nil: whom the machine trusts
	CheckEvery time.Duration  // how often it is looked whether it is time to renew; 0: 10 minutes
	Log        *slog.Logger   // nil: nothing is logged
}

// State is how the certificate is.
type State struct {
	Domain   string    `json:"domain"`
	NotAfter time.Time `json:"not_after"`       // zero: there is none yet
	Failed   time.Time `json:"failed"`          // when obtaining or renewing it failed last; zero: it has not since it worked
	Error    string    `json:"error,omitempty"` // why, and what to do
}

// Certificates is the certificate of one name. Its methods may be called from
// many goroutines.
type Certificates struct {
	c     Config
	magic *certmagic.Config
	cache *certmagic.Cache

	mu     sync.Mutex // guards what follows
	failed time.Time
	reason string
	got    chan struct{} // closed when the first certificate is there
}

// Open reads what is kept, and begins to look after it in the background until
// Close. It asks nobody: that is for Run.
func Open(c Config) (*Certificates, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.CA == "" {
		c.CA = LetsEncrypt
	}
	listenHost, listenPort, err := hostPort(c.Listen)
	if err != nil {
		return nil, err
	}
	certs := &Certificates{c: c, got: make(chan struct{})}
	certs.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return certs.magic, nil },
		RenewCheckInterval: c.CheckEvery,
		Logger:             zap.NewNop(), // what matters comes by OnEvent
	})
	certs.magic = certmagic.New(certs.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: c.Dir}, DefaultServerName: c.Domain, OnEvent: certs.event, Logger: zap.NewNop(),
	})
	issuer := certmagic.ACMEIssuer{
		CA: c.CA, TrustedRoots: c.Roots, Agreed: true, ListenHost: listenHost, AltTLSALPNPort: listenPort,
		DisableHTTPChallenge: c.HTTPListen == "", Logger: zap.NewNop(),
	}
	if c.HTTPListen != "" {
		if issuer.ListenHost, issuer.AltHTTPPort, err = hostPort(c.HTTPListen); err != nil {
			certs.cache.Stop()
			return nil, err
		}
	}
	certs.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(certs.magic, issuer)}
	return certs, nil
}

func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// TLSConfig is for the listener. Until there is a certificate its handshakes
// fail. It answers the TLS-ALPN challenge.
func (c *Certificates) TLSConfig() *tls.Config {
	t := c.magic.TLSConfig()
	t.MinVersion = tls.VersionTLS12
	t.NextProtos = append([]string{"http/1.1"}, t.NextProtos...)
	return t
}

// Run obtains the certificate if it is not kept, and returns when ctx ends. The
// listener must accept connections by then.
func (c *Certificates) Run(ctx context.Context) error {
	if err := c.magic.ManageAsync(ctx, []string{c.c.Domain}); err != nil {
		return fmt.Errorf("certificate of %s: %w", c.c.Domain, err)
	}
	<-ctx.Done()
	return nil
}

// Close ends the looking after.
func (c *Certificates) Close() { c.cache.Stop() }

// Obtained is closed when there is a certificate, kept or new.
func (c *Certificates) Obtained() <-chan struct{} { return c.got }

// State is how the certificate is now.
func (c *Certificates) State() State {
	s := State{Domain: c.c.Domain}
	for _, cert := range c.cache.AllMatchingCertificates(c.c.Domain) {
		if cert.Leaf != nil && cert.Leaf.NotAfter.After(s.NotAfter) {
			s.NotAfter = cert.Leaf.NotAfter
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Failed, s.Error = c.failed, c.reason
	return s
}

// event is told by certmagic what happens.
func (c *Certificates) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cached_managed_cert":
		c.mu.Lock()
		defer c.mu.Unlock()
		select {
		case <-c.got:
		default:
			close(c.got)
		}
	case "cert_obtained":
		c.mu.Lock()
		c.failed, c.reason = time.Time{}, ""
		c.mu.Unlock()
		c.c.Log.Info("the certificate was obtained", "domain", c.c.Domain, "renewal", data["renewal"])
	case "cert_failed":
		err, _ := data["error"].(error)
		reason := c.why(err)
		c.mu.Lock()
		c.failed, c.reason = time.Now(), reason
		c.mu.Unlock()
		c.c.Log.Warn("the certificate was not obtained; it is tried again, later each time", "domain", c.c.Domain, "renewal", data["renewal"], "err", reason)
	}
	return nil
}

// why says what an error of ACME means, and what to do.
func (c *Certificates) why(err error) string {
	if err == nil {
		return ""
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	low := strings.ToLower(text)
	var unknown x509.UnknownAuthorityError
	ports := "ports 443 and 80"
	if c.c.HTTPListen == "" {
		ports = "port 443"
	}
	hint := "let the A record of " + c.c.Domain + " be this machine's public address, and let " + ports + " be open from outside"
	switch {
	case errors.As(err, &unknown):
		hint = "the CA's own certificate is not trusted: --acme-ca-roots FILE"
	case strings.Contains(low, "ratelimited") || strings.Contains(low, "rate limit"):
		hint = "the CA limits how often it is asked for this name; it is tried again by itself"
	case strings.Contains(low, "caa"):
		hint = "a CAA record of the name forbids this CA: change it at your name's provider"
	case strings.Contains(low, "nxdomain") || strings.Contains(low, "no valid ip addresses") || strings.Contains(low, "no valid a records"):
		hint = "the name " + c.c.Domain + " has no address: add an A record at your name's provider"
	case strings.Contains(low, "dial tcp") && strings.Contains(low, "acme") || errors.Is(err, io.EOF):
		hint = "is this machine online? " + hint
	}
	return text + " (hint: " + hint + ")"
}

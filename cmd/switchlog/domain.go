package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest/certificates"
	"switchlog/ingest/linking"
	"switchlog/schemas"
)

// soonOver is when a certificate should have been renewed long ago: a third of
// its life before its end it is.
const soonOver = 10 * 24 * time.Hour

// checkDomain checks what is said of an own certificate.
func (c *Config) checkDomain() (problems []error) {
	if c.Domain == "" {
		return nil
	}
	c.Domain = strings.ToLower(strings.TrimSuffix(c.Domain, "."))
	if err := linking.CheckURL("https://" + c.Domain); err != nil || strings.ContainsAny(c.Domain, "/:*") || !strings.Contains(c.Domain, ".") {
		problems = append(problems, fmt.Errorf("%w: --domain %q is not a name like hooks.example.org (hint: the name alone, without https:// and port)", errUsage, terminal.Plain(c.Domain)))
	} else if linking.IsLoopback("https://" + c.Domain) {
		problems = append(problems, fmt.Errorf("%w: --domain %q is this machine's own name for itself: no CA gives a certificate for it", errUsage, terminal.Plain(c.Domain)))
	}
	if c.Listen == defaultListen {
		c.Listen = ":443"
	}
	if c.ACMEHTTPListen != "" {
		if _, _, err := net.SplitHostPort(c.ACMEHTTPListen); err != nil {
			problems = append(problems, fmt.Errorf("%w: --acme-http-listen %q: %w (hint: host:port, such as :80)", errUsage, terminal.Plain(c.ACMEHTTPListen), err))
		}
	}
	if u, err := url.Parse(c.ACMECA); c.ACMECA != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		problems = append(problems, fmt.Errorf("%w: --acme-ca wants the https address of an ACME directory", errUsage))
	}
	if c.ACMECARoots == "" {
		return problems
	}
	text, err := os.ReadFile(c.ACMECARoots)
	if err != nil {
		return append(problems, fmt.Errorf("%w: --acme-ca-roots: %w", errUsage, err))
	}
	c.acmeRoots = x509.NewCertPool()
	if !c.acmeRoots.AppendCertsFromPEM(text) {
		problems = append(problems, fmt.Errorf("%w: --acme-ca-roots %s has no certificate (hint: PEM, -----BEGIN CERTIFICATE-----)", errUsage, terminal.Plain(c.ACMECARoots)))
	}
	return problems
}

// openCertificates opens what is kept of an own certificate. The public listener
// is open by then.
func (n *node) openCertificates() (err error) {
	if n.cfg.Domain == "" {
		return nil
	}
	n.certs, err = certificates.Open(certificates.Config{
		Domain: n.cfg.Domain, Dir: n.path(dirCertificates), Listen: n.public.Addr().String(), HTTPListen: n.cfg.ACMEHTTPListen,
		CA: n.cfg.ACMECA, Roots: n.cfg.acmeRoots, CheckEvery: 15 * time.Second, Log: n.log,
	})
	return err
}

// publicListener adds TLS to the public listener, if it has a certificate of its
// own.
func (n *node) publicListener(l net.Listener) net.Listener {
	if n.certs == nil {
		return l
	}
	return tls.NewListener(l, n.certs.TLSConfig())
}

// publicErrors is where the public listener says what strangers do wrong: an
// operator reads it at the level Debug.
func (n *node) publicErrors(s *http.Server) *http.Server {
	s.ErrorLog = slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)
	return s
}

// domainURL is the address of the name with an own certificate.
func (n *node) domainURL() string {
	_, port, err := net.SplitHostPort(n.public.Addr().String())
	if err != nil || port == "443" {
		return "https://" + n.cfg.Domain
	}
	return "https://" + net.JoinHostPort(n.cfg.Domain, port)
}

// listenFailed says why a listener could not be opened, and what to do.
func listenFailed(what, flag string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %w (hint: another program is there, perhaps a second switchlog; %s chooses another address)", what, err, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %w (hint: ports below 1024 need a right: setcap cap_net_bind_service=+ep on the program, or AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit)", what, err)
	}
	return fmt.Errorf("%s: %w (hint: %s chooses another address)", what, err, flag)
}

// free reports why an address cannot be listened at. The NATS server would say so
// in its own words, and in the log.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// certificateNotice is what a person should know of an own certificate; empty:
// all is well, or there is none.
func (n *node) certificateNotice(now time.Time) string {
	if n.certs == nil {
		return ""
	}
	s := n.certs.State()
	switch {
	case s.NotAfter.IsZero() && s.Error == "":
		return "the certificate of " + s.Domain + " is being asked for"
	case s.NotAfter.IsZero():
		return "there is no certificate of " + s.Domain + " yet, so nobody can send: " + s.Error
	case now.After(s.NotAfter):
		return "the certificate of " + s.Domain + " has ended, so nobody can send: " + s.Error
	case s.Error != "" && s.NotAfter.Sub(now) < soonOver:
		return "the certificate of " + s.Domain + " ends " + schemas.FormatTime(s.NotAfter) + " and could not be renewed: " + s.Error
	}
	return ""
}

// examineChallenge looks whether the CA's HTTP challenge can be answered, if it is
// to be.
func (n *node) examineChallenge() []finding {
	if n.certs == nil || n.cfg.ACMEHTTPListen == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.cfg.ACMEHTTPListen)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		says := listenFailed("the CA's HTTP challenge cannot be answered, only that by TLS", "--acme-http-listen", err).Error()
		return []finding{found("challenge", warning, says)}
	}
	return []finding{found("challenge", fine, "the CA's HTTP challenge can be answered at "+n.cfg.ACMEHTTPListen)}
}

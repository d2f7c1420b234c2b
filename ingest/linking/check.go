package linking

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Times that PluralKit gives, which a check gives too.
const (
	lookUpTimeout = 3 * time.Second
	pingTimeout   = 10 * time.Second
)

// The steps of a check, in order.
const (
	stepURL         = "address"
	stepName        = "name"
	stepIPv4        = "IPv4"
	stepConnect     = "connection"
	stepCertificate = "certificate"
	stepRight       = "right token"
	stepWrong       = "wrong token"
)

// Step is one step of a check.
type Step struct {
	Step string `json:"step"`
	Advice
}

func good(step, says string) Step { return Step{step, Advice{Says: says, OK: true}} }
func bad(step, word, says, do string) Step {
	return Step{step, Advice{Word: word, Says: says, Do: do}}
}

// Report is how a check went.
type Report struct {
	Address string `json:"address"`
	Steps   []Step `json:"steps"` // those that were made; one that is not OK ends it
	OK      bool   `json:"ok"`    // the pair was answered as PluralKit wants it

	// OnlyLoopback: the pair never left this machine, so that nothing is known of
	// how others reach it.
	OnlyLoopback bool `json:"only_loopback"`
}

// Faults are the steps that went wrong.
func (r Report) Faults() []Step {
	var faults []Step
	for _, s := range r.Steps {
		if !s.OK {
			faults = append(faults, s)
		}
	}
	return faults
}

// Checker plays PluralKit's part against a public address: it looks the name
// up, takes its IPv4 addresses alone, speaks TLS as PluralKit's proxy does, and
// sends the pair of PINGs.
type Checker struct {
	Resolver    Resolver       // nil: this machine's
	Roots       *x509.CertPool // who may sign certificates; nil: whom this machine trusts
	Dial        func(ctx context.Context, network, address string) (net.Conn, error)
	Right       []byte              // body of a PING with a token that switchlog knows
	Wrong       []byte              // and with one that it does not know
	Arrived     func() (pings int)  // how many of Right this switchlog has received; nil: it is not known
	ArrivedBare func() (number int) // how many requests without a body; nil: it is not known
	Now         func() time.Time    // the clock; nil: time.Now
}

// Check looks at an address, which is the whole one that PluralKit is given. It
// takes at most 25 s.
func (c Checker) Check(ctx context.Context, address string) Report {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	r := Report{Address: address}
	r.Steps = c.steps(ctx, address, &r.OnlyLoopback)
	r.OK = len(r.Faults()) == 0
	return r
}

func (c Checker) steps(ctx context.Context, address string, onlyLoopback *bool) []Step {
	if err := CheckURL(address); err != nil {
		says, do, _ := strings.Cut(strings.TrimSuffix(err.Error(), ")"), " (hint: ")
		return []Step{bad(stepURL, wordBadData, says, do)}
	}
	u, err := url.Parse(address)
	if err != nil {
		return []Step{bad(stepURL, wordBadData, "the address is none", "https://hooks.example.org")}
	}
	if IsLoopback(address) {
		*onlyLoopback = true
		return c.pair(ctx, u, "")
	}
	ips, steps := c.lookUp(ctx, u.Hostname())
	if len(ips) == 0 {
		return steps
	}
	*onlyLoopback = ips[0].IsLoopback()
	for _, ip := range ips {
		more := c.pair(ctx, u, net.JoinHostPort(ip.String(), port(u)))
		if len(ips) > 1 {
			for i := range more {
				more[i].Says = ip.String() + ": " + more[i].Says
			}
		}
		steps = append(steps, more...)
	}
	return steps
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// pair sends both PINGs to one address of the name; empty: to that of the URL.
func (c Checker) pair(ctx context.Context, u *url.URL, at string) []Step {
	dial := c.Dial
	if at != "" {
		dial = func(ctx context.Context, network, _ string) (net.Conn, error) { return c.Dial(ctx, network, at) }
	}
	transport := &http.Transport{
		DialContext: dial, DisableCompression: true,
		TLSClientConfig:   &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12, Time: c.Now},
		TLSNextProto:      map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1, as PluralKit
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	pings, bare := count(c.Arrived), count(c.ArrivedBare)
	answered, err := c.send(ctx, transport, u, c.Right)
	if err != nil {
		return []Step{c.unreached(u, err)}
	}
	steps := []Step{}
	if u.Scheme == "https" {
		steps = append(steps, good(stepCertificate, "the certificate is trusted and for "+u.Hostname()))
	}
	if answered.status != http.StatusOK {
		return append(steps, Step{stepRight, c.misanswered(answered, count(c.ArrivedBare) > bare)})
	}
	if c.Arrived != nil && count(c.Arrived) == pings {
		return append(steps, bad(stepRight, "", "somebody answered 200, but not this switchlog",
			"another switchlog or another program answers at this address: look where the proxy, the tunnel or the name leads"))
	}
	steps = append(steps, good(stepRight, "the PING with the right token was answered 200"))
	answered, err = c.send(ctx, transport, u, c.Wrong)
	switch {
	case err != nil:
		return append(steps, c.unreached(u, err))
	case answered.status != http.StatusUnauthorized:
		a := meanings[wordTestFailed]
		a.Word, a.Says = wordTestFailed, fmt.Sprintf("the PING with a wrong token was answered %d instead of 401", answered.status)
		a.Do = "let the proxy pass on status codes as they are"
		return append(steps, Step{stepWrong, a})
	}
	return append(steps, good(stepWrong, "the PING with a wrong token was answered 401"))
}

func count(f func() int) int {
	if f == nil {
		return 0
	}
	return f()
}

// answered is what came back.
type answered struct {
	status   int
	location string
	ours     bool // the body is an error as switchlog writes it
}

func (c Checker) send(ctx context.Context, transport *http.Transport, u *url.URL, body []byte) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "switchlog (as PluralKit Dispatch)")
	req.Header.Set("Accept", "*/*")
	res, err := transport.RoundTrip(req) // follows no redirect
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	a := answered{status: res.StatusCode, location: res.Header.Get("Location")}
	if text, err := io.ReadAll(io.LimitReader(res.Body, 1024)); err == nil {
		var refusal struct{ Error *string }
		a.ours = json.Unmarshal(text, &refusal) == nil && refusal.Error != nil
	}
	return a, nil
}

// misanswered says what it means that the right PING was not answered 200.
func (c Checker) misanswered(a answered, bare bool) Advice {
	switch {
	case bare:
		return Advice{
			Word: fmt.Sprintf("%s(%d)", wordResponseCode, a.status),
			Says: "the PING arrived here without its body: something on the way takes it away",
			Do:   "let the proxy pass on the bodies of POST; a redirect inside of the proxy may be what loses them",
		}
	case a.status == http.StatusUnauthorized && a.ours:
		return Advice{
			Word: fmt.Sprintf("%s(%d)", wordResponseCode, a.status),
			Says: "a switchlog answered, but not this one",
			Do:   "another switchlog is at this address: look where the proxy, the tunnel or the name leads",
		}
	case a.status == http.StatusUnauthorized:
		return Advice{
			Word: fmt.Sprintf("%s(%d)", wordResponseCode, a.status),
			Says: "something on the way asks for a password (401)",
			Do:   "switch that off for /in/pluralkit: switchlog itself checks the token",
		}
	}
	advice := codeAdvice(a.status, a.location)
	advice.Word = fmt.Sprintf("%s(%d)", wordResponseCode, a.status)
	return advice
}

// unreached says why no answer came.
func (c Checker) unreached(u *url.URL, err error) Step {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	var alert tls.AlertError
	var dial *net.OpError
	host := u.Hostname()
	certificate := func(says, do string) Step { return bad(stepCertificate, wordFetchFailed, says, do) }
	switch {
	case errors.As(err, &name):
		return certificate("the certificate is for another name than "+host, "let the proxy have one for this name")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && c.Now().Before(invalid.Cert.NotBefore):
		return certificate("the certificate is not good yet by this machine's clock", "set the clock right: it says "+c.Now().UTC().Format(time.RFC3339))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return certificate("the certificate has expired, or this machine's clock is wrong: it says "+c.Now().UTC().Format(time.RFC3339), "renew it, or set the clock right")
	case errors.As(err, &authority), errors.As(err, &invalid):
		return certificate("the certificate is not signed by anybody that is trusted", "take one of Let's Encrypt, by the proxy or switchlog serve --domain; with its whole chain, and not self-signed")
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response"):
		return certificate("whoever listens there does not speak https", "let a proxy with a certificate listen at this port, and pass on to switchlog")
	case errors.As(err, &alert):
		return certificate("TLS cannot be agreed on: "+alert.Error(), "let the proxy speak TLS 1.2 or 1.3, and have a certificate for "+host)
	case errors.Is(err, context.DeadlineExceeded):
		return bad(stepConnect, wordFetchFailed, fmt.Sprintf("no answer within %s", pingTimeout),
			"a firewall or a router drops what comes in at port "+port(u)+". A router that does not let a machine reach itself by its public address does so too: then try from outside")
	case errors.As(err, &dial) && dial.Op == "dial":
		return bad(stepConnect, wordFetchFailed, "nobody takes connections at port "+port(u), "is the proxy or the tunnel running, and does the router pass port "+port(u)+" on to it?")
	}
	return bad(stepConnect, wordFetchFailed, "no answer: "+err.Error(), "look at the proxy in front of switchlog")
}

// Global reports whether an IPv4 address can be reached from the internet.
func Global(ip netip.Addr) bool { return ip.Is4() && whyNotGlobal(ip) == "" }

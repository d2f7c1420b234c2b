package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Limits of one attempt.
const (
	dialTimeout    = 5 * time.Second
	attemptTimeout = 15 * time.Second // from the name's lookup to the last byte of the answer

	maxHeaderBytes   = 64 << 10 // of an answer
	maxResponseBytes = 64 << 10 // of an answer's body; what is kept of it is less

	idlePerHost = 8
	idleTime    = 60 * time.Second
)

// newClient makes the client that deliveries go out by: no proxy from the
// environment, no redirects, no cookies, and no address is dialled before it
// is checked.
func newClient(allow []netip.Prefix, resolver *net.Resolver) *http.Client {
	return &http.Client{
		Transport: guarded{
			tls:   newTransport(true, allow, resolver),
			plain: newTransport(false, allow, resolver),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guarded takes the transport that a URL's scheme may use. There are two, since
// the dialer does not learn whether TLS will follow.
type guarded struct{ tls, plain *http.Transport }

func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	switch r.URL.Scheme {
	case "https":
		return g.tls.RoundTrip(r)
	case "http":
		return g.plain.RoundTrip(r)
	}
	return nil, fmt.Errorf("scheme %q", r.URL.Scheme)
}

// CloseIdleConnections is what http.Client calls by that name.
func (g guarded) CloseIdleConnections() {
	g.tls.CloseIdleConnections()
	g.plain.CloseIdleConnections()
}

func newTransport(tls bool, allow []netip.Prefix, resolver *net.Resolver) *http.Transport {
	d := &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: resolver,
		// The address that is checked is the address that is dialled: a name
		// that resolves to another one a moment later gains nothing.
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return checkDialled(network, address, tls, allow)
		},
	}
	return &http.Transport{
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a small answer may unpack to a large one
	}
}

func checkDialled(network, address string, tls bool, allow []netip.Prefix) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("network %q", network)
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %q is no address", address)
	}
	return checkAddr(at.Addr(), tls, allow)
}

// whyNot is what people read when there was no answer: the reason, without our
// own addresses and without the URL.
func whyNot(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic.Error()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("no answer within %s", attemptTimeout)
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "no such host"
		}
		return "the host's name could not be looked up"
	case errors.As(err, &op) && op.Err != nil:
		return op.Op + ": " + op.Err.Error()
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

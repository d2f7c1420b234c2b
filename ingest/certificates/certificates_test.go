package certificates_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/ingest/certificates"
	"switchlog/test/fakeacme"
)

const name = "hook.example.org"

// within bounds what must happen.
const within = 30 * time.Second

// freePort is a port of 127.0.0.1 that nobody has now.
func freePort(t *testing.T) (address string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), l.Addr().(*net.TCPAddr).Port
}

// lines is a log that can be searched.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a listener with a certificate of its own.
type site struct {
	t       *testing.T
	certs   *certificates.Certificates
	address string
	stop    func()
	log     *lines
}

func open(t *testing.T, c certificates.Config) *site {
	t.Helper()
	s := &site{t: t, address: c.Listen, log: &lines{}}
	c.Domain, c.Log = name, slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	if s.certs, err = certificates.Open(c); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(tls.NewListener(l, s.certs.TLSConfig())) }()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.certs.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
		s.certs.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// obtained waits for the first certificate.
func (s *site) obtained() {
	s.t.Helper()
	select {
	case <-s.certs.Obtained():
	case <-time.After(within):
		s.t.Fatalf("no certificate within %s:\n%s", within, s.log)
	}
}

// await polls until ok: the certificate is looked after in the background.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen within %s", what, within)
		}
	}
}

// shown is the certificate that a client who trusts roots is shown.
func (s *site) shown(roots *x509.CertPool) (*x509.Certificate, tls.ConnectionState, error) {
	c, err := tls.Dial("tcp", s.address, &tls.Config{ServerName: name, RootCAs: roots, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, tls.ConnectionState{}, err
	}
	state := c.ConnectionState()
	return state.PeerCertificates[0], state, c.Close()
}

func TestObtained(t *testing.T) {
	for _, challenge := range []string{"TLS-ALPN", "HTTP"} {
		t.Run(challenge, func(t *testing.T) {
			listen, tlsPort := freePort(t)
			c := certificates.Config{Dir: filepath.Join(t.TempDir(), "certificates"), Listen: listen}
			ca := fakeacme.Config{ValiditySeconds: 3600, TLSPort: tlsPort}
			if challenge == "HTTP" {
				_, nobody := freePort(t)
				ca.TLSPort = nobody
				c.HTTPListen, ca.HTTPPort = freePort(t)
			}
			acme := fakeacme.New(t, ca)
			c.CA, c.Roots = acme.URL, acme.Trust
			s := open(t, c)
			s.obtained()
			leaf, state, err := s.shown(acme.Roots)
			if err != nil || leaf.DNSNames[0] != name || state.Version < tls.VersionTLS12 || state.NegotiatedProtocol != "http/1.1" {
				t.Fatalf("got %v, %+v, %v, want a certificate of %s", leaf, state, err, name)
			}
			if got := s.certs.State(); !got.NotAfter.Equal(leaf.NotAfter) || got.Error != "" || !got.Failed.IsZero() {
				t.Errorf("got %+v, want its end and no error", got)
			}
			if _, err := tls.Dial("tcp", listen, &tls.Config{ServerName: name, RootCAs: acme.Roots, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // that it is refused
				t.Error("TLS 1.1 is accepted")
			}
			if _, err := tls.Dial("tcp", listen, &tls.Config{ServerName: "another.example.org", RootCAs: acme.Roots}); err == nil {
				t.Error("another name has a certificate")
			}
			secret(t, c.Dir)
		})
	}
}

// secret wants all files to be their owner's alone.
func secret(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		files++
		return nil
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestRenewedAndKept: a certificate is renewed before it ends, and a restart
// shows it without a CA.
func TestRenewedAndKept(t *testing.T) {
	listen, port := freePort(t)
	acme := fakeacme.New(t, fakeacme.Config{ValiditySeconds: 12, TLSPort: port})
	c := certificates.Config{Dir: t.TempDir(), Listen: listen, CA: acme.URL, Roots: acme.Trust, CheckEvery: 100 * time.Millisecond}
	s := open(t, c)
	s.obtained()
	first, _, err := s.shown(acme.Roots)
	if err != nil {
		t.Fatal(err)
	}
	var second *x509.Certificate
	await(t, "a renewal", func() bool {
		if second, _, err = s.shown(acme.Roots); err != nil {
			t.Fatalf("no certificate is shown meanwhile: %v", err)
		}
		return second.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	if !time.Now().Before(first.NotAfter) {
		t.Error("the first certificate ended before the second was there")
	}
	s.stop()
	acme.Stop()
	c.CheckEvery = 0
	again := open(t, c)
	again.obtained()
	if kept, _, err := again.shown(acme.Roots); err != nil || kept.NotAfter.Before(second.NotAfter) {
		t.Errorf("got %v, %v after a restart, want the renewed certificate", kept, err)
	}
}

// TestNoRetryStorm: a CA that says no is asked again a minute later, not at once;
// why is known.
func TestNoRetryStorm(t *testing.T) {
	listen, port := freePort(t)
	acme := fakeacme.New(t, fakeacme.Config{ValiditySeconds: 3600, TLSPort: port, NoNames: true})
	s := open(t, certificates.Config{Dir: t.TempDir(), Listen: listen, CA: acme.URL, Roots: acme.Trust, CheckEvery: 10 * time.Millisecond})
	await(t, "a failure", func() bool { return s.certs.State().Error != "" })
	before := acme.Orders.Load()
	got := s.certs.State()
	if !strings.Contains(got.Error, "(hint: ") || !strings.Contains(got.Error, name) || got.Failed.IsZero() || !got.NotAfter.IsZero() {
		t.Errorf("got %+v, want why, and what to do", got)
	}
	quiet := time.NewTimer(3 * time.Second) // 300 checks
	<-quiet.C
	if after := acme.Orders.Load(); before > 4 || after != before {
		t.Errorf("%d orders, and %d three seconds later, want few and no more", before, after)
	}
	if _, _, err := s.shown(acme.Roots); err == nil {
		t.Error("there is a certificate")
	}
}

// TestUntrustedCA: what to do is said.
func TestUntrustedCA(t *testing.T) {
	listen, port := freePort(t)
	acme := fakeacme.New(t, fakeacme.Config{ValiditySeconds: 3600, TLSPort: port})
	s := open(t, certificates.Config{Dir: t.TempDir(), Listen: listen, CA: acme.URL, Roots: x509.NewCertPool()})
	await(t, "a failure", func() bool { return s.certs.State().Error != "" })
	if got := s.certs.State().Error; !strings.Contains(got, "--acme-ca-roots") {
		t.Errorf("got %q, want --acme-ca-roots named", got)
	}
}

// Package fakeacme is an ACME server for tests: Let's Encrypt's own test server,
// pebble, in this process, with a name server that has one address for every
// name.
package fakeacme

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Config is what can be chosen.
type Config struct {
	HTTPPort, TLSPort int    // where challenges are sent; 0: nowhere
	ValiditySeconds   uint64 // of certificates; at least 2
	NoNames           bool   // the name server knows no name
}

// Server is a CA.
type Server struct {
	URL    string         // of its directory
	Trust  *x509.CertPool // signs the server's own certificate
	Roots  *x509.CertPool // sign the certificates it issues
	Orders atomic.Int64   // that were asked for

	trustPEM []byte
	server   *httptest.Server
}

// Stop makes the server one that does not answer.
func (s *Server) Stop() { s.server.Close() }

// New starts a CA, which ends with the test.
func New(t testing.TB, c Config) *Server {
	t.Helper()
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"} {
		if err := os.Setenv(name, value); err != nil { // read when the server is made; t.Setenv forbids parallel tests
			t.Fatal(err)
		}
	}
	silent := log.New(io.Discard, "", 0)
	memory := db.NewMemoryStore()
	authority := ca.New(silent, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: c.ValiditySeconds}})
	checks := va.New(silent, c.HTTPPort, c.TLSPort, false, nameServer(t, c.NoNames), memory)
	front := wfe.New(silent, memory, checks, authority, []string{"ca.example.org"}, false, false, 1, 1)
	s := &Server{Roots: x509.NewCertPool(), Trust: x509.NewCertPool()}
	s.Roots.AddCert(authority.GetRootCert(0).Cert)
	handler := front.Handler()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/order-plz") {
			s.Orders.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.server = server
	s.URL = server.URL + wfe.DirectoryPath
	s.Trust.AddCert(server.Certificate())
	s.trustPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return s
}

// TrustFile writes the certificate of the server itself to a file.
func (s *Server) TrustFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "acme-roots.pem")
	if err := os.WriteFile(path, bytes.Clone(s.trustPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// nameServer answers every question for an A record with 127.0.0.1.
func nameServer(t testing.TB, noNames bool) string {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if noNames {
			m.Rcode = dns.RcodeNameError
		} else if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)}}
		}
		if err := w.WriteMsg(m); err != nil {
			t.Logf("name server: %v", err)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks by TCP
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("name server: %v", err)
		}
		<-ended
	})
	return l.Addr().String()
}

package test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"switchlog/test/fakeacme"
)

// TestDomain: the program has a certificate of its own, renews it, and has it
// still after a restart, when the CA is gone.
func TestDomain(t *testing.T) {
	t.Parallel() // it waits more than it works
	const name = "hook.example.org"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen, port := l.Addr().String(), l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	acme := fakeacme.New(t, fakeacme.Config{TLSPort: port, ValiditySeconds: 60})
	s := start(t, t.TempDir(), "--listen", listen, "--domain", name, "--acme-ca", acme.URL, "--acme-ca-roots", acme.TrustFile(t), "--acme-http-listen", "")
	shown := func() (*x509.Certificate, error) {
		c, err := tls.Dial("tcp", listen, &tls.Config{ServerName: name, RootCAs: acme.Roots})
		if err != nil {
			return nil, err
		}
		return c.ConnectionState().PeerCertificates[0], c.Close()
	}
	var first *x509.Certificate
	await(t, "a certificate", func() bool { first, err = shown(); return err == nil })

	// What a person is shown is the name, and webhooks come in there.
	out := s.cli(sampleToken, "source", "add", "pluralkit", "--token-file", "-", "--system", sampleSystem)
	if want := "https://" + net.JoinHostPort(name, strconv.Itoa(port)) + "/in/pluralkit"; !strings.Contains(out, want) {
		t.Errorf("got %q, want %s", out, want)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: name, RootCAs: acme.Roots}}}
	t.Cleanup(client.CloseIdleConnections)
	ping := `{"type":"PING","signing_token":"` + sampleToken + `","system_id":"` + sampleSystem + `"}`
	for body, want := range map[string]int{ping: 200, strings.Replace(ping, sampleToken, "another", 1): 401} {
		res, err := client.Post(s.Public+"/in/pluralkit", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != want {
			t.Errorf("got %d, %v, want %d", res.StatusCode, err, want)
		}
	}

	var second *x509.Certificate
	await(t, "a renewal", func() bool {
		if second, err = shown(); err != nil {
			t.Fatalf("no certificate is shown meanwhile: %v", err)
		}
		return second.SerialNumber.Cmp(first.SerialNumber) != 0
	})
	s.stop()
	acme.Stop()
	s.start()
	kept, err := shown()
	if err != nil || kept.SerialNumber.Cmp(second.SerialNumber) != 0 && kept.NotAfter.Before(second.NotAfter) {
		t.Errorf("got %v, %v after a restart, want the renewed certificate", kept, err)
	}
	Check(s)
}

package linking

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// names is a name server: an error for a name is what it answers.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if network != "ip4" {
		return nil, errors.New("PluralKit asks for A records alone")
	}
	ips, known := n[host]
	if !known {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var found []netip.Addr
	for _, ip := range ips {
		if ip == "timeout" {
			return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
		}
		found = append(found, netip.MustParseAddr(ip))
	}
	return found, nil
}

const (
	rightBody = `{"type":"PING","signing_token":"right"}`
	wrongBody = `{"type":"PING","signing_token":"wrong"}`
)

// receiver answers PINGs as switchlog does, behind a proxy that spoils it.
type receiver struct {
	arrived, bare int
	proxy         func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v.proxy == nil {
		v.answer(w, r)
		return
	}
	v.proxy(w, r, v.answer)
}

func (v *receiver) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case string(body) == rightBody:
		v.arrived++
	default:
		if len(body) == 0 {
			v.bare++
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"unauthorized"}`) // the checker reads it or not
	}
}

// status is a proxy that answers by itself.
func status(code int, location string) func(http.ResponseWriter, *http.Request, http.HandlerFunc) {
	return func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(code)
	}
}

func TestCheck(t *testing.T) {
	const address = "https://hooks.example.com/in/pluralkit"
	global := names{"hooks.example.com": {"8.8.8.8"}}
	at := func(ips ...string) names { return names{"hooks.example.com": ips} }
	for _, c := range []struct {
		name    string
		address string
		names   names
		proxy   func(http.ResponseWriter, *http.Request, http.HandlerFunc)
		word    string // of the first fault; empty: there is none
		want    string // in what is said of it
		local   bool   // only this machine was reached
		plain   bool   // the receiver speaks http
		distant bool   // the certificate's root is not trusted
		now     time.Duration
	}{
		{name: "good", want: ""},
		{name: "two addresses", names: at("8.8.8.8", "9.9.9.9")},
		{name: "http", address: "http://hooks.example.com/in/pluralkit", word: "BadData", want: "http"},
		{name: "no scheme", address: "hooks.example.com/in/pluralkit", word: "BadData", want: "https://"},
		{name: "in brackets", address: "<https://hooks.example.com/in/pluralkit>", word: "BadData", want: "nothing around it"},
		{name: "not ASCII", address: "https://häken.example.com/", word: "BadData", want: "xn--"},
		{name: "an IP address", address: "https://8.8.8.8/in/pluralkit", word: "BadData", want: "IP address"},
		{name: "no name", names: names{}, word: "NoIPs", want: "A record"},
		{name: "IPv6 alone", names: at(), word: "NoIPs", want: "A record"},
		{name: "no name server", names: at("timeout"), word: "ResolveFailed", want: "name server"},
		{name: "private", names: at("192.168.1.5"), word: "InvalidIP", want: "private"},
		{name: "private, as the bot's first look does not see", names: at("172.20.1.5"), word: "InvalidIP", want: "private"},
		{name: "CGNAT", names: at("100.101.1.5"), word: "InvalidIP", want: "Funnel"},
		{name: "one of two is private", names: at("8.8.8.8", "10.1.1.1"), word: "InvalidIP", want: "10.1.1.1"},
		{name: "itself", names: at("127.0.1.1"), word: "InvalidIP", want: "this machine", local: true},
		{name: "documentation", names: at("203.0.113.7"), word: "InvalidIP", want: "documentation"},
		{name: "redirect", proxy: status(301, "https://www.example.com/"), word: "InvalidResponseCode(301)", want: "https://www.example.com/"},
		{name: "login page", proxy: status(302, "/login"), word: "InvalidResponseCode(302)", want: "login"},
		{name: "204", proxy: status(204, ""), word: "InvalidResponseCode(204)", want: "wants 200"},
		{name: "404", proxy: status(404, ""), word: "InvalidResponseCode(404)", want: "path"},
		{name: "tunnel is down", proxy: status(530, ""), word: "InvalidResponseCode(530)", want: "tunnel"},
		{name: "password", proxy: status(401, ""), word: "InvalidResponseCode(401)", want: "password"},
		{name: "200 to all, by another", proxy: status(200, ""), word: "", want: "not this switchlog"},
		{name: "200 to all, ours", proxy: func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			pass(httptest.NewRecorder(), r)
		}, word: "TestFailed", want: "instead of 401"},
		{name: "another switchlog", proxy: func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"error":"unauthorized"}`) // the checker reads it or not
		}, word: "InvalidResponseCode(401)", want: "not this one"},
		{name: "body taken away", proxy: func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
			r.Body = http.NoBody
			pass(w, r)
		}, word: "InvalidResponseCode(401)", want: "without its body"},
		{name: "another name's certificate", address: "https://hooks.example.net/in/pluralkit", names: names{"hooks.example.net": {"8.8.8.8"}}, word: "FetchFailed", want: "another name"},
		{name: "self-signed", distant: true, word: "FetchFailed", want: "not signed"},
		{name: "expired", now: 100 * 365 * 24 * time.Hour, word: "FetchFailed", want: "expired"},
		{name: "clock behind", now: -100 * 365 * 24 * time.Hour, word: "FetchFailed", want: "clock"},
		{name: "no TLS", plain: true, word: "FetchFailed", want: "https"},
		{name: "cut off", proxy: func(http.ResponseWriter, *http.Request, http.HandlerFunc) { panic(http.ErrAbortHandler) }, word: "FetchFailed", want: "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &receiver{proxy: c.proxy}
			server := httptest.NewUnstartedServer(v)
			if c.plain {
				server.Start()
			} else {
				server.StartTLS()
			}
			defer server.Close()
			checker := Checker{
				Resolver: global, Roots: x509.NewCertPool(), Right: []byte(rightBody), Wrong: []byte(wrongBody),
				Arrived: func() int { return v.arrived }, ArrivedBare: func() int { return v.bare },
				Now: func() time.Time { return time.Now().Add(c.now) },
				Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
				},
			}
			if c.names != nil {
				checker.Resolver = c.names
			}
			if !c.plain && !c.distant {
				checker.Roots.AddCert(server.Certificate())
			}
			if c.address == "" {
				c.address = address
			}
			r := checker.Check(t.Context(), c.address)
			if r.OnlyLoopback != c.local {
				t.Errorf("only loopback: got %v, want %v", r.OnlyLoopback, c.local)
			}
			faults := r.Faults()
			if c.word == "" && c.want == "" {
				if !r.OK || len(faults) > 0 || v.arrived != len(checker.Resolver.(names)["hooks.example.com"]) {
					t.Errorf("got %+v with %d PINGs, want no fault", r, v.arrived)
				}
				return
			}
			if r.OK || len(faults) == 0 {
				t.Fatalf("got %+v, want a fault", r)
			}
			if got := faults[0]; got.Word != c.word || !strings.Contains(got.String(), c.want) || got.Do == "" {
				t.Errorf("got %s: %s, want %s, with %q and what to do", got.Word, got, c.word, c.want)
			}
		})
	}
}

// TestCheckRefused: nobody listens there.
func TestCheckRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := Checker{Right: []byte(rightBody), Wrong: []byte(wrongBody)}.Check(t.Context(), "http://"+l.Addr().String()+"/in/pluralkit")
	if faults := r.Faults(); len(faults) != 1 || faults[0].Word != "FetchFailed" || !strings.Contains(faults[0].Says, "nobody takes connections") || !r.OnlyLoopback {
		t.Errorf("got %+v, want one fault: nobody takes connections", r)
	}
}

func TestCheckURL(t *testing.T) {
	for address, want := range map[string]string{
		"https://hooks.example.org":        "",
		"https://hooks.example.org:8443/p": "",
		"http://127.0.0.1:8080":            "",
		"http://[::1]:8080":                "",
		"http://localhost:8080":            "",
		"https://localhost":                "",
		"http://hooks.example.org":         "https only",
		"http://10.0.0.1":                  "https only",
		"ftp://hooks.example.org":          "https://",
		"hooks.example.org":                "https://",
		"https://":                         "https://",
		"https://x@hooks.example.org":      "user",
		"https://hooks.example.org?a=1":    "question mark",
		"https://hooks.example.org#a":      "#",
		"https://[2001:db8::1]":            "IP address",
	} {
		err := CheckURL(address)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrAddress)) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://127.1.2.3": true, "http://[::1]": true, "http://localhost:1/": true, "http://x.localhost": true,
		"http://0.0.0.0:8080": true, "http://[::ffff:127.0.0.1]": true, "https://localhost.example.org": false, "http://10.0.0.1": false, "": false, "%": false,
	} {
		if got := IsLoopback(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

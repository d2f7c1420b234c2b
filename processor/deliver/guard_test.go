package deliver

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"switchlog/schemas"
)

// attacks are URLs that reach, or may seem to some program to reach, what is
// not the internet, or that two programs read differently.
var attacks = []string{
	"http://example.com/hook", // no TLS
	"ftp://example.com/hook",
	"file:///secret.key",
	"gopher://127.0.0.1:25/_MAIL",
	"https:///hook",
	"https:example.com/hook",
	"//example.com/hook",
	"https://",
	"https://user@example.com/hook",
	"https://user:pass@example.com/hook",
	"https://example.com@127.0.0.1/hook",
	"https://127.0.0.1\\@example.com/hook",
	"https://example.com\\.internal/hook",
	"https://example.com/hook#fragment",
	"https://example.com#@127.0.0.1/hook",
	"https://127.0.0.1%23.example.com/hook",
	"https://exa%6Dple.com/hook",
	"https://%31%32%37.0.0.1/hook",
	"https://example.com:/hook",
	"https://example.com:0/hook",
	"https://example.com:99999/hook",
	"https://example.com:0443/hook",
	"https://exa mple.com/hook",
	" https://example.com/hook",
	"https://example.com/ho\nok",
	"https://example.com/\x00",
	"https://exam\tple.com/hook",
	"https://127.0.0.1/hook",
	"https://127.0.0.1./hook",
	"https://127.1/hook",
	"https://127.0.1/hook",
	"https://0x7f.1/hook",
	"https://0x7f000001/hook",
	"https://2130706433/hook",
	"https://017700000001/hook",
	"https://0177.0.0.1/hook",
	"https://127.0.0.0x1/hook",
	"https://①②⑦.⓪.⓪.①/hook",
	"https://127。0。0。1/hook",
	"https://localhost/hook",
	"https://LOCALHOST/hook",
	"https://localhost./hook",
	"https://api.localhost/hook",
	"https://ｌocalhost/hook",
	"https://intranet/hook",
	"https://0.0.0.0/hook",
	"https://0/hook",
	"https://10.0.0.1/hook",
	"https://100.64.0.1/hook",
	"https://169.254.169.254/latest/meta-data/",
	"https://172.16.0.1/hook",
	"https://172.31.255.255/hook",
	"https://192.0.0.8/hook",
	"https://192.0.2.1/hook",
	"https://192.88.99.1/hook",
	"https://192.168.1.1/hook",
	"https://198.18.0.1/hook",
	"https://198.51.100.1/hook",
	"https://203.0.113.1/hook",
	"https://224.0.0.1/hook",
	"https://240.0.0.1/hook",
	"https://255.255.255.255/hook",
	"https://[::]/hook",
	"https://[::1]/hook",
	"https://[0:0:0:0:0:0:0:1]/hook",
	"https://[::ffff:127.0.0.1]/hook",
	"https://[::ffff:7f00:1]/hook",
	"https://[::ffff:169.254.169.254]/hook",
	"https://[::127.0.0.1]/hook",
	"https://[64:ff9b::127.0.0.1]/hook",
	"https://[64:ff9b::a9fe:a9fe]/hook",
	"https://[64:ff9b:1::a00:1]/hook",
	"https://[2002:7f00:1::]/hook",
	"https://[2002:a9fe:a9fe::1]/hook",
	"https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/hook", // Teredo
	"https://[2001:db8::1]/hook",
	"https://[3fff::1]/hook",
	"https://[100::1]/hook",
	"https://[fc00::1]/hook",
	"https://[fd00:ec2::254]/hook",
	"https://[fe80::1]/hook",
	"https://[fe80::1%25eth0]/hook",
	"https://[fec0::1]/hook",
	"https://[ff02::1]/hook",
	"https://[::1/hook",
	"https://[example.com]/hook",
	"https://example..com/hook",
	"https://.example.com/hook",
	"https://./hook",
	"https://-example-.com_/ho ok",
	"https://example.com/" + strings.Repeat("a", schemas.MaxURLBytes),
}

func TestAttackURLs(t *testing.T) {
	for _, u := range attacks {
		if shown, err := CheckURL(schemas.ProviderStandard, u, nil); err == nil {
			t.Errorf("%q: accepted as %q", u, shown)
		} else if !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%q: got %v, want one that is ErrInvalid", u, err)
		}
	}
	t.Logf("%d URLs refused", len(attacks))
}

func TestGoodURLs(t *testing.T) {
	local, err := ParseAllow("127.0.0.0/8, ::1, 192.168.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		provider, url, shown string
		allow                []netip.Prefix
	}{
		{"standard", "https://example.com/hook", "https://example.com/***", nil},
		{"standard", "https://hooks.zapier.com/hooks/catch/1234567/abcdefg/", "https://hooks.zapier.com/***", nil},
		{"cloudevents", "https://example.com/?key", "https://example.com/***", nil},
		{"standard", "https://example.com/", "https://example.com", nil},
		{"standard", "https://example.com", "https://example.com", nil},
		{"standard", "https://EXAMPLE.com:8443/a/b?x", "https://example.com:8443/***", nil},
		{"standard", "https://bücher.example/hook", "https://xn--bcher-kva.example/***", nil},
		{"standard", "https://1.1.1.1/hook", "https://1.1.1.1/***", nil},
		{"standard", "https://[2606:4700:4700::1111]/hook", "https://[2606:4700:4700::1111]/***", nil},
		{"standard", "https://example.com/api/webhook/4f1c2a9be0d74a61b3c5?key=abc&v=", "https://example.com/***", nil},
		{"standard", "http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/***", local},
		{"standard", "http://localhost:9000/hook", "http://localhost:9000/***", local},
		{"standard", "http://[::1]:9000/hook", "http://[::1]:9000/***", local},
		{"standard", "http://nas.home/hook", "http://nas.home/***", local}, // checked when dialled
		{"cloudevents", "https://192.168.1.7/hook", "https://192.168.1.7/***", local},
		{"discord", "https://discord.com/api/webhooks/1150000000000000001/To-k_en123456", "https://discord.com/api/webhooks/1150000000000000001/***", nil},
		{"discord", "https://discord.com/api/v10/webhooks/1150000000000000001/To-ken?wait=true&thread_id=1150000000000000002",
			"https://discord.com/api/v10/webhooks/1150000000000000001/***?thread_id=1150000000000000002", nil},
		{"botghost", "https://api.botghost.com/webhook/1150000000000000010/b1c2d3e4f5a6b7c8d9e0",
			"https://api.botghost.com/webhook/1150000000000000010/b1c2d3e4f5a6b7c8d9e0", nil},
		{"ntfy", "https://ntfy.sh/our-front", "https://ntfy.sh/***", nil},
	} {
		shown, err := CheckURL(tc.provider, tc.url, tc.allow)
		if err != nil || shown != tc.shown {
			t.Errorf("%s %s: got %q, %v, want %q", tc.provider, tc.url, shown, err, tc.shown)
		}
	}
}

func TestProvidersURLs(t *testing.T) {
	for _, tc := range []struct{ provider, url string }{
		{"discord", "https://discord.com/api/webhooks/1150000000000000001"},
		{"discord", "https://discord.com/channels/1150000000000000001/1150000000000000002"},
		{"discord", "https://discord.com/api/webhooks/1150000000000000001/token/slack"},
		{"discord", "https://discord.com/api/webhooks/1150000000000000001/token?thread_id=x"},
		{"discord", "https://discord.com/api/webhooks/1150000000000000001/token?with_components=true"},
		{"discord", "https://discord.com/api/webhooks/1150000000000000001/..%2f..%2ftoken"},
		{"botghost", "https://api.botghost.com/webhook/1150000000000000010"},
		{"botghost", "https://api.botghost.com/webhook/bot/event"},
		{"botghost", "https://api.botghost.com/webhook/1150000000000000010/ev?key=1"},
		{"ntfy", "https://ntfy.sh/"},
		{"ntfy", "https://ntfy.sh/a/b"},
		{"ntfy", "https://ntfy.sh/topic?auth=x"},
		{"slack", "https://example.com/hook"},
	} {
		if shown, err := CheckURL(tc.provider, tc.url, nil); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s %s: got %q, %v, want an error that is ErrInvalid", tc.provider, tc.url, shown, err)
		}
	}
}

func TestParseAllow(t *testing.T) {
	for _, text := range []string{"10.0.0.1/8", "example.com", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0",
		strings.Repeat("10.0.0.1,", maxAllow+1)} {
		if got, err := ParseAllow(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
	if got, err := ParseAllow(""); err != nil || len(got) != 0 {
		t.Errorf("empty: got %v, %v, want nothing", got, err)
	}
}

// TestMetadataIsNamedAlone: where a cloud keeps a machine's secrets is not
// allowed by a range it happens to lie in.
func TestMetadataIsNamedAlone(t *testing.T) {
	for _, tc := range []struct {
		allow, addr string
		ok          bool
	}{
		{"169.254.0.0/16", "169.254.169.254", false},
		{"0.0.0.0/0", "169.254.169.254", false},
		{"0.0.0.0/0", "::ffff:169.254.169.254", false},
		{"fd00::/8", "fd00:ec2::254", false},
		{"169.254.169.254", "169.254.169.254", true},
		{"169.254.0.0/16", "169.254.1.1", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"fe80::/10", "fe80::1%eth0", false},
	} {
		allow, err := ParseAllow(tc.allow)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkAddr(netip.MustParseAddr(tc.addr), true, allow); (err == nil) != tc.ok {
			t.Errorf("%s with %s allowed: got %v, want ok = %v", tc.addr, tc.allow, err, tc.ok)
		}
	}
}

// TestRebinding: the name resolves to a good address when it is looked at, and
// to loopback when it is dialled. What is dialled is what is checked.
func TestRebinding(t *testing.T) {
	hit := make(chan struct{}, 1)
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit <- struct{}{} }))
	defer victim.Close()
	_, port, err := net.SplitHostPort(victim.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https"} {
		url := scheme + "://rebind.example:" + port + "/"
		if scheme == "https" {
			if _, err := CheckURL(schemas.ProviderStandard, url, nil); err != nil {
				t.Fatal(err)
			}
		}
		client := newClient(nil, resolver(t, "127.0.0.1"))
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, errNotPublic) {
			t.Errorf("%s: got %v, want %v", scheme, err, errNotPublic)
		}
	}
	select {
	case <-hit:
		t.Error("the victim was reached")
	default:
	}
}

// TestPlainOnlyWhereAllowed: without TLS a public address is not dialled,
// though other networks are allowed.
func TestPlainOnlyWhereAllowed(t *testing.T) {
	allow, err := ParseAllow("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(allow, resolver(t, "93.184.215.14"))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://public.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(r); err == nil {
		resp.Body.Close()
		t.Error("got an answer, want an error")
	} else if want := "by https only"; !strings.Contains(whyNot(err), want) {
		t.Errorf("got %q, want %q in it", whyNot(err), want)
	}
}

// resolver answers each question for an A record with one address, from a DNS
// server in the test.
func resolver(t *testing.T, addr string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()},
				}}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func FuzzURL(f *testing.F) {
	for _, u := range attacks {
		f.Add(u)
	}
	f.Add("https://example.com/hook?a=b&c")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range providers {
			shown, err := CheckURL(p.name, text, nil)
			if err != nil {
				continue
			}
			if !strings.HasPrefix(shown, "https://") {
				t.Errorf("%s %q: shown as %q", p.name, text, shown)
			}
			u, err := parseURL(text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if a, err := netip.ParseAddr(u.Hostname()); err == nil && !isPublic(a.Unmap()) {
				t.Errorf("%q: %s is not public", text, a)
			}
		}
	})
}

package ingest

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"switchlog/ingest/registry"
)

// TestSourceTest: over the address that providers use, the right signature is
// taken where there can be one, the wrong one refused, and nothing is stored.
func TestSourceTest(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.reg.PublicURL = b.edge.URL
	for _, n := range []struct {
		source registry.NewSource
		right  bool
	}{
		{registry.NewSource{Kind: "standard", Name: "both", Secrets: map[string]string{purposeSecret: standardKey2 + "\n" + standardKey1}}, true},
		{registry.NewSource{Kind: "standard", Name: "public", Secrets: map[string]string{purposePublicKey: standardPub}}, false},
		{registry.NewSource{Kind: "token", Name: "shop", Secrets: map[string]string{"token": sharedValue}}, false},
		{registry.NewSource{Kind: "cloudevents", Name: "shop", Secrets: map[string]string{"token": ceToken}}, false},
		{registry.NewSource{Kind: "stellarstack", Name: "panel", Secrets: map[string]string{purposeSecret: strings.Repeat("7", 64)}}, true},
		{registry.NewSource{Kind: "stellarstack", Name: "old", Settings: map[string]string{settingUnsigned: "true"}}, false},
		{registry.NewSource{Kind: "botghost", Name: botGhostBot, Secrets: map[string]string{purposeKey: sharedValue[7:]}}, false},
		{registry.NewSource{Kind: "pluralkit", Name: "home", Secrets: map[string]string{"token": testToken}}, false},
		{registry.NewSource{Kind: "discord", Name: "shop", Settings: map[string]string{"application_id": discordApplication}, Secrets: map[string]string{purposePublicKey: discordPublic}}, false},
	} {
		b.addSource(t, n.source)
		stored := len(b.log.webhooks())
		status, body := b.command(t, "POST", "/"+n.source.Kind+"/"+n.source.Name+"/test", "")
		var got registry.Tested
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", n.source.Kind, status, body)
		}
		if !got.OK || got.Wrong == nil || got.Wrong.Status != 401 || (got.Right != nil) != n.right {
			t.Errorf("%s %s: %s, want ok, and a right one %t", n.source.Kind, n.source.Name, body, n.right)
		}
		if n.right && got.Right.Status != 200 {
			t.Errorf("%s: the right one was answered with %d, want 200", n.source.Kind, got.Right.Status)
		}
		if len(b.log.webhooks()) != stored {
			t.Errorf("%s: a probe was stored", n.source.Kind)
		}
		if says := "cannot be made here"; strings.Contains(got.Says, says) == n.right {
			t.Errorf("%s: says %q", n.source.Kind, got.Says)
		}
	}
	if status, body := b.command(t, "POST", "/token/nobody/test", ""); status != 404 {
		t.Errorf("nobody: %d %s, want 404", status, body)
	}
	b.reg.PublicURL = ""
	if status, body := b.command(t, "POST", "/token/shop/test", ""); status != 400 || !strings.Contains(body, "public address") {
		t.Errorf("no address: %d %s, want 400", status, body)
	}
}

// TestSourceTestFindsFaults: what stands between a provider and us is told
// apart from us.
func TestSourceTestFindsFaults(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.addSource(t, registry.NewSource{Kind: "standard", Name: "shop", Secrets: map[string]string{purposeSecret: standardKey1}})
	page := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", b.edge.URL+r.URL.Path)
			w.WriteHeader(status)
			w.Write([]byte(body))
		}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"proxy without us":     {page(502, "<h1>Bad Gateway</h1>"), "answered 502, not switchlog"},
		"another path":         {page(404, "not found"), "answered 404, not switchlog"},
		"a page":               {page(200, "<h1>It works</h1>"), "answered 200, not switchlog"},
		"a redirect":           {page(308, ""), "redirects"},
		"takes everything":     {page(200, ""), "a wrong signature was answered with 200"},
		"another switchlog":    {page(401, `{"error":"unauthorized"}`), "a right signature was answered with 401"},
		"nobody listens":       {nil, "nobody takes connections"},
		"switchlog, no room":   {page(503, `{"error":"cannot store this now"}`), "a wrong signature was answered with 503"},
		"a certificate's host": {nil, "certificate"},
	} {
		srv := httptest.NewServer(c.handler)
		switch b.reg.PublicURL = srv.URL; name {
		case "nobody listens":
			b.reg.PublicURL = "http://" + closed.Addr().String()
		case "a certificate's host":
			srv.Close()
			srv = httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.StartTLS()
			b.reg.PublicURL = srv.URL
		}
		got, err := b.reg.Test(t.Context(), "standard", "shop")
		srv.Close()
		if err != nil || got.OK || !strings.Contains(got.Says, c.says) {
			t.Errorf("%s: %+v, %v, want %q", name, got, err, c.says)
		}
		if strings.Contains(got.Says, "v1,") {
			t.Errorf("%s: a signature is in %q", name, got.Says)
		}
	}
	if n := len(b.log.webhooks()); n != 0 {
		t.Errorf("%d events stored, want none", n)
	}
}

package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

func TestStatuses(t *testing.T) {
	f := serve(t, nil)
	at := Root + "pluralkit/" + tenantA + "/"
	for _, tc := range []struct {
		method, path, token string
		code                int
		says                string // part of the body
	}{
		{"GET", at + "members", tokenA, 200, `"query":"members"`},
		{"GET", at + "members", adminToken, 200, `"tenant":"` + tenantA},
		{"HEAD", at + "members", tokenA, 200, ""},
		{"GET", at + "members/abcde", tokenA, 200, `"ref":"abcde"`},
		{"GET", at + "members/a%2Fb%20c", tokenA, 200, `"ref":"a/b c"`},
		{"GET", at + "members/nobody", tokenA, 404, "not found"},
		{"GET", at + "switches?limit=3&before=2026-01-01T00:00:00Z", tokenA, 200, `"limit":"3"`},
		{"GET", at + "switches?wait_for=7", tokenA, 200, `"query":"switches"`},
		{"GET", Root + "openapi.json", tokenA, 200, `"openapi": "3.1.0"`},

		{"GET", at + "members", "", 401, "unauthorized"},
		{"GET", at + "members", "nonsense", 401, "unauthorized"},
		{"POST", at + "nothing", "nonsense", 401, "unauthorized"},
		{"GET", Root + "openapi.json", "", 401, "unauthorized"},

		{"GET", at + "nothing", tokenA, 404, "not found"},
		{"GET", at, tokenA, 404, "not found"},
		{"GET", at + "members/", tokenA, 404, "not found"},
		{"GET", at + "members//", tokenA, 404, "not found"},
		{"GET", at + "members/a/b", tokenA, 404, "not found"},
		{"GET", at + "members/%00", tokenA, 404, "not found"},
		{"GET", at + "members/%ff", tokenA, 404, "not found"},
		{"GET", Root + "botghost/" + tenantA + "/members", tokenA, 404, "not found"},
		{"GET", Root + "nothing/" + tenantA + "/changes", tokenA, 404, "not found"},
		{"GET", Root, tokenA, 404, "not found"},
		{"GET", "/elsewhere", tokenA, 404, "not found"},

		{"POST", at + "members", tokenA, 405, "method not allowed"},
		{"DELETE", at + "members/abcde", tokenA, 405, "method not allowed"},
		{"POST", at + "changes", tokenA, 405, "method not allowed"},
		{"HEAD", at + "changes", tokenA, 405, ""},
		{"PUT", Root + "openapi.json", tokenA, 405, "method not allowed"},

		{"GET", at + "switches?wait_for=soon", tokenA, 400, "parameter wait_for: want a sequence number"},
		{"GET", at + "switches?wait_for=-1", tokenA, 400, "parameter wait_for"},
		{"GET", at + "switches?as_off=3", tokenA, 400, `unknown parameter \"as_off\"`},
		{"GET", at + "switches?limit=1&limit=2", tokenA, 400, `\"limit\" is given twice`},
		{"GET", at + "switches?limit=many", tokenA, 400, `"parameter limit: want a whole number"`},
		{"GET", at + "switches?a;b", tokenA, 400, "malformed"},
		{"GET", at + "switches?tenant=" + tenantB, tokenA, 400, `unknown parameter \"tenant\"`},
		{"GET", at + "members/abcde?ref=other", tokenA, 400, `unknown parameter \"ref\"`},
		{"GET", at + "changes?wait_for=1", tokenA, 400, `unknown parameter \"wait_for\"`},
	} {
		got := f.do(t, tc.method, tc.path, tc.token)
		if got.code != tc.code || !strings.Contains(got.body, tc.says) {
			t.Errorf("%s %s: %d %s, want %d …%s…", tc.method, tc.path, got.code, got.body, tc.code, tc.says)
		}
		if typ := got.header.Get("Content-Type"); typ != "application/json" {
			t.Errorf("%s %s: Content-Type %q", tc.method, tc.path, typ)
		}
		var e struct{ Error string }
		if err := json.Unmarshal([]byte(got.body), &e); tc.method != "HEAD" && (err != nil || got.code != 200 && e.Error == "") {
			t.Errorf("%s %s: body %q, want JSON with an error", tc.method, tc.path, got.body)
		}
		switch position := got.header.Get("Switchlog-Position"); {
		case got.code == 401 && got.header.Get("WWW-Authenticate") != "Bearer":
			t.Errorf("%s %s: no WWW-Authenticate: Bearer", tc.method, tc.path)
		case got.code == 405 && !strings.HasPrefix(got.header.Get("Allow"), "GET"):
			t.Errorf("%s %s: Allow %q", tc.method, tc.path, got.header.Get("Allow"))
		case got.code == 200 && strings.HasPrefix(tc.path, at) && position != "7":
			t.Errorf("%s %s: position %q, want 7", tc.method, tc.path, position)
		}
	}
}

// TestTenantSeesItselfAlone: over HTTP (P7).
func TestTenantSeesItselfAlone(t *testing.T) {
	f := serve(t, nil)
	unknown := f.get(t, Root+"pluralkit/no-such-tenant/members", tokenA)
	for _, path := range []string{
		"pluralkit/" + tenantB + "/members", "pluralkit/" + tenantB + "/members/abcde", "pluralkit/" + tenantB + "/changes",
		"pluralkit/" + tenantB + "/nothing", "botghost/" + tenantB + "/triggers", "nothing/" + tenantB + "/changes",
		"pluralkit/" + strings.Replace(tenantB, "-", "%2D", 1) + "/members",
		"pluralkit/" + tenantA + "/../" + tenantB + "/members",
		"pluralkit/" + tenantA + "/%2e%2e/" + tenantB + "/members",
		"pluralkit/" + tenantA + "%2F..%2F" + tenantB + "/members",
		"pluralkit/" + tenantA + "%00/members", "pluralkit/" + tenantA + "%20/members", "pluralkit/" + strings.ToUpper(tenantA) + "/members",
		"pluralkit/*/members", "pluralkit/%3E/changes", "pluralkit/*/changes", "pluralkit/" + tenantB + "/changes?last_event_id=0",
		"pluralkit/" + tenantB + "/members?wait_for=99999", "pluralkit/" + tenantB + "/members?nonsense=1",
	} {
		got := f.get(t, Root+path, tokenA)
		got.header.Del("Date")
		unknown.header.Del("Date")
		if got.code != 404 || got.body != unknown.body || fmt.Sprint(got.header) != fmt.Sprint(unknown.header) {
			t.Errorf("%s: %d %s %v, want the same as of an unknown tenant: %d %s %v", path, got.code, got.body, got.header, unknown.code, unknown.body, unknown.header)
		}
	}
	if got := f.do(t, "POST", Root+"pluralkit/"+tenantB+"/members", tokenA); got.code != 404 || got.body != unknown.body {
		t.Errorf("POST to another tenant: %d %s, want 404", got.code, got.body)
	}
	if asked := f.store.tenants(); len(asked) != 0 {
		t.Errorf("the store was asked about %v, want nothing", asked)
	}
}

func TestWaitFor(t *testing.T) {
	f := serve(t, func(c *Config) { c.Timeout = 50 * time.Millisecond; c.MaxWaits = 1 })
	late := Root + "pluralkit/" + tenantA + "/members?wait_for=8"
	if got := f.get(t, late, tokenA); got.code != 504 || !strings.Contains(got.body, "not reached") {
		t.Errorf("before: %d %s, want 504", got.code, got.body)
	}
	f.store.move(9)
	if got := f.get(t, late, tokenA); got.code != 200 || got.header.Get("Switchlog-Position") != "9" {
		t.Errorf("after: %d at %s, want 200 at 9", got.code, got.header.Get("Switchlog-Position"))
	}
	f.h.waits.take() // somebody waits
	if got := f.get(t, late, tokenA); got.code != 503 {
		t.Errorf("one too many: %d, want 503", got.code)
	}
	if got := f.get(t, strings.TrimSuffix(late, "?wait_for=8"), tokenA); got.code != 200 {
		t.Errorf("while others wait: %d, want 200", got.code)
	}
}

func TestQueryLimits(t *testing.T) {
	var log lockedBuffer
	f := serve(t, func(c *Config) {
		c.MaxQueries, c.Timeout = 1, 50*time.Millisecond
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	path := Root + "pluralkit/" + tenantA + "/members"
	begun := make(chan struct{})
	for _, tc := range []struct {
		err  error
		code int
	}{
		{context.DeadlineExceeded, 504},
		{fmt.Errorf("query: %w", engine.ErrTooLarge), 413},
		{fmt.Errorf("query: %w", engine.ErrStale), 503},
		{engine.ErrUnknownQuery, 404},
		{errors.New("disk: secret detail"), 500},
	} {
		f.store.answer = func(ctx context.Context, _ string) (engine.Answer, error) {
			if errors.Is(tc.err, context.DeadlineExceeded) {
				close(begun)
				<-ctx.Done()
				return engine.Answer{}, ctx.Err()
			}
			return engine.Answer{}, tc.err
		}
		if errors.Is(tc.err, context.DeadlineExceeded) {
			busy := make(chan answered, 1)
			go func() { <-begun; busy <- f.get(t, path, tokenB) }()
			go func() { busy <- f.get(t, path, tokenA) }()
			first, second := <-busy, <-busy
			if first.code != 404 || second.code != tc.code {
				t.Errorf("%v: %d, want %d; another tenant meanwhile %d, want 404", tc.err, second.code, tc.code, first.code)
			}
			continue
		}
		if got := f.get(t, path, tokenA); got.code != tc.code || strings.Contains(got.body, "secret") {
			t.Errorf("%v: %d %s, want %d", tc.err, got.code, got.body, tc.code)
		}
	}
	if !strings.Contains(log.String(), "secret detail") {
		t.Errorf("log: %q, want the internal error in it", log.String())
	}
	f.store.answer = nil
	f.h.queries.take()
	if got := f.get(t, path, tokenA); got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("too many: %d, Retry-After %q, want 503", got.code, got.header.Get("Retry-After"))
	}
	f.h.queries.give()
	if got := f.get(t, path, tokenA); got.code != 200 {
		t.Errorf("after that: %d, want 200", got.code)
	}
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	f := serve(t, func(c *Config) { c.Metrics = registry })
	newCore(Config{Metrics: registry}) // the other door
	f.get(t, Root+"pluralkit/"+tenantA+"/members", tokenA)
	f.get(t, Root+"pluralkit/"+tenantB+"/members", tokenA)
	got := counts(t, registry)
	for _, want := range []string{"switchlog_query_requests_total 200 members", "switchlog_query_requests_total 404 none"} {
		if got[want] != 1 {
			t.Errorf("%s = %v, want 1 (all: %v)", want, got[want], got)
		}
	}
	for name := range got {
		if strings.Contains(name, tenantA) || strings.Contains(name, tenantB) {
			t.Errorf("%s: a tenant in a label", name)
		}
	}
}

// counts gives counters by name and label values.
func counts(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += " " + l.GetValue()
			}
			all[family.GetName()+labels] = m.GetCounter().GetValue()
		}
	}
	return all
}

// FuzzHTTP: whatever the path, a reader is never asked about another tenant.
func FuzzHTTP(f *testing.F) {
	at := Root + "pluralkit/" + tenantA
	for _, seed := range []string{
		at + "/members", at + "/members/x?wait_for=1", at + "/../" + tenantB + "/members", at + "%2f..%2f" + tenantB + "/members",
		at + "/switches?tenant=" + tenantB, at + "/switches?limit=1&limit=2&%zz", Root + "openapi.json", Root + "pluralkit/" + tenantB + "/changes", "//", Root + "%00/%ff/%",
	} {
		f.Add("GET", seed)
	}
	store := newStore()
	k := newCore(Config{Store: store, Projections: testProjections, Authorize: Authorizer(testReader), Timeout: time.Millisecond})
	h := &handler{core: k, openAPI: OpenAPI(testProjections), streams: newShares(0, 0)}
	f.Fuzz(func(t *testing.T, method, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: method, URL: u, Header: http.Header{"Authorization": {"Bearer " + tokenA}}, Host: "localhost"}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(t.Context()))
		if w.Code >= 500 && w.Code != 503 && w.Code != 504 {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
		for tenant := range store.tenants() {
			if tenant != tenantA {
				t.Errorf("%s %s: asked about %q", method, target, tenant)
			}
		}
		store.asked = nil
	})
}

func TestBearer(t *testing.T) {
	for _, tc := range []struct {
		values []string
		token  string
		ok     bool
	}{
		{[]string{"Bearer x"}, "x", true},
		{[]string{"bearer  x "}, "x", true},
		{[]string{"Bearer"}, "", false},
		{[]string{"Bearer "}, "", false},
		{[]string{"Basic x"}, "x", false},
		{[]string{"x"}, "", false},
		{[]string{"Bearer x", "Bearer y"}, "", false},
		{nil, "", false},
	} {
		token, ok := Bearer(&http.Request{Header: http.Header{"Authorization": tc.values}})
		if ok != tc.ok || ok && token != tc.token {
			t.Errorf("%q: %q, %v, want %q, %v", tc.values, token, ok, tc.token, tc.ok)
		}
	}
}

// FuzzParams: parameters over NATS are texts, or refused as the caller's fault.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"limit":3,"all":true,"before":"x","ref":null}`, `[]`, `{"a":{}}`, `{"a":1}{`, `{"limit":1e9999}`, "{\"\x00\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		given, err := jsonParams(body)
		if err == nil {
			_, err = ask("pluralkit", tenantA, testProjections[0].Queries[2], given, nil)
		}
		if err != nil && !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", body, err)
		}
	})
}

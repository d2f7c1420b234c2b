package pluralkit

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// secret is a token of the form PluralKit's have.
const secret = "Zm9yLXRlc3RzLW9ubHktbm90LWEtdG9rZW4tb2YtYW55Ym9keS1hdC1hbGwtMDEy"

// serve answers every request with h, over a socket.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := NewClient(Config{BaseURL: server.URL + "/", Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestOverSocket is the client as it is used, with its own transport.
func TestOverSocket(t *testing.T) {
	w := fakepk.New(t, fakepk.Config{})
	sys, err := w.CreateSystem(account, nil)
	w.Must(err)
	server := httptest.NewServer(fakepk.NewAPI(t, w, fakepk.APIConfig{Strict: strictly}))
	defer server.Close()
	c, err := NewClient(Config{BaseURL: server.URL, Token: sys.Token()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.System(t.Context())
	if err != nil || string(s.UUID) != sys.UUID() {
		t.Errorf("got %s, %v, want %s", s.UUID, err, sys.UUID())
	}
}

// TestRedirect: the token goes nowhere but where it was meant to.
func TestRedirect(t *testing.T) {
	asked := make(chan string, 10)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	_, err := c.System(t.Context())
	var refused *APIError
	if !errors.As(err, &refused) || refused.Status != http.StatusFound || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("got %v, want a refusal with 302 and a hint", err)
	}
	if len(asked) > 0 {
		t.Errorf("the redirect was followed to %s", <-asked)
	}
}

func TestBodyLimit(t *testing.T) {
	for _, announced := range []bool{false, true} {
		t.Run(fmt.Sprint("announced ", announced), func(t *testing.T) {
			requests := 0
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				if announced {
					w.Header().Set("Content-Length", fmt.Sprint(maxOneBytes+1))
				}
				_, _ = io.WriteString(w, strings.Repeat(" ", maxOneBytes+1)) // the client hangs up
			})
			if _, err := c.System(t.Context()); !errors.Is(err, ErrTooLarge) || requests != 1 {
				t.Errorf("got %v after %d requests, want too large after one", err, requests)
			}
		})
	}
}

// TestUntrusted: who is not PluralKit gets no token, and is not asked again.
func TestUntrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("got %s with %v, want no request", r.URL, r.Header)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	registry := prometheus.NewRegistry()
	c, err := NewClient(Config{BaseURL: server.URL, Token: secret, Metrics: NewClientMetrics(registry)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.System(t.Context()); err == nil {
		t.Error("got an answer of a server that nobody knows")
	}
	if got, want := counted(t, registry), map[string]float64{"system broken": 1}; !maps.Equal(got, want) {
		t.Errorf("got requests %v, want %v", got, want)
	}
}

// TestNotJSON: a page of somebody in between may be gone the next time.
func TestNotJSON(t *testing.T) {
	bodies := []string{"<html>", `{"id":`, "{\"a\":\"\xff\"}", "", "[]"}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, bodies[0])
		bodies = bodies[1:]
	})
	got, err := c.Switch(t.Context(), "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01")
	if !errors.Is(err, schemas.ErrInvalid) || len(bodies) != 0 {
		t.Errorf("got %+v, %v, %d answers left, want the last, which is invalid", got, err, len(bodies))
	}
}

// TestStrangeAnswers: only PluralKit's own word counts.
func TestStrangeAnswers(t *testing.T) {
	const page = "<html>" + secret
	for _, c := range []struct {
		name   string
		status int
		body   string
		is     error
		isNot  []error
	}{
		{"a proxy's 404", 404, page, nil, []error{ErrNotFound}},
		{"no such path", 404, "", nil, []error{ErrNotFound}},
		{"a 404 without code", 404, `{"message":"404: Not Found"}`, nil, []error{ErrNotFound}},
		{"a proxy's 403", 403, page, nil, []error{ErrAnonymous}},
		{"a proxy's 401", 401, page, nil, []error{ErrUnauthorized}},
		{"not found", 404, `{"message":"Switch not found.","code":20007}`, ErrNotFound, []error{ErrAnonymous}},
		{"hidden", 404, `{"message":"` + secret + `","code": 20008}`, ErrAnonymous, []error{ErrNotFound}},
		{"gone", 410, "", nil, []error{ErrNotFound}},
		{"nothing where something is due", 204, "", schemas.ErrInvalid, nil},
		{"null", 200, "null", schemas.ErrInvalid, nil},
		{"another shape", 200, `{"id":"` + secret + `"}`, schemas.ErrInvalid, nil},
		{"another shape still", 200, `["` + secret + `"]`, schemas.ErrInvalid, nil},
		{"part of it", 206, `{`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests := 0
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body) // 204 has none
			})
			_, err := client.Switch(t.Context(), "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01")
			if err == nil || c.is != nil && !errors.Is(err, c.is) || requests != 1 {
				t.Errorf("got %v after %d requests, want %v after one", err, requests, c.is)
			}
			for _, not := range c.isNot {
				if errors.Is(err, not) {
					t.Errorf("got %v, which is %v", err, not)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, which quotes the answer, or the token", err)
			}
		})
	}
}

// TestMessagesAreShort: a refusal's sentence is one line of a few words.
func TestMessagesAreShort(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != secret || r.UserAgent() != "switchlog" {
			t.Errorf("got %v, want the token and a user agent", r.Header)
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"message":"\u001b[31m%s\n%s","code":40001}`, secret, strings.Repeat("ä", 1000))
	})
	_, err := c.System(t.Context())
	var refused *APIError
	if !errors.As(err, &refused) || len(refused.Message) > maxMessageBytes+len("…") || len(err.Error()) > 2*maxMessageBytes ||
		strings.ContainsAny(refused.Message, "\x1b\n") || !strings.Contains(refused.Message, "[token]") {
		t.Errorf("got %v, want one short line", err)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		header, body string
		want         time.Duration
	}{
		{"", `{"message":"429: too many requests","retry_after":19,"scope":"generic_get","code":0}`, minRefusedWait},
		{"", `{"message":"429: too many requests","retry_after":1900,"code":0}`, 1900 * time.Millisecond},
		{"", `{"message":"429: too many requests","retry_after":-5,"code":0}`, minRefusedWait},
		{"", `{"message":"429: too many requests","retry_after":1e300,"code":0}`, 24 * time.Hour},
		{"", `{"message":"429: too many requests","code":0}`, time.Second},
		{"3", "<html>", 3 * time.Second},
		{"soon", "", time.Second},
	} {
		res := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {c.header}}}
		if e := refusal(res, []byte(c.body), secret); e.Wait != c.want {
			t.Errorf("%q %s: got %v, want %v", c.header, c.body, e.Wait, c.want)
		}
	}
}

func TestNewClient(t *testing.T) {
	for _, c := range []struct {
		base, token string
		ok          bool
	}{
		{"", secret, true}, {"https://api.pluralkit.me/", secret, true}, {"https://example.org/pk", secret, true},
		{"http://127.0.0.1:8080", secret, true}, {"http://[::1]:8080", secret, true}, {"http://localhost:8080", secret, true},
		{"http://api.pluralkit.me", secret, false}, {"http://10.0.0.1", secret, false}, {"http://127.0.0.1.example.org", secret, false},
		{"ftp://api.pluralkit.me", secret, false}, {"api.pluralkit.me", secret, false}, {"https://u:" + secret + "@example.org", secret, false},
		{"https://example.org?x", secret, false}, {"https://example.org#x", secret, false}, {"https:example.org", secret, false},
		{"", "", false}, {"", secret + "\n", false}, {"", "Bearer " + secret, false}, {"", strings.Repeat("x", 513), false},
	} {
		client, err := NewClient(Config{BaseURL: c.base, Token: c.token})
		if (err == nil) != c.ok {
			t.Errorf("%q %q: got %v, want good %v", c.base, c.token, err, c.ok)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "(hint: ")) {
			t.Errorf("%q: got %v, want a hint, and no token", c.base, err)
		}
		if text := fmt.Sprintf("%+v %#v", client, client); strings.Contains(text, secret) {
			t.Errorf("got the token in %s", text)
		}
	}
	if _, err := NewClient(Config{Token: secret, UserAgent: "a\r\nb"}); err == nil {
		t.Error("a user agent of two lines is good, want it refused")
	}
}

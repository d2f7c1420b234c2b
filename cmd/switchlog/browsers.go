package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/projections/query"
)

const (
	// tokenParam is where a reader's token stands in an address, for an EventSource and for an overlay,
	// which can set no header. (RFC 6750 calls it so.)
	tokenParam = "access_token"

	// maxAddressToken is for how long a token that may stand in an address is good at most, unless it
	// only shows what is public: addresses are kept in histories.
	maxAddressToken = 24 * time.Hour

	preflightSeconds = "600" // for which a browser remembers what it may
)

// browsers stands in front of the private listener and decides what a browser may do there, for a
// page of whatever origin.
type browsers struct {
	origins []string // that may read answers, as browsers write them; none: no other page may
	names   []string // the listener answers to, besides addresses
	find    query.FindReader
	now     func() time.Time
}

func (n *node) browsers() *browsers {
	b := &browsers{origins: n.cfg.origins, names: append([]string{"localhost"}, n.cfg.hosts...), find: n.find, now: time.Now}
	if host, err := os.Hostname(); err == nil && host != "" {
		b.names = append(b.names, strings.ToLower(host), strings.ToLower(host)+".local")
	}
	return b
}

// guard lets a request through to h, or answers it. The order: is it for us at all (421), headers that
// every answer has, what pages of other origins may (CORS), a token in the address (401).
func (b *browsers) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.ownName(r.Host) {
			answerJSON(w, http.StatusMisdirectedRequest, map[string]string{
				"error": "this server does not answer to that name (hint: --allow-host names it; or ask by address)"})
			return
		}
		strictHeaders(w.Header())
		if !b.crossOrigin(w, r) {
			return
		}
		r, ok := b.tokenInAddress(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerJSON(w, http.StatusUnauthorized, map[string]string{
				"error": "a token in the address is taken for a stream of changes and an overlay only, and if it is good for a day at most or shows only what is public (hint: access add … --public, or --expires 12h)"})
			return
		}
		h.ServeHTTP(w, r)
	})
}

// ownName reports whether a request's Host is one of ours. A page whose name was made to lead here (DNS
// rebinding) sends its own name, which its browser takes for its own origin. An address is no name: a
// page cannot be at an address that is ours.
func (b *browsers) ownName(host string) bool {
	if host == "" {
		return true // HTTP/1.0: no browser
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.Contains(b.names, host)
}

// strictHeaders are on every answer; a page of ours loosens what it needs.
func strictHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// crossOrigin says to browsers what a page of another origin may read: of the read API and the mirror, if
// its origin is named in the settings. It answers preflights itself, and then says false.
func (b *browsers) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	readable := strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(r.URL.Path, "/v2/")
	if len(b.origins) > 0 && readable {
		w.Header().Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	if origin == "" || !readable || !slices.Contains(b.origins, origin) {
		return true
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Switchlog-Position, Retry-After")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return true
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID")
	h.Set("Access-Control-Max-Age", preflightSeconds)
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}

// tokenInAddress moves a token out of the address into the header, so that no handler and no log line
// sees it there. ok is false for one that may not stand in an address.
func (b *browsers) tokenInAddress(r *http.Request) (moved *http.Request, ok bool) {
	if !strings.Contains(r.URL.RawQuery, tokenParam) {
		return r, true
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return r, false
	}
	tokens, given := params[tokenParam]
	if !given {
		return r, true
	}
	if len(tokens) != 1 || r.Header.Get("Authorization") != "" || r.Method != http.MethodGet || !takesAddressToken(r.URL.Path) {
		return r, false
	}
	reader, found := b.find.Token(tokens[0])
	short := !reader.Expires.IsZero() && reader.Expires.Before(b.now().Add(maxAddressToken))
	if !found || reader.Admin || !reader.Public && !short {
		return r, false
	}
	params.Del(tokenParam)
	r = r.Clone(r.Context())
	r.URL.RawQuery = params.Encode()
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("Authorization", "Bearer "+tokens[0])
	return r, true
}

// takesAddressToken reports whether a path is a stream of changes or an overlay.
func takesAddressToken(path string) bool {
	if strings.HasPrefix(path, "/ui/overlay") || strings.HasPrefix(path, "/ui/public") {
		return true
	}
	parts := strings.Split(strings.TrimPrefix(path, query.Root), "/")
	return strings.HasPrefix(path, query.Root) && len(parts) == 3 && parts[2] == "changes"
}

// parseOrigins reads --allow-origin.
func parseOrigins(text string) (origins []string, err error) {
	for _, origin := range splitList(text) {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(origin, "*") || origin != u.Scheme+"://"+strings.ToLower(u.Host) {
			return nil, fmt.Errorf("%w: --allow-origin %q is no origin (hint: as browsers write it: https://overlay.example.org, with a port if it is not the usual one, and no / behind it)", errUsage, terminal.Plain(origin))
		}
		origins = append(origins, origin)
	}
	return origins, nil
}

// parseHosts reads --allow-host.
func parseHosts(text string) (hosts []string, err error) {
	for _, host := range splitList(text) {
		if strings.ContainsAny(host, "/:*@ ") {
			return nil, fmt.Errorf("%w: --allow-host %q is no name (hint: switchlog.example.org, without port)", errUsage, terminal.Plain(host))
		}
		hosts = append(hosts, strings.ToLower(strings.TrimSuffix(host, ".")))
	}
	return hosts, nil
}

func splitList(text string) (list []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

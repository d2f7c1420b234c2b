package main

import (
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"switchlog/ingest/registry"
	"switchlog/projections/mirror"
	"switchlog/projections/query"
	"switchlog/schemas"
)

// privateHandler is the private listener: all its routes in one place.
func (n *node) privateHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]string{"status": "live"})
	})
	mux.HandleFunc("GET /readyz", n.readyz)
	metrics := promhttp.HandlerFor(n.metrics, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) && !n.isAdmin(r) {
			refuse(w)
			return
		}
		metrics.ServeHTTP(w, r)
	})
	if n.runs(roleQuery) {
		mux.Handle("/api/v1/", query.NewHandler(n.queryConfig()))
		mux.Handle(mirror.Root, mirror.NewHandler(n.mirrorConfig()))
		mux.Handle("GET /{$}", n.pages)
		mux.Handle("/ui/", n.pages)
	}
	sources := n.adminOnly(n.folded(registry.NewHandler(n.registry)))
	mux.Handle("/api/admin/sources", sources)
	mux.Handle("/api/admin/sources/", sources)
	if n.runs(roleDeliver) {
		webhooks := n.folded(n.webhooksHandler())
		for _, path := range []string{"/api/webhooks", "/api/webhooks/", "/webhooks", "/webhooks/"} {
			mux.Handle(path, webhooks)
		}
	}
	admin{n}.routes(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusNotFound, map[string]string{"error": "there is nothing here"})
	})
	n.private = n.named(mux)
	return n.browsers().guard(n.readers.ends(n.private))
}

// readyz answers 200 once the log is reachable and the database has caught
// up; else 503 and why.
func (n *node) readyz(w http.ResponseWriter, _ *http.Request) {
	if problems := n.problems(); len(problems) > 0 {
		answerJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "problems": problems})
		return
	}
	answerJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// adminOnly lets the operator through and nobody else.
func (n *node) adminOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.isAdmin(r) {
			refuse(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// named has the events of commands say who gives them.
func (n *node) named(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reader, err := n.authorize(r); err == nil {
			r = r.WithContext(registry.By(r.Context(), reader.Name))
		}
		h.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	answerJSON(w, http.StatusUnauthorized, map[string]string{"error": "a bearer token is wanted (hint: the one in admin.token in the data directory)"})
}

// isAdmin reports whether the operator is asking.
func (n *node) isAdmin(r *http.Request) bool {
	reader, err := n.authorize(r)
	return err == nil && reader.Admin
}

// mirrorConfig is what the mirror of PluralKit's API needs.
func (n *node) mirrorConfig() mirror.Config {
	return mirror.Config{
		Store: n.db, Logger: n.log, Metrics: n.metrics, Private: !n.cfg.PublicView, NoCORS: true,
		Authorize: func(token string) (mirror.Reader, bool) {
			reader, ok := query.FindReader(n.find).Token(token)
			here := reader.Source == "" || reader.Source == schemas.PluralKit
			return mirror.Reader{Tenant: reader.Tenant, Public: reader.Public}, ok && here
		},
	}
}

// fromLoopback reports whether the caller is on this machine and not behind a
// proxy on it.
func fromLoopback(r *http.Request) bool {
	if r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

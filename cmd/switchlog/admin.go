package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/processor"
	"switchlog/projections"
	"switchlog/projections/engine"
	"switchlog/schemas"
)

// admin serves the operator's commands below /api/admin/, behind the admin
// token. It only connects: what a command does is in the package it belongs
// to.
type admin struct {
	n *node
}

// adminTimeout bounds a command that answers at once.
const adminTimeout = 30 * time.Second

func (a admin) routes(mux *http.ServeMux) {
	handle := func(pattern string, fn func(w http.ResponseWriter, r *http.Request) error) {
		mux.Handle(pattern, a.guard(fn))
	}
	handle("GET /api/admin/status", a.status)
	a.accessRoutes(handle)
	handle("GET /api/admin/queries", a.queries)
	handle("GET /api/admin/tenants/{tenant}", a.tenant)
	handle("GET /api/admin/replay", a.replay)
	handle("POST /api/admin/import", a.importFile)
	handle("GET /api/admin/doctor", a.doctor)
	handle("POST /api/admin/open", a.open)
	handle("GET /api/admin/link", a.link)
	handle("GET /api/admin/link/pings", a.linkPings)
	handle("POST /api/admin/link/check", a.linkCheck)
	database := func(pattern string, fn func(w http.ResponseWriter, r *http.Request) error) {
		if !a.n.runs(roleProcess) {
			fn = noDatabase
		}
		handle(pattern, fn)
	}
	database("POST /api/admin/query", a.query)
	database("GET /api/admin/front", a.front)
	database("POST /api/admin/sql", a.sql)
	database("GET /api/admin/explain", a.explain)
	database("POST /api/admin/rebuild", a.rebuild)
	database("POST /api/admin/verify", a.verify)
	database("GET /api/admin/reconcile", a.reconcilable)
	database("POST /api/admin/reconcile", a.reconcile)
}

func noDatabase(http.ResponseWriter, *http.Request) error {
	return fault{http.StatusNotFound, errors.New("this node keeps no database (hint: ask the node whose --roles have process, with --server or --data)")}
}

// fault is an error with the status it is answered by.
type fault struct {
	status int
	err    error
}

func (f fault) Error() string { return f.err.Error() }
func (f fault) Unwrap() error { return f.err }

func badRequest(format string, args ...any) error {
	return fault{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// guard lets only the admin in, and turns errors into answers. The operator
// is told the error itself: these are her own machine's.
func (a admin) guard(fn func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return a.n.adminOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := fn(w, r)
		if err == nil {
			return
		}
		status := http.StatusInternalServerError
		var f fault
		switch {
		case errors.As(err, &f):
			status = f.status
		case errors.Is(err, schemas.ErrInvalid):
			status = http.StatusBadRequest
		case errors.Is(err, engine.ErrUnknownQuery):
			status = http.StatusNotFound
		}
		if status >= 500 {
			a.n.log.Error("command", "path", r.URL.Path, "err", err)
		}
		answerJSON(w, status, map[string]string{"error": err.Error()})
	}))
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(fmt.Sprintf("switchlog: an answer that is no JSON: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		return // the caller went away
	}
}

// readJSON reads a small request body.
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badRequest("body: %w", err)
	}
	return nil
}

func (a admin) status(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	s, err := a.n.status(ctx)
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, s)
	return nil
}

func (a admin) queries(w http.ResponseWriter, _ *http.Request) error {
	list := []queryInfo{}
	for _, p := range projections.All {
		for _, q := range p.Queries {
			info := queryInfo{Source: p.Source, Name: q.Name, Doc: q.Doc, Params: []string{}}
			for _, param := range q.Params {
				info.Params = append(info.Params, param.Name)
			}
			list = append(list, info)
		}
	}
	answerJSON(w, http.StatusOK, list)
	return nil
}

func (a admin) query(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Source string            `json:"source"`
		Name   string            `json:"name"`
		Params map[string]string `json:"params"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	if in.Params == nil {
		in.Params = map[string]string{}
	}
	if in.Params["tenant"] == "" {
		tenant, err := a.n.onlyTenant(in.Source)
		if err != nil {
			return err
		}
		in.Params["tenant"] = tenant
	}
	known, err := a.n.Knows(ctx, in.Source, in.Params["tenant"])
	if err != nil {
		return err
	}
	if !known {
		return a.n.unknownTenant(in.Params["tenant"])
	}
	answer, err := a.n.db.Ask(ctx, in.Source, in.Name, in.Params)
	if err != nil {
		return err
	}
	if !answer.Found {
		return fault{http.StatusNotFound, errors.New("there is no such thing (hint: tenant=… and the other parameters)")}
	}
	w.Header().Set("Switchlog-Position", strconv.FormatUint(answer.Position.Seq, 10))
	answerJSON(w, http.StatusOK, answer.Body)
	return nil
}

// tenant answers whether there is a tenant, of any kind of source.
func (a admin) tenant(w http.ResponseWriter, r *http.Request) error {
	if err := a.n.wantTenant(r.Context(), r.PathValue("tenant")); err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, map[string]string{"tenant": r.PathValue("tenant")})
	return nil
}

// wantTenant is an error for a tenant there is not.
func (n *node) wantTenant(ctx context.Context, tenant string) error {
	for _, s := range n.registry.Sources() {
		if s.Tenant == tenant {
			return nil
		}
	}
	_, err := n.events.LastOf(ctx, schemas.LogEvents+".*."+schemas.Token(tenant)+".>")
	if errors.Is(err, processor.ErrNotFound) {
		return n.unknownTenant(tenant)
	}
	return err
}

func (n *node) unknownTenant(tenant string) error {
	var names []string
	for _, s := range n.registry.Sources() {
		names = append(names, s.Tenant)
	}
	return fault{http.StatusNotFound, fmt.Errorf("there is no tenant %q (hint: %s)", terminal.Plain(tenant), didYouMean(tenant, names, "switchlog source list"))}
}

// onlyTenant is the tenant that is meant when there is only one.
func (n *node) onlyTenant(source string) (string, error) {
	var found []string
	for _, s := range n.registry.Sources() {
		if s.Kind == source && s.Tenant != "" {
			found = append(found, s.Tenant)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", badRequest("no tenant of %s is known yet (hint: tenant=…)", source)
	}
	return "", badRequest("there are %d tenants (hint: say which: tenant=…)", len(found))
}

func (a admin) sql(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Query string `json:"query"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	columns, rows, truncated, err := a.n.db.SQL(ctx, in.Query, 10_000)
	if err != nil {
		return fault{http.StatusUnprocessableEntity, err} // the statement's fault, not how the command was called
	}
	if rows == nil {
		rows = [][]any{}
	}
	answerJSON(w, http.StatusOK, sqlAnswer{Columns: columns, Rows: rows, Truncated: truncated})
	return nil
}

// replay streams events as NDJSON. An empty line ends a replay that is whole.
func (a admin) replay(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	from, to, err := a.n.events.Span(r.Context(), q.Get("from"), q.Get("to"))
	if err != nil {
		return err
	}
	if tenant := q.Get("tenant"); tenant != "" {
		if err := a.n.wantTenant(r.Context(), tenant); err != nil {
			return err
		}
	}
	glob := q.Get("type")
	subject := "" // all: then it is seen if something cannot be read
	if tenant := q.Get("tenant"); tenant != "" {
		subject = schemas.AnySubjects(schemas.LogEvents, "", tenant)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if from <= to {
		err = a.n.events.Read(r.Context(), processor.ReadOptions{From: from, To: to, Subject: subject},
			func(e schemas.Recorded, m schemas.Message) error {
				if glob != "" && !schemas.MatchType(glob, e.Type) {
					return nil
				}
				_, err := w.Write(append(m.Body, '\n'))
				return err
			})
	}
	if err != nil {
		if r.Context().Err() == nil {
			a.n.log.Error("replay", "err", err)
		}
		panic(http.ErrAbortHandler) // the answer has begun: only cutting it short tells
	}
	_, err = w.Write([]byte("\n"))
	return err
}

// logAttrs are the fixed keys of a long command's log line.
func logAttrs(o *outcome) []any {
	return []any{slog.Uint64("events", o.Events), slog.Float64("seconds", o.Seconds),
		slog.Int64("differences", o.Differences), slog.Int64("skipped", o.Skipped), slog.Bool("swapped", o.Swapped)}
}

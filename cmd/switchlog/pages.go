package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"switchlog"

	"switchlog/projections"
	"switchlog/projections/query/ui"
	"switchlog/schemas"
)

// pagesConfig is what the dashboard needs.
func (n *node) pagesConfig() ui.Config {
	return ui.Config{
		Store: pagesStore{n.db}, Reader: n.pagesReader, Systems: n.systems, Local: fromLoopback,
		Events: n.pageEvents, Operator: pagesOperator{n}, Documents: switchlog.Documents,
		Words: n.cfg.Words, Private: n.cfg.HiddenMembers, ShowAvatars: n.cfg.ShowAvatars, Done: n.stopping, Logger: n.log,
	}
}

// pagesStore answers the dashboard's questions about PluralKit systems.
type pagesStore struct{ db *projections.DB }

// Ask answers a named query.
func (s pagesStore) Ask(ctx context.Context, system, query string, params map[string]string) (json.RawMessage, bool, error) {
	all := map[string]string{"tenant": system}
	for name, value := range params {
		all[name] = value
	}
	a, err := s.db.Ask(ctx, schemas.PluralKit, query, all)
	return a.Body, a.Found, err
}

// pagesReader finds who a token's hash belongs to.
func (n *node) pagesReader(hash [sha256.Size]byte) (ui.Reader, bool) {
	reader, ok := n.find(hash)
	if reader.Source != "" && reader.Source != schemas.PluralKit {
		return ui.Reader{}, false // the pages are about PluralKit systems
	}
	return ui.Reader{Name: reader.Name, System: reader.Tenant, Public: reader.Public, Operator: reader.Admin}, ok
}

// systems are the PluralKit systems there are, by name.
func (n *node) systems(ctx context.Context, limit int) ([]ui.System, error) {
	_, rows, _, err := n.db.SQL(ctx, `SELECT uuid, coalesce(name, '') FROM systems WHERE deleted_us IS NULL
		ORDER BY name IS NULL, name COLLATE NOCASE, uuid LIMIT `+strconv.Itoa(limit), limit)
	if err != nil {
		return nil, err
	}
	all := make([]ui.System, len(rows))
	for i, row := range rows {
		all[i].UUID, _ = row[0].(string)
		all[i].Name, _ = row[1].(string)
	}
	return all, nil
}

// openAnswer is a link that signs in to the dashboard once.
type openAnswer struct {
	Path    string `json:"path"`
	Expires string `json:"expires"`
}

// open makes a link that signs the operator in.
func (a admin) open(w http.ResponseWriter, _ *http.Request) error {
	if a.n.pages == nil {
		return fault{http.StatusNotFound, errors.New("this node has no dashboard (hint: ask the node whose --roles have process and query, with --server or --data)")}
	}
	path, expires := a.n.pages.OpenLink(sha256.Sum256([]byte(a.n.token)))
	answerJSON(w, http.StatusOK, openAnswer{Path: path, Expires: expires.UTC().Format(time.RFC3339)})
	return nil
}

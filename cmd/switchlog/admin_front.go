package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"switchlog/schemas"
)

// front answers who fronts: in one system, or in all that have a source here.
func (a admin) front(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	defer cancel()
	systems := a.n.pluralKitTenants()
	if tenant := r.URL.Query().Get("tenant"); tenant != "" {
		known, err := a.n.Knows(ctx, schemas.PluralKit, tenant)
		if err != nil {
			return err
		}
		if !known {
			return a.n.unknownTenant(tenant)
		}
		systems = []string{tenant}
	}
	params := map[string]string{}
	if at := r.URL.Query().Get("at"); at != "" {
		params["at"] = at
	}
	fronts, err := a.n.fronts(ctx, systems, params)
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, fronts)
	return nil
}

// pluralKitTenants are the systems that have a source here.
func (n *node) pluralKitTenants() []string {
	var systems []string
	for _, s := range n.registry.Sources() {
		if s.Kind == schemas.PluralKit && s.Tenant != "" && !slices.Contains(systems, s.Tenant) {
			systems = append(systems, s.Tenant)
		}
	}
	return systems
}

// fronts asks who fronts in each of some systems.
func (n *node) fronts(ctx context.Context, systems []string, params map[string]string) ([]front, error) {
	fronts := []front{}
	for _, system := range systems {
		asked := map[string]string{"tenant": system}
		for name, value := range params {
			asked[name] = value
		}
		answer, err := n.db.Ask(ctx, schemas.PluralKit, "front", asked)
		if err != nil {
			return nil, err
		}
		var f front
		if err := json.Unmarshal(answer.Body, &f); err != nil {
			return nil, err
		}
		fronts = append(fronts, f)
	}
	return fronts, nil
}

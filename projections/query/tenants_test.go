package query

import (
	"context"
	"errors"
	"testing"
)

// knownTenants are tenants of pluralkit; away: it cannot be found out.
type knownTenants struct {
	names []string
	away  bool
}

func (k knownTenants) Knows(_ context.Context, source, tenant string) (bool, error) {
	if k.away {
		return false, errors.New("the log is away")
	}
	for _, name := range k.names {
		if source == "pluralkit" && name == tenant {
			return true, nil
		}
	}
	return false, nil
}

func (k knownTenants) Resolve(_ context.Context, source, text string) (string, error) {
	if source == "pluralkit" && text == "abcde" {
		return tenantA, nil
	}
	return text, nil
}

func (k knownTenants) List(_ context.Context, source, after string, limit int) (list []Tenant, err error) {
	if k.away {
		return nil, errors.New("the log is away")
	}
	for _, name := range k.names {
		if source == "pluralkit" && name > after && len(list) < limit {
			list = append(list, Tenant{Tenant: name})
		}
	}
	return list, nil
}

func (k knownTenants) Only(string) (string, bool) {
	if len(k.names) != 1 {
		return "", false
	}
	return k.names[0], true
}

// TestUnknownTenant: a tenant there is not is 404 wherever it is named, a stream
// of changes included, and not an empty answer; @me is the reader's own, or the
// only one there is.
func TestUnknownTenant(t *testing.T) {
	for _, c := range []struct {
		name           string
		tenants        knownTenants
		tenant, reader string
		code           int
	}{
		{"short id", knownTenants{names: []string{tenantA}}, "abcde", adminToken, 200},
		{"short id, of its reader", knownTenants{names: []string{tenantA}}, "abcde", tokenA, 200},
		{"short id, of another reader", knownTenants{names: []string{tenantA}}, "abcde", tokenB, 404},
		{"known", knownTenants{names: []string{tenantA}}, tenantA, adminToken, 200},
		{"unknown", knownTenants{names: []string{tenantA}}, tenantB, adminToken, 404},
		{"unknown to its own reader", knownTenants{names: []string{tenantB}}, tenantA, tokenA, 404},
		{"the only one", knownTenants{names: []string{tenantA}}, Me, adminToken, 200},
		{"one of two", knownTenants{names: []string{tenantA, tenantB}}, Me, adminToken, 404},
		{"none", knownTenants{}, Me, adminToken, 404},
		{"the reader's own", knownTenants{names: []string{tenantA, tenantB}}, Me, tokenA, 200},
		{"cannot be found out", knownTenants{away: true}, tenantA, adminToken, 503},
	} {
		f := serve(t, func(cfg *Config) { cfg.Tenants = c.tenants })
		at := Root + "pluralkit/" + c.tenant
		if got := f.do(t, "GET", at+"/members", c.reader); got.code != c.code {
			t.Errorf("%s: members: got %d %s, want %d", c.name, got.code, got.body, c.code)
		}
		if c.code != 200 { // else it is a stream
			if got := f.do(t, "GET", at+"/changes", c.reader); got.code != c.code {
				t.Errorf("%s: changes: got %d %s, want %d", c.name, got.code, got.body, c.code)
			}
		}
	}
}

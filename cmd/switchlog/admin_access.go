package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest"
	"switchlog/ingest/registry"
	"switchlog/processor"
	"switchlog/projections/engine"
	"switchlog/projections/query"
	"switchlog/schemas"
)

// allTenants is what stands for everybody's data when a reader is added.
const allTenants = "*"

func (a admin) accessRoutes(handle func(string, func(http.ResponseWriter, *http.Request) error)) {
	handle("GET "+accessPath, a.listAccess)
	handle("POST "+accessPath, a.addAccess)
	handle("GET "+accessPath+"/{name}", a.showAccess)
	handle("DELETE "+accessPath+"/{name}", a.revokeAccess)
	handle("GET /api/admin/nats-config", a.natsConfig)
}

func (a admin) listAccess(w http.ResponseWriter, _ *http.Request) error {
	list := []access{}
	for _, r := range a.n.registry.Readers() {
		list = append(list, a.n.accessOf(r))
	}
	answerJSON(w, http.StatusOK, list)
	return nil
}

func (a admin) showAccess(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if name == adminUser {
		answerJSON(w, http.StatusOK, a.n.adminAccess())
		return nil
	}
	reader, err := a.n.registry.Reader(name)
	if err != nil {
		return readerFault(err)
	}
	answerJSON(w, http.StatusOK, a.n.accessOf(reader))
	return nil
}

func (a admin) addAccess(w http.ResponseWriter, r *http.Request) error {
	var in newReaderIn
	if err := readJSON(r, &in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), adminTimeout)
	defer cancel()
	reader := registry.NewReader{Name: in.Name, Public: in.Public}
	var err error
	if in.Expires != "" {
		if reader.Expires, err = time.Parse(time.RFC3339, in.Expires); err != nil {
			return badRequest("expires: want a time like 2027-01-31T00:00:00Z")
		}
	}
	if in.Tenant != allTenants {
		if reader.Source, reader.Tenant, err = a.n.tenantFor(ctx, in.Source, in.Tenant); err != nil {
			return err
		}
	} else if in.Source != "" {
		return badRequest("a reader of all tenants has no source of its own (hint: leave --source out)")
	}
	if in.Public && reader.Source != schemas.PluralKit {
		return badRequest("only PluralKit says what is public, so --public is for the tenant of a PluralKit source")
	}
	made, err := a.n.registry.AddReader(ctx, reader)
	if err != nil {
		return readerFault(err)
	}
	if _, err := a.n.readers.apply(ctx); err != nil {
		return err
	}
	added, err := a.n.registry.Reader(in.Name)
	if err != nil {
		return readerFault(err) // somebody has revoked it already
	}
	out := a.n.accessOf(added)
	out.NATSPassword, out.HTTPToken = made.Password, made.Token
	answerJSON(w, http.StatusCreated, out)
	return nil
}

func (a admin) revokeAccess(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if name == adminUser {
		return badRequest("admin is the operator, who cannot be revoked (hint: to change the token, stop the server, write another into admin.token and start it)")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), adminTimeout)
	defer cancel()
	if err := a.n.registry.RevokeReader(ctx, name); err != nil {
		return readerFault(err)
	}
	if _, err := a.n.readers.apply(ctx); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// natsConfig answers a configuration for a NATS server of one's own, with the users of all readers.
func (a admin) natsConfig(w http.ResponseWriter, _ *http.Request) error {
	users, _ := a.n.natsUsers()
	text, err := processor.ConfWithUsers(users)
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, natsConfigAnswer{Config: text, Readers: len(users)})
	return nil
}

// accessOf describes a reader; its secrets are not known here.
func (n *node) accessOf(r registry.Reader) access {
	a := access{
		Name: r.Name, Source: r.Source, Tenant: r.Tenant, Public: r.Public,
		NATSURL: n.natsURL, NATSUser: r.Name, NATSInboxPrefix: inboxPrefix + r.Name,
		Created: schemas.FormatTime(r.Created), Expired: r.Over(time.Now()),
	}
	if !r.Expires.IsZero() {
		a.Expires = schemas.FormatTime(r.Expires)
	}
	return a
}

// readerFault gives a fault of the caller its status. What is not is answered with 500.
func readerFault(err error) error {
	for sentinel, status := range map[error]int{
		schemas.ErrInvalid: http.StatusBadRequest, schemas.ErrNotFound: http.StatusNotFound, schemas.ErrConflict: http.StatusConflict,
	} {
		if errors.Is(err, sentinel) {
			return fault{status, errors.New(strings.TrimPrefix(err.Error(), sentinel.Error()+": "))}
		}
	}
	return err
}

// tenantFor finds the tenant that a person names, and the kind of its source. kind may be empty
// where only one kind of source has such a tenant.
func (n *node) tenantFor(ctx context.Context, kind, text string) (source, tenant string, err error) {
	if text == "" {
		return "", "", badRequest("a tenant is needed (hint: --tenant)")
	}
	if text == query.Me {
		if kind == "" {
			kind = schemas.PluralKit
		}
		tenant, err := n.onlyTenant(kind)
		return kind, tenant, err
	}
	uuid, isUUID := schemas.PluralKitUUID(text)
	if isUUID && (kind == "" || kind == schemas.PluralKit) {
		text = uuid // as the log has it
	}
	kinds, err := n.kindsOf(ctx, text)
	if err != nil {
		return "", "", err
	}
	if len(kinds) == 0 && (kind == "" || kind == schemas.PluralKit) {
		system, err := n.systemByID(ctx, text)
		if err != nil {
			return "", "", err
		}
		if system != "" {
			return schemas.PluralKit, system, nil
		}
	}
	_, isKind := sourceKindNamed(kind)
	switch {
	case kind != "" && !isKind:
		return "", "", badRequest("there is no kind of source %q (hint: switchlog source add --help names them)", terminal.Plain(kind))
	case kind != "":
		return kind, text, nil
	case len(kinds) == 1:
		return kinds[0], text, nil
	case len(kinds) > 1:
		return "", "", badRequest("sources of these kinds have a tenant %s: %s (hint: say which: --source %s)", terminal.Plain(text), strings.Join(kinds, ", "), kinds[0])
	case isUUID: // a system that has said nothing yet
		return schemas.PluralKit, text, nil
	}
	return "", "", n.unknownTenant(text)
}

// kindsOf are the kinds of source that have a tenant of that name, now or in the log.
func (n *node) kindsOf(ctx context.Context, tenant string) (kinds []string, err error) {
	for _, kind := range ingest.Kinds {
		known, err := n.Knows(ctx, kind.Name, tenant)
		if err != nil {
			return nil, fmt.Errorf("tenant: %w", err)
		}
		if known {
			kinds = append(kinds, kind.Name)
		}
	}
	return kinds, nil
}

// systemByID is the system that has a short id, or empty. Of two, the one of which it was said
// last.
func (n *node) systemByID(ctx context.Context, text string) (uuid string, err error) {
	id, ok := schemas.PluralKitShortID(text)
	if !ok || n.db == nil {
		return "", nil
	}
	err = n.db.View(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		row, err := tx.Get(`SELECT uuid FROM systems WHERE id = ?1 AND deleted_us IS NULL
			ORDER BY coalesce(versions ->> '$.id[1]', observed_us, snapshot_us) DESC, uuid LIMIT 1`, id)
		if row != nil {
			uuid = row.Text(0)
		}
		return err
	})
	return uuid, err
}

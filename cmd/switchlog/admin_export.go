package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
)

const (
	// maxExportBytes bounds a file of pk;export. One with 100,000 switches, the
	// most that PluralKit itself would take in again, has about 10 MB.
	maxExportBytes = 50 << 20
)

// importExport takes a file of pk;export into the log, and has PluralKit asked
// for what is not in it, if it can be asked.
func (a admin) importExport(w http.ResponseWriter, r *http.Request, body io.Reader) error {
	x, err := pluralkit.ParseExport(http.MaxBytesReader(w, io.NopCloser(body), maxExportBytes))
	if err != nil {
		return err
	}
	tenant, err := a.n.systemOf(r.Context(), x, r.URL.Query().Get("tenant"))
	if err != nil {
		return err
	}
	out, err := pluralkit.Import(r.Context(), pluralkit.ImportConfig{
		System: tenant, Known: a.n.db, Append: a.n.spool, Settled: a.n.importSettled,
	}, x)
	if err != nil {
		return err
	}
	found := a.n.reconcilers.Find(tenant)
	if found != nil {
		found.Trigger(pluralkit.ReasonImported)
	}
	a.n.log.Info("imported a file of pk;export", "tenant", tenant, "events", out.Events,
		"members", out.Members.Found, "groups", out.Groups.Found, "switches", out.Switches.Found)
	answerJSON(w, http.StatusOK, importAnswer{Export: &exportAnswer{
		System: tenant, Name: x.Name, AsOf: schemas.FormatTime(out.AsOf), Events: out.Events, Asked: found != nil,
		Members: exportKind(out.Members), Groups: exportKind(out.Groups),
		Switches: exportKind(out.Switches), Accounts: exportKind(out.Accounts),
	}})
	return nil
}

// importSettled is settled, within a time in which a log that works takes all
// that waits.
func (n *node) importSettled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := n.settled(ctx); err != nil {
		return fault{http.StatusServiceUnavailable, fmt.Errorf("what was accepted before is not in the database yet: %w (hint: switchlog status)", err)}
	}
	return nil
}

// systemOf finds out whose file it is: said by the operator, by the file, or
// known by the short id.
func (n *node) systemOf(ctx context.Context, x *pluralkit.Export, said string) (string, error) {
	if said != "" {
		id, err := pluralkit.ParseUUID(said)
		if err != nil {
			return "", badRequest("--tenant: %w (hint: it is the system's uuid)", err)
		}
		return string(id), nil
	}
	var ours []string
	for _, s := range n.registry.Sources() {
		if s.Kind == schemas.PluralKit && s.Tenant != "" {
			ours = append(ours, s.Tenant)
		}
	}
	if x.UUID != "" {
		if len(ours) == 0 || slices.Contains(ours, string(x.UUID)) {
			return string(x.UUID), nil
		}
		return "", unusable("the file is of the system %s %q, and no source here is (hint: --tenant %s if it is meant all the same)", x.UUID, x.Name, x.UUID)
	}
	for _, tenant := range ours {
		held, err := n.db.Held(ctx, tenant)
		if err != nil {
			return "", err
		}
		if held.System == nil {
			continue
		}
		if hid, err := held.System.Object.Text("id"); err == nil && hid == string(x.HID) {
			return tenant, nil
		}
	}
	return "", unusable("the file names its system by the short id %s alone, and no source here is known to be that (hint: --tenant UUID; switchlog source list tells which there are)", x.HID)
}

// exportAnswer is what became of a file of pk;export.
type exportAnswer struct {
	System   string     `json:"system"` // uuid
	Name     string     `json:"name"`
	AsOf     string     `json:"as_of"` // the newest moment the file speaks of
	Members  exportKind `json:"members"`
	Groups   exportKind `json:"groups"`
	Switches exportKind `json:"switches"`
	Accounts exportKind `json:"accounts"`
	Events   int        `json:"events"` // put into the log
	Asked    bool       `json:"asked"`  // PluralKit is asked for the rest
}

// exportKind counts what a file told of things of one kind.
type exportKind struct {
	Found   int `json:"found"`
	New     int `json:"new"`
	Known   int `json:"known"`
	Unnamed int `json:"unnamed"` // left out: named by a short id that nobody has
}

// print writes the answer for people.
func (a *exportAnswer) print(stdout, stderr io.Writer) error {
	_, err := fmt.Fprintf(stdout, "system %s %q, as of %s, the newest moment in the file\n", a.System, a.Name, a.AsOf)
	unnamed := 0
	for _, k := range []struct {
		name string
		exportKind
	}{{"members", a.Members}, {"groups", a.Groups}, {"switches", a.Switches}, {"accounts", a.Accounts}} {
		if err == nil {
			_, err = fmt.Fprintf(stdout, "%-9s %6d found: %d new, %d already known\n", k.name, k.Found, k.New, k.Known)
		}
		unnamed += k.Unnamed
	}
	if err != nil {
		return err
	}
	switch {
	case a.Events == 0:
		_, err = fmt.Fprintln(stdout, "nothing in it is new to the log")
	case a.Asked:
		_, err = fmt.Fprintf(stdout, "%d events; PluralKit is now asked for what the file does not tell\n", a.Events)
	default:
		_, err = fmt.Fprintf(stdout, "%d events; in which order members front, and what changed since, only PluralKit can tell (hint: source rotate pluralkit --api-token-file F)\n", a.Events)
	}
	if unnamed > 0 {
		fmt.Fprintf(stderr, "%d are left out: the file names them, or who is in them, by a short id that nobody here has (hint: reconcile, then import it again)\n", unnamed)
	}
	return err
}

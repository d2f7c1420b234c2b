package webhooks

import (
	"context"
	"fmt"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// maxWithheldSystems bounds the systems that Withheld looks at, for a webhook that
// is not limited to one.
const maxWithheldSystems = 100

// Withheld is what the subscription asks for and is not sent as things are now,
// because it is not owner-only; in the order of the kinds of changes. Of a webhook
// that is not limited to one system the first 100 systems are looked at. Errors
// are ErrStale, ErrDamaged, or ctx's.
func (r Reader) Withheld(ctx context.Context, s schemas.Subscription) ([]schemas.Withheld, error) {
	if s.OwnerOnly || s.ServerID != nil || s.Source != "" && s.Source != schemas.PluralKit {
		return nil, nil
	}
	var w withholding
	for _, pattern := range s.Events {
		if schemas.OnlyForOwners(pattern, s.Source) {
			w.all = append(w.all, schemas.Withheld{Event: pattern, Reason: schemas.WithheldOwner,
				Says: pattern + " carries everything, so only owner-only webhooks get it (hint: --owner-only, if the receiver may see what is private)"})
		}
	}
	err := r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		systems := []string{s.Tenant}
		if s.Tenant == "" {
			systems = nil
			err := tx.Each(`SELECT system_uuid FROM systems WHERE deleted_us IS NULL ORDER BY system_uuid LIMIT ?`, []any{maxWithheldSystems}, func(r engine.Row) error {
				systems = append(systems, r.Text(0))
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, system := range systems {
			if err := w.look(tx, s, system); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("webhook %s: withheld: %w", s.ID, err)
	}
	return w.finish(), nil
}

// A withholding gathers what is withheld of several systems.
type withholding struct {
	all   []schemas.Withheld
	kinds []withheldKind
}

type withheldKind struct {
	event, reason, what string
	systems             []string
}

func (w *withholding) add(event, reason, what, system string) {
	for i, k := range w.kinds {
		if k.event == event && k.reason == reason && k.what == what {
			w.kinds[i].systems = append(k.systems, system)
			return
		}
	}
	w.kinds = append(w.kinds, withheldKind{event, reason, what, []string{system}})
}

// setting adds what a privacy setting closes. Public: nothing.
func (w *withholding) setting(event, what, value, system string) {
	switch {
	case value == "":
		w.add(event, schemas.WithheldUnknown, what, system)
	case !schemas.IsPublic(value):
		w.add(event, schemas.WithheldPrivate, what, system)
	}
}

// look asks of one system what its privacy settings close of what the subscription
// asks for.
func (w *withholding) look(tx *engine.Tx, s schemas.Subscription, system string) error {
	asks := func(typ, noun string) bool {
		r := schemas.Route{Source: schemas.PluralKit, Tenant: system, Noun: noun, Verb: "changed"}
		return (&subscriber{Subscription: s}).listens(typ, r)
	}
	p, err := pluralkit.Privacy{Tx: tx}.SystemPrivacy(system)
	if err != nil {
		return err
	}
	if asks(schemas.FrontChanged, "front") {
		w.setting("front.changed", "who fronts", p.Settings[schemas.PKFrontPrivacy], system)
	}
	if asks(schemas.SystemChanged, "system") {
		for _, reason := range []string{schemas.WithheldPrivate, schemas.WithheldUnknown} {
			if closed := closedFields(p, reason); closed != "" {
				w.add("system.changed", reason, "of the system: "+closed, system)
			}
		}
	}
	for _, of := range []struct {
		typ, table string
		*schemas.ObjectType
	}{{schemas.MemberChanged, "members", schemas.PKMemberObject}, {schemas.GroupChanged, "groups", schemas.PKGroupObject}} {
		if !asks(of.typ, of.Noun) {
			continue
		}
		if list := p.Settings[of.List]; list != "" && !schemas.IsPublic(list) {
			w.add(of.Noun+".changed", schemas.WithheldPrivate, "the list of "+of.table, system)
			continue
		}
		counts, err := tx.Get(`SELECT count(*), count(*) FILTER (WHERE visibility <> 'public'), count(*) FILTER (WHERE visibility IS NULL)
			FROM `+of.table+` WHERE system_uuid = ? AND deleted_us IS NULL`, system)
		if err != nil {
			return err
		}
		for i, reason := range []string{schemas.WithheldPrivate, schemas.WithheldUnknown} {
			if n := counts.Int(i + 1); n > 0 {
				w.add(of.Noun+".changed", reason, fmt.Sprintf("%d of %d %s", n, counts.Int(0), of.table), system)
			}
		}
	}
	return nil
}

// closedFields are the names of a system's fields that its privacy closes for
// that reason.
func closedFields(p schemas.Privacy, reason string) string {
	var names []string
	for _, f := range schemas.PKSystemObject.Fields {
		if f.Guard != "" && !p.Open(f.Guard) && (p.Settings[f.Guard] == "") == (reason == schemas.WithheldUnknown) {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

// finish says what was gathered.
func (w *withholding) finish() []schemas.Withheld {
	for _, k := range w.kinds {
		of := "system " + k.systems[0]
		if n := len(k.systems); n > 1 {
			of = fmt.Sprintf("%d systems, %s the first", n, of)
		}
		says := fmt.Sprintf("%s is withheld: PluralKit says that it is private (%s) (hint: --owner-only, if the receiver may see it)", k.what, of)
		if k.reason == schemas.WithheldUnknown {
			says = fmt.Sprintf("%s is withheld until it is known whether others may see it (%s) (hint: the source's API token lets switchlog ask PluralKit, "+
				"a proxied message says it of the system and its member; or --owner-only, if the receiver may see all)", k.what, of)
		}
		w.all = append(w.all, schemas.Withheld{Event: k.event, Reason: k.reason, Says: says})
	}
	return w.all
}

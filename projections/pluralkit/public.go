package pluralkit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// publicView is how others than the owner see the answers of a query.
type publicView struct {
	params []string // that they may give, besides the tenant
	guards []string // settings of the system that must be open; the object's own are in the policy
	show   func(tx *engine.Tx, system string, body json.RawMessage) (shown json.RawMessage, open bool, err error)
}

// publicViews are the queries of a PluralKit system that others than the owner may ask, by name. What
// is not here they may not: a query that is added shows them nothing until it says what.
var publicViews = map[string]publicView{
	"system":   {show: shownAlone(schemas.PublicSystem)},
	"settings": {show: shownAlone(schemas.PublicSettings)},
	"member":   {params: []string{"ref"}, show: shownAlone(schemas.PublicMember)},
	"members":  {show: shownList(schemas.PKMemberObject)},
	"groups":   {show: shownList(schemas.PKGroupObject)},
	"group": {params: []string{"ref"}, show: func(tx *engine.Tx, system string, body json.RawMessage) (json.RawMessage, bool, error) {
		shown, err := schemas.PublicGroup(body, system, Privacy{tx})
		return shown, true, err
	}},
	"fronters": {show: shownFront},
	"switches": {
		params: []string{"before", "limit"}, guards: []string{schemas.PKFrontHistoryPrivacy},
		show: func(_ *engine.Tx, _ string, body json.RawMessage) (json.RawMessage, bool, error) {
			return body, true, nil
		}, // uuids, as PluralKit shows them
	},
}

// AskPublic is Ask for others than the owner: the answer as the one privacy policy shows it. What
// they may not see is not found, as what there is not.
func (r Reader) AskPublic(ctx context.Context, source, name string, params map[string]string) (engine.Answer, error) {
	view, has := publicViews[name]
	if source != schemas.PluralKit || !has {
		return engine.Answer{}, fmt.Errorf("%w: %q of source %q, for all to see", engine.ErrUnknownQuery, engine.Clip(name), engine.Clip(source))
	}
	for param := range params {
		if param != "tenant" && !slices.Contains(view.params, param) {
			return engine.Answer{}, fmt.Errorf("%w: parameter %s is the owner's alone", schemas.ErrInvalid, engine.Clip(param))
		}
	}
	a, err := r.DB.Ask(ctx, source, name, params)
	if err != nil || !a.Found {
		return a, err
	}
	err = r.DB.View(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		system, err := Privacy{tx}.SystemPrivacy(params["tenant"])
		if err != nil {
			return err
		}
		for _, guard := range view.guards {
			a.Found = a.Found && system.Open(guard)
		}
		if a.Found {
			a.Body, a.Found, err = view.show(tx, params["tenant"], a.Body)
		}
		return err
	})
	if err != nil {
		return engine.Answer{}, fmt.Errorf("query %s, for all to see: %w", name, err)
	}
	if !a.Found {
		a.Body = nil
	}
	return a, nil
}

// PublicChange is a change as others than the owner may see it now; some is false if that is nothing.
func (r Reader) PublicChange(ctx context.Context, e schemas.Event) (public schemas.Event, some bool, err error) {
	if e.Route.Source != schemas.PluralKit {
		return schemas.Event{}, false, nil // of no other source is it known what is public
	}
	err = r.DB.View(ctx, func(tx *engine.Tx, _ schemas.Position) (err error) {
		public, some, err = schemas.PublicChange(e, Privacy{tx})
		return err
	})
	return public, some, err
}

func shownAlone(public func(json.RawMessage) (json.RawMessage, error)) func(*engine.Tx, string, json.RawMessage) (json.RawMessage, bool, error) {
	return func(_ *engine.Tx, _ string, body json.RawMessage) (json.RawMessage, bool, error) {
		shown, err := public(body)
		return shown, true, err
	}
}

func shownList(t *schemas.ObjectType) func(*engine.Tx, string, json.RawMessage) (json.RawMessage, bool, error) {
	return func(tx *engine.Tx, system string, body json.RawMessage) (json.RawMessage, bool, error) {
		var all []json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			return nil, false, err
		}
		public, open, err := schemas.PublicList(t, all, system, Privacy{tx})
		if err != nil || !open {
			return nil, false, err
		}
		shown, err := json.Marshal(public)
		return shown, true, err
	}
}

// shownFront shows who fronts. The fields are those of the query "fronters".
func shownFront(tx *engine.Tx, system string, body json.RawMessage) (json.RawMessage, bool, error) {
	var front struct {
		System  string            `json:"system_uuid"`
		Switch  *string           `json:"switch_uuid"`
		Since   *string           `json:"since"`
		SinceUS *int64            `json:"since_us"`
		Members []schemas.Fronter `json:"members"`
	}
	if err := json.Unmarshal(body, &front); err != nil {
		return nil, false, err
	}
	public, open, err := schemas.PublicFront(schemas.Front{System: system, Members: front.Members}, Privacy{tx})
	if err != nil || !open {
		return nil, false, err
	}
	front.Members = public.Members
	shown, err := json.Marshal(front)
	return shown, true, err
}

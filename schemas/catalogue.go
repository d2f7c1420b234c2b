package schemas

import (
	"slices"
	"strings"
)

// EventCategory is a part of the catalogue of what a subscription may ask for.
type EventCategory struct {
	Name   string
	Events []string // names of the catalogue: noun.verb, each once
}

// Categories of events that are no kind of source, nor a noun of StellarStack.
const (
	categoryChange   = "change"   // what became different
	categoryObserved = "observed" // what a provider's API said
	categoryGeneric  = "generic"  // of senders that may name their own types
)

// firstCategories are StellarStack's own, as its API lists them, and then what
// most people ask for. The others follow as they come.
var firstCategories = []string{"server", "backup", "transfer", "file", "resource", categoryChange}

// EventCatalogue is what a subscription may ask for by name, by category. It
// follows from [Types], less what [MatchEvent] never means. One name may stand
// in two categories, and means the events of both.
func EventCatalogue() []EventCategory {
	byName := map[string][]string{}
	order := slices.Clone(firstCategories)
	add := func(category, event string) {
		if !slices.Contains(order, category) {
			order = append(order, category)
		}
		if !slices.Contains(byName[category], event) {
			byName[category] = append(byName[category], event)
		}
	}
	for _, t := range types {
		if r := t.route(); MatchEvent(t.Name, t.Name, r) {
			add(t.category(), r.EventName())
		}
	}
	for _, kind := range []string{StandardWebhooks, SharedToken, CloudEvents} {
		add(categoryGeneric, GenericRoute(kind, "").EventName())
	}
	all := make([]EventCategory, 0, len(order))
	for _, name := range order {
		all = append(all, EventCategory{Name: name, Events: byName[name]})
	}
	return all
}

// InCatalogue reports whether a subscription's pattern means any event type
// there is, of one kind of source (empty: of any).
func InCatalogue(pattern, source string) bool {
	return slices.ContainsFunc(types, func(t Type) bool {
		return (source == "" || source == t.Source) && MatchEvent(pattern, t.Name, t.route())
	})
}

// OnlyForOwners reports whether a subscription's pattern means event types, of
// one kind of source (empty: of any), and none of them has anything for others
// than the owner.
func OnlyForOwners(pattern, source string) bool {
	means := false
	for _, t := range types {
		if (source == "" || source == t.Source) && MatchEvent(pattern, t.Name, t.route()) {
			means = true
			if HasPublic(t.Name, t.route()) {
				return false
			}
		}
	}
	return means
}

// route is that of the type's events, but for the tenant.
func (t Type) route() Route { return Route{Source: t.Source, Noun: t.Noun, Verb: t.Verb} }

func (t Type) category() string {
	ours := strings.HasPrefix(t.Name, selfTypePrefix)
	switch {
	case IsGeneric(t.Source):
		return categoryGeneric
	case ours && t.Verb == "changed":
		return categoryChange
	case ours && t.Source != SelfSource:
		return categoryObserved
	case t.Source == StellarStack && slices.Contains(firstCategories, t.Noun):
		return t.Noun
	}
	return t.Source
}

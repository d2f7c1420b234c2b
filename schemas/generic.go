package schemas

import (
	"fmt"
	"strings"
)

// Kinds of sources that any sender may speak to.
const (
	StandardWebhooks = "standard"    // signed as Standard Webhooks says
	SharedToken      = "token"       // a shared value in Authorization
	CloudEvents      = "cloudevents" // CloudEvents over HTTP
)

// Event types of messages that name no type of their own. One that does has
// that type, and no schema here.
const (
	StandardReceive = "standard.message.receive"
	TokenReceive    = "token.message.receive"
)

// SourceExtension is the extension attribute of the events of these kinds that
// says which source took them in: {kind}/{name}, as in cloudevents/shop. We set
// it, over whatever the sender wrote there, so that an event which is read
// back from a file finds its way: type and source are the sender's, and may
// claim anything.
const SourceExtension = "switchlogsource"

// genericKinds are the kinds and the noun of their events; the verb is receive.
var genericKinds = map[string]string{StandardWebhooks: "message", SharedToken: "message", CloudEvents: "event"}

// IsGeneric reports whether a kind of source is one of these.
func IsGeneric(kind string) bool { return genericKinds[kind] != "" }

// GenericRoute is the route of all events of a source of such a kind; its
// tenant is its name.
func GenericRoute(kind, name string) Route {
	noun, known := genericKinds[kind]
	if !known {
		panic(fmt.Sprintf("schemas: %q is no generic kind", kind))
	}
	return Route{Source: kind, Tenant: name, Noun: noun, Verb: "receive"}
}

// GenericSource is the value of SourceExtension.
func GenericSource(kind, name string) string { return kind + "/" + name }

// genericRouteOf reads a value of SourceExtension.
func genericRouteOf(value any) (Route, error) {
	text, _ := value.(string)
	kind, name, _ := strings.Cut(text, "/")
	if !IsGeneric(kind) || !isSourceName(name) {
		return Route{}, fmt.Errorf("%w: %s %q names no source", ErrInvalid, SourceExtension, clip(text))
	}
	return GenericRoute(kind, name), nil
}

package ingest

import (
	"strings"
	"unicode/utf8"

	"switchlog/schemas"
)

// maxEventTypeBytes is for types that any sender makes up.
const maxEventTypeBytes = 256

// byName is the tenant of sources whose sender is nobody in particular.
func byName(name string, _ map[string]string) string { return name }

// message is the event of a body whose sender is known by the name of the
// source alone: the body is the data, whole, less secret.
//
// Its type is the body's own, if it has one that CloudEvents allows, else
// otherwise. The type may claim anything; the route does not follow it, and
// switchlogsource says so to whoever reads the event without its subject.
func message(kind, name, otherwise string, body []byte, secrets ...string) (schemas.Event, error) {
	if err := checkJSON(body); err != nil {
		return schemas.Event{}, err
	}
	e := schemas.Event{
		Source:     schemas.NamedSourceURI(kind, name),
		Type:       otherwise,
		Origin:     schemas.OriginWebhook,
		Data:       body,
		Extensions: map[string]any{schemas.SourceExtension: schemas.GenericSource(kind, name)},
		Route:      schemas.GenericRoute(kind, name),
	}
	for _, s := range secrets {
		e.Data = redact(e.Data, nil, s)
	}
	if typ, has := ownType(e.Data); has {
		e.Type = typ
	} else {
		e.DataSchema = schemas.SchemaID(otherwise)
	}
	return e, nil
}

// ownType is the body's member type, if it can be the type of an event.
func ownType(body []byte) (string, bool) {
	typ := memberText(body, "type")
	return typ, isAttribute(typ, maxEventTypeBytes)
}

// isAttribute reports whether CloudEvents allows s for an attribute that must
// not be empty, and it is no longer than most bytes. White space around it is
// refused too: not every transport keeps it.
func isAttribute(s string, most int) bool {
	return s != "" && len(s) <= most && strings.TrimSpace(s) == s && utf8.ValidString(s) && strings.IndexFunc(s, notInAttribute) < 0
}

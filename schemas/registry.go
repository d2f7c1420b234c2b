package schemas

import (
	"bytes"
	"encoding/json"
)

// The registry (which sources there are) lives in the log as events of
// switchlog itself. Secrets are in them by reference, and sealed for the nodes
// that share the key file; never in clear.
const (
	SelfSource = "switchlog"
	SelfTenant = "registry"
	SelfURI    = "urn:switchlog:registry"

	selfTypePrefix = "switchlog." // of every event type of ours

	SourceAdded   = "switchlog.source.added"
	SourceLearned = "switchlog.source.learned" // its tenant, from the first verified request
	SourceRotated = "switchlog.source.rotated"
	SourceRemoved = "switchlog.source.removed"
)

// SourceEvent is the data of every source event. Added carries all fields but
// the last; learned only the tenant; rotated the new secret and how long the
// old one stays good; removed neither.
type SourceEvent struct {
	Kind     string            `json:"kind"`
	Name     string            `json:"name"`
	Tenant   string            `json:"tenant,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`  // nothing secret
	Secrets  map[string]string `json:"secrets,omitempty"`   // purpose → reference into secrets.db
	Sealed   map[string]string `json:"sealed,omitempty"`    // reference → the new secret, sealed for the nodes that share the key
	Until    string            `json:"old_until,omitempty"` // RFC 3339: the replaced secret is refused from then on
	By       string            `json:"by,omitempty"`        // who gave the command: a name, see ReaderEvent; empty: switchlog itself
}

// Unsealed is e without the sealed secrets of an event of the registry: they are for our own nodes, and
// no receiver has a use for them. Any other event is returned as it is.
func Unsealed(e Event) Event {
	if e.Route.Source != SelfSource || !bytes.Contains(e.Data, []byte(`"sealed"`)) {
		return e
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(e.Data, &members) != nil {
		return e
	}
	delete(members, "sealed")
	data, err := json.Marshal(members)
	if err != nil {
		panic("schemas: JSON that was read and cannot be written: " + err.Error())
	}
	e.Data = data
	return e
}

// RegistryRoute is the route of a registry event, e.g. of SourceAdded.
func RegistryRoute(noun, verb string) Route {
	return Route{Source: SelfSource, Tenant: SelfTenant, Noun: noun, Verb: verb}
}

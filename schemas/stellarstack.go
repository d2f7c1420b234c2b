package schemas

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// StellarStack as a source: its kind and the prefix of its event types. A
// panel has no address that its deliveries tell; the events' source is
// NamedSourceURI.
const (
	StellarStack           = "stellarstack"
	StellarStackTypePrefix = "io.stellarstack."
)

// Event types of StellarStack's webhooks: its own names behind the prefix.
// Those of power are sent when the panel asks for it, not when it is so.
const (
	StellarStackServerStarted      = "io.stellarstack.server.started"
	StellarStackServerStopped      = "io.stellarstack.server.stopped"
	StellarStackServerCrashed      = "io.stellarstack.server.crashed"
	StellarStackServerRestarted    = "io.stellarstack.server.restarted"
	StellarStackServerAutoShutdown = "io.stellarstack.server.auto_shutdown"
	StellarStackServerCreated      = "io.stellarstack.server.created"
	StellarStackServerDeleted      = "io.stellarstack.server.deleted"
	StellarStackServerUpdated      = "io.stellarstack.server.updated"
	StellarStackServerSuspended    = "io.stellarstack.server.suspended"
	StellarStackServerUnsuspended  = "io.stellarstack.server.unsuspended"
	StellarStackBackupCreated      = "io.stellarstack.backup.created"
	StellarStackBackupFailed       = "io.stellarstack.backup.failed"
	StellarStackBackupRestored     = "io.stellarstack.backup.restored"
	StellarStackBackupDeleted      = "io.stellarstack.backup.deleted"
	StellarStackTransferStarted    = "io.stellarstack.transfer.started"
	StellarStackTransferCompleted  = "io.stellarstack.transfer.completed"
	StellarStackTransferFailed     = "io.stellarstack.transfer.failed"
	StellarStackFileCreated        = "io.stellarstack.file.created"
	StellarStackFileDeleted        = "io.stellarstack.file.deleted"
	StellarStackFileModified       = "io.stellarstack.file.modified"
	StellarStackResourceWarning    = "io.stellarstack.resource.warning"
	StellarStackResourceCritical   = "io.stellarstack.resource.critical"
	StellarStackUnknown            = "io.stellarstack.unknown.receive" // any other; its own name is in the extension stellarstacktype
)

// StellarStackTypeExtension is the extension attribute that keeps
// StellarStack's name of an event that we do not know.
const StellarStackTypeExtension = "stellarstacktype"

// StellarStackType gives our type for StellarStack's name of an event
// (server.started), and whether the name is known.
func StellarStackType(name string) (string, bool) {
	typ := StellarStackTypePrefix + name
	known := slices.ContainsFunc(types, func(t Type) bool { return t.Name == typ && t.Provider == name })
	if !known {
		return StellarStackUnknown, false
	}
	return typ, true
}

// StellarStackRoute is the route of an event type of a source by its name.
func StellarStackRoute(typ, name string) Route {
	noun, verb, _ := strings.Cut(strings.TrimPrefix(typ, StellarStackTypePrefix), ".")
	return Route{Source: StellarStack, Tenant: name, Noun: noun, Verb: verb}
}

// StellarStackEvent is the data of every event: of a signed delivery all but
// embeds, of one that is a message for Discord only embeds.
type StellarStackEvent struct {
	Event     string              `json:"event"`
	Timestamp string              `json:"timestamp"`
	Server    *StellarStackServer `json:"server"`
	Data      Object              `json:"data"`
	Embeds    []StellarStackEmbed `json:"embeds"`
}

// StellarStackServer is the server that an event is about. ID is empty if it
// is only known by name.
type StellarStackServer struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Status *string `json:"status"`
}

// StellarStackEmbed is an event as a Discord embed shows it.
type StellarStackEmbed struct {
	Title     string              `json:"title"`
	Timestamp *string             `json:"timestamp"`
	Fields    []StellarStackField `json:"fields"`
}

// StellarStackField is a part of an embed, both for people to read.
type StellarStackField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (e *StellarStackEvent) read(data []byte) error {
	return readMembers(data, e.member)
}

func (e *StellarStackEvent) member(name string, value []byte) error {
	switch name {
	case "event":
		return readText(name, value, &e.Event)
	case "timestamp":
		return readText(name, value, &e.Timestamp)
	case "server":
		if e.Server = nil; IsNull(value) {
			return nil
		}
		e.Server = &StellarStackServer{}
		return readInner(name, value, e.Server.member)
	case "data":
		e.Data = nil
		if err := json.Unmarshal(value, &e.Data); err != nil {
			return fmt.Errorf("%w: %s: not an object", ErrInvalid, name)
		}
	case "embeds":
		e.Embeds = nil
		return readList(name, value, func(element []byte) error {
			var m StellarStackEmbed
			err := readInner(name, element, m.member)
			e.Embeds = append(e.Embeds, m)
			return err
		})
	}
	return nil
}

func (s *StellarStackServer) member(name string, value []byte) error {
	switch name {
	case "server.id":
		return readText(name, value, &s.ID)
	case "server.name":
		return readText(name, value, &s.Name)
	case "server.status":
		return readOptional(name, value, &s.Status)
	}
	return nil
}

func (m *StellarStackEmbed) member(name string, value []byte) error {
	switch name {
	case "embeds.title":
		return readText(name, value, &m.Title)
	case "embeds.timestamp":
		return readOptional(name, value, &m.Timestamp)
	case "embeds.fields":
		m.Fields = nil
		return readList(name, value, func(element []byte) error {
			var f StellarStackField
			err := readInner(name, element, func(name string, value []byte) error {
				switch name {
				case "embeds.fields.name":
					return readText(name, value, &f.Name)
				case "embeds.fields.value":
					return readText(name, value, &f.Value)
				}
				return nil
			})
			m.Fields = append(m.Fields, f)
			return err
		})
	}
	return nil
}

// Name is StellarStack's name of the event, read off the title: a bell, then
// the parts of the name with a capital each ("Server Auto_shutdown").
func (m StellarStackEmbed) Name() string {
	return strings.Join(strings.Fields(strings.ToLower(strings.TrimPrefix(m.Title, "🔔"))), ".")
}

// ReadStellarStack reads the data of an event, of either generation, as a signed
// delivery has it. ErrInvalid: it has not StellarStack's shape. An event of a type
// that we do not know has no shape to break, and is never ErrInvalid.
func ReadStellarStack(e Event) (StellarStackEvent, error) {
	if e.Type == StellarStackUnknown {
		return readUnknownStellarStack(e), nil
	}
	d, err := Decode[StellarStackEvent](e)
	if err == nil && e.Extensions[AuthTypeExtension] == AuthUnauthenticated {
		d = d.Plain()
	}
	if err == nil && d.Event == "" {
		err = fmt.Errorf("%w: %s: it has no name", ErrInvalid, e.Type)
	}
	return d, err
}

// readUnknownStellarStack reads what has the shape of an event that we know. If a
// part has another one, Data is the whole delivery, so that nothing of it is lost.
func readUnknownStellarStack(e Event) StellarStackEvent {
	var d StellarStackEvent
	odd := false
	err := readMembers(e.Data, func(name string, value []byte) error {
		before := d
		if err := d.member(name, value); err != nil {
			d, odd = before, true
		}
		return nil
	})
	if e.Extensions[AuthTypeExtension] == AuthUnauthenticated {
		d = d.Plain()
	}
	if whole := (Object{}); err != nil || odd {
		if json.Unmarshal(e.Data, &whole) != nil {
			whole = Object{"data": e.Data} // it is no object
		}
		d.Data = whole
	}
	if name, is := e.Extensions[StellarStackTypeExtension].(string); is && d.Event == "" {
		d.Event = name
	}
	if d.Event == "" {
		d.Event = "unknown"
	}
	return d
}

// Plain is the event without embeds: what the first of them shows is put where
// a signed delivery has it. Names of data keep the capital they were given,
// and a server has no id.
func (e StellarStackEvent) Plain() StellarStackEvent {
	if len(e.Embeds) == 0 {
		return e
	}
	m := e.Embeds[0]
	p := StellarStackEvent{Event: m.Name(), Data: Object{}}
	if m.Timestamp != nil {
		p.Timestamp = *m.Timestamp
	}
	var status *string
	for _, f := range m.Fields {
		switch {
		case f.Name == "Server" && p.Server == nil:
			p.Server = &StellarStackServer{Name: f.Value}
		case f.Name == "Status" && status == nil:
			status = &f.Value
		default:
			value, err := json.Marshal(f.Value)
			if err != nil {
				panic("schemas: a string that is no JSON: " + err.Error())
			}
			p.Data[f.Name] = value
		}
	}
	if p.Server != nil {
		p.Server.Status = status
	}
	return p
}

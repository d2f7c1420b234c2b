package schemas

import (
	"encoding/json"
	"time"
)

// Change types: what a fold found to be different after an event.
const (
	FrontChanged    = "switchlog.front.changed"
	MemberChanged   = "switchlog.member.changed"
	GroupChanged    = "switchlog.group.changed"
	SystemChanged   = "switchlog.system.changed"
	SettingsChanged = "switchlog.settings.changed"
	SourceChanged   = "switchlog.source.changed"
)

// Change is the data of a change event: before and after, and the event that
// caused it. Before is null when the thing is new, After when it is gone.
type Change struct {
	Cause    string          `json:"cause"`     // id of the event that caused it
	CauseSeq uint64          `json:"cause_seq"` // its sequence in the log
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`

	// Omitted names what was left out of Before and After because a message
	// would have been larger than the log's server takes: fields, which are null;
	// of fronts, fields of the members; "members", when only the first are there.
	Omitted []string `json:"omitted,omitempty"`
}

// Front is who fronts in a system: the before and after of a FrontChanged,
// the entry of the FRONTERS bucket, and the answer to the query "fronters".
type Front struct {
	System  string    `json:"system_uuid"`
	Switch  string    `json:"switch_uuid"` // empty: there is no switch at all
	Since   string    `json:"since"`       // RFC 3339; empty with Switch
	SinceUS int64     `json:"since_us"`
	Members []Fronter `json:"members"` // first fronter first; empty: switched out

	// These are there only when the whole is larger than the log's server
	// takes. The query "fronters" has it, in pages.
	Omitted      []string `json:"omitted,omitempty"`       // fields of the members that are left out, and are null
	MembersTotal int      `json:"members_total,omitempty"` // how many members there are, when Members holds the first only
}

// Fronter is one member of a front, with the names resolved.
type Fronter struct {
	UUID        string  `json:"uuid"`
	ID          *string `json:"id"`           // short id; null while unknown
	Name        *string `json:"name"`         // null while unknown
	DisplayName *string `json:"display_name"` // null if it has none, or while unknown
	Pronouns    *string `json:"pronouns"`
	Color       *string `json:"color"`
	AvatarURL   *string `json:"avatar_url"`
}

// NewChange makes the change event of type typ that cause brought about in
// entity (its uuid). Its ID follows from the cause, so that a second one
// is the same event.
func NewChange(typ, noun, entity string, cause Recorded, before, after json.RawMessage) (Event, error) {
	data, err := json.Marshal(Change{Cause: cause.ID, CauseSeq: cause.Seq, Before: before, After: after})
	if err != nil {
		return Event{}, err
	}
	return Event{
		ID:         noun + "." + entity + "." + cause.ID,
		Source:     cause.Source,
		Type:       typ,
		Subject:    entity,
		Time:       cause.Time.UTC().Truncate(time.Microsecond),
		DataSchema: SchemaID(typ),
		Data:       data,
		Route:      Route{Source: cause.Route.Source, Tenant: cause.Route.Tenant, Noun: noun, Verb: "changed"},
	}, nil
}

// SchemaID is the dataschema of an event type: the id of a JSON Schema in
// this package. A breaking change of a type would get a new number.
func SchemaID(typ string) string { return schemaPrefix + typ + ":1" }

const schemaPrefix = "urn:switchlog:schema:"

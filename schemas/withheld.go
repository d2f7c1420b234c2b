package schemas

// Why something is withheld from a webhook that is not owner-only.
const (
	WithheldPrivate = "private" // PluralKit said that it is private
	WithheldUnknown = "unknown" // PluralKit neither said nor implied who may see it
	WithheldOwner   = "owner"   // only owner-only webhooks may have such events at all
)

// Withheld is what a webhook asks for and is not sent, or not whole, because it is
// not owner-only.
type Withheld struct {
	Event  string `json:"event"`  // a kind of event (front.changed); of reason owner the pattern that asks for it
	Reason string `json:"reason"` // private, unknown or owner
	Says   string `json:"says"`   // a sentence for a person, with what helps
}

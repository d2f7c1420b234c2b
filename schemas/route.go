package schemas

import (
	"fmt"
	"net/url"
	"strings"
)

// Route says whose event it is and what it is about. It is what subjects are
// made of; entity ids are not in it (a subject costs the log memory).
type Route struct {
	Source string // kind of the source: pluralkit, discord, …
	Tenant string // whose data it is, e.g. a PluralKit system uuid
	Noun   string // what it is about: member, switch, group_members, …
	Verb   string // what happened: create, update, observed, …
}

// Prefixes of subjects. The log stores below log.; the stream republishes
// without it, so that what people subscribe to has been stored.
const (
	LogEvents  = "log.events"
	LogChanges = "log.changes"
	Events     = "events"
	Changes    = "changes"
)

// Names of what switchlog keeps in JetStream.
const (
	StreamEvents   = "EVENTS"
	StreamChanges  = "CHANGES"
	BucketFronters = "FRONTERS"
)

// LogSubject is the subject the event is stored under.
func (r Route) LogSubject() string { return LogEvents + "." + r.tokens() }

// EventSubject is the subject people subscribe to.
func (r Route) EventSubject() string { return Events + "." + r.tokens() }

// ChangeSubject is the subject a change is stored under; the verb is left
// out, since every change is a "changed".
func (r Route) ChangeSubject() string {
	return LogChanges + "." + Token(r.Source) + "." + Token(r.Tenant) + "." + Token(r.Noun)
}

func (r Route) tokens() string {
	return Token(r.Source) + "." + Token(r.Tenant) + "." + Token(r.Noun) + "." + Token(r.Verb)
}

// TenantSubjects matches the subjects of one tenant's events below a root:
// LogEvents, Events, LogChanges or Changes.
func TenantSubjects(root, source, tenant string) string {
	return root + "." + Token(source) + "." + Token(tenant) + ".>"
}

// AnySubjects is TenantSubjects where a source or a tenant that is empty, or a
// star, is any.
func AnySubjects(root, source, tenant string) string {
	token := func(s string) string {
		if s == "" || s == "*" {
			return "*"
		}
		return Token(s)
	}
	return root + "." + token(source) + "." + token(tenant) + ".>"
}

// ParseSubject reads a subject made by LogSubject, EventSubject or
// ChangeSubject, with log. in front or as it is republished. Any other is
// ErrInvalid: a route has one subject of each kind.
func ParseSubject(subject string) (Route, error) {
	part := strings.Split(strings.TrimPrefix(subject, "log."), ".")
	isEvent := len(part) == 5 && part[0] == Events
	isChange := len(part) == 4 && part[0] == Changes
	if !isEvent && !isChange {
		return Route{}, fmt.Errorf("%w: %q is no subject of ours", ErrInvalid, subject)
	}
	for i, token := range part[1:] {
		text, err := ParseToken(token)
		if err != nil {
			return Route{}, fmt.Errorf("%w: %q is no subject of ours", ErrInvalid, subject)
		}
		part[1+i] = text
	}
	r := Route{Source: part[1], Tenant: part[2], Noun: part[3], Verb: "changed"}
	if isEvent {
		r.Verb = part[4]
	}
	return r, nil
}

// Token makes one subject token of s: letters, digits, - and _ stay, every
// other byte becomes =XX. The result is never empty.
func Token(s string) string {
	if s == "" {
		return "="
	}
	clean := true
	for i := range len(s) {
		if !tokenByte(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; tokenByte(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// ParseToken gives the text that Token made token of. What Token never makes,
// such as a wildcard or a second spelling, is ErrInvalid.
func ParseToken(token string) (string, error) {
	text := untoken(token)
	if Token(text) != token {
		return "", fmt.Errorf("%w: %q is no token of ours", ErrInvalid, clip(token))
	}
	return text, nil
}

// untoken undoes Token.
func untoken(s string) string {
	if s == "=" {
		return ""
	}
	if !strings.Contains(s, "=") {
		return s
	}
	decoded, err := url.PathUnescape(strings.ReplaceAll(strings.ReplaceAll(s, "%", "%25"), "=", "%"))
	if err != nil {
		return s
	}
	return decoded
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

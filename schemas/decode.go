package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// attributes are the members of an event that are no extensions. The bit of
// each is 1 << its place.
var attributes = []string{
	"specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "origin", "data", "data_base64",
}

// UnmarshalJSON reads an event in structured mode. It is strict about the
// envelope (every fault is ErrInvalid) and of data only checks that it is
// JSON, and text where datacontenttype is not JSON's. Route is left empty: it comes from the subject.
//
// It refuses what the CloudEvents SDK refuses, and more: an attribute twice or
// empty, an upper-case attribute name, control characters in id, source, type or
// subject (the specification forbids them), half of a surrogate pair (decoded,
// two ids would be one). Spaces around id and subject are part of them.
func (e *Event) UnmarshalJSON(body []byte) error {
	err := e.read(body)
	e.Data = bytes.Clone(e.Data)
	return err
}

// read is UnmarshalJSON, but for Data: that is a part of body.
func (e *Event) read(body []byte) error {
	*e = Event{}
	d := decoder{event: e}
	s := Scanner{Text: body}
	for s.Object(); s.Next(); {
		if err := d.member(s.Name, s.Value); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	for name, value := range e.Extensions {
		if value == nil { // kept until now so that it could not come twice
			delete(e.Extensions, name)
		}
	}
	if len(e.Extensions) == 0 {
		e.Extensions = nil
	}
	if d.version != "1.0" {
		return fmt.Errorf("%w: specversion %q, want 1.0", ErrInvalid, d.version)
	}
	e.setContentType(d.contentType)
	if d.when != "" {
		t, err := time.Parse(time.RFC3339Nano, d.when)
		if err != nil {
			return fmt.Errorf("%w: time: %w", ErrInvalid, err)
		}
		e.Time = t.UTC().Truncate(time.Microsecond)
	}
	return e.check()
}

// decoder is the state while the members of one event are read.
type decoder struct {
	event                      *Event
	seen                       int // bits of attributes
	version, contentType, when string
}

func (d *decoder) member(rawName, value []byte) error {
	e := d.event
	name := rawName
	if bytes.IndexByte(rawName, '\\') >= 0 {
		s, err := unquote(rawName)
		if err != nil {
			return err
		}
		name = []byte(s)
	}
	switch string(name) {
	case "specversion":
		return d.text(0, value, &d.version)
	case "id":
		return d.text(1, value, &e.ID)
	case "source":
		return d.text(2, value, &e.Source)
	case "type":
		return d.text(3, value, &e.Type)
	case "subject":
		return d.text(4, value, &e.Subject)
	case "time":
		return d.text(5, value, &d.when)
	case "dataschema":
		return d.text(6, value, &e.DataSchema)
	case "datacontenttype":
		return d.text(7, value, &d.contentType)
	case "origin":
		return d.text(8, value, (*string)(&e.Origin))
	case "data":
		e.Data = value[:len(value):len(value)]
		return d.once(9)
	case "data_base64":
		return d.binary(value)
	}
	return d.extension(string(name), value)
}

func (d *decoder) once(attribute int) error {
	if d.seen&(1<<attribute) != 0 {
		return fmt.Errorf("%w: %s twice", ErrInvalid, attributes[attribute])
	}
	d.seen |= 1 << attribute
	return nil
}

// text reads an attribute that is a string. Null: it is not set.
func (d *decoder) text(attribute int, value []byte, to *string) error {
	if err := d.once(attribute); err != nil || IsNull(value) {
		return err
	}
	if value[0] != '"' {
		return fmt.Errorf("%w: %s: not text", ErrInvalid, attributes[attribute])
	}
	raw := value[1 : len(value)-1]
	if known, ok := interned[string(raw)]; ok {
		*to = known
		return nil
	}
	s, err := unquote(raw)
	switch *to = s; {
	case err != nil:
		return err
	case s == "" && attributes[attribute] != "origin":
		return fmt.Errorf("%w: %s is empty", ErrInvalid, attributes[attribute])
	case HasLoneSurrogate(value):
		return fmt.Errorf("%w: %s has half a surrogate pair", ErrInvalid, attributes[attribute])
	}
	return nil
}

// extension reads an extension attribute: a string, a boolean or a 32-bit
// integer, under a name of lower-case letters and digits.
func (d *decoder) extension(name string, value []byte) error {
	e := d.event
	if !isAttributeName(name) {
		return fmt.Errorf("%w: attribute name %q", ErrInvalid, name)
	}
	if _, twice := e.Extensions[name]; twice {
		return fmt.Errorf("%w: %s twice", ErrInvalid, name)
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	switch n := v.(type) {
	case nil, bool:
	case string:
		if HasLoneSurrogate(value) {
			return fmt.Errorf("%w: %s has half a surrogate pair", ErrInvalid, name)
		}
	case float64:
		if n != math.Trunc(n) || n < math.MinInt32 || n > math.MaxInt32 {
			return fmt.Errorf("%w: %s: not a 32-bit integer", ErrInvalid, name)
		}
		v = int32(n)
	default:
		return fmt.Errorf("%w: %s: neither text, boolean nor 32-bit integer", ErrInvalid, name)
	}
	if e.Extensions == nil {
		e.Extensions = make(map[string]any)
	}
	e.Extensions[name] = v
	return nil
}

// isClean reports whether s is UTF-8 without control characters and without
// white space at either end.
func isClean(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return strings.TrimSpace(s) == s && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
		}
	}
	return true
}

// isText reports whether s is UTF-8 without control characters, and not blank.
func isText(s string) bool {
	return strings.TrimSpace(s) != "" && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// IsID reports whether s can be the id or subject of an event.
func IsID(s string) bool { return s != "" && isClean(s) }

func isAttributeName(name string) bool { return isWord(name) && !strings.Contains(name, "_") }

// isReserved reports whether an attribute has a place of its own.
func isReserved(name string) bool {
	for _, a := range attributes {
		if a == name {
			return true
		}
	}
	return false
}

// interned holds what most events have in common, so that reading one need
// not make it again.
var interned = func() map[string]string {
	m := make(map[string]string)
	for _, s := range []string{"1.0", mediaJSON, string(OriginWebhook), string(OriginAPI), string(OriginImport), string(OriginCommand)} {
		m[s] = s
	}
	for _, t := range types {
		m[t.Name] = t.Name
		id := SchemaID(t.Name)
		m[id] = id
	}
	return m
}()

// check holds the attributes against the CloudEvents specification. The SDK
// does the same, at many times the cost.
func (e *Event) check() error {
	for _, a := range [...]struct {
		name, value string
		optional    bool
	}{{"id", e.ID, false}, {"source", e.Source, false}, {"type", e.Type, false}, {"subject", e.Subject, true}} {
		if a.value == "" && !a.optional {
			return fmt.Errorf("%w: %s is missing", ErrInvalid, a.name)
		}
		if !isClean(a.value) && (a.name == "type" || !isText(a.value)) {
			return fmt.Errorf("%w: %s %q has spaces around it or is blank, or has control characters or bytes that are not UTF-8", ErrInvalid, a.name, a.value)
		}
	}
	if system, ok := strings.CutPrefix(e.Source, PluralKitSystemURL); !ok || !isUUID(system) {
		u, err := url.Parse(e.Source)
		if err != nil {
			return fmt.Errorf("%w: source: %w", ErrInvalid, err)
		}
		if u.String() == "" { // such as "//" and "#"
			return fmt.Errorf("%w: source %q is an empty reference", ErrInvalid, e.Source)
		}
	}
	if _, common := interned[e.DataSchema]; e.DataSchema != "" && !(common && strings.HasPrefix(e.DataSchema, schemaPrefix)) {
		if u, err := url.Parse(e.DataSchema); err != nil || !u.IsAbs() {
			return fmt.Errorf("%w: dataschema %q is no absolute URI", ErrInvalid, e.DataSchema)
		}
	}
	if year := e.Time.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("%w: time: year %d", ErrInvalid, year)
	}
	return e.checkData()
}

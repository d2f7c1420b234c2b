package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ContentType is the media type of an encoded event: CloudEvents JSON in
// structured mode.
const ContentType = "application/cloudevents+json"

// timeLayout has a fixed width, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// FormatTime writes a time as events carry it: RFC 3339, UTC, microseconds.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// MarshalJSON encodes the event in structured mode. Equal events give equal
// bytes; data is copied as it is, not parsed.
func (e Event) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 512+len(e.Data))
	b = append(b, `{"specversion":"1.0"`...)
	b = appendText(b, "id", e.ID)
	b = appendText(b, "source", e.Source)
	b = appendText(b, "type", e.Type)
	if e.Subject != "" {
		b = appendText(b, "subject", e.Subject)
	}
	if !e.Time.IsZero() {
		b = appendText(b, "time", FormatTime(e.Time))
	}
	if e.DataSchema != "" {
		b = appendText(b, "dataschema", e.DataSchema)
	}
	if e.Data != nil {
		b = append(b, `,"datacontenttype":"application/json"`...)
	}
	if e.Origin != "" {
		b = appendText(b, "origin", string(e.Origin))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		v, err := json.Marshal(e.Extensions[name])
		if err != nil {
			return nil, fmt.Errorf("%w: extension %s: %w", ErrInvalid, name, err)
		}
		b = append(b, `,"`...)
		b = append(b, name...)
		b = append(b, `":`...)
		b = append(b, v...)
	}
	if e.Data != nil {
		b = append(b, `,"data":`...)
		b = append(b, e.Data...)
	}
	return append(b, '}'), nil
}

func appendText(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	v, err := json.Marshal(value)
	if err != nil {
		panic("schemas: a string that is no JSON: " + err.Error())
	}
	return append(b, v...)
}

// UnmarshalJSON reads an event in structured mode. It is strict about the
// envelope (every fault is ErrInvalid) and does not look into data. Route is
// left empty: it comes from the subject.
func (e *Event) UnmarshalJSON(body []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	*e = Event{}
	var version, contentType, when, origin string
	texts := map[string]*string{
		"specversion": &version, "id": &e.ID, "source": &e.Source, "type": &e.Type,
		"subject": &e.Subject, "time": &when, "dataschema": &e.DataSchema,
		"datacontenttype": &contentType, "origin": &origin,
	}
	for name, raw := range members {
		if name == "data" {
			e.Data = raw
			continue
		}
		if bytes.Equal(raw, []byte("null")) {
			continue // an attribute that is null is not set
		}
		if to, known := texts[name]; known {
			if err := json.Unmarshal(raw, to); err != nil {
				return fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
			}
			continue
		}
		value, err := extension(name, raw)
		if err != nil {
			return err
		}
		if e.Extensions == nil {
			e.Extensions = make(map[string]any)
		}
		e.Extensions[name] = value
	}
	e.Origin = Origin(origin)
	if version != "1.0" {
		return fmt.Errorf("%w: specversion %q, want 1.0", ErrInvalid, version)
	}
	if e.ID == "" || e.Source == "" || e.Type == "" {
		return fmt.Errorf("%w: id, source or type is missing", ErrInvalid)
	}
	if when != "" {
		t, err := time.Parse(time.RFC3339Nano, when)
		if err != nil {
			return fmt.Errorf("%w: time: %w", ErrInvalid, err)
		}
		e.Time = t.UTC().Truncate(time.Microsecond)
	}
	return nil
}

// extension reads the value of an extension attribute: a string, a boolean
// or a 32-bit integer, under a name of lower-case letters and digits.
func extension(name string, raw json.RawMessage) (any, error) {
	if name == "data_base64" {
		return nil, fmt.Errorf("%w: data_base64: the data of an event must be JSON", ErrInvalid)
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return nil, fmt.Errorf("%w: attribute name %q", ErrInvalid, name)
		}
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, name, err)
	}
	switch v := v.(type) {
	case string, bool:
		return v, nil
	case float64:
		if n := int32(v); float64(n) == v {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%w: %s: neither text, boolean nor 32-bit integer", ErrInvalid, name)
}

// ParseMessage reads a stored message back into an event: the body, and the
// route from the subject.
func ParseMessage(m Message) (Event, error) {
	var e Event
	if err := e.UnmarshalJSON(m.Body); err != nil {
		return e, err
	}
	route, err := ParseSubject(m.Subject)
	if err != nil {
		return e, err
	}
	e.Route = route
	return e, nil
}

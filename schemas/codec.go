package schemas

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// ContentType is the media type of an encoded event: CloudEvents JSON in
// structured mode.
const ContentType = "application/cloudevents+json"

// timeLayout has a fixed width, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// FormatTime writes a time as events carry it: RFC 3339, UTC, microseconds.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// MarshalJSON encodes the event in structured mode, on one line. Equal events
// give equal bytes; data is copied as it is, but for line breaks between
// values. An event that UnmarshalJSON would refuse is ErrInvalid, so what was
// stored can be read.
func (e Event) MarshalJSON() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
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
	if e.Data != nil || e.Binary != nil {
		b = appendText(b, "datacontenttype", e.mediaType())
	}
	if e.Origin != "" {
		b = appendText(b, "origin", string(e.Origin))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extensions)) {
		var err error
		if b, err = appendExtension(b, name, e.Extensions[name]); err != nil {
			return nil, err
		}
	}
	if e.Data != nil {
		data, err := oneLine(e.Data)
		if err != nil {
			return nil, err
		}
		b = append(b, `,"data":`...)
		b = append(b, data...)
	}
	if e.Binary != nil {
		b = append(b, `,"data_base64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, e.Binary), '"')
	}
	return append(b, '}'), nil
}

// oneLine checks that data is JSON and takes the line breaks out: an event is
// a line wherever events are lines. In JSON a line break is never in a string.
func oneLine(data []byte) ([]byte, error) {
	if !IsJSON(data, maxDepth-1) { // the envelope is a level, too
		return nil, fmt.Errorf("%w: the data of an event must be JSON", ErrInvalid)
	}
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 {
		return data, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return nil, fmt.Errorf("%w: data: %w", ErrInvalid, err)
	}
	return b.Bytes(), nil
}

func appendText(b []byte, name, value string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	if isPlain(value) {
		b = append(b, '"')
		b = append(b, value...)
		return append(b, '"')
	}
	v, err := json.Marshal(value)
	if err != nil {
		panic("schemas: a string that is no JSON: " + err.Error())
	}
	return append(b, v...)
}

// isPlain reports whether json.Marshal would put s between quotes and change
// nothing.
func isPlain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

func appendExtension(b []byte, name string, value any) ([]byte, error) {
	if !isAttributeName(name) || isReserved(name) {
		return nil, fmt.Errorf("%w: extension attribute name %q", ErrInvalid, name)
	}
	switch v := value.(type) {
	case string:
		return appendText(b, name, v), nil
	case bool:
		return strconv.AppendBool(append(append(append(b, `,"`...), name...), `":`...), v), nil
	case int32:
		return strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), int64(v), 10), nil
	}
	return nil, fmt.Errorf("%w: %s: neither text, boolean nor 32-bit integer", ErrInvalid, name)
}

// ParseMessage reads a stored message back into an event: the body, and the
// route from the subject. Data is a part of the body, which must not be changed.
func ParseMessage(m Message) (Event, error) {
	var e Event
	if err := e.read(m.Body); err != nil {
		return e, err
	}
	route, err := ParseSubject(m.Subject)
	if err != nil {
		return e, err
	}
	e.Route = route
	return e, nil
}

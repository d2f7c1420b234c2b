package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind is what a field's value is.
type Kind int

// The kinds of fields.
const (
	Text Kind = iota // a JSON string
	Bool             // true or false
	Int              // a whole number
	Time             // an ISO 8601 timestamp; read as microseconds since 1970
	List             // a JSON array, kept as JSON
)

// Field is one member of a provider's object. PluralKit sends patches: a key
// that is absent is unchanged, a key that is null is cleared.
type Field struct {
	Name string
	Kind Kind
	Null bool   // may be null
	In   string // the member that holds it, if not the object itself: "privacy". One list has at most one such
}

// Object is a JSON object whose members are read one by one, by name.
type Object map[string]json.RawMessage

// Value is a field that was present, with what it was set to: nil if it was
// cleared, else string (Text, List), int64 (Int, Time) or bool.
type Value struct {
	Field *Field
	Value any
}

// DecodeFields reads those of the fields that are present in data, in the
// order of fields; of a member that is there twice, the last. Data that is null
// or absent has none. A wrong type is ErrInvalid; members that are not in fields
// are fine.
//
// It walks over data once and makes no map of it: most of a rebuild is this.
func DecodeFields(typ string, data json.RawMessage, fields []Field) ([]Value, error) {
	if len(data) == 0 || IsNull(data) {
		return nil, nil
	}
	values, err := readFields(data, fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", typ, err)
	}
	return values, nil
}

// maxFields is how many fields readFields finds room for without asking for
// memory.
const maxFields = 48

func readFields(data []byte, fields []Field) ([]Value, error) {
	var room [maxFields]span
	found := append(room[:0], make([]span, len(fields))...)
	in, inner, err := find(data, "", fields, found)
	if err == nil && inner.there() && !IsNull(inner.of(data)) {
		begin := inner.begin
		if _, _, err = find(inner.of(data), in, fields, found); err != nil {
			err = fmt.Errorf("%s: %w", in, err)
		}
		for i := range fields {
			if fields[i].In != "" && found[i].there() {
				found[i].begin, found[i].end = found[i].begin+begin, found[i].end+begin
			}
		}
	}
	if err != nil {
		return nil, err
	}
	n := 0
	for _, at := range found {
		if at.there() {
			n++
		}
	}
	text := string(data) // one copy, that all texts are parts of
	values := make([]Value, 0, n)
	for i, at := range found {
		if !at.there() {
			continue
		}
		v, err := fields[i].decode(text[at.begin:at.end])
		if err != nil {
			return nil, err
		}
		values = append(values, Value{Field: &fields[i], Value: v})
	}
	return values, nil
}

// span is where a value is in the text. The zero span: it is not there.
type span struct{ begin, end int }

func (s span) there() bool           { return s.end > 0 }
func (s span) of(text []byte) []byte { return text[s.begin:s.end] }

// find finds the values of those fields that are in the member in (empty: in
// the object itself), and in the object itself also where the member is that
// holds the others.
func find(object []byte, in string, fields []Field, found []span) (held string, inner span, err error) {
	for i := range fields {
		if fields[i].In != in {
			held = fields[i].In
		}
	}
	s := Scanner{Text: object}
	next := 0 // members mostly come in the order of fields
members:
	for s.Object(); s.Next(); {
		name := s.Name
		if bytes.IndexByte(name, '\\') >= 0 {
			plain, err := unquote(name)
			if err != nil {
				return "", span{}, err
			}
			name = []byte(plain)
		}
		at := span{s.Offset() - len(s.Value), s.Offset()}
		for range fields {
			if next == len(fields) {
				next = 0
			}
			f := &fields[next]
			next++
			if f.In == in && f.Name == string(name) {
				found[next-1] = at
				continue members
			}
		}
		if in == "" && held != "" && string(name) == held {
			inner = at
		}
	}
	return held, inner, s.Err()
}

// Fields reads those of the fields that are present in the object.
func (o Object) Fields(fields []Field) ([]Value, error) {
	values := make([]Value, 0, min(len(o), len(fields)))
	inner := map[string]Object{}
	for i := range fields {
		f, from := &fields[i], o
		if f.In != "" {
			nested, seen := inner[f.In]
			if !seen {
				if raw, present := o[f.In]; present && !IsNull(raw) {
					if err := json.Unmarshal(raw, &nested); err != nil {
						return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.In, err)
					}
				}
				inner[f.In] = nested
			}
			from = nested
		}
		raw, present := from[f.Name]
		if !present {
			continue
		}
		v, err := f.decode(string(raw))
		if err != nil {
			return nil, err
		}
		values = append(values, Value{Field: f, Value: v})
	}
	return values, nil
}

// Text reads a member that is a string; absent and null are empty.
func (o Object) Text(name string) (string, error) {
	raw, present := o[name]
	if !present || IsNull(raw) {
		return "", nil
	}
	v, err := (&Field{Name: name}).decode(string(raw))
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

// decode reads a raw value: JSON, without space around it.
func (f *Field) decode(raw string) (any, error) {
	if raw == "null" {
		if !f.Null {
			return nil, fmt.Errorf("%w: %s: null", ErrInvalid, f.Name)
		}
		return nil, nil
	}
	if v, plain := f.plain(raw); plain {
		return v, nil
	}
	var err error
	switch f.Kind {
	case Text:
		var v string
		if err = json.Unmarshal([]byte(raw), &v); err == nil {
			return v, nil
		}
	case Bool:
		var v bool
		if err = json.Unmarshal([]byte(raw), &v); err == nil {
			return v, nil
		}
	case Int:
		var v int64
		if err = json.Unmarshal([]byte(raw), &v); err == nil {
			return v, nil
		}
	case Time:
		var v string
		if err = json.Unmarshal([]byte(raw), &v); err == nil {
			us, err := ParseTime(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			return us, nil
		}
	case List:
		var v []json.RawMessage
		if err = json.Unmarshal([]byte(raw), &v); err == nil {
			var b bytes.Buffer
			if err := json.Compact(&b, []byte(raw)); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.Name, err)
			}
			return b.String(), nil
		}
	default:
		panic(fmt.Sprintf("schemas: field %s has kind %d", f.Name, f.Kind))
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.Name, err)
}

// plain reads what nearly every value is, such as text without escapes,
// without the JSON decoder: a message carries some fifty of them.
func (f *Field) plain(raw string) (any, bool) {
	switch f.Kind {
	case Text:
		if text, plain := plainText(raw); plain {
			return text, true
		}
	case Bool:
		switch raw {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	case Int:
		if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
			return n, true
		}
	case Time:
		if text, plain := plainText(raw); plain {
			us, err := ParseTime(text)
			return us, err == nil
		}
	case List:
		// A list that is on one line without a space is compact.
		if raw[0] == '[' && !strings.ContainsAny(raw, " \t\r\n") {
			return raw, true
		}
	}
	return nil, false
}

// plainText is what stands between the quotes, if it has no escapes.
func plainText(raw string) (string, bool) {
	n := len(raw)
	if n < 2 || raw[0] != '"' || raw[n-1] != '"' {
		return "", false
	}
	text := raw[1 : n-1]
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\' || c == '"':
			return "", false
		case c >= utf8.RuneSelf:
			return text, utf8.ValidString(text) && !strings.ContainsAny(text[i:], "\\\"")
		}
	}
	return text, true
}

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

// DecodeFields is ReadFields and the values of what is present, in the order of
// fields.
func DecodeFields(typ string, data json.RawMessage, fields []Field) ([]Value, error) {
	f, err := ReadFields(typ, data, fields)
	if err != nil {
		return nil, err
	}
	var values []Value
	for i := range fields {
		if f.Has(i) {
			values = append(values, Value{Field: &fields[i], Value: f.Value(i)})
		}
	}
	return values, nil
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

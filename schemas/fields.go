package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	In   string // the member that holds it, if not the object itself: "privacy"
}

// Object is a JSON object whose members are read one by one, by name.
type Object map[string]json.RawMessage

// Value is a field that was present, with what it was set to: nil if it was
// cleared, else string (Text, List), int64 (Int, Time) or bool.
type Value struct {
	Field Field
	Value any
}

// DecodeFields reads those of the fields that are present in data, in the
// order of fields. Data that is null or absent has none. A wrong type is
// ErrInvalid; members that are not in fields are fine.
func DecodeFields(typ string, data json.RawMessage, fields []Field) ([]Value, error) {
	if len(data) == 0 || isNull(data) {
		return nil, nil
	}
	var object Object
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, typ, err)
	}
	values, err := object.Fields(fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", typ, err)
	}
	return values, nil
}

// Fields reads those of the fields that are present in the object.
func (o Object) Fields(fields []Field) ([]Value, error) {
	values := make([]Value, 0, min(len(o), len(fields)))
	inner := map[string]Object{}
	for _, f := range fields {
		from := o
		if f.In != "" {
			nested, seen := inner[f.In]
			if !seen {
				if raw, present := o[f.In]; present && !isNull(raw) {
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
		v, err := f.decode(raw)
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
	if !present || isNull(raw) {
		return "", nil
	}
	v, err := Field{Name: name}.decode(raw)
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

func (f Field) decode(raw json.RawMessage) (any, error) {
	if isNull(raw) {
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
		if err = json.Unmarshal(raw, &v); err == nil {
			return v, nil
		}
	case Bool:
		var v bool
		if err = json.Unmarshal(raw, &v); err == nil {
			return v, nil
		}
	case Int:
		var v int64
		if err = json.Unmarshal(raw, &v); err == nil {
			return v, nil
		}
	case Time:
		var v string
		if err = json.Unmarshal(raw, &v); err == nil {
			us, err := ParseTime(v)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			return us, nil
		}
	case List:
		var v []json.RawMessage
		if err = json.Unmarshal(raw, &v); err == nil {
			var b bytes.Buffer
			if err := json.Compact(&b, raw); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.Name, err)
			}
			return b.String(), nil
		}
	default:
		panic(fmt.Sprintf("schemas: field %s has kind %d", f.Name, f.Kind))
	}
	return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, f.Name, err)
}

// plain reads what nearly every value is, text without escapes or a boolean,
// without the JSON decoder: a message carries some fifty of them.
func (f Field) plain(raw json.RawMessage) (any, bool) {
	switch f.Kind {
	case Text:
		if n := len(raw); n >= 2 && raw[0] == '"' && raw[n-1] == '"' {
			if text := raw[1 : n-1]; !bytes.ContainsAny(text, "\\\"") && utf8.Valid(text) {
				return string(text), true
			}
		}
	case Bool:
		switch string(raw) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	return nil, false
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(raw, []byte("null")) }

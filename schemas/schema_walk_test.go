package schemas

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sample returns the data of the longest example of a type, to be changed.
func (c contractTest) sample(t *testing.T, typ string) object {
	t.Helper()
	var longest Event
	for _, x := range Examples(typ) {
		var e Event
		if err := e.UnmarshalJSON(x.Body); err != nil {
			t.Fatal(err)
		}
		if len(e.Data) > len(longest.Data) {
			longest = e
		}
	}
	if longest.Data == nil || IsNull(longest.Data) {
		return object{}
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(longest.Data))
	if err != nil {
		t.Fatal(err)
	}
	return v.(object)
}

func (c contractTest) valid(t *testing.T, name string, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = c.compiled[name].Validate(v)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, body)
	}
}

// properties collects the members a schema names, also in what it refers to.
func (c contractTest) properties(t *testing.T, in string, schema object) object {
	t.Helper()
	all := object{}
	if ref, ok := schema["$ref"].(string); ok {
		id, pointer, _ := strings.Cut(ref, "#/$defs/")
		if id != "" {
			in = strings.TrimSuffix(strings.TrimPrefix(id, schemaPrefix), ":1")
		}
		definitions, _ := c.document[in]["$defs"].(object)
		to, ok := definitions[pointer].(object)
		if !ok {
			t.Fatalf("%s refers to %s, which is not there", in, ref)
		}
		maps.Copy(all, c.properties(t, in, to))
	}
	for _, part := range slice(schema["allOf"]) {
		maps.Copy(all, c.properties(t, in, part.(object)))
	}
	properties, _ := schema["properties"].(object)
	for name, p := range properties {
		if p, ok := p.(object); ok { // a reference is relative to where it stands
			if ref, ok := p["$ref"].(string); ok && strings.HasPrefix(ref, "#") {
				all[name] = object{"$ref": SchemaID(in) + ref}
				continue
			}
		}
		all[name] = p
	}
	return all
}

// alternative is the schema of what may be null besides.
func alternative(schema object) object {
	for _, one := range slice(schema["anyOf"]) {
		if one := one.(object); one["type"] != "null" {
			return one
		}
	}
	return schema
}

// fieldOf is the field that a property describes.
func fieldOf(t *testing.T, name, in string, schema object) Field {
	t.Helper()
	f := Field{Name: name, In: in}
	kind := schema["type"]
	if both := slice(kind); len(both) == 2 && both[1] == "null" {
		f.Null = true
		kind = both[0]
	}
	switch {
	case kind == "string" && schema["format"] == "date-time":
		f.Kind = Time
	case kind == "string":
		f.Kind = Text
	case kind == "boolean":
		f.Kind = Bool
	case kind == "integer":
		f.Kind = Int
	case kind == "array":
		f.Kind = List
	default:
		t.Errorf("%s: type %v is no kind of field", name, kind)
	}
	return f
}

func slice(v any) []any {
	s, _ := v.([]any)
	return s
}

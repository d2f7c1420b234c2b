package schemas

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Each schema that is handed out can be used without the others.
func TestSchemaStandsAlone(t *testing.T) {
	for _, typ := range Types() {
		schema, ok := Schema(SchemaID(typ.Name))
		if !ok {
			t.Fatalf("%s has no schema", typ.Name)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
		if err != nil {
			t.Fatalf("%s: %v\n%s", typ.Name, err, schema)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(SchemaID(typ.Name), document); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Compile(SchemaID(typ.Name)); err != nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
}

package schemas_test

import (
	"bufio"
	"bytes"
	"fmt"

	"switchlog/schemas"
)

// A program reads events as lines (switchlog replay --out FILE writes them so)
// and picks what it understands; the rest it may ignore.
func Example() {
	var lines bytes.Buffer
	for _, typ := range []string{schemas.PKMemberCreate, schemas.PKSwitchCreate, schemas.PKSwitchDelete} {
		lines.Write(schemas.Examples(typ)[0].Body)
		lines.WriteByte('\n')
	}

	in := bufio.NewScanner(&lines)
	in.Buffer(nil, 1<<20) // a line may be longer than the 64 KiB a Scanner takes
	for in.Scan() {
		var e schemas.Event
		if err := e.UnmarshalJSON(in.Bytes()); err != nil {
			panic(err)
		}
		switch e.Type {
		case schemas.PKSwitchCreate:
			s, err := schemas.Decode[schemas.PKSwitch](e)
			if err != nil {
				panic(err)
			}
			fmt.Printf("switch %s at %s: %d front\n", s.ID, *s.Timestamp, len(*s.Members))
		case schemas.PKSwitchDelete:
			fmt.Printf("switch %s deleted\n", e.Subject)
		}
	}
	if err := in.Err(); err != nil {
		panic(err)
	}
	// Output:
	// switch c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01 at 2025-11-28T17:01:44.271093Z: 2 front
	// switch c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01 deleted
}

// PluralKit sends what changed: an absent member is unchanged, a null one was
// cleared. DecodeFields tells them apart.
func ExampleDecodeFields() {
	data := []byte(`{"display_name":null,"color":"3a7d44","privacy":{"visibility":"private"},"brand_new":1}`)
	changed, err := schemas.DecodeFields(schemas.PKMemberUpdate, data, schemas.PKMemberFields)
	if err != nil {
		panic(err)
	}
	for _, v := range changed {
		fmt.Println(v.Field.Name, "=", v.Value)
	}
	// Output:
	// display_name = <nil>
	// color = 3a7d44
	// visibility = private
}

// An event that came in a file has no subject; its attributes say where it
// belongs.
func ExampleRouteOf() {
	var e schemas.Event
	if err := e.UnmarshalJSON(schemas.Examples(schemas.PKSwitchCreate)[0].Body); err != nil {
		panic(err)
	}
	route, err := schemas.RouteOf(e)
	if err != nil {
		panic(err)
	}
	fmt.Println(route.EventSubject())
	// Output:
	// events.pluralkit.7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311.switch.create
}

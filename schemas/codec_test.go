package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"pgregory.net/rapid"
)

// eachEvent runs f on 5,000 random events.
func eachEvent(t *testing.T, f func(*rapid.T, Event)) {
	t.Helper()
	events := rapid.SliceOfN(rapid.Custom(drawEvent), 60, 60) // of each of 100 runs
	rapid.Check(t, func(t *rapid.T) {
		for _, e := range events.Draw(t, "events") {
			f(t, e)
		}
	})
}

// drawEvent makes an event that is right.
func drawEvent(t *rapid.T) Event {
	text := rapid.String().Filter(func(s string) bool { return s != "" && isClean(s) })
	e := Event{
		ID: text.Draw(t, "id"),
		Source: rapid.OneOf(
			rapid.Just(PluralKitSystemURL+exampleSystem),
			rapid.SampledFrom([]string{SelfURI, "https://discord.com/api/applications/1150000000000000009", "/relative", "a b", "a?q=%3C#f"}),
			rapid.StringMatching(`https://[a-z]{1,9}\.example/[a-zA-Z0-9._~-]{0,9}`),
		).Draw(t, "source"),
		Type:    text.Draw(t, "type"),
		Subject: rapid.OneOf(rapid.Just(""), text).Draw(t, "subject"),
		DataSchema: rapid.OneOf(
			rapid.SampledFrom([]string{"", SchemaID(PKSwitchCreate), "https://example.org/schema#x"}),
			rapid.StringMatching(`urn:[a-z]{2,9}:[a-z0-9:]{1,9}`),
		).Draw(t, "dataschema"),
		Origin: rapid.SampledFrom([]Origin{"", OriginWebhook, OriginAPI, OriginImport, OriginCommand}).Draw(t, "origin"),
	}
	if us := rapid.Int64Range(-62_135_596_799_000_000, 253_402_300_799_999_999).Draw(t, "time"); us%7 != 0 {
		e.Time = time.UnixMicro(us).UTC()
	}
	for range rapid.IntRange(0, 3).Draw(t, "extensions") {
		name := rapid.StringMatching(`[a-z0-9]{1,20}`).Filter(func(s string) bool { return !isReserved(s) }).Draw(t, "name")
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions[name] = rapid.OneOf(
			rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int32().AsAny(),
		).Draw(t, "value")
	}
	drawData(t, &e)
	return e
}

// drawData gives the event data of one of the sorts there are, or none.
func drawData(t *rapid.T, e *Event) {
	switch rapid.IntRange(0, 4).Draw(t, "data") {
	case 0, 1:
		e.Data = drawJSON(t, 3)
		e.DataContentType = rapid.SampledFrom([]string{"", "", "text/json", "Application/JSON", "application/json; charset=utf-8", "application/a+json"}).Draw(t, "type")
	case 2:
		text, err := json.Marshal(rapid.String().Draw(t, "text"))
		if err != nil {
			panic(err) // a string is always JSON
		}
		e.Data = text
		e.DataContentType = rapid.SampledFrom([]string{"text/plain", "application/xml; charset=utf-8", "X/y"}).Draw(t, "type")
	case 3:
		e.Binary = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...)
		e.DataContentType = rapid.SampledFrom([]string{"", "image/png", "application/a+json"}).Draw(t, "type")
	}
}

func drawJSON(t *rapid.T, depth int) json.RawMessage {
	var v any
	kind := rapid.IntRange(0, 3+min(depth, 2)).Draw(t, "kind")
	switch kind {
	case 0:
	case 1:
		v = rapid.Bool().Draw(t, "bool")
	case 2:
		v = rapid.Float64().Draw(t, "number")
	case 3:
		v = rapid.String().Draw(t, "string")
	case 4:
		list := []json.RawMessage{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, drawJSON(t, depth-1))
		}
		v = list
	case 5:
		object := map[string]json.RawMessage{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			object[rapid.String().Draw(t, "name")] = drawJSON(t, depth-1)
		}
		v = object
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", v, err))
	}
	return b
}

func TestCodecRoundTrip(t *testing.T) {
	eachEvent(t, func(t *rapid.T, e Event) {
		body, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var again Event
		if err := again.UnmarshalJSON(body); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("got  %+v\nwant %+v", again, e)
		}
		e.Route, e.Repeats = Route{PluralKit, "t", "n", "v"}, time.Hour // are not encoded
		if second, err := e.MarshalJSON(); err != nil || !bytes.Equal(second, body) || bytes.ContainsAny(body, "\r\n") {
			t.Fatalf("equal events: %v\n got %s\nwant %s", err, second, body)
		}
	})
}

// TestCodecSDK: the SDK reads what we write as we meant it, and we read what
// the SDK writes. JSON of types that the SDK takes for text is left out: those
// in capitals, and those that end in +json.
func TestCodecSDK(t *testing.T) {
	eachEvent(t, func(t *rapid.T, e Event) {
		if e.Data != nil && e.isJSON() && !strings.HasPrefix(e.DataContentType, "application/json") {
			e.DataContentType = ""
		}
		body, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var theirs cloudevents.Event
		if err := theirs.UnmarshalJSON(body); err != nil {
			t.Fatalf("the SDK reads ours: %v\n%s", err, body)
		}
		if err := theirs.Validate(); err != nil {
			t.Fatalf("the SDK judges ours: %v\n%s", err, body)
		}
		same(t, theirs, e)

		ce, err := e.CloudEvent()
		if err != nil {
			t.Fatal(err)
		}
		if body, err = ce.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		var ours Event
		if err := ours.UnmarshalJSON(body); err != nil {
			t.Fatalf("we read the SDK's: %v\n%s", err, body)
		}
		same(t, theirs, ours)
	})
}

// same compares an event with one of the SDK's. The SDK writes URIs its own
// way.
func same(t *rapid.T, got cloudevents.Event, want Event) {
	t.Helper()
	uri := func(s string) string {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u.String()
	}
	if got.ID() != want.ID || got.Type() != want.Type || got.Subject() != want.Subject ||
		got.Source() != uri(want.Source) || got.DataSchema() != uri(want.DataSchema) {
		t.Fatalf("got %v, want %+v", got, want)
	}
	if !got.Time().Equal(want.Time) {
		t.Fatalf("time: got %v, want %v", got.Time(), want.Time)
	}
	extensions := got.Extensions()
	origin, _ := extensions["origin"].(string)
	delete(extensions, "origin")
	if Origin(origin) != want.Origin || len(extensions) != len(want.Extensions) {
		t.Fatalf("extensions: got %v and origin %q, want %v and %q", extensions, origin, want.Extensions, want.Origin)
	}
	for name, value := range want.Extensions {
		if extensions[name] != value {
			t.Fatalf("extension %s: got %#v, want %#v", name, extensions[name], value)
		}
	}
	data, has, err := want.dataBytes()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Data(), data) || has && got.DataContentType() != want.mediaType() || got.DataBase64 != (want.Binary != nil) {
		t.Fatalf("data: got %s %q, base64 %t; want %s %q", got.DataContentType(), got.Data(), got.DataBase64, want.mediaType(), data)
	}
}

// TestCodecRefuses: what the SDK refuses to write, so do we; and what we
// refuse besides is listed here.
func TestCodecRefuses(t *testing.T) {
	good := Event{ID: "1", Source: SelfURI, Type: SourceAdded}
	if _, err := good.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change   func(*Event)
		stricter bool // than the SDK
	}{
		"no id":              {change: func(e *Event) { e.ID = "" }},
		"blank id":           {change: func(e *Event) { e.ID = " \t\n\u00a0" }},
		"no source":          {change: func(e *Event) { e.Source = "" }},
		"source no URI":      {change: func(e *Event) { e.Source = "%zz" }},
		"source broken":      {change: func(e *Event) { e.Source = "http://[::1" }},
		"source nothing":     {change: func(e *Event) { e.Source = "//" }},
		"no type":            {change: func(e *Event) { e.Type = "" }},
		"blank type":         {change: func(e *Event) { e.Type = " " }},
		"dataschema local":   {change: func(e *Event) { e.DataSchema = "a/b" }},
		"dataschema no URI":  {change: func(e *Event) { e.DataSchema = "%zz" }},
		"dataschema control": {change: func(e *Event) { e.DataSchema = schemaPrefix + "\x00" }},
		"dataschema a word":  {change: func(e *Event) { e.DataSchema = string(OriginWebhook) }},
		"extension no name":  {change: func(e *Event) { e.Extensions = map[string]any{"": "x"} }},
		"extension reserved": {change: func(e *Event) { e.Extensions = map[string]any{"time": "x"} }},
		"extension hyphen":   {change: func(e *Event) { e.Extensions = map[string]any{"a-b": "x"} }},
		"extension injects":  {change: func(e *Event) { e.Extensions = map[string]any{`a":1,"b`: "x"} }},
		"extension list":     {change: func(e *Event) { e.Extensions = map[string]any{"a": []string{}} }},

		"blank source":      {func(e *Event) { e.Source = " " }, true},
		"blank subject":     {func(e *Event) { e.Subject = " " }, true}, // the SDK takes it for none
		"space after type":  {func(e *Event) { e.Type += "\u2003" }, true},
		"line break in id":  {func(e *Event) { e.ID = "1\r\nNats-Rollup: all" }, true},
		"control in type":   {func(e *Event) { e.Type = "a\u009fb" }, true},
		"id not UTF-8":      {func(e *Event) { e.ID = "\xff" }, true},
		"extension upper":   {func(e *Event) { e.Extensions = map[string]any{"A": "x"} }, true},
		"extension origin":  {func(e *Event) { e.Extensions = map[string]any{"origin": "x"} }, true},
		"extension float":   {func(e *Event) { e.Extensions = map[string]any{"a": 1.5} }, true},
		"data empty":        {func(e *Event) { e.Data = json.RawMessage{} }, true},
		"data broken":       {func(e *Event) { e.Data = json.RawMessage(`{"a":}`) }, true},
		"data two values":   {func(e *Event) { e.Data = json.RawMessage(`1 2`) }, true},
		"data and binary":   {func(e *Event) { e.Data, e.Binary = json.RawMessage(`1`), []byte{} }, true},
		"data no text":      {func(e *Event) { e.Data, e.DataContentType = json.RawMessage(`"a"`), "text"+"/" }, false},
		"year after 9999":   {func(e *Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, true},
		"year before 0":     {func(e *Event) { e.Time = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, true},
		"data deeply inset": {func(e *Event) { e.Data = nested(maxDepth) }, true},
	} {
		e := good
		c.change(&e)
		if b, err := e.MarshalJSON(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %s, %v, want ErrInvalid", name, b, err)
		}
		if err := e.Validate(); (err == nil) != c.stricter {
			t.Errorf("%s: the SDK says %v, want refused %t", name, err, !c.stricter)
		}
	}
}

func nested(depth int) json.RawMessage {
	return []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
}

// TestUnmarshalRefuses: bodies that are no event of ours.
func TestUnmarshalRefuses(t *testing.T) {
	const good = `{"specversion":"1.0","id":"1","source":"s","type":"t"}`
	with := func(members string) string { return strings.TrimSuffix(good, "}") + "," + members + "}" }
	for _, body := range []string{good, " " + good + "\n", with(`"x":null,"subject":null`), with(`"a":1e3`), with(`"data":null`), with(`"\u0061":"\u0062"`),
		with(`"data_base64":"e30="`), with(`"datacontenttype":"text/plain","data":"x"`), with(`"datacontenttype":"text/plain"`), with(`"datacontenttype":"text/plain","data":null`),
		with(`"data_base64":null,"data":1`), with(`"datacontenttype":"/"`)} {
		var e Event
		if err := e.UnmarshalJSON([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, body := range []string{
		``, ` `, `null`, `[]`, `"x"`, `{`, `{}`, good + `x`, good + good, good[:len(good)-1], `{"id"}`, `{"id":}`, `{"id" "1"}`,
		`{,}`, with(``), with(`"a":"b",`), with(`"a":01`), with(`"a":1.`), with(`"a":.1`), with(`"a":+1`), with(`"a":1e`), with(`"a":nul`),
		with(`"a":"` + "\n" + `"`), with(`"a":"\x"`), with(`"a":"\u12g4"`), with(`"a":"\u12`), with(`'a':1`),
		with(`"id":"1"`), with(`"\u0069d":"1"`), with(`"a":"1","a":"1"`), with(`"a":null,"a":"1"`), with(`"subject":null,"subject":"x"`), with(`"data":1,"data":1`),
		with(`"subject":1`), with(`"subject":" "`), with(`"subject":["x"]`), with(`"time":"yesterday"`), with(`"time":5`),
		with(`"time":"9999-12-31T23:59:59-01:00"`), with(`"dataschema":"x"`), with(`"dataschema":"%zz"`),
		with(`"datacontenttype":"text/plain","data":1`), with(`"datacontenttype":"text/plain","data":{}`), with(`"datacontenttype":"/","data":1`),
		with(`"datacontenttype":" text/plain","data":"x"`), with(`"datacontenttype":"text/plain","data":"x","data_base64":"eA=="`),
		with(`"data_base64":"e30=","data":null`), with(`"data_base64":"e30"`), with(`"data_base64":"*"`), with(`"data_base64":1`),
		with(`"data_base64":"e30=","data_base64":"e30="`), with(`"data_base64":null,"data_base64":"e30="`),
		with(`"A":"x"`), with(`"a_b":"x"`), with(`"":"x"`), with(`"é":"x"`), with(`"A":null`),
		with(`"a":1.5`), with(`"a":2147483648`), with(`"a":-2147483649`), with(`"a":1e400`), with(`"a":{}`), with(`"a":[]`),
		with(`"data":{"a":}`), with(`"data":[1,]`), with(`"data":{"a":1,}`), with(`"data":{1:1}`), with(`"data":` + string(nested(maxDepth))),
		strings.Replace(good, `"1.0"`, `"0.3"`, 1), strings.Replace(good, `"1.0"`, `1.0`, 1), strings.Replace(good, `"1.0"`, `null`, 1),
		strings.Replace(good, `"s"`, `" "`, 1), strings.Replace(good, `"s"`, `"%zz"`, 1), strings.Replace(good, `"id":"1",`, ``, 1),
	} {
		var e Event
		if err := e.UnmarshalJSON([]byte(body)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%.200s: got %v, want ErrInvalid", body, err)
		}
	}
	var e Event
	if err := e.UnmarshalJSON([]byte(with(fmt.Sprintf(`"a":%d,"b":%d,"data":%s`, math.MaxInt32, math.MinInt32, nested(maxDepth-1))))); err != nil {
		t.Error(err)
	}
	if want := (map[string]any{"a": int32(math.MaxInt32), "b": int32(math.MinInt32)}); !reflect.DeepEqual(e.Extensions, want) {
		t.Errorf("got %v, want %v", e.Extensions, want)
	}
}

// TestDataIsItsOwn: an event keeps nothing of the bytes it was read from.
func TestDataIsItsOwn(t *testing.T) {
	body := bytes.Clone(Examples(PKSwitchCreate)[0].Body)
	var e Event
	if err := e.UnmarshalJSON(body); err != nil {
		t.Fatal(err)
	}
	want := string(e.Data)
	for i := range body {
		body[i] = 'x'
	}
	if string(e.Data) != want || e.Type != PKSwitchCreate {
		t.Errorf("got %s of %s, want %s", e.Data, e.Type, want)
	}
}

// TestOneLine: line breaks between values go, those in strings stay.
func TestOneLine(t *testing.T) {
	e := Event{ID: "1", Source: "s", Type: "t", Data: json.RawMessage("\n{\r\n \"a\": \"b\\n c\" }")}
	got, err := e.MarshalJSON()
	want := `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"application/json","data":{"a":"b\n c"}}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for name, typ := range map[string]string{"message": PKMessageCreate, "switch": PKSwitchCreate} {
		body := Examples(typ)[0].Body
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				var e Event
				if err := e.UnmarshalJSON(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMarshal(b *testing.B) {
	for name, typ := range map[string]string{"message": PKMessageCreate, "switch": PKSwitchCreate} {
		var e Event
		if err := e.UnmarshalJSON(Examples(typ)[0].Body); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.MarshalJSON(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package schemas

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzScan holds the scanner against encoding/json: both accept the same.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		``, ` 1 `, `-0.5e+10`, `-`, `01`, `1e`, `"\ud800é\/\u00Ff"`, "\"\x1f\"", "\"\xff\"", `"\u`, `tru`, `nullx`, `[1,[],{}]`, `[1,]`, `{"a":[{"b":null}]}`, `{"a" 1}`, `{,}`,
		string(nested(100)),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := IsJSON(text, 0), json.Valid(text); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	})
}

// FuzzUnmarshal holds UnmarshalJSON against a slow one on top of
// encoding/json; and what was read can be written and read again.
func FuzzUnmarshal(f *testing.F) {
	for _, typ := range types {
		f.Add(Examples(typ.Name)[0].Body)
	}
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","a":-1,"b":true,"c":null,"\u0064ata":[ 1 , {"x":"\n"} ] }`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","id":"1","time":"2025-11-28T17:01:44+01:00","datacontenttype":"a/b+json"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain; charset=utf-8","data":"a\u0000\"b"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"image/png","data_base64":"AP\u002f/"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":null,"data":null,"datacontenttype":"text/xml"}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"","data":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got Event
		err := got.UnmarshalJSON(body)
		want, wantErr := slowUnmarshal(body)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, want %v", body, err, wantErr)
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: %v is not ErrInvalid", body, err)
			}
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\n got %+v\nwant %+v", body, got, want)
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("%q: the SDK says %v", body, err)
		}
		again, err := got.MarshalJSON()
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var second Event
		if err := second.UnmarshalJSON(again); err != nil {
			t.Fatalf("%q, written as %q: %v", body, again, err)
		}
		if third, err := second.MarshalJSON(); err != nil || !bytes.Equal(third, again) {
			t.Fatalf("%v\n got %q\nwant %q", err, third, again)
		}
	})
}

// slowUnmarshal reads an event by means of encoding/json alone.
func slowUnmarshal(body []byte) (Event, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return Event{}, err
	}
	if err := namedOnce(body); err != nil {
		return Event{}, err
	}
	var e Event
	var version, contentType, when string
	texts := map[string]*string{
		"specversion": &version, "id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject, "time": &when,
		"dataschema": &e.DataSchema, "datacontenttype": &contentType, "origin": (*string)(&e.Origin),
	}
	for name, raw := range members {
		var v any
		if name == "data_base64" {
			if err := slowBinary(raw, &e); err != nil {
				return e, err
			}
			continue
		}
		if name != "data" {
			if err := json.Unmarshal(raw, &v); err != nil {
				return e, err
			}
		}
		to := texts[name]
		switch v := v.(type) {
		case nil:
			if name == "data" {
				e.Data = raw
			} else if to == nil && !isAttributeName(name) {
				return e, fmt.Errorf("attribute %q", name)
			}
			continue
		case string:
			if to != nil {
				*to = v
				continue
			}
		}
		if to != nil || !isAttributeName(name) {
			return e, fmt.Errorf("attribute %q", name)
		}
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		switch v := v.(type) {
		case string, bool:
			e.Extensions[name] = v
		case float64:
			var n int32
			if json.Unmarshal([]byte(fmt.Sprintf("%.0f", v)), &n) != nil || float64(n) != v {
				return e, fmt.Errorf("extension %s is %v", name, v)
			}
			e.Extensions[name] = n
		default:
			return e, fmt.Errorf("extension %s is %T", name, v)
		}
	}
	if version != "1.0" {
		return e, fmt.Errorf("version %q", version)
	}
	if when != "" {
		t, err := time.Parse(time.RFC3339Nano, when)
		if err != nil {
			return e, err
		}
		e.Time = t.UTC().Truncate(time.Microsecond)
	}
	isJSON := contentType == ""
	if media, _, err := mime.ParseMediaType(contentType); err == nil {
		isJSON = media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
	}
	var data any
	if e.Data != nil {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return e, err
		}
	}
	if data == nil && !isJSON {
		e.Data = nil
	}
	if _, text := data.(string); e.Data != nil && !isJSON && !text {
		return e, fmt.Errorf("data is %T", data)
	}
	if contentType != "application/json" && (e.Data != nil || e.Binary != nil) {
		e.DataContentType = contentType
	}
	return e, e.check()
}

func slowBinary(raw json.RawMessage, e *Event) error {
	var text *string
	err := json.Unmarshal(raw, &text)
	if err == nil && text != nil {
		e.Binary, err = base64.StdEncoding.DecodeString(*text)
	}
	return err
}

// namedOnce refuses an object that names a member twice.
func namedOnce(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return fmt.Errorf("begins with %v: %w", first, err)
	}
	seen := map[any]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil || seen[name] {
			return fmt.Errorf("%v twice: %w", name, err)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// readAsDecoded: fields are the same whether the text or the decoded object is read; and
// each is its own value, and no other field's.
func readAsDecoded(t *testing.T, object Object, data []byte, fields []Field) {
	t.Helper()
	here, err := ReadFields("t", data, fields)
	there, slow := object.Read(fields)
	if err != nil || slow != nil {
		t.Fatalf("%q: %v, %v", data, err, slow)
	}
	for i := range fields {
		if here.Has(i) != there.Has(i) {
			t.Fatalf("%q: %s: only one has it", data, fields[i].Name)
		}
		for j := range fields {
			if !here.Has(i) || !there.Has(j) {
				continue
			}
			value := there.Value(j)
			if on, is := value.(bool); is {
				value = map[bool]int64{true: 1}[on]
			}
			same := here.Value(i) == there.Value(j)
			if i == j && !same || fields[i].Kind == fields[j].Kind && here.Is(i, value) != same {
				t.Fatalf("%q: %s is %v, %s is %v", data, fields[i].Name, here.Value(i), fields[j].Name, there.Value(j))
			}
		}
	}
}

// FuzzDecodeFields: values are of the kind their field says, or the data is
// ErrInvalid.
func FuzzDecodeFields(f *testing.F) {
	lists := make([][]Field, len(patches))
	for i, p := range patches {
		lists[i] = p.fields
		for _, x := range Examples(p.typ) {
			var e Event
			if err := e.UnmarshalJSON(x.Body); err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), []byte(e.Data))
		}
	}
	for _, odd := range []string{`{"name":null,"privacy":{"name_privacy":1}}`, `{"privacy":1}`, `{"privacy":null,"name":"a"}`,
		`{"name":1,"name":"b"}`, `{"privacy":3,"privacy":{"name_privacy":"x","name_privacy":"y"}}`, `{"n\u0061me":"a"}`, `{"name":"a\"b","tag":"a\\"}`, `{"privacy":{"name_privacy":"x"},"privacy":null}`, `{"privacy":{"name_privacy":"x"},"privacy":{}}`, `[]`, `{} {}`, ` {"name" : "x" } `} {
		f.Add(uint8(0), []byte(odd))
	}
	f.Fuzz(func(t *testing.T, list uint8, data []byte) {
		fields := lists[int(list)%len(lists)]
		values, err := DecodeFields("t", data, fields)
		if len(data) > 0 && !IsNull(data) {
			var object Object // by the decoder, and a map
			slow := json.Unmarshal(data, &object)
			var want []Value
			if slow == nil && object != nil {
				want, slow = object.Fields(fields)
			}
			if (err == nil) != (slow == nil) && !(object == nil && slow == nil) || err == nil && !slices.Equal(values, want) {
				t.Fatalf("%q: got %+v, %v, want %+v, %v", data, values, err, want, slow)
			}
			if err == nil && object != nil {
				readAsDecoded(t, object, data, fields)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrInvalid) || values != nil {
				t.Fatalf("%q: %v, %v", data, values, err)
			}
			return
		}
		next := 0
		for _, v := range values {
			for next < len(fields) && &fields[next] != v.Field { // in the order of fields
				next++
			}
			if next == len(fields) {
				t.Fatalf("%q: %+v is out of order", data, v)
			}
			right := false
			switch got := v.Value.(type) {
			case nil:
				right = v.Field.Null
			case string:
				right = v.Field.Kind == Text || v.Field.Kind == List && json.Valid([]byte(got)) && got[0] == '['
			case int64:
				right = v.Field.Kind == Int || v.Field.Kind == Time
			case bool:
				right = v.Field.Kind == Bool
			}
			if !right {
				t.Fatalf("%q: %+v", data, v)
			}
		}
	})
}

// FuzzParseSubject: a subject that is accepted is the one its route makes.
func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{
		"log.events.pluralkit.7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311.switch.create", "events.a.=2E=C3=A9.c.=", "changes.a.b.c", "log.changes.a.b.c",
		"events.a.b.c", "events.a..c.d", "events.a.=41.c.d", "events.a.=2e.c.d", "events.a.=.c.d", "events.a.=2.c.d", "events.a.=2x.c.d", "log.log.events.a.b.c.d", "events.a.*.c.>", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, subject string) {
		r, err := ParseSubject(subject)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || r != (Route{}) {
				t.Errorf("%q: %+v, %v", subject, r, err)
			}
			return
		}
		made := []string{r.LogSubject(), r.EventSubject(), r.ChangeSubject(), strings.TrimPrefix(r.ChangeSubject(), "log.")}
		if strings.Contains(subject, "changes.") {
			made = made[2:]
		} else {
			made = made[:2]
		}
		if subject != made[0] && subject != made[1] {
			t.Errorf("%q: %+v makes %q", subject, r, made)
		}
	})
}

// TestToken: every string makes one valid NATS token, and comes back.
func TestToken(t *testing.T) {
	tokens := map[string]string{} // token: what it was made of
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.SliceOf(rapid.SampledFrom([]byte("=ab_-. *>2E"))),
		).Draw(t, "text"))
		token := Token(s)
		if token == "" || strings.ContainsAny(token, ".*> \t\r\n\x00") || strings.HasPrefix(token, "$") {
			t.Fatalf("%q: %q is no token", s, token)
		}
		if back := untoken(token); back != s {
			t.Fatalf("%q: got %q back from %q", s, back, token)
		}
		if other, taken := tokens[token]; taken && other != s {
			t.Fatalf("%q and %q are both %q", s, other, token)
		}
		tokens[token] = s
	})
}

// TestRouteSubjects: a route comes back from its subjects.
func TestRouteSubjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Route{
			Source: rapid.String().Draw(t, "source"), Tenant: rapid.String().Draw(t, "tenant"),
			Noun: rapid.String().Draw(t, "noun"), Verb: rapid.String().Draw(t, "verb"),
		}
		for _, subject := range []string{r.LogSubject(), r.EventSubject()} {
			if got, err := ParseSubject(subject); err != nil || got != r {
				t.Fatalf("%s: got %+v, %v, want %+v", subject, got, err, r)
			}
		}
		r.Verb = "changed"
		if got, err := ParseSubject(r.ChangeSubject()); err != nil || got != r {
			t.Fatalf("%s: got %+v, %v, want %+v", r.ChangeSubject(), got, err, r)
		}
	})
}

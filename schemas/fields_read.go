package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Fields are those of an object's fields that are present in its text. That each is
// of its kind was checked. A value is made when somebody asks for it: of what a
// message shows of a system and a member, hardly anything is new.
type Fields struct {
	fields []Field
	text   []byte
	found  []found // beside fields
	wrong  []byte  // what is there instead of the object that holds some of the fields
}

// found is where the value of a field is in the text, or the value itself.
type found struct {
	form       form
	begin, end uint32 // of a number: its upper and its lower half
}

// form is how a value is written.
type form uint32

const (
	formAbsent form = iota
	formNull
	formFalse
	formTrue
	formNumber // of the kinds Int and Time
	formText   // without escapes; from begin to end is what is between the quotes
	formList   // compact
	formCoded  // in another way: decode reads it
)

// ReadFields reads those of the fields that are present in data; of a member that is
// there twice, the last. Data that is null or absent has none. A wrong type is
// ErrInvalid; members that are not in fields are fine. The result refers to data,
// which must not be changed.
//
// It walks over data once and makes no map of it: most of a rebuild is this.
func ReadFields(typ string, data json.RawMessage, fields []Field) (Fields, error) {
	f := Fields{fields: fields, text: data, found: make([]found, len(fields))}
	if len(data) == 0 || IsNull(data) {
		return f, nil
	}
	s := Scanner{Text: data}
	err := f.find(&s)
	if err == nil {
		err = s.Err()
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return Fields{}, fmt.Errorf("%s: %w", typ, err)
	}
	return f, nil
}

// Read is ReadFields of an object whose members were read already.
func (o Object) Read(fields []Field) (Fields, error) {
	f := Fields{fields: fields, found: make([]found, len(fields))}
	values, err := o.Fields(fields) // checks
	if err != nil {
		return Fields{}, err
	}
	for _, v := range values {
		raw, inner := o[v.Field.Name], Object(nil)
		if v.Field.In != "" {
			if err := json.Unmarshal(o[v.Field.In], &inner); err != nil {
				return Fields{}, fmt.Errorf("%w: %s: %w", ErrInvalid, v.Field.In, err)
			}
			raw = inner[v.Field.Name]
		}
		for i := range fields {
			if &fields[i] == v.Field {
				err = f.put(i, raw)
			}
		}
		if err != nil {
			return Fields{}, err
		}
	}
	return f, nil
}

// Len is how many fields may be present, and Has reports whether one is. A field is
// meant by its place in the list that was read by.
func (f Fields) Len() int       { return len(f.found) }
func (f Fields) Has(i int) bool { return f.found[i].form != formAbsent }

// After is f without the first n fields of the list.
func (f Fields) After(n int) Fields {
	return Fields{fields: f.fields[n:], text: f.text, found: f.found[n:], wrong: f.wrong}
}

// Raw is the JSON of a field that is a list; nil if there is none.
func (f Fields) Raw(i int) []byte {
	switch at := f.found[i]; at.form {
	case formList, formCoded:
		return f.text[at.begin:at.end]
	}
	return nil
}

// Put gives a field another value, as JSON.
func (f *Fields) Put(i int, raw []byte) error {
	f.found = slices.Clone(f.found)
	return f.put(i, raw)
}

func (f *Fields) put(i int, raw []byte) error {
	begin := len(f.text)
	f.text = append(f.text[:begin:begin], raw...)
	at, err := f.fields[i].find(raw, begin)
	f.found[i] = at
	return err
}

// The two values of nearly every privacy setting, and of nothing else so often.
var texts = map[string]any{"public": "public", "private": "private"}

// Value is the value of a field that is present, as [Value] has it.
func (f Fields) Value(i int) any {
	at := f.found[i]
	switch at.form {
	case formNull:
		return nil
	case formFalse, formTrue:
		return at.form == formTrue
	case formNumber:
		return at.number()
	case formText, formList:
		raw := f.text[at.begin:at.end]
		if common, is := texts[string(raw)]; is {
			return common
		}
		return string(raw)
	case formCoded:
		v, err := f.fields[i].decode(string(f.text[at.begin:at.end]))
		if err != nil {
			panic("schemas: a value that was checked: " + err.Error())
		}
		return v
	}
	panic("schemas: the value of a field that is not there")
}

// Is reports whether a field that is present has this value: nil, string or int64. A
// Bool is 1 or 0, as tables have it.
func (f Fields) Is(i int, value any) bool {
	at := f.found[i]
	switch at.form {
	case formNull:
		return value == nil
	case formFalse, formTrue:
		n, is := value.(int64)
		return is && (n == 1) == (at.form == formTrue) && (n == 0 || n == 1)
	case formNumber:
		n, is := value.(int64)
		return is && n == at.number()
	case formText, formList:
		s, is := value.(string)
		return is && s == string(f.text[at.begin:at.end])
	}
	return f.Value(i) == value
}

func (at found) number() int64 { return int64(at.begin)<<32 | int64(at.end) }

// holder is the member that holds some of the fields; empty: there is none.
func (f *Fields) holder() string {
	for i := range f.fields {
		if in := f.fields[i].In; in != "" {
			return in
		}
	}
	return ""
}

// find passes the object that begins here, and notes where the fields are.
func (f *Fields) find(s *Scanner) error {
	in := f.holder()
	next := 0 // members mostly come in the order of fields
	for s.Object(); s.Member(); {
		name, err := plainName(s.Name)
		if err != nil {
			return err
		}
		if i := f.place("", name, &next); i >= 0 {
			f.note(i, s)
			continue
		}
		if in == "" || string(name) != in {
			s.Skip()
			continue
		}
		for i := range f.fields { // of an object that is there twice, the last
			if f.fields[i].In != "" {
				f.found[i] = found{}
			}
		}
		if f.wrong = nil; s.Peek() != '{' {
			if s.Skip() && !IsNull(s.Value) {
				f.wrong = s.Value
			}
			continue
		}
		for s.Object(); s.Member(); {
			if name, err = plainName(s.Name); err != nil {
				return fmt.Errorf("%s: %w", in, err)
			}
			if i := f.place(in, name, &next); i >= 0 {
				f.note(i, s)
			} else {
				s.Skip()
			}
		}
	}
	return nil
}

// check holds the values that were found against the kinds of their fields.
func (f *Fields) check() error {
	if f.wrong != nil {
		s := Scanner{Text: f.wrong}
		s.Object()
		return fmt.Errorf("%s: %w", f.holder(), s.Err())
	}
	for i, at := range f.found {
		if at.form == formAbsent {
			continue
		}
		var err error
		if f.found[i], err = f.fields[i].find(f.text[at.begin:at.end], int(at.begin)); err != nil {
			return err
		}
	}
	return nil
}

func plainName(name []byte) ([]byte, error) {
	if bytes.IndexByte(name, '\\') < 0 {
		return name, nil
	}
	plain, err := unquote(name)
	return []byte(plain), err
}

// place is where the field is in the list; -1: nowhere. The search begins at next.
func (f *Fields) place(in string, name []byte, next *int) int {
	at := *next
	for range f.fields {
		if at == len(f.fields) {
			at = 0
		}
		if field := &f.fields[at]; field.Name == string(name) && field.In == in {
			*next = at + 1
			return at
		}
		at++
	}
	return -1
}

// note passes a value and notes where it is.
func (f *Fields) note(i int, s *Scanner) {
	if s.Skip() {
		f.found[i] = found{form: formCoded, begin: uint32(s.Offset() - len(s.Value)), end: uint32(s.Offset())}
	}
}

// find finds out how a raw value (JSON, without space around it) is written, and
// whether it is of the field's kind. It begins at begin of the text.
func (f *Field) find(raw []byte, begin int) (found, error) {
	at := found{form: formCoded, begin: uint32(begin), end: uint32(begin + len(raw))}
	switch {
	case IsNull(raw) && f.Null:
		return found{form: formNull}, nil
	case f.Kind == Text && isPlainText(raw):
		at.form, at.begin, at.end = formText, at.begin+1, at.end-1
		return at, nil
	case f.Kind == Bool && string(raw) == "true":
		return found{form: formTrue}, nil
	case f.Kind == Bool && string(raw) == "false":
		return found{form: formFalse}, nil
	case f.Kind == Int:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return numberFound(n), nil
		}
	case f.Kind == Time && isPlainText(raw):
		if us, err := ParseTime(string(raw[1 : len(raw)-1])); err == nil {
			return numberFound(us), nil
		}
	case f.Kind == List && raw[0] == '[' && !bytes.ContainsAny(raw, " \t\r\n"):
		// A list that is on one line without a space is compact.
		at.form = formList
		return at, nil
	}
	_, err := f.decode(string(raw))
	return at, err
}

func numberFound(n int64) found {
	return found{form: formNumber, begin: uint32(uint64(n) >> 32), end: uint32(uint64(n))}
}

// isPlainText reports whether what stands between the quotes is the text itself: it
// has no escapes.
func isPlainText(raw []byte) bool {
	if raw[0] != '"' {
		return false
	}
	ascii := true
	for _, c := range raw {
		if c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(raw)
}

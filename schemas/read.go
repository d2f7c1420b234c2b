package schemas

import (
	"encoding/json"
	"fmt"
)

// A reader is a payload that reads itself. PluralKit's messages and switches do
// since most events of a log are of these two, and the JSON decoder takes
// several times as long for them. What other providers send does so that it is
// read as the edge and Object read it: names differ by case, and of several
// members with one name the last counts, whole. (The decoder takes ID for id,
// and makes one object out of two.)
type reader interface{ read(data []byte) error }

func (m *PKMessage) read(data []byte) error {
	_, _, err := m.readWith(data, nil, nil)
	return err
}

// ReadPKMessage reads a message, and the objects in it by those fields: all in one
// walk. An object that is null has none of them.
func ReadPKMessage(e Event, systemFields, memberFields []Field) (m PKMessage, system, member Fields, err error) {
	if len(e.Data) == 0 {
		return m, system, member, fmt.Errorf("%w: %s: no data", ErrInvalid, e.Type)
	}
	system, member, err = m.readWith(e.Data, systemFields, memberFields)
	if err != nil {
		return m, system, member, fmt.Errorf("%s: %w", e.Type, err)
	}
	if err := system.check(); err != nil {
		return m, system, member, fmt.Errorf("system: %w", err)
	}
	if err := member.check(); err != nil {
		return m, system, member, fmt.Errorf("member: %w", err)
	}
	return m, system, member, nil
}

// readWith reads a message, and finds those fields of the objects in it.
func (m *PKMessage) readWith(data []byte, systemFields, memberFields []Field) (system, member Fields, err error) {
	if IsNull(data) {
		return system, member, nil
	}
	s := Scanner{Text: data}
	for s.Object(); s.Member(); {
		name, err := plainName(s.Name)
		if err != nil {
			return system, member, err
		}
		switch string(name) {
		case "system":
			system, err = readObjectWith(&s, "system", systemFields, &m.System)
		case "member":
			member, err = readObjectWith(&s, "member", memberFields, &m.Member)
		default:
			if s.Skip() {
				err = m.readText(name, s.Value)
			}
		}
		if err != nil {
			return system, member, err
		}
	}
	return system, member, s.Err()
}

func (m *PKMessage) readText(name, value []byte) error {
	switch string(name) {
	case "timestamp":
		return readText("timestamp", value, &m.Timestamp)
	case "id":
		return readText("id", value, &m.ID)
	case "original":
		return readText("original", value, &m.Original)
	case "sender":
		return readText("sender", value, &m.Sender)
	case "channel":
		return readText("channel", value, &m.Channel)
	case "guild":
		return readOptional("guild", value, &m.Guild)
	}
	return nil
}

// readObjectWith is readObject of the value that begins here, and finds the fields in
// it; they are checked later.
func readObjectWith(s *Scanner, name string, fields []Field, to *json.RawMessage) (f Fields, err error) {
	if s.Peek() != '{' {
		if s.Skip() {
			err = readObject(name, s.Value, to)
		}
		return f, err
	}
	f = Fields{fields: fields, text: s.Text, found: make([]found, len(fields))}
	begin := s.Offset()
	err = f.find(s)
	*to = s.Text[begin:s.Offset()]
	return f, err
}

func (w *PKSwitch) read(data []byte) error {
	return readMembers(data, func(name string, value []byte) error {
		switch name {
		case "id":
			return readText(name, value, &w.ID)
		case "timestamp":
			return readOptional(name, value, &w.Timestamp)
		case "members":
			return readTexts(name, value, &w.Members)
		}
		return nil
	})
}

// readMembers calls f with each member of the object that data is; null has
// none.
func readMembers(data []byte, f func(name string, value []byte) error) error {
	if IsNull(data) {
		return nil
	}
	s := Scanner{Text: data}
	for s.Object(); s.Next(); {
		name, err := unquote(s.Name)
		if err != nil {
			return err
		}
		if err := f(name, s.Value); err != nil {
			return err
		}
	}
	return s.Err()
}

// readText reads a string; null is the empty one.
func readText(name string, value []byte, to *string) error {
	*to = ""
	if IsNull(value) {
		return nil
	}
	if value[0] != '"' {
		return fmt.Errorf("%w: %s: not text", ErrInvalid, name)
	}
	s, err := unquote(value[1 : len(value)-1])
	*to = s
	return err
}

// readOptional reads a string or null.
func readOptional(name string, value []byte, to **string) error {
	*to = nil
	if IsNull(value) {
		return nil
	}
	*to = new(string)
	return readText(name, value, *to)
}

// readTexts reads an array of strings, or null.
func readTexts(name string, value []byte, to **[]string) error {
	*to = nil
	if IsNull(value) {
		return nil
	}
	list := []string{}
	err := readList(name, value, func(element []byte) error {
		var text string
		err := readText(name, element, &text)
		list = append(list, text)
		return err
	})
	*to = &list
	return err
}

// readList calls f with each element of the array that value is; null has
// none.
func readList(name string, value []byte, f func(element []byte) error) error {
	if IsNull(value) {
		return nil
	}
	if value[0] != '[' {
		return fmt.Errorf("%w: %s: not a list", ErrInvalid, name)
	}
	s := Scanner{Text: value}
	for s.Array(); s.Next(); {
		if err := f(s.Value); err != nil {
			return err
		}
	}
	return s.Err()
}

// readInner calls f with each member of the object that value is, or says
// that it is none; null has none.
func readInner(name string, value []byte, f func(name string, value []byte) error) error {
	var object json.RawMessage
	if err := readObject(name, value, &object); err != nil || object == nil {
		return err
	}
	return readMembers(object, func(inner string, value []byte) error { return f(name+"."+inner, value) })
}

// readObject keeps an object as it is, a part of the data; null is nil.
func readObject(name string, value []byte, to *json.RawMessage) error {
	*to = nil
	if IsNull(value) {
		return nil
	}
	if value[0] != '{' {
		return fmt.Errorf("%w: %s: not an object", ErrInvalid, name)
	}
	*to = value
	return nil
}

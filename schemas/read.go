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
	return readMembers(data, func(name string, value []byte) error {
		switch name {
		case "timestamp":
			return readText(name, value, &m.Timestamp)
		case "id":
			return readText(name, value, &m.ID)
		case "original":
			return readText(name, value, &m.Original)
		case "sender":
			return readText(name, value, &m.Sender)
		case "channel":
			return readText(name, value, &m.Channel)
		case "guild":
			return readOptional(name, value, &m.Guild)
		case "system":
			return readObject(name, value, &m.System)
		case "member":
			return readObject(name, value, &m.Member)
		}
		return nil
	})
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

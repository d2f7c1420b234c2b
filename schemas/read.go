package schemas

import (
	"encoding/json"
	"fmt"
)

// A reader is a payload that reads itself. Most events of a log are of the two
// types that do; the JSON decoder takes several times as long for them.
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
	if isNull(data) {
		return nil
	}
	s := scanner{text: data}
	return s.members(func(raw, value []byte) error {
		name, err := unquote(raw)
		if err != nil {
			return err
		}
		return f(name, value)
	})
}

// readText reads a string. Null leaves what was there, as with the decoder.
func readText(name string, value []byte, to *string) error {
	if isNull(value) {
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
	if isNull(value) {
		return nil
	}
	*to = new(string)
	return readText(name, value, *to)
}

// readTexts reads an array of strings, or null.
func readTexts(name string, value []byte, to **[]string) error {
	*to = nil
	if isNull(value) {
		return nil
	}
	if value[0] != '[' {
		return fmt.Errorf("%w: %s: not a list", ErrInvalid, name)
	}
	list := []string{}
	s := scanner{text: value, at: 1}
	for s.space(); !s.next(']'); s.space() {
		begin := s.at
		if !s.value(1) {
			panic("schemas: a value that was JSON is none")
		}
		var text string
		if err := readText(name, value[begin:s.at], &text); err != nil {
			return err
		}
		list = append(list, text)
		s.space()
		s.next(',')
	}
	*to = &list
	return nil
}

// readObject keeps an object as it is, a part of the data; null is nil.
func readObject(name string, value []byte, to *json.RawMessage) error {
	*to = nil
	if isNull(value) {
		return nil
	}
	if value[0] != '{' {
		return fmt.Errorf("%w: %s: not an object", ErrInvalid, name)
	}
	*to = value
	return nil
}

package ingest

import (
	"fmt"

	"switchlog/schemas"
)

// takeApart finds the members of a JSON object. The value of each known one
// is put where the map says (nil: nowhere), the others are added to extra.
// What is no object, or has a known member twice, is ErrInvalid.
func takeApart(object []byte, known map[string]*[]byte, extra *extraMembers) error {
	seen := make(map[string]bool, len(known))
	s := scanner{text: object}
	s.open()
	for first := true; ; first = false {
		raw, more := s.next(first)
		if !more {
			break
		}
		start, at := s.name, ""
		for name := range known {
			if spells(raw, name) {
				at = name
			}
		}
		value, ok := s.skip(maxDepth)
		switch {
		case !ok: // end reports it
		case at == "":
			extra.add(object[start:s.at])
		case seen[at]:
			return fmt.Errorf("%w: %s twice", schemas.ErrInvalid, at)
		case known[at] != nil:
			*known[at] = value
		}
		seen[at] = at != ""
	}
	if !s.end() {
		return fmt.Errorf("%w: not a JSON object", schemas.ErrInvalid)
	}
	return nil
}

// extraMembers are members we do not know, as the beginning of an object; nil:
// none.
type extraMembers []byte

func (x *extraMembers) add(member []byte) {
	sep := byte(',')
	if *x == nil {
		sep = '{'
	}
	*x = append(append(*x, sep), member...)
}

// object is all of them; nil if there are none. More than maxExtraBytes is
// ErrInvalid.
func (x extraMembers) object() ([]byte, error) {
	if x == nil {
		return nil, nil
	}
	if len(x) >= maxExtraBytes {
		return nil, fmt.Errorf("%w: more than %d bytes of unknown members", schemas.ErrInvalid, maxExtraBytes)
	}
	return append(x, '}'), nil
}

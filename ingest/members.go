package ingest

import (
	"fmt"
	"net/http"

	"switchlog/schemas"
)

// member finds the member of that name in data that has been scanned, if it is
// an object. Of several with one name the last counts, and names differ by
// case: so do the folds read (schemas.Object), and the event and its row mean
// the same.
func member(data []byte, want string) (value []byte, ok bool) {
	s := scan(data)
	for s.Object(); s.Next(); {
		if schemas.Spells(s.Name, want) {
			value, ok = s.Value, true
		}
	}
	return value, ok
}

// memberText is a member that is a string; empty: it is none, or has no one
// meaning.
func memberText(data []byte, name string) string {
	value, _ := member(data, name)
	if schemas.HasLoneSurrogate(value) {
		return ""
	}
	s, _ := schemas.Unquote(value)
	return s
}

// firstElement is the first element of data that has been scanned, if it is
// an array that has one.
func firstElement(data []byte) (value []byte, ok bool) {
	s := scan(data)
	if !s.Array() || !s.Next() {
		return nil, false
	}
	return s.Value, true
}

// takeApart finds the members of a JSON object. The value of each known one
// is put where the map says (nil: nowhere), the others are added to extra.
// What is no object, or has a known member twice, is ErrInvalid.
func takeApart(object []byte, known map[string]*[]byte, extra *extraMembers) error {
	seen := make(map[string]bool, len(known))
	s := scan(object)
	for s.Object(); s.Next(); {
		at := ""
		for name := range known {
			if schemas.Spells(s.Name, name) {
				at = name
			}
		}
		switch {
		case at == "":
			extra.add(object[s.MemberOffset():s.Offset()])
		case seen[at]:
			return fmt.Errorf("%w: %s twice", schemas.ErrInvalid, at)
		case known[at] != nil:
			*known[at] = s.Value
		}
		seen[at] = at != ""
	}
	return scanFault(&s, "a JSON object")
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

// addMember adds a member that we know, but not with this value.
func (x *extraMembers) addMember(name string, value []byte) {
	x.add(append([]byte(`"`+name+`":`), value...))
}

// object is all of them; nil if there are none. More than maxExtraBytes is
// ErrInvalid.
func (x extraMembers) object() ([]byte, error) {
	if x == nil {
		return nil, nil
	}
	if len(x) >= maxExtraBytes {
		return nil, overLimit{http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d bytes of members that are not known", maxExtraBytes)}
	}
	return append(x, '}'), nil
}

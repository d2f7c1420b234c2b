package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// fronterFields are the fields of a Fronter that a front does without when it
// is too large for a message, in the order in which they go. Its uuid stays.
var fronterFields = []struct {
	name  string
	clear func(*Fronter)
}{
	{"avatar_url", func(f *Fronter) { f.AvatarURL = nil }},
	{"pronouns", func(f *Fronter) { f.Pronouns = nil }},
	{"color", func(f *Fronter) { f.Color = nil }},
	{"display_name", func(f *Fronter) { f.DisplayName = nil }},
	{"name", func(f *Fronter) { f.Name = nil }},
	{"id", func(f *Fronter) { f.ID = nil }},
}

// errUnfit says that a form is still too large.
var errUnfit = errors.New("too large")

// FitChange is the message of a change event in at most limit bytes, body,
// subject and id together. A message that fits is returned as it is. Of a larger
// one fields of Before and After are left out until the rest fits, and Omitted
// names them: what they hold is asked for with a query. ErrInvalid: it is no
// change event, or not even the reference to its cause fits.
func FitChange(m Message, limit int) (Message, error) {
	if m.size() <= limit {
		return m, nil
	}
	var e Event
	if err := e.UnmarshalJSON(m.Body); err != nil {
		return m, fmt.Errorf("change: %w", err)
	}
	var c Change
	if err := json.Unmarshal(e.Data, &c); err != nil {
		return m, fmt.Errorf("%w: change: %w", ErrInvalid, err)
	}
	fits := func(c Change) (err error) {
		if e.Data, err = json.Marshal(c); err != nil {
			return err
		}
		if m.Body, err = e.MarshalJSON(); err == nil && m.size() > limit {
			err = errUnfit
		}
		return err
	}
	var err error
	if e.Type == FrontChanged {
		err = c.fitFronts(fits)
	} else {
		err = c.fitFields(fits)
	}
	if errors.Is(err, errUnfit) {
		c.Before, c.After, c.Omitted = nil, nil, []string{"before", "after"}
		err = fits(c)
	}
	if errors.Is(err, errUnfit) {
		err = fmt.Errorf("%w: change: a message may have %d bytes, the reference to its cause alone has %d", ErrInvalid, limit, m.size())
	}
	return m, err
}

// FitFront is the JSON of a Front in at most limit bytes, with fewer fields of
// its members, or with the first members only, if the whole is larger. It says
// so in Omitted and MembersTotal.
func FitFront(entry []byte, limit int) ([]byte, error) {
	if len(entry) <= limit {
		return entry, nil
	}
	var f Front
	if err := json.Unmarshal(entry, &f); err != nil {
		return nil, fmt.Errorf("%w: front: %w", ErrInvalid, err)
	}
	var out []byte
	err := shrink([]*Front{&f}, func([]string) (err error) {
		if out, err = json.Marshal(f); err == nil && len(out) > limit {
			err = errUnfit
		}
		return err
	})
	if errors.Is(err, errUnfit) {
		err = fmt.Errorf("%w: front: a message may have %d bytes, a front without members has %d", ErrInvalid, limit, len(out))
	}
	return out, err
}

// fitFronts tries smaller fronts until fits says nil.
func (c *Change) fitFronts(fits func(Change) error) error {
	var fronts []*Front
	sides := []*json.RawMessage{&c.Before, &c.After}
	for i, side := range sides {
		if string(*side) == "null" || len(*side) == 0 {
			sides[i] = nil
			continue
		}
		f := &Front{}
		if err := json.Unmarshal(*side, f); err != nil {
			return fmt.Errorf("%w: change: front: %w", ErrInvalid, err)
		}
		fronts = append(fronts, f)
	}
	sides = slices.DeleteFunc(sides, func(side *json.RawMessage) bool { return side == nil })
	return shrink(fronts, func(omitted []string) error {
		for i, f := range fronts {
			raw, err := json.Marshal(f)
			if err != nil {
				return err
			}
			*sides[i] = raw
		}
		c.Omitted = omitted
		return fits(*c)
	})
}

// shrink takes fields from the members of all fronts, one field after the
// other, and then members from the ends of the lists, until try says nil.
func shrink(fronts []*Front, try func(omitted []string) error) error {
	var omitted []string
	omit := func(name string) {
		omitted = append(omitted, name)
		for _, f := range fronts {
			f.Omitted = omitted
		}
	}
	for _, field := range fronterFields {
		for _, f := range fronts {
			for i := range f.Members {
				field.clear(&f.Members[i])
			}
		}
		omit(field.name)
		if err := try(omitted); !errors.Is(err, errUnfit) {
			return err
		}
	}
	omit("members")
	longest := 0
	for _, f := range fronts {
		f.MembersTotal = len(f.Members)
		longest = max(longest, len(f.Members))
	}
	for n := longest / 2; ; n /= 2 {
		for _, f := range fronts {
			f.Members = f.Members[:min(n, len(f.Members))]
		}
		if err := try(omitted); n == 0 || !errors.Is(err, errUnfit) {
			return err
		}
	}
}

// fitFields leaves out the largest field of both sides, again and again, until
// fits says nil. What is left out is null, and uuid stays.
func (c *Change) fitFields(fits func(Change) error) error {
	var sides [2]map[string]json.RawMessage
	for i, side := range []json.RawMessage{c.Before, c.After} {
		if len(side) == 0 {
			continue
		}
		if err := json.Unmarshal(side, &sides[i]); err != nil {
			return fmt.Errorf("%w: change: %w", ErrInvalid, err)
		}
	}
	null := json.RawMessage("null")
	for {
		size := map[string]int{}
		largest := ""
		for _, side := range sides {
			for name, value := range side {
				size[name] += len(value)
				if name != "uuid" && string(value) != "null" && (largest == "" || size[name] > size[largest] || size[name] == size[largest] && name < largest) {
					largest = name
				}
			}
		}
		if largest == "" {
			return errUnfit
		}
		for i, to := range []*json.RawMessage{&c.Before, &c.After} {
			if _, has := sides[i][largest]; !has {
				continue
			}
			sides[i][largest] = null
			raw, err := json.Marshal(sides[i])
			if err != nil {
				return err
			}
			*to = raw
		}
		c.Omitted = append(c.Omitted, largest)
		if err := fits(*c); !errors.Is(err, errUnfit) {
			return err
		}
	}
}

// WithoutData is the message of an event too large for one, as a reference:
// the CloudEvent with all its attributes but without data, and with the extension
// dataomitted, which says how many bytes data has.
func WithoutData(m Message) (Message, error) {
	var e Event
	if err := e.UnmarshalJSON(m.Body); err != nil {
		return m, err
	}
	size := len(e.Data) + len(e.Binary)
	e.Data, e.Binary = nil, nil
	extensions := map[string]any{}
	for name, value := range e.Extensions {
		extensions[name] = value
	}
	extensions["dataomitted"] = int32(size)
	e.Extensions = extensions
	var err error
	m.Body, err = e.MarshalJSON()
	return m, err
}

// size is how many bytes of a message's limit the parts take that we choose.
func (m Message) size() int { return len(m.Subject) + len(m.ID) + len(m.Body) }

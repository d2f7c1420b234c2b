package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// An answer over NATS is one message, which has at most as many bytes as the
// server's max_payload. A larger answer comes in pages: whoever asks gets the
// first entries and, in a header, the value of the parameter skip with which to
// ask for those after them. The entries are the rows, or, of a query that answers
// with one object, the elements of its largest list.
const (
	skipParam     = "skip"              // of the request: how many entries to pass over
	nextHeader    = "Switchlog-Next"    // skip for the next page, or a replay's next from; absent: there is none
	omittedHeader = "Switchlog-Omitted" // members left out of the page's only entry, which are null in it: HTTP has them
	headerRoom    = 1 << 10             // bytes that are left for headers and subject
)

// page is what of an answer goes into one message.
type page struct {
	body    []byte
	next    int // 0: it is the last
	omitted []string
}

// takeSkip takes the parameter skip out of what was given.
func takeSkip(given map[string]string) (int, error) {
	text, ok := given[skipParam]
	if !ok {
		return 0, nil
	}
	delete(given, skipParam)
	skip, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: parameter %s: want a whole number from 0", schemas.ErrInvalid, skipParam)
	}
	return int(skip), nil
}

// cut is the page of an answer that begins after skip entries, in at most
// limit bytes.
func cut(body []byte, skip, limit int) (page, error) {
	if skip == 0 && len(body) <= limit {
		return page{body: body}, nil
	}
	if len(body) > 0 && body[0] == '[' {
		return cutList(body, skip, limit)
	}
	members, err := readObject(body)
	if err != nil {
		return page{}, err
	}
	list := -1 // the largest list
	for i, m := range members {
		if m.value[0] == '[' && (list < 0 || len(m.value) > len(members[list].value)) {
			list = i
		}
	}
	if list >= 0 {
		whole := members[list].value
		members[list].value = []byte("[]")
		if room := limit - len(writeObject(members)) + len("[]"); room > len("[]") {
			p, err := cutList(whole, skip, room)
			if err == nil {
				members[list].value = p.body
				p.body = writeObject(members)
			}
			return p, err
		}
		members[list].value = whole
	}
	if skip > 0 {
		return page{}, fmt.Errorf("%w: parameter %s: the answer has no list", schemas.ErrInvalid, skipParam)
	}
	return reduce(members, limit)
}

// cutList is the page of a JSON array. An entry that alone is too large comes
// alone, without its largest members.
func cutList(body []byte, skip, limit int) (page, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(body, &entries); err != nil {
		return page{}, fmt.Errorf("answer: %w", err)
	}
	entries = entries[min(skip, len(entries)):]
	p := page{body: []byte("[")}
	for i, entry := range entries {
		if len(p.body)+len(entry)+len(",]") > limit && i > 0 {
			p.next = skip + i
			break
		}
		if i > 0 {
			p.body = append(p.body, ',')
		}
		if len(entry)+len("[]") > limit {
			members, err := readObject(entry)
			if err != nil {
				return page{}, engine.ErrTooLarge // no object, so nothing can be left out
			}
			small, err := reduce(members, limit-len("[]"))
			if err != nil {
				return page{}, err
			}
			if p.body, p.omitted = append(p.body, small.body...), small.omitted; len(entries) > 1 {
				p.next = skip + 1
			}
			break
		}
		p.body = append(p.body, entry...)
	}
	p.body = append(p.body, ']')
	return p, nil
}

// reduce leaves out the largest members of an object until the rest fits.
func reduce(members []member, limit int) (page, error) {
	var p page
	for p.body = writeObject(members); len(p.body) > limit; p.body = writeObject(members) {
		largest := slices.MaxFunc(members, func(a, b member) int { return len(a.value) - len(b.value) })
		if string(largest.value) == "null" || len(largest.value) < len("null") {
			return page{}, engine.ErrTooLarge
		}
		for i := range members {
			if members[i].name == largest.name {
				members[i].value = []byte("null")
			}
		}
		p.omitted = append(p.omitted, largest.name)
	}
	return p, nil
}

// member is a member of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// readObject reads the members of an object in their order.
func readObject(body []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("answer: no object: %w", err)
	}
	var members []member
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		m := member{name: name.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("answer: %w", err)
		}
		members = append(members, m)
	}
	return members, nil
}

func writeObject(members []member) []byte {
	b := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, strconv.Quote(m.name)...) // names of columns, all of them plain
		b = append(append(b, ':'), m.value...)
	}
	return append(b, '}')
}

// describe says in the headers what of the answer is elsewhere.
func (p page) describe(h nats.Header) {
	if p.next > 0 {
		h.Set(nextHeader, strconv.Itoa(p.next))
	}
	if len(p.omitted) > 0 {
		h.Set(omittedHeader, strings.Join(p.omitted, ","))
	}
}

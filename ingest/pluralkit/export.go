package pluralkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

// An Export is what a file holds that PluralKit's `pk;export` made. It has the
// fields we know and no others: a file of today has the system's webhook_url,
// which is a secret.
//
// Members of groups and switches are short ids. Files of before 2021 know
// things by short ids alone, and have no groups.
type Export struct {
	UUID UUID // of the system; empty: the file is that old
	HID  HID
	Name string // for people; may be empty

	// AsOf is the newest moment that the file speaks of. When it was made it
	// does not say: not before that.
	AsOf time.Time

	System   schemas.Object // fields are schemas.PKSystemObjectFields
	Settings schemas.Object // schemas.PKSettingsFields; nil: the file has none
	Accounts []string       // Discord ids
	Members  []ExportedThing
	Groups   []ExportedThing
	Switches []ExportedSwitch // by time, newest first, no two of one time
}

// An ExportedThing is a member or a group.
type ExportedThing struct {
	UUID    UUID // empty: as of Export
	HID     HID
	Members []HID // of a group; nil: the file does not tell
	Object  schemas.Object
}

// An ExportedSwitch is all that began at one time: PluralKit makes one of it.
type ExportedSwitch struct {
	AtUS    int64 // µs since 1970
	Members []HID // in no order; empty: nobody fronts
}

// maxExportVersion is the newest version of the format that we know.
const maxExportVersion = 2

// ParseExport reads a file. It wraps schemas.ErrInvalid if the file is none of
// PluralKit's, or not whole; any other error is that of r.
func ParseExport(r io.Reader) (*Export, error) {
	p := exportParser{d: json.NewDecoder(r), seen: map[string]bool{}, top: schemas.Object{}, turns: map[int64][]HID{}}
	err := p.document()
	if err == nil {
		err = p.finish()
	}
	var tooLarge *http.MaxBytesError
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return &p.x, nil
	case errors.As(err, &tooLarge):
		return nil, fmt.Errorf("%w: the file has more than %d MiB (hint: is it one that pk;export made?)", schemas.ErrInvalid, tooLarge.Limit>>20)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: the file ends in the middle, after %d bytes (hint: download it once more)", schemas.ErrInvalid, p.d.InputOffset())
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%w: no JSON, about byte %d: %w (hint: give the file as pk;export sent it)", schemas.ErrInvalid, syntax.Offset, err)
	}
	return nil, err
}

// exportParser reads one file, piece by piece.
type exportParser struct {
	d     *json.Decoder
	x     Export
	seen  map[string]bool // members of the document
	top   schemas.Object  // those that are the system's own
	turns map[int64][]HID
	newUS int64 // the newest moment so far
}

// bad is a file that is not as it should be.
func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{schemas.ErrInvalid}, args...)...)
}

func (p *exportParser) document() error {
	if t, err := p.d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return bad("the file is no JSON object (hint: give the file as pk;export sent it)")
	}
	for p.d.More() {
		t, err := p.d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string) // the decoder gives nothing else here
		if p.seen[key] {
			return bad("%.40q is there twice (hint: give the file as pk;export sent it)", key)
		}
		p.seen[key] = true
		if err := p.member(key); err != nil {
			return err
		}
	}
	if _, err := p.d.Token(); err != nil { // the closing brace
		return err
	}
	_, err := p.d.Token()
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil || errors.As(err, &syntax):
		return bad("something follows the JSON object (hint: one file at a time)")
	}
	return err
}

// member reads one member of the document.
func (p *exportParser) member(key string) error {
	switch key {
	case "members":
		return p.each(key, func(raw json.RawMessage) error { return p.thing(raw, &p.x.Members, schemas.PKMemberObjectFields) })
	case "groups":
		return p.each(key, func(raw json.RawMessage) error { return p.thing(raw, &p.x.Groups, schemas.PKGroupObjectFields) })
	case "switches":
		return p.each(key, p.turn)
	case "accounts":
		return p.each(key, p.account)
	}
	raw, err := p.value()
	if err != nil {
		return err
	}
	if program := foreign(key, raw); program != "" {
		return foreignFile(program)
	}
	switch key {
	case "version":
		var version int
		if json.Unmarshal(raw, &version) != nil || version < 1 {
			return bad("version: no version of pk;export")
		}
		if version > maxExportVersion {
			return bad("the file is of version %d, and only those up to %d are known (hint: a newer switchlog)", version, maxExportVersion)
		}
	case "config":
		return p.config(raw)
	default:
		p.top[key] = raw
	}
	return nil
}

// value reads one value.
func (p *exportParser) value() (raw json.RawMessage, err error) {
	if err = p.d.Decode(&raw); err == nil && !utf8.Valid(raw) {
		err = bad("the text is not UTF-8 (hint: give the file as pk;export sent it)")
	}
	return raw, err
}

// each reads an array, an element at a time; null is an empty one.
func (p *exportParser) each(key string, fn func(json.RawMessage) error) error {
	switch t, err := p.d.Token(); {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('['):
		return bad("%s is no list (hint: give the file as pk;export sent it)", key)
	}
	for n := 1; p.d.More(); n++ {
		raw, err := p.value()
		if err == nil {
			if err = fn(raw); err != nil {
				err = fmt.Errorf("%s, number %d: %w", key, n, err)
			}
		}
		if err != nil {
			return err
		}
	}
	_, err := p.d.Token()
	return err
}

// moment notes a moment that the file speaks of.
func (p *exportParser) moment(us int64) { p.newUS = max(p.newUS, us) }

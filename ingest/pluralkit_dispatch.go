package ingest

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"switchlog/schemas"
)

// dispatch is a body of PluralKit's, which one scan opens: up to the first
// signing_token to find the source, and on to the end once that is known. All the
// rest works on what the scan has found.
type dispatch struct {
	scan schemas.Scanner
	done bool // the scan has come to the end, or to a fault

	token       []byte // the first signing_token, decoded; nil: there is none, or it is no text
	hash        [sha256.Size]byte
	tokenEnd    int  // where it ended: what is before it was not redacted
	contradicts bool // a signing_token is no text, or two differ

	system    []byte // system_id, as it is written; nil: absent or null
	systems   bool   // two that differ, or one that is no text
	typ, id   []byte
	data      []byte // nil: absent
	dataEnd   int
	extra     [][]byte // members we do not know, less secrets
	isTwice   bool     // type, id or data
	early     bool     // there are members that are not known before the token; extra has them not
	redaction schemas.Redaction
}

// dispatchOf is the body, opened: by an earlier step, or now. r may be nil.
func dispatchOf(r *Request, body []byte) *dispatch {
	if r != nil {
		if d, is := r.Opened.(*dispatch); is {
			return d
		}
	}
	d := &dispatch{scan: scan(body)}
	d.done = !d.scan.Object()
	if r != nil {
		r.Opened = d
	}
	return d
}

// toToken scans no further than the first signing_token, and reports whether it is
// there and is text. PluralKit sends it as the second member, after 40 bytes.
func (d *dispatch) toToken() bool {
	for d.tokenEnd == 0 && d.next() {
	}
	return d.token != nil
}

// toEnd scans the rest.
func (d *dispatch) toEnd() {
	for d.next() {
	}
}

// next passes one member.
func (d *dispatch) next() bool {
	if d.done || !d.scan.Next() {
		d.done = true
		return false
	}
	name, value := d.scan.Name, d.scan.Value
	switch {
	case schemas.Spells(name, memberToken):
		d.addToken(value)
	case schemas.Spells(name, memberSystem):
		d.addSystem(value)
	case schemas.Spells(name, "type"):
		d.isTwice = d.isTwice || d.typ != nil
		d.typ = value
	case schemas.Spells(name, "id"):
		d.isTwice = d.isTwice || d.id != nil
		d.id = value
	case schemas.Spells(name, "data"):
		d.isTwice = d.isTwice || d.data != nil
		d.data, d.dataEnd = value, d.scan.Offset()
	case d.tokenEnd == 0:
		d.early = true // of a stranger, nothing is copied
	case !d.redaction.Hides(name):
		d.extra = append(d.extra, d.scan.Redacted(d.scan.MemberOffset(), d.scan.Offset()))
	}
	return true
}

func (d *dispatch) addToken(value []byte) {
	text, isText := textOf(value)
	if d.tokenEnd > 0 {
		d.contradicts = d.contradicts || !isText || !bytes.Equal(text, d.token)
		return
	}
	d.tokenEnd, d.contradicts = d.scan.Offset(), !isText
	if !isText {
		return
	}
	d.token, d.hash = text, sha256.Sum256(text)
	d.redaction.Names = secretMembers
	if len(text) >= minSecretBytes {
		d.redaction.Text = text
	}
	d.scan.Redact = &d.redaction // Law 9
}

func (d *dispatch) addSystem(value []byte) {
	if schemas.IsNull(value) {
		return
	}
	text, isText := textOf(value)
	d.systems = d.systems || !isText || d.system != nil && !bytes.Equal(text, d.system)
	d.system = text
	if d.system == nil {
		d.system = []byte{}
	}
}

// textOf is what a value says, if it is a string; a part of value, where that
// has no escapes.
func textOf(value []byte) ([]byte, bool) {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	s, isText := schemas.Unquote(value)
	return []byte(s), isText
}

// systemID is the system that the whole body names: empty, if none; not ok, if it is
// none that can be.
func (d *dispatch) systemID() (id string, ok bool) {
	if d.system == nil {
		return "", true
	}
	id, err := checkSystem(string(d.system))
	return id, err == nil && !d.systems
}

// redactedData is the member data, less its secrets.
func (d *dispatch) redactedData() []byte {
	from := d.dataEnd - len(d.data)
	if from < d.tokenEnd {
		return redact(d.data, secretMembers, string(d.token))
	}
	return d.scan.Redacted(from, d.dataEnd)
}

// redactedExtra is the object of members that are not known, less its secrets, and
// of odd, which are known; nil: there are none.
func (d *dispatch) redactedExtra(odd extraMembers) ([]byte, error) {
	var extra extraMembers
	if d.early {
		s := scan(d.scan.Text)
		s.Redact = &d.redaction
		for s.Object(); s.Next() && s.Offset() < d.tokenEnd; {
			if !isEnvelopeMember(s.Name) && !d.redaction.Hides(s.Name) {
				extra.add(s.Redacted(s.MemberOffset(), s.Offset()))
			}
		}
	}
	for _, member := range d.extra {
		extra.add(member)
	}
	if odd != nil {
		extra.add(odd[1:]) // behind its brace
	}
	return extra.object()
}

// isEnvelopeMember reports whether a member is one of PluralKit's five.
func isEnvelopeMember(name []byte) bool {
	return slices.ContainsFunc([]string{memberToken, memberSystem, "type", "id", "data"}, func(n string) bool { return schemas.Spells(name, n) })
}

package schemas

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// maxDepth is how deep JSON may be nested; encoding/json has the same limit.
const maxDepth = 10000

// Scanner walks over JSON text once, builds nothing, and accepts what
// encoding/json accepts (FuzzScan compares the two), down to MaxDepth levels.
// It is the only reader of JSON text that is written by hand: the edge must not
// spend more on a stranger's body than one walk, and replay is mostly reading
// envelopes, for which a map of raw members costs several times as much.
//
// Object or Array enters the text, Next passes one member or element after the
// other, and Err says whether the text was whole:
//
//	s := schemas.Scanner{Text: body}
//	for s.Object(); s.Next(); {
//		use(s.Name, s.Value)
//	}
//	return s.Err()
//
// After a fault every method reports false. Names and values are parts of Text.
//
// jsontext's decoder is quicker (about twice, on a switch), but goes 10,000
// levels deep on the stack of a stranger's request before it objects.
type Scanner struct {
	Text     []byte
	MaxDepth int // levels of objects and arrays; 0: 10,000

	// Redact is what to leave out of values that are passed from here on: see
	// Redacted. Nil: nothing.
	Redact *Redaction

	Name  []byte // of the last member, as it is written between its quotes
	Value []byte // of the last member or element, as it is written

	at     int  // index of the next byte
	name   int  // index of the opening quote of the last member's name
	depth  int  // objects and arrays that are open
	fresh  bool // the last token opened an object or an array
	array  bool // Next is in an array
	failed bool
	deep   bool // it failed since MaxDepth was exceeded
	cuts   []cut
}

// Object enters the object that begins here.
func (s *Scanner) Object() bool { s.array = false; return s.enter('{') }

// Array enters the array that begins here.
func (s *Scanner) Array() bool { s.array = true; return s.enter('[') }

// Next passes the next member of the object, or element of the array, that was
// entered last. It reports false at its end and at a fault.
func (s *Scanner) Next() bool {
	if s.array {
		return s.Element() && s.Skip()
	}
	return s.Member() && s.Skip()
}

// Member moves to the value of the object's next member, and sets Name. It
// reports false behind the object, and at a fault.
func (s *Scanner) Member() bool {
	if !s.another('}') {
		return false
	}
	s.name = s.at
	if !s.str() {
		return s.fail()
	}
	s.Name = s.Text[s.name+1 : s.at-1]
	s.space()
	if !s.eat(':') {
		return s.fail()
	}
	s.space()
	return true
}

// Element moves to the array's next element. It reports false behind the array,
// and at a fault.
func (s *Scanner) Element() bool { return s.another(']') }

// Skip passes the value that begins here, and sets Value.
func (s *Scanner) Skip() bool {
	from := s.at
	if s.failed || !s.value(s.maxDepth()-s.depth) {
		return s.fail()
	}
	s.Value = s.Text[from:s.at]
	return true
}

// Peek is the next byte that is no space, and so the kind of the value that
// begins here; 0: the text has ended, or there was a fault.
func (s *Scanner) Peek() byte {
	if s.space(); s.failed || s.at == len(s.Text) {
		return 0
	}
	return s.Text[s.at]
}

// Offset is the index of the next byte, and MemberOffset that of the opening quote
// of the last member's name.
func (s *Scanner) Offset() int       { return s.at }
func (s *Scanner) MemberOffset() int { return s.name }

// Err is nil if one whole value was passed and nothing follows it, else
// ErrInvalid.
func (s *Scanner) Err() error {
	if s.space(); !s.failed && s.depth == 0 && s.at == len(s.Text) && s.at > 0 {
		return nil
	}
	if s.deep {
		return fmt.Errorf("%w: JSON nested deeper than %d levels", ErrInvalid, s.maxDepth())
	}
	return fmt.Errorf("%w: not JSON: at byte %d", ErrInvalid, s.at)
}

// TooDeep reports whether the fault is that the text is nested deeper than
// MaxDepth.
func (s *Scanner) TooDeep() bool { return s.deep }

// IsJSON reports whether text is one JSON value, nested no deeper than most
// levels.
func IsJSON(text []byte, most int) bool {
	s := Scanner{Text: text, MaxDepth: most}
	s.space()
	return s.Skip() && s.Err() == nil
}

func (s *Scanner) maxDepth() int {
	if s.MaxDepth == 0 {
		return maxDepth
	}
	return s.MaxDepth
}

func (s *Scanner) enter(bracket byte) bool {
	if s.space(); s.failed || !s.eat(bracket) {
		return s.fail()
	}
	if s.depth++; s.depth > s.maxDepth() {
		s.deep = true
		return s.fail()
	}
	s.fresh = true
	return true
}

// another moves to the next member or element, or behind the bracket that ends them.
func (s *Scanner) another(end byte) bool {
	first := s.fresh
	s.fresh = false
	if s.space(); s.failed || s.depth == 0 {
		return false
	}
	if s.eat(end) {
		s.depth--
		return false
	}
	if !first && !s.eat(',') {
		return s.fail()
	}
	s.space()
	return true
}

func (s *Scanner) fail() bool {
	s.failed = true
	return false
}

// value moves behind one value, in which levels more may open, and reports
// whether there was one.
func (s *Scanner) value(levels int) bool {
	if s.at == len(s.Text) {
		return false
	}
	switch s.Text[s.at] {
	case '"':
		return s.text()
	case '{':
		return s.list('}', true, levels-1)
	case '[':
		return s.list(']', false, levels-1)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	}
	return s.number()
}

// list moves behind an object or array that ends in end.
func (s *Scanner) list(end byte, named bool, levels int) bool {
	if levels < 0 {
		s.deep = true
		return false
	}
	s.at++                      // { or [
	behind, kept := s.at, false // where the last member ended; whether one is not cut
	s.space()
	if s.eat(end) {
		return true
	}
	for first := true; ; first = false {
		hidden := false
		if named {
			begin := s.at
			if !s.str() {
				return false
			}
			if s.Redact != nil {
				if hidden = s.Redact.Hides(s.Text[begin+1 : s.at-1]); !hidden {
					if !first && !kept {
						s.cut(behind, begin, "") // the comma behind members that are cut
					}
					kept = true
				}
			}
			s.space()
			if !s.eat(':') {
				return false
			}
			s.space()
		}
		if hidden {
			if !s.hidden(behind, levels) {
				return false
			}
		} else if !s.value(levels) {
			return false
		}
		behind = s.at
		s.space()
		if !s.eat(',') {
			return s.eat(end)
		}
		s.space()
	}
}

// str moves behind a string.
func (s *Scanner) str() bool {
	if !s.eat('"') {
		return false
	}
	for s.at += plainBytes(s.Text[s.at:]); s.at < len(s.Text); s.at += plainBytes(s.Text[s.at:]) {
		if s.eat('"') {
			return true
		}
		if !s.escape() { // or a control character
			return false
		}
	}
	return false
}

// plainBytes counts the bytes, from the first on, that stand for themselves inside a
// string: no control characters, quotes or backslashes. It looks at eight at a
// time, since most of the text of an event is in strings.
func plainBytes(text []byte) int {
	const (
		ones = 0x0101010101010101
		tops = 0x8080808080808080
	)
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(text[n:])
		quote, slash := w^'"'*ones, w^'\\'*ones
		// The lowest top bit that is set is that of the first byte that is below a
		// space, or zero after one of the two was taken off it.
		if ends := ((w-' '*ones)&^w | (quote-ones)&^quote | (slash-ones)&^slash) & tops; ends != 0 {
			return n + bits.TrailingZeros64(ends)/8
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

// escape moves behind a backslash and what it escapes.
func (s *Scanner) escape() bool {
	if s.Text[s.at] != '\\' || s.at+1 == len(s.Text) {
		return false
	}
	switch s.Text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		if _, ok := codeUnit(s.Text[s.at:]); ok {
			s.at += 6
			return true
		}
	}
	return false
}

// number moves behind a number.
func (s *Scanner) number() bool {
	s.eat('-')
	if !s.eat('0') && !s.digits() {
		return false
	}
	if s.eat('.') && !s.digits() {
		return false
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		return s.digits()
	}
	return true
}

// digits moves behind one digit or more.
func (s *Scanner) digits() bool {
	begin := s.at
	for s.at < len(s.Text) && s.Text[s.at] >= '0' && s.Text[s.at] <= '9' {
		s.at++
	}
	return s.at > begin
}

func (s *Scanner) word(w string) bool {
	if !bytes.HasPrefix(s.Text[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

func (s *Scanner) space() {
	for s.at < len(s.Text) && s.Text[s.at] <= ' ' {
		switch s.Text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// eat moves behind c if it is next.
func (s *Scanner) eat(c byte) bool {
	if s.at == len(s.Text) || s.Text[s.at] != c {
		return false
	}
	s.at++
	return true
}

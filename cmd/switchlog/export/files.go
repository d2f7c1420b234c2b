package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"

	"switchlog/schemas"
)

// JSON is all that the API answers, as one indented document with a line end.
func JSON(a Answers) ([]byte, error) { return indented(a) }

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// CSV is a table of who fronted from when to when: a row for each member and run
// through consecutive switches, oldest first. ended is empty while the run goes
// on. A name that a spreadsheet would take for a formula, because it begins with
// = + - @ or a tab or line break, gets an apostrophe before it.
func CSV(a Answers) ([]byte, error) {
	members, err := a.membersByUUID()
	if err != nil {
		return nil, err
	}
	rows := [][]string{{"member_uuid", "member_name", "started", "ended"}}
	for _, s := range a.stretches() {
		ended := ""
		if s.ended {
			ended = schemas.FormatTime(time.UnixMicro(s.endUS))
		}
		rows = append(rows, []string{harmless(s.member), harmless(members[s.member].name()), schemas.FormatTime(time.UnixMicro(s.first.TimestampUS)), ended})
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// harmless is a cell that no spreadsheet takes for a formula.
func harmless(cell string) string {
	if first, _ := utf8.DecodeRuneInString(cell); cell != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// ICS is a calendar (RFC 5545) with an event for each row of CSV. A run that goes
// on ends now, until the next export. Runs of less than a second are left out:
// an event ends after it starts. The UID is that of the switch which starts the
// run, with the member's, so that a second export takes the place of the first.
func ICS(a Answers, now time.Time) ([]byte, error) {
	members, err := a.membersByUUID()
	if err != nil {
		return nil, err
	}
	var system member
	if a.System != nil {
		if err := json.Unmarshal(a.System, &system); err != nil {
			return nil, err
		}
	}
	c := ics.NewCalendarFor("switchlog")
	c.SetMethod(ics.MethodPublish)
	if name := plainText(system.name()); name != "" {
		c.SetXWRCalName(name)
	}
	for _, s := range a.stretches() {
		start, end, sequence := time.UnixMicro(s.first.TimestampUS).UTC(), now.UTC(), 0
		if s.ended {
			end, sequence = time.UnixMicro(s.endUS).UTC(), 1 // it was changed since it went on
		}
		if end.Unix() <= start.Unix() {
			continue
		}
		name := plainText(members[s.member].name())
		if name == "" {
			name = plainText(s.member)
		}
		e := c.AddEvent(plainText(s.first.ID + "." + s.member + "@switchlog"))
		e.SetDtStampTime(end)
		e.SetStartAt(start)
		e.SetEndAt(end)
		e.SetLastModifiedAt(end)
		e.SetSequence(sequence)
		e.SetSummary(name)
		e.SetTimeTransparency(ics.TransparencyTransparent)
	}
	return []byte(c.Serialize(ics.WithNewLineWindows)), nil
}

// plainText is text on one line, without control characters, line separators
// and marks that change the direction of reading: programs end a line there, or
// show other text.
func plainText(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd")))
}

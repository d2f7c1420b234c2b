package pluralkit

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FileKind is what a file that somebody wants to import holds.
type FileKind int

// What is read. All else is refused by OpenFile or by ParseExport, with its name.
const (
	EventsFile FileKind = iota // events, one a line (NDJSON)
	ExportFile                 // one JSON object, such as the one of pk;export
)

// filePeek is how much of a file is looked at to recognise it.
const filePeek = 64 << 10

// OpenFile recognises a file by how it begins and gives its text as UTF-8 without
// a byte order mark: UTF-16 is converted and gzip unpacked on the way. A file that
// nothing here can read is refused: the error wraps schemas.ErrInvalid, says what
// the file is and what to do. Any other error is that of r.
//
// Nothing is buffered but the beginning, so files may be of any size; limits are
// the caller's, on what the returned reader gives.
func OpenFile(r io.Reader) (FileKind, io.Reader, error) {
	b := bufio.NewReaderSize(r, filePeek)
	start, err := peek(b)
	if err != nil {
		return 0, nil, err
	}
	if bytes.HasPrefix(start, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return 0, nil, bad("the file is not whole gzip: %v (hint: download it once more)", err)
		}
		b = bufio.NewReaderSize(gzipText{z}, filePeek)
		if start, err = peek(b); err != nil {
			return 0, nil, err
		}
	}
	for _, m := range magics {
		if at := m.at + len(m.magic); len(start) >= at && string(start[m.at:at]) == m.magic {
			return 0, nil, bad("%s", m.says)
		}
	}
	text := io.Reader(b)
	switch order := utf16Order(start); {
	case order != nil:
		text = &utf16Reader{r: b, order: order}
	case bytes.HasPrefix(start, utf8BOM):
		if _, err := b.Discard(len(utf8BOM)); err != nil {
			return 0, nil, err
		}
	}
	b = bufio.NewReaderSize(text, filePeek)
	if start, err = peek(b); err != nil {
		return 0, nil, err
	}
	kind, err := kindOf(start)
	return kind, b, err
}

// gzipText unpacks; damage in the file is the file's fault.
type gzipText struct{ z *gzip.Reader }

func (g gzipText) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = bad("the file is not whole gzip: %v (hint: download it once more)", err)
	}
	return n, err
}

// peek looks at the beginning without taking it.
func peek(b *bufio.Reader) ([]byte, error) {
	start, err := b.Peek(filePeek)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return start, nil
}

var utf8BOM = []byte("\xef\xbb\xbf")

const unpackHint = " (hint: unpack it and import the .json file that is in it)"

// magics are files that are no text, by the bytes they have at a place.
var magics = []struct {
	at          int
	magic, says string
}{
	{0, "PK\x03\x04", "the file is a ZIP archive" + unpackHint},
	{0, "PK\x05\x06", "the file is an empty ZIP archive (hint: download it once more)"},
	{0, "\x1f\x8b", "the file is gzip in gzip" + unpackHint},
	{0, "BZh", "the file is packed with bzip2" + unpackHint},
	{0, "\xfd7zXZ\x00", "the file is packed with xz" + unpackHint},
	{0, "\x28\xb5\x2f\xfd", "the file is packed with zstd" + unpackHint},
	{0, "7z\xbc\xaf\x27\x1c", "the file is a 7-Zip archive" + unpackHint},
	{0, "Rar!", "the file is a RAR archive" + unpackHint},
	{257, "ustar", "the file is a tar archive" + unpackHint},
	{0, "SQLite format 3\x00", "the file is an SQLite database (hint: give the file of pk;export, or the events that switchlog replay --out FILE wrote)"},
	{0, "%PDF", "the file is a PDF (hint: give the file as pk;export sent it)"},
	{0, "\x89PNG", "the file is a picture (hint: give the file as pk;export sent it)"},
	{0, "\xff\xd8\xff", "the file is a picture (hint: give the file as pk;export sent it)"},
	{0, "GIF8", "the file is a picture (hint: give the file as pk;export sent it)"},
	{0, "RIFF", "the file is a picture or sound (hint: give the file as pk;export sent it)"},
	{0, "age-encryption.org/", "the file is encrypted with age (hint: age --decrypt FILE | switchlog import -)"},
	{0, "\xff\xfe\x00\x00", "the file is UTF-32 text (hint: save it as UTF-8)"},
	{0, "\x00\x00\xfe\xff", "the file is UTF-32 text (hint: save it as UTF-8)"},
}

// utf16Order is the byte order of UTF-16 text, with a byte order mark or as JSON
// without one; nil if it is none.
func utf16Order(start []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(start, []byte("\xff\xfe")), len(start) > 3 && start[0] != 0 && start[1] == 0 && start[2] != 0 && start[3] == 0:
		return binary.LittleEndian
	case bytes.HasPrefix(start, []byte("\xfe\xff")), len(start) > 3 && start[0] == 0 && start[1] != 0 && start[2] == 0 && start[3] != 0:
		return binary.BigEndian
	}
	return nil
}

// utf16Reader gives UTF-16 as UTF-8, without its byte order mark. What is no
// UTF-16 becomes U+FFFD.
type utf16Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	out   []byte
	begun bool
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if err := u.decode(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// decode reads one character.
func (u *utf16Reader) decode() error {
	var unit [2]byte
	if _, err := io.ReadFull(u.r, unit[:]); err != nil {
		return err
	}
	c := rune(u.order.Uint16(unit[:]))
	first := !u.begun
	u.begun = true
	if first && c == '\ufeff' {
		return nil
	}
	if utf16.IsSurrogate(c) {
		second, err := u.r.Peek(2)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		pair := utf8.RuneError
		if len(second) == 2 {
			pair = utf16.DecodeRune(c, rune(u.order.Uint16(second)))
		}
		if c = pair; pair != utf8.RuneError {
			if _, err := u.r.Discard(2); err != nil {
				return err
			}
		}
	}
	u.out = utf8.AppendRune(u.out[:0], c)
	return nil
}

// kindOf recognises text.
func kindOf(start []byte) (FileKind, error) {
	text := bytes.TrimLeft(start, " \t\r\n")
	switch {
	case len(text) == 0 && len(start) < filePeek:
		return 0, bad("the file is empty (hint: was it downloaded whole?)")
	case len(text) == 0 || bytes.IndexByte(text, 0) >= 0:
		return 0, bad("the file is no text (hint: give the file as pk;export sent it)")
	case text[0] == '<':
		return 0, markup(text)
	case text[0] == '[':
		return 0, list(text)
	case text[0] == '{':
		return objectKind(text), nil
	}
	if line, rest, _ := bytes.Cut(text, []byte("\n")); bytes.Contains(line, []byte("{")) || bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte("{")) {
		return EventsFile, nil // a line in between that is no event is refused as such
	}
	if line, _, _ := bytes.Cut(text, []byte("\n")); bytes.Count(line, []byte(",")) >= 2 || bytes.Count(line, []byte(";")) >= 2 || bytes.Contains(line, []byte("\t")) {
		return 0, bad("the file is a table (CSV), and no JSON (hint: give the file as pk;export sent it)")
	}
	return 0, bad("the file is no JSON (hint: give the file as pk;export sent it, or events as switchlog replay writes them)")
}

func markup(text []byte) error {
	low := strings.ToLower(string(text[:min(len(text), 4096)]))
	switch {
	case strings.Contains(low, "plural star export"):
		return bad("the file is a page made by Plural Star (hint: %s)", foreignHint)
	case strings.Contains(low, "<html") || strings.HasPrefix(low, "<!doctype html"):
		return bad("the file is a web page, and not what should have been downloaded (hint: open the link of pk;export and save the file itself)")
	}
	return bad("the file is XML, and no JSON (hint: give the file as pk;export sent it)")
}

// list says what a JSON list is: nothing that is read is one.
func list(text []byte) error {
	var first map[string]json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil || d.Decode(&first) != nil {
		return bad("the file is a JSON list (hint: give the file as pk;export sent it)")
	}
	has := func(keys ...string) bool {
		for _, key := range keys {
			if _, ok := first[key]; !ok {
				return false
			}
		}
		return true
	}
	const whole = "(hint: give the whole file of pk;export; with an API token switchlog asks PluralKit itself)"
	switch {
	case has("specversion"):
		return bad("the events are a JSON list (hint: one a line: jq -c '.[]' FILE | switchlog import -)")
	case has("timestamp", "members"):
		return bad("the file is a list of switches of PluralKit's API %s", whole)
	case has("uuid", "proxy_tags"):
		return bad("the file is a list of members of PluralKit's API %s", whole)
	case has("uuid", "id"):
		return bad("the file is a list of PluralKit's API %s", whole)
	}
	return bad("the file is a JSON list (hint: give the file as pk;export sent it)")
}

// objectKind tells events from one document: by the first object's keys, and where
// those do not tell, by whether another object is on the next line.
func objectKind(text []byte) FileKind {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return ExportFile
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ExportFile
		}
		if key == "specversion" {
			return EventsFile
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return ExportFile // longer than we look: events have specversion first, or are shorter
		}
	}
	if _, err := d.Token(); err != nil {
		return ExportFile
	}
	if rest := bytes.TrimLeft(text[d.InputOffset():], " \t\r"); len(rest) > 1 && rest[0] == '\n' && bytes.ContainsRune(rest, '{') {
		return EventsFile
	}
	return ExportFile
}

const foreignHint = "import it into PluralKit with pk;import if PluralKit takes it, then import the file that pk;export gives"

// foreignKeys are what the files of other programs have at their top, and those of
// pk;export have not.
var foreignKeys = map[string]string{
	"tuppers":            "Tupperbox",
	"frontHistory":       "Simply Plural",
	"frontStatuses":      "Simply Plural",
	"privacyBuckets":     "Simply Plural",
	"customFronts":       "Simply Plural",
	"automatedTimers":    "Simply Plural",
	"alters":             "Octocon",
	"openplural_version": "OpenPlural",
}

// foreignFile refuses the file of another program.
func foreignFile(program string) error {
	return bad("the file is one of %s, and not of pk;export (hint: %s)", program, foreignHint)
}

// foreign recognises the file of another program by a member of the document;
// empty: it may be PluralKit's.
func foreign(key string, value json.RawMessage) (program string) {
	switch key {
	case "_meta", "meta", "manifest", "producer", "app", "_app", "exportedBy", "generator":
		return programIn(value)
	case "users": // a list of the accounts of the server, as Simply Plural has it
		if strings.HasPrefix(string(value), "[") {
			return "Simply Plural"
		}
	}
	return foreignKeys[key]
}

// programIn is the name that a file gives of the program that made it.
func programIn(value json.RawMessage) string {
	var name string
	if json.Unmarshal(value, &name) == nil {
		return fmt.Sprintf("%.40q", name)
	}
	var about map[string]json.RawMessage
	if json.Unmarshal(value, &about) != nil {
		return ""
	}
	for _, key := range []string{"app", "name", "producer", "generator"} {
		if json.Unmarshal(about[key], &name) == nil && name != "" {
			return fmt.Sprintf("%.40q", name)
		}
	}
	return ""
}

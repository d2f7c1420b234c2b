package pluralkit

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"switchlog/schemas"
)

const smallExport = `{"version":2,"id":"exmpl","uuid":"11111111-2222-4333-8444-555555555555","name":"T ☕ 🏜","members":[],"groups":[],"switches":[]}`

func packed(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.String()
}

func asUTF16(s string, order binary.AppendByteOrder, mark bool) string {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// importError is what an import of the file says.
func importError(file string) error {
	kind, r, err := OpenFile(strings.NewReader(file))
	if err != nil {
		return err
	}
	if kind == ExportFile {
		_, err = ParseExport(r)
	}
	return err
}

// TestFilesRead: the same file in every dress that editors, shells and browsers
// give it.
func TestFilesRead(t *testing.T) {
	event := `{"specversion":"1.0","id":"1"}` + "\n" + `{"specversion":"1.0","id":"2"}` + "\n"
	for name, dress := range map[string]func(string) string{
		"plain":            func(s string) string { return s },
		"byte order mark":  func(s string) string { return "\ufeff" + s },
		"blank lines":      func(s string) string { return "\r\n \n" + s },
		"gzip":             packed,
		"gzip with mark":   func(s string) string { return packed("\ufeff" + s) },
		"UTF-16LE":         func(s string) string { return asUTF16(s, binary.LittleEndian, true) },
		"UTF-16BE":         func(s string) string { return asUTF16(s, binary.BigEndian, true) },
		"UTF-16LE no mark": func(s string) string { return asUTF16(s, binary.LittleEndian, false) },
		"UTF-16BE no mark": func(s string) string { return asUTF16(s, binary.BigEndian, false) },
	} {
		kind, r, err := OpenFile(strings.NewReader(dress(smallExport)))
		if err != nil || kind != ExportFile {
			t.Errorf("%s: got %v, %v", name, kind, err)
			continue
		}
		if x, err := ParseExport(r); err != nil || x.Name != "T ☕ 🏜" {
			t.Errorf("%s: got %+v, %v", name, x, err)
		}
		kind, r, err = OpenFile(strings.NewReader(dress(event)))
		if err != nil || kind != EventsFile {
			t.Errorf("%s, events: got %v, %v", name, kind, err)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || strings.TrimLeft(string(got), "\r\n ") != event {
			t.Errorf("%s, events: got %q, %v", name, got, err)
		}
	}
}

// TestFilesRefused: what is no file for us is named in one sentence.
func TestFilesRefused(t *testing.T) {
	long := strings.Repeat(" ", 1<<16)
	for file, want := range map[string]string{
		"":                       "is empty",
		" \r\n ":                 "is empty",
		"\ufeff":                 "is empty",
		packed(""):               "is empty",
		packed(smallExport)[:20]: "not whole gzip",
		"PK\x03\x04rest":         "ZIP archive",
		"BZh9":                   "bzip2",
		"\xfd7zXZ\x00":           "xz",
		"\x28\xb5\x2f\xfd":       "zstd",
		"SQLite format 3\x00":    "SQLite database",
		"%PDF-1.7":               "PDF",
		"\x89PNG\r\n":            "picture",
		"\x01\x02\x00\x03":       "no text",
		"<!DOCTYPE html><title>Just a moment…</title>": "web page",
		"\n<HTML>": "web page",
		"<!DOCTYPE html><html><title>Cove — Plural Star Export</title>": "Plural Star",
		"<?xml version=\"1.0\"?><a/>":                                   "XML",
		"hello":                                                         "no JSON",
		"name,pronouns,color\na,b,c":                                    "table (CSV)",
		`[{"specversion":"1.0"}]`:                                       "jq -c",
		`[{"id":"x","timestamp":"2026-01-01T00:00:00Z","members":[]}]`: "list of switches of PluralKit's API",
		`[{"id":"abcde","uuid":"x","proxy_tags":[]}]`:                  "list of members of PluralKit's API",
		`[1]`: "JSON list",
		`{"id":"exmpl","uuid":"11111111-2222-4333-8444-555555555555","webhook_url":null}`: "one answer of PluralKit's API",
		`{"users":[{"uid":"u1"}],"members":[{"_id":"5f"}],"frontHistory":[]}`:             "Simply Plural",
		`{"members":[{"_id":"5f","name":"Dill"}],"frontHistory":[]}`:                      "Simply Plural",
		`{"version":2,"members":[{"_id":"5f","name":"Dill"}]}`:                            "Simply Plural",
		`{"groups":[],"members":[],"frontStatuses":[]}`:                                   "Simply Plural",
		`{"_meta":{"version":"1.2","app":"Plural Star"},"members":[{"id":"m1"}]}`:         "Plural Star",
		`{"tuppers":[],"groups":[]}`:                                                      "Tupperbox",
		`{"groups":[],"tuppers":[]}`:                                                      "Tupperbox",
		`{"user":{},"alters":[]}`:                                                         "Octocon",
		`{"openplural_version":"0.1","members":[]}`:                                       "OpenPlural",
		long + `{"frontHistory":[]}`:                                                      "no text",
		`{"members":[],"groups":[]}`:                                                      "no members or no switches",
		`{"version":2,"members":[`:                                                        "ends in the middle",
	} {
		err := importError(file)
		if err == nil || !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%.60q: got %v, want …%s…", file, err, want)
		}
	}
}

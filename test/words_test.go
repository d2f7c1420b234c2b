package test

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"testing"
)

// riddles are words that say in a picture what has a name. CONTRIBUTING.md,
// "Words", has the names.
var riddles = []struct {
	part string // in small letters, of all that word matches: to look for it takes a hundredth of the time
	word *regexp.Regexp
	say  string
}{
	{"deaf", regexp.MustCompile(`(?i)\bdeaf`), "webhook_elsewhere"},
	{"again", regexp.MustCompile(`(?i)\bhears? again`), "webhooks stopped, webhooks resumed"},
	{" us", regexp.MustCompile(`(?i)broke us|breaks us`), "panic in handler"},
	{"bore ", regexp.MustCompile(`(?i)\bbore (a|the|no) `), "sent"},
	{"is let in at", regexp.MustCompile(`(?i)is let in at`), "accepts webhooks at"},
	{"let a source in", regexp.MustCompile(`(?i)let a source in no longer`), "remove a source"},
	{"hold still", regexp.MustCompile(`(?i)\bhold still`), "is still changing"},
	{"flown", regexp.MustCompile(`\bflown\b`), "in flight"},
	{"suspectafter", regexp.MustCompile(`\bsuspectAfter\b`), "circuit"},
	{"laneheads", regexp.MustCompile(`\blaneHeads\b`), "ordering key"},
	{"settleall", regexp.MustCompile(`\bsettleAll\b`), "flush"},
	{"kept", regexp.MustCompile(`\bkept(Row|Switch)\b`), "cache"},
}

// mayRiddle are files that name such a word: this one, and what reads old logs.
var mayRiddle = []string{"test/words_test.go", "schemas/pluralkit_source.go"}

func TestWordsAreTheFields(t *testing.T) {
	t.Parallel()
	for _, name := range texts(t) {
		if !slices.Contains([]string{".go", ".md", ".sql", ".html"}, path.Ext(name)) || slices.Contains(mayRiddle, name) {
			continue
		}
		body := read(t, name)
		lower := bytes.ToLower(body)
		for _, r := range riddles {
			if !bytes.Contains(lower, []byte(r.part)) {
				continue
			}
			if at := r.word.FindIndex(body); at != nil {
				line := 1 + bytes.Count(body[:at[0]], []byte("\n"))
				t.Errorf("%s:%d: %q (hint: say: %s)", name, line, body[at[0]:at[1]], r.say)
			}
		}
	}
}

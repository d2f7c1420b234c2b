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
	word *regexp.Regexp
	say  string
}{
	{regexp.MustCompile(`(?i)\bdeaf|\bhears? again`), "webhook_elsewhere; webhooks stopped, webhooks resumed"},
	{regexp.MustCompile(`(?i)broke us|breaks us`), "panic in handler"},
	{regexp.MustCompile(`(?i)\bbore (a|the|no) `), "sent"},
	{regexp.MustCompile(`(?i)is let in at`), "accepts webhooks at"},
	{regexp.MustCompile(`(?i)let a source in no longer`), "remove a source"},
	{regexp.MustCompile(`(?i)\bhold still`), "is still changing"},
	{regexp.MustCompile(`\b(flown|suspectAfter|laneHeads|settleAll|keptRow|keptSwitch)\b`), "attempt, circuit, ordering key, cache, flush"},
}

// mayRiddle are files that name such a word: this one, and what reads old logs.
var mayRiddle = []string{"test/words_test.go", "schemas/pluralkit_source.go"}

func TestWordsAreTheFields(t *testing.T) {
	for _, name := range texts(t) {
		if !slices.Contains([]string{".go", ".md", ".sql", ".html"}, path.Ext(name)) || slices.Contains(mayRiddle, name) {
			continue
		}
		body := read(t, name)
		for _, r := range riddles {
			if at := r.word.FindIndex(body); at != nil {
				line := 1 + bytes.Count(body[:at[0]], []byte("\n"))
				t.Errorf("%s:%d: %q (hint: say: %s)", name, line, body[at[0]:at[1]], r.say)
			}
		}
	}
}

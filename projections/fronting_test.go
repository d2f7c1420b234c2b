package projections

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"switchlog/schemas"
)

var updateFronting = flag.Bool("update-fronting", false, "rewrite the answers in testdata/fronting")

// TestFronting runs the cases in testdata/fronting: events, one a line, then
// questions (the names of the sections) and their answers. A question is SQL,
// "query NAME key=value…", or "outbox". All but what tells of sequences has the
// same answer when the events come reversed, or each twice.
func TestFronting(t *testing.T) {
	files, err := filepath.Glob("testdata/fronting/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { runFrontingCase(t, file) })
	}
}

func runFrontingCase(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	events := parseFrontingEvents(t, string(archive.Files[0].Data))
	sorted, reversed, doubled := openFronting(t), openFronting(t), openFronting(t)
	applyFronting(t, sorted, events, 1)
	backwards := slices.Clone(events)
	slices.Reverse(backwards)
	applyFronting(t, reversed, backwards)
	var twice []schemas.Recorded
	for _, e := range events {
		twice = append(twice, e, e)
	}
	applyFronting(t, doubled, twice, 3)

	for i := range archive.Files[1:] {
		section := &archive.Files[i+1]
		got := answerFronting(t, sorted, section.Name)
		if section.Name != "outbox" && !strings.Contains(section.Name, "skipped") {
			// Whose an id is that two systems claim depends on who came first.
			if r := answerFronting(t, reversed, section.Name); r != got && !strings.Contains(file, "claimed") {
				t.Errorf("%s: reversed events answer\n%swant\n%s", section.Name, r, got)
			}
			if d := answerFronting(t, doubled, section.Name); d != got {
				t.Errorf("%s: doubled events answer\n%swant\n%s", section.Name, d, got)
			}
		}
		if *updateFronting {
			section.Data = []byte(got)
		} else if want := string(section.Data); got != want {
			t.Errorf("%s: got\n%swant\n%s", section.Name, got, want)
		}
	}
	if *updateFronting {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parseFrontingEvents reads lines of: TYPE SYSTEM ID DATA, with - for nothing.
func parseFrontingEvents(t *testing.T, text string) []schemas.Recorded {
	var events []schemas.Recorded
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		part := strings.SplitN(line, " ", 4)
		if len(part) != 4 {
			t.Fatalf("event %q", line)
		}
		for i := range part {
			if part[i] == "-" {
				part[i] = ""
			}
		}
		events = append(events, frontingEvent(len(events)+1, part[0], part[1], part[2], part[3]))
	}
	return events
}

func answerFronting(t *testing.T, db *DB, question string) string {
	word := strings.Fields(question)
	switch word[0] {
	case "query":
		params := map[string]string{}
		for _, p := range word[2:] {
			name, value, _ := strings.Cut(p, "=")
			params[name] = value
		}
		return askFronting(t, db, word[1], "sys", params)
	case "outbox":
		var b strings.Builder
		for _, o := range frontingOutbox(t, db) {
			if o.FrontersKey != "" {
				fmt.Fprintf(&b, "%d.%d bucket %s %s\n", o.Seq, o.N, o.FrontersKey, o.Fronters)
			}
			if o.Change == nil {
				continue
			}
			system, cause, before, after := frontingChange(t, o.Change)
			fmt.Fprintf(&b, "%d.%d %s %s %s: %s -> %s\n", o.Seq, o.N, o.Change.Subject, system, cause, frontNames(before), frontNames(after))
		}
		return b.String()
	}
	return selectRows(t, db, question)
}

func frontNames(f *schemas.Front) string {
	if f == nil {
		return "null"
	}
	names := []string{}
	for _, m := range f.Members {
		if m.Name != nil {
			names = append(names, *m.Name)
		} else {
			names = append(names, m.UUID)
		}
	}
	return f.Switch + fmt.Sprint(names)
}

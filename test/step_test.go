package test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// walk is the section of CONTRIBUTING.md that is built here.
const walk = "## A webhook source, step by step"

// TestStepByStep does what CONTRIBUTING.md tells somebody who adds a source, in
// a copy of the tree: it makes the files and changes that the code blocks
// show, in order, and runs the commands. All must pass, and the files that are
// then new or different must be those in the section's table, no more and no
// fewer.
func TestStepByStep(t *testing.T) {
	t.Parallel()
	places, steps := readWalk(t)
	dir := t.TempDir()
	before := map[string]string{}
	for _, name := range tracked(t) {
		before[name] = string(read(t, name))
		writeFile(t, filepath.Join(dir, name), before[name])
	}
	for _, s := range steps {
		s.do(t, dir)
		if t.Failed() {
			return
		}
	}
	untouched := maps.Clone(places)
	for _, name := range differences(t, dir, before) {
		found := false
		for place := range places {
			if name == place || strings.HasSuffix(place, "/") && strings.HasPrefix(name, place) {
				delete(untouched, place)
				found = true
			}
		}
		if !found {
			t.Errorf("%s was changed, and is not in the section's table", name)
		}
	}
	for place := range untouched {
		t.Errorf("%s is in the section's table, and was not changed", place)
	}
}

// step is a code block: a file, or a command.
type step struct {
	line     int
	language string // sh: commands; diff: a change of file; any other: file, whole
	file     string
	text     string
}

var (
	placeRow  = regexp.MustCompile("^\\| (`[^|]+`) \\|")
	quoted    = regexp.MustCompile("`([^`]+)`")
	fileNamed = regexp.MustCompile("`([\\w./-]+\\.(?:go|json|md|sql|txtar))`")
)

// readWalk reads the section: the places in its table, and its code blocks.
// The file of a block is the last one that the text before it names.
func readWalk(t *testing.T) (places map[string]bool, steps []step) {
	t.Helper()
	places = map[string]bool{}
	inside, file := false, ""
	var block *step
	for i, line := range strings.Split(string(read(t, "CONTRIBUTING.md")), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case block == nil && strings.HasPrefix(line, "## "):
			inside = line == walk
		case !inside:
		case block != nil && fence:
			steps, block = append(steps, *block), nil
		case block != nil:
			block.text += line + "\n"
		case fence:
			block = &step{line: i + 1, language: language, file: file}
		default:
			if row := placeRow.FindStringSubmatch(line); row != nil {
				for _, place := range quoted.FindAllStringSubmatch(row[1], -1) {
					places[place[1]] = true
				}
			} else if named := fileNamed.FindAllStringSubmatch(line, -1); named != nil {
				file = named[len(named)-1][1]
			}
		}
	}
	if len(places) == 0 || len(steps) == 0 {
		t.Fatalf("CONTRIBUTING.md, %q: %d places and %d code blocks", walk, len(places), len(steps))
	}
	return places, steps
}

func (s step) do(t *testing.T, dir string) {
	t.Helper()
	at := fmt.Sprintf("CONTRIBUTING.md:%d", s.line)
	path := filepath.Join(dir, s.file)
	switch s.language {
	case "sh":
		for command := range strings.Lines(s.text) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v\n%.4000s", at, strings.TrimSpace(command), err, out)
			} else if bytes.Contains(out, []byte("no tests to run")) {
				t.Errorf("%s: %s: %s", at, strings.TrimSpace(command), out)
			}
		}
	case "diff":
		old, changed := s.sides()
		text, err := os.ReadFile(path)
		if n := strings.Count(string(text), old); err != nil || n != 1 {
			t.Errorf("%s: %s (%v): these lines are there %d times, want once:\n%s", at, s.file, err, n, old)
			return
		}
		writeFile(t, path, strings.Replace(string(text), old, changed, 1))
	default:
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: %s is there already", at, s.file)
		}
		writeFile(t, path, s.text)
	}
}

// sides are the lines of a diff before and after. An empty line is on both.
func (s step) sides() (old, changed string) {
	for line := range strings.Lines(s.text) {
		switch rest := line[1:]; {
		case line == "\n":
			old, changed = old+line, changed+line
		case line[0] == '-':
			old += rest
		case line[0] == '+':
			changed += rest
		default:
			old, changed = old+rest, changed+rest
		}
	}
	return old, changed
}

// differences are the files below dir that are new or other than before.
func differences(t *testing.T, dir string, before map[string]string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if was, there := before[filepath.ToSlash(name)]; !there || was != string(text) {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

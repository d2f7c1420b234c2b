package projections

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const versionsFile = "testdata/versions.txt"

// engineSources are files of the engine. engineVersion stands for those of them
// that rows depend on; any file that is neither here nor named after a
// projection is shared, and counts for every projection.
var (
	engineSources = []string{"all.go", "answer.go", "compare.go", "db.go", "doc.go", "explain.go", "held.go", "metrics.go", "outbox.go",
		"projection.go", "query.go", "reader.go", "rebuild.go", "replay.go", "skipped.go", "ahead.go", "statement.go", "steady.go", "rest.go", "sql.go", "view.go", "apply.go", "engine.sql", "tx.go"}
	engineRowSources = []string{"apply.go", "engine.sql", "tx.go"}
)

// TestVersionsAreRaised: who changes what a projection's rows are made by
// must decide whether the rows change. Only a raised Version has them built
// anew from the log; without, old rows and new ones would stand side by side.
func TestVersionsAreRaised(t *testing.T) {
	var got strings.Builder
	got.WriteString("# name, Version, hash of its sources. Written by: go test ./projections -run Versions -update\n")
	fmt.Fprintf(&got, "engine %d %s\n", engineVersion, sourcesHash(t, engineRowSources))
	for _, p := range All {
		fmt.Fprintf(&got, "%s %d %s\n", p.Name, p.Version, sourcesHash(t, sourcesOf(t, p.Name)))
	}
	if *update {
		if err := os.WriteFile(versionsFile, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(versionsFile)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf(`the sources of a projection have changed:
got
%s
want
%s
(hint: if the same events could now give other rows (other tables or views, other values, other events set aside), raise its
Version (engineVersion for the engine) by one, with a comment what is new. If the rows stay the same to the byte (a
comment, a name, speed), leave it. Then: go test ./projections -run Versions -update, and commit %s with the change)`,
			got.String(), want, versionsFile)
	}
}

// sourcesOf are the files of a projection: those that begin with its name, and
// the shared ones.
func sourcesOf(t *testing.T, name string) []string {
	t.Helper()
	named := func(file, name string) bool {
		base := strings.TrimSuffix(strings.TrimSuffix(file, ".go"), ".sql")
		return base == name || strings.HasPrefix(base, name+"_")
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := filepath.Glob("*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	own := 0
	for _, file := range append(sources, schemas...) {
		others := slices.ContainsFunc(All, func(p Projection) bool { return named(file, p.Name) })
		switch {
		case strings.HasSuffix(file, "_test.go"):
		case named(file, name):
			own++
			files = append(files, file)
		case !others && !slices.Contains(engineSources, file):
			files = append(files, file)
		}
	}
	if own == 0 {
		t.Errorf("projection %s has no file of its name", name)
	}
	return files
}

func sourcesHash(t *testing.T, files []string) string {
	t.Helper()
	h := sha256.New()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n%s", file, len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

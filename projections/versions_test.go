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

// sharedSources are files that every projection's rows depend on.
var sharedSources = []string{"entity.go", "merge.go", "observe.go", "row.go", "tx.go"}

// TestVersionsAreRaised: who changes what a projection's rows are made by
// must decide whether the rows change. Only a raised Version has them built
// anew from the log; without, old rows and new ones would stand side by side.
func TestVersionsAreRaised(t *testing.T) {
	var got strings.Builder
	got.WriteString("# name, Version, hash of its sources. Written by: go test ./projections -run Versions -update\n")
	fmt.Fprintf(&got, "engine %d %s\n", engineVersion, sourcesHash(t, []string{"apply.go", "engine.sql", "tx.go"}))
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
	var files []string
	for _, pattern := range []string{name + ".go", name + "_*.go", name + ".sql", name + "_*.sql"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			if !strings.HasSuffix(file, "_test.go") {
				files = append(files, file)
			}
		}
	}
	if len(files) == 0 {
		t.Errorf("projection %s has no file of its name", name)
	}
	for _, file := range sharedSources {
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	slices.Sort(files)
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

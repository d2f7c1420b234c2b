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

	"switchlog/projections/engine"
)

const versionsFile = "testdata/versions.txt"

// engineRowSources are the files of the engine that rows depend on; engine.Version
// stands for them.
var engineRowSources = []string{"engine/apply.go", "engine/engine.sql", "engine/tx.go"}

// TestVersionsAreRaised: who changes what a projection's rows are made by
// must decide whether the rows change. Only a raised Version has them built
// anew from the log; without, old rows and new ones would stand side by side.
func TestVersionsAreRaised(t *testing.T) {
	var got strings.Builder
	got.WriteString("# name, Version, hash of its sources. Written by: go test ./projections -run Versions -update\n")
	fmt.Fprintf(&got, "engine %d %s\n", engine.Version, sourcesHash(t, engineRowSources))
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
Version (engine.Version for the engine) by one, with a comment what is new. If the rows stay the same to the byte (a
comment, a name, speed), leave it. Then: go test ./projections -run Versions -update, and commit %s with the change)`,
			got.String(), want, versionsFile)
	}
}

// rowless are files beside folds that make no rows.
var rowless = []string{"all.go", "doc.go", "open.go", "pluralkit/held.go"}

// sourcesOf are the files of a projection: in its folder those that begin with its
// name and those that begin with no projection's, and how rows are merged.
func sourcesOf(t *testing.T, name string) []string {
	t.Helper()
	named := func(file, name string) bool {
		base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".go"), ".sql")
		return base == name || strings.HasPrefix(base, name+"_")
	}
	for _, folder := range []string{".", "pluralkit", "webhooks"} {
		files, own := glob(t, "merge/*.go"), 0
		for _, file := range append(glob(t, folder+"/*.go"), glob(t, folder+"/*.sql")...) {
			others := slices.ContainsFunc(All, func(p engine.Projection) bool { return named(file, p.Name) })
			switch {
			case named(file, name):
				own++
				files = append(files, file)
			case !others && !slices.Contains(rowless, file):
				files = append(files, file)
			}
		}
		if own > 0 {
			return files
		}
	}
	t.Errorf("projection %s has no file of its name", name)
	return nil
}

// glob is the files of a pattern that are no tests.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash(pattern))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = filepath.ToSlash(filepath.Clean(file))
	}
	return slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
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

package projections

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// impure are the ways in which a fold could come to depend on something other
// than the event and its own tables.
var impure = map[string][]string{
	"time":        {"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "Tick", "AfterFunc", "Local"},
	"os":          {"*"},
	"net":         {"*"},
	"net/http":    {"*"},
	"math/rand":   {"*"},
	"crypto/rand": {"*"},
	"runtime":     {"*"},
}

// foldFolders are where folds are, and what they do with a Tx.
var foldFolders = []string{".", "engine", "merge", "pluralkit", "webhooks"}

// impureEngine are the files of the engine that open files and measure time. Folds
// come into the others.
var impureEngine = []string{
	"apply.go", "compare.go", "db.go", "explain.go", "metrics.go", "past.go", "query.go", "reader.go", "rebuild.go", "replay.go", "sql.go", "skipped.go",
}

// TestLaw5FoldsSeeNothingElse reads the source of every fold: it uses no
// clock, no randomness, no network, and keeps nothing between events in
// package variables.
func TestLaw5FoldsSeeNothingElse(t *testing.T) {
	folds := 0
	for _, folder := range foldFolders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			impure := folder == "engine" && slices.Contains(impureEngine, filepath.Base(name))
			if !impure && !strings.HasSuffix(name, "_test.go") {
				folds++
				checkPure(t, name)
			}
		}
	}
	if folds < len(All) {
		t.Errorf("%d files were read, want one at least for each of %d projections", folds, len(All))
	}
}

func checkPure(t *testing.T, name string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	imported := map[string]string{} // name in the file → path
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		imported[filepath.Base(path)] = path
		if slices.Contains(impure[path], "*") {
			t.Errorf("%s imports %s", name, path)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(impure[imported[x.Name]], s.Sel.Name) {
				t.Errorf("%s uses %s.%s", name, x.Name, s.Sel.Name)
			}
		}
		return true
	})
}

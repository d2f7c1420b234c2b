package test

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// ban is something of a package that code may not use.
type ban struct {
	pkg   string
	names []string // nil: nothing of it
	tests bool     // in tests neither
	but   string   // folder in which it is right; empty: nowhere
	why   string
}

var bans = []ban{
	{"time", []string{"Sleep"}, true, "", "wait for what should happen, not for time to pass"},
	{"os", []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, false, "cmd/", "packages are told by their Config"},
	{"os", []string{"Exit"}, false, "cmd/", "only main may end the process"},
	{"log", []string{"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "SetOutput"},
		true, "", "the logger is passed in"},
	{"log/slog", []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error"}, true, "", "the logger is passed in"},
	{"net/http", []string{"Handle", "HandleFunc", "DefaultServeMux"}, true, "", "what is served stands in one place"},
	{"net/http", []string{"DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm", "ListenAndServe", "Serve"},
		false, "", "they have no limit (Law 10)"},
	{"database/sql", []string{"Register"}, true, "", "a global registry; sql.OpenDB takes a connector"},
	{"github.com/prometheus/client_golang/prometheus",
		[]string{"Register", "MustRegister", "DefaultRegisterer", "DefaultGatherer"}, true, "", "the registry is passed in"},
	{"github.com/prometheus/client_golang/prometheus/promauto", nil, true, "", "registers globally"},
	{"expvar", nil, true, "", "a global registry"},
}

// exceptions allows a use that a ban forbids: file and name, and why.
var exceptions = map[string]string{
	"ingest/pluralkit/reconcile_harness_test.go time.Sleep": "in a synctest bubble, where it moves the clock and takes no time",
	"ingest/spool/checksum_test.go time.Sleep":              "in a synctest bubble, where it moves the clock and takes no time",
	"ingest/spool/fault_test.go time.Sleep":                 "in a synctest bubble, where it moves the clock and takes no time",
	"ingest/spool/open_test.go time.Sleep":                  "in a synctest bubble, where it moves the clock and takes no time",
}

func TestBannedNames(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		ast.Inspect(f.syn, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			from := f.imported(x.Name)
			for _, b := range bans {
				if b.pkg != from || b.names != nil && !slices.Contains(b.names, sel.Sel.Name) {
					continue
				}
				if f.test && !b.tests || b.but != "" && strings.HasPrefix(f.name, b.but) {
					continue
				}
				use := f.name + " " + x.Name + "." + sel.Sel.Name
				if _, ok := exceptions[use]; ok {
					used[use] = true
					continue
				}
				t.Errorf("%s: uses %s.%s: %s", f.at(n), x.Name, sel.Sel.Name, b.why)
			}
			return true
		})
	}
	for use, why := range exceptions {
		if !used[use] {
			t.Errorf("exception %q (%s) is not needed any more", use, why)
		}
	}
}

// TestNoInit: what the program contains can be read in one place, so nothing
// adds itself behind its back.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		f.funcs(func(fn *ast.FuncDecl) {
			if fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: has an init function (hint: a list, or a constructor)", f.at(fn))
			}
		})
		for _, spec := range f.syn.Imports {
			if spec.Name != nil && spec.Name.Name == "." {
				t.Errorf("%s: imports with a dot: names should say where they come from", f.at(spec))
			}
		}
	}
}

// TestNoSkip: what a test needs is there, or the test fails.
func TestNoSkip(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test {
			continue
		}
		ast.Inspect(f.syn, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				t.Errorf("%s: skips a test", f.at(n))
			}
			return true
		})
	}
}

// maxFuncLines is what still fits a screen; a longer function holds a second
// idea. Tests may be longer: a table of cases is one idea.
const maxFuncLines = 70

// longFuncs may be longer: file and function, and why.
var longFuncs = map[string]string{}

func TestFuncsFitTheScreen(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || ast.IsGenerated(f.syn) {
			continue
		}
		f.funcs(func(fn *ast.FuncDecl) {
			name := f.name + " " + fn.Name.Name
			if n := f.lines(fn); n > maxFuncLines && longFuncs[name] == "" {
				t.Errorf("%s: %s takes %d lines, want at most %d (hint: split it, or say in longFuncs why not)",
					f.at(fn), fn.Name.Name, n, maxFuncLines)
			}
		})
	}
}

// TestPackageComments: one file of each package says what it is for, and that
// is doc.go if it takes more than a paragraph.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{} // by folder: files with a package comment
	for _, f := range goFiles(t) {
		dir := path.Dir(f.name)
		if _, seen := comments[dir]; !seen {
			comments[dir] = nil
		}
		if f.syn.Doc == nil || strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		comments[dir] = append(comments[dir], f.name)
		if strings.Contains(f.syn.Doc.Text(), "\n\n") && path.Base(f.name) != "doc.go" {
			t.Errorf("%s: a package comment of more than a paragraph, want it in doc.go", f.name)
		}
	}
	for dir, files := range comments {
		if len(files) != 1 {
			t.Errorf("%s: package comment in %q, want it in exactly one file", dir, files)
		}
	}
}

// TestFuzzTargetsHaveSeeds: a fuzz target without a seed tests nothing in an
// ordinary run.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	files := tracked(t)
	for _, f := range goFiles(t) {
		f.funcs(func(fn *ast.FuncDecl) {
			if !strings.HasPrefix(fn.Name.Name, "Fuzz") || !strings.HasSuffix(f.name, "_test.go") {
				return
			}
			corpus := path.Join(path.Dir(f.name), "testdata/fuzz", fn.Name.Name) + "/"
			committed := slices.ContainsFunc(files, func(name string) bool { return strings.HasPrefix(name, corpus) })
			if !committed && !callsAdd(fn) {
				t.Errorf("%s: %s has no seed (hint: f.Add, or a file in %s)", f.at(fn), fn.Name.Name, corpus)
			}
		})
	}
}

// callsAdd reports whether a fuzz target adds a seed itself.
func callsAdd(fn *ast.FuncDecl) bool {
	found := false
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Add" {
			found = true
		}
		return !found
	})
	return found
}

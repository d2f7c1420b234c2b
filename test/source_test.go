package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Dir, Name string

	Imports, TestImports, XTestImports []string
}

// short is the import path below the module.
func (p pkg) short() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// packages asks go list for all packages of the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(output(t, "go", "list", "-json", "./...")))
	var all []pkg
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// tracked names the files git has or would take, with slashes, from the root.
func tracked(t *testing.T) []string {
	t.Helper()
	out := output(t, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	var files []string
	dirs := map[string]bool{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join(root(t), name)); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
			for dir := path.Dir(name); !dirs[dir]; dir = path.Dir(dir) {
				dirs[dir] = true
			}
		} // else deleted and not yet committed, or a link
	}
	if len(files) == 0 {
		t.Fatal("git names no files (hint: run the tests in a git checkout)")
	}
	// Go reuses a test's result until something it looked at changes. It did
	// not see git look: so look at each folder, and a new file will count.
	for dir := range dirs {
		if _, err := os.ReadDir(filepath.Join(root(t), dir)); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// read reads a file named as tracked names it.
func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// output runs a command at the root and returns what it prints.
func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stderr = root(t), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out
}

// root is the module's directory: go test runs in that of the package.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// goFile is a parsed Go file.
type goFile struct {
	name string // from the root
	test bool   // a _test.go file, or one of a package that only proves something
	syn  *ast.File
	fset *token.FileSet
}

// goFiles parses every Go file but those in testdata.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	for _, name := range tracked(t) {
		if path.Ext(name) != ".go" || inTestdata(name) {
			continue
		}
		fset := token.NewFileSet()
		syn, err := parser.ParseFile(fset, name, read(t, name), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		test := strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/")
		files = append(files, goFile{name, test, syn, fset})
	}
	return files
}

func inTestdata(name string) bool {
	return strings.HasPrefix(name, "testdata/") || strings.Contains(name, "/testdata/") || strings.Contains(name, "/thirdparty/")
}

// at is where a node stands, as file:line.
func (f goFile) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// lines is how many lines a node takes.
func (f goFile) lines(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// imported gives the import path an identifier stands for in the file; empty
// if it is no package. The name of a package is taken to be the last element
// of its path, which holds for the packages we look for.
func (f goFile) imported(ident string) string {
	for _, spec := range f.syn.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic("parsed import " + spec.Path.Value + " is no string: " + err.Error())
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == ident {
			return p
		}
	}
	return ""
}

// funcs calls do for each function with a body.
func (f goFile) funcs(do func(*ast.FuncDecl)) {
	for _, decl := range f.syn.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			do(fn)
		}
	}
}

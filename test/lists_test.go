package test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestListsAreComplete: a list of all values of one of our types has each of its
// constants. What walks such a list (metrics that begin at zero, tests, documents)
// would not notice one that is missing.
func TestListsAreComplete(t *testing.T) {
	constants, lists := map[string][]string{}, map[string][]*ast.ValueSpec{} // by folder and type
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, decl := range f.syn.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.CONST && d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				v := spec.(*ast.ValueSpec)
				key := path.Dir(f.name) + " "
				if typ, ok := v.Type.(*ast.Ident); ok && d.Tok == token.CONST {
					for _, name := range v.Names {
						constants[key+typ.Name] = append(constants[key+typ.Name], name.Name)
					}
				} else if typ := listed(v); d.Tok == token.VAR && typ != "" {
					lists[key+typ] = append(lists[key+typ], v)
				}
			}
		}
	}
	held := 0
	for key, all := range constants {
		for _, v := range lists[key] {
			held++
			var has []string
			for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
				if name, ok := e.(*ast.Ident); ok {
					has = append(has, name.Name)
				}
			}
			for _, name := range all {
				if !slices.Contains(has, name) {
					t.Errorf("%s: the list %s lacks %s", key, v.Names[0].Name, name)
				}
			}
		}
	}
	if held < 1 {
		t.Error("found no list, want the reasons of reconciliation")
	}
}

// TestMetricsAreListed: METRICS.md has a line for each metric there is, with the
// words that it has in the program, and no other.
func TestMetricsAreListed(t *testing.T) {
	var want []string
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.syn, func(n ast.Node) bool {
			name, help := "", ""
			switch n := n.(type) {
			case *ast.CompositeLit:
				name, help = field(n, "Name"), field(n, "Help")
			case *ast.CallExpr: // of a helper that makes one by name and help
				if len(n.Args) > 1 {
					name, help = text(n.Args[0]), text(n.Args[1])
				}
			}
			if strings.HasPrefix(name, "switchlog_") {
				want = append(want, "| `"+name+"` | "+help+" |")
			}
			return true
		})
	}
	slices.Sort(want)
	if len(want) < 40 {
		t.Fatalf("found %d metrics", len(want))
	}
	var got []string
	for line := range strings.Lines(string(read(t, "METRICS.md"))) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("METRICS.md: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// field is the text that a literal gives a field; empty if it gives none.
func field(lit *ast.CompositeLit, name string) string {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
			return text(kv.Value)
		}
	}
	return ""
}

// text is what a string literal says, or several that are added.
func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return s
		}
	case *ast.BinaryExpr:
		return text(e.X) + text(e.Y)
	}
	return ""
}

// listed is the type of which a variable's value lists values; empty: it is no
// such list.
func listed(v *ast.ValueSpec) string {
	if len(v.Values) != 1 {
		return ""
	}
	list, ok := v.Values[0].(*ast.CompositeLit)
	if !ok {
		return ""
	}
	array, ok := list.Type.(*ast.ArrayType)
	if !ok {
		return ""
	}
	typ, ok := array.Elt.(*ast.Ident)
	if !ok {
		return ""
	}
	return typ.Name
}

package ui

import (
	"bytes"
	"html/template"
	"io/fs"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// documents turns Markdown into HTML. HTML in a document is left out, and
// nothing has a style of its own.
var documents = goldmark.New(
	goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone)), extension.Strikethrough),
	goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(links{}, 100))),
)

// helpData is a document, or the list of them.
type helpData struct {
	Documents []link
	Name      string
	HTML      template.HTML
}

// helpPage lists the documents, or shows one.
func (h *Handler) helpPage(v *visit) error {
	if h.Documents == nil {
		return errNotFound
	}
	v.view.Title, v.view.Here = "Help", "help"
	names, err := fs.Glob(h.Documents, "*.md")
	if err != nil {
		return err
	}
	more, err := fs.Glob(h.Documents, "*/*.md")
	if err != nil {
		return err
	}
	want := v.r.PathValue("document")
	var d helpData
	for _, name := range append(names, more...) {
		source, err := fs.ReadFile(h.Documents, name)
		if err != nil {
			return err
		}
		d.Documents = append(d.Documents, link{Text: heading(source, name), To: "/ui/help/" + documentName(name)})
		if documentName(name) != want {
			continue
		}
		var b bytes.Buffer
		if err := documents.Convert(source, &b); err != nil {
			return err
		}
		d.Name, d.HTML = heading(source, name), template.HTML(b.String()) // #nosec G203 -- our own documents, built in
		v.view.Title = d.Name
	}
	if want != "" && d.Name == "" {
		return errNotFound
	}
	h.render(v, 200, "help", d)
	return nil
}

// documentName is what a document is called in addresses: README.md is
// "readme", projections/README.md "projections-readme".
func documentName(file string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSuffix(file, ".md"), "/", "-"))
}

func heading(source []byte, name string) string {
	line, _, _ := bytes.Cut(source, []byte("\n"))
	if text, ok := strings.CutPrefix(string(line), "# "); ok {
		return text
	}
	return path.Base(name)
}

// links makes links between the documents lead to their pages. A link to
// another file of the source leads nowhere here, so only its text stays.
type links struct{}

// Transform implements parser.ASTTransformer.
func (links) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var away []*ast.Link
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		l, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		to := string(l.Destination)
		file, anchor, _ := strings.Cut(to, "#")
		switch {
		case strings.Contains(to, "://") || file == "":
		case strings.HasSuffix(file, ".md") && !strings.Contains(file, ".."):
			if anchor != "" {
				anchor = "#" + anchor
			}
			l.Destination = []byte("/ui/help/" + documentName(file) + anchor)
		default:
			away = append(away, l)
		}
		return ast.WalkContinue, nil
	})
	for _, l := range away {
		parent := l.Parent()
		for c := l.FirstChild(); c != nil; c = l.FirstChild() {
			parent.InsertBefore(parent, l, c)
		}
		parent.RemoveChild(parent, l)
	}
}

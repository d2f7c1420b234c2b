package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets thirdparty
var assetFiles embed.FS

// asset is a file that pages need: the same for everybody, and for ever, since
// its address has a part of its hash.
type asset struct {
	mime    string
	plain   []byte
	gzipped []byte // nil: compressing it gains nothing
	address string
}

// assetTypes are the files that are served, by their ending.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".woff2": "font/woff2",
}

func loadAssets() map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(assetFiles, ".", func(name string, d fs.DirEntry, err error) error {
		typ := assetTypes[path.Ext(name)]
		if err != nil || typ == "" {
			return err
		}
		body, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(body)
		a := asset{mime: typ, plain: body, address: "/ui/assets/" + path.Base(name) + "?v=" + hex.EncodeToString(hash[:6])}
		if path.Ext(name) != ".woff2" {
			a.gzipped = compress(body, gzip.BestCompression)
		}
		all[path.Base(name)] = a
		return nil
	})
	if err != nil {
		panic("ui: " + err.Error()) // the files are in the binary
	}
	return all
}

func compress(body []byte, level int) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err == nil {
		_, err = z.Write(body)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic("ui: gzip into memory: " + err.Error())
	}
	return b.Bytes()
}

func (h *Handler) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := h.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	head := w.Header()
	head.Set("Content-Type", a.mime)
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("Vary", "Accept-Encoding")
	body := a.plain
	if a.gzipped != nil && takesGzip(r) {
		head.Set("Content-Encoding", "gzip")
		body = a.gzipped
	}
	head.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a browser that went away needs none
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" && !strings.Contains(strings.ReplaceAll(params, " ", ""), "q=0") {
			return true
		}
	}
	return false
}

// pages are the templates, one set for each page, with what all share.
type pages struct {
	all     map[string]*template.Template
	buffers sync.Pool // of *bytes.Buffer
	zippers sync.Pool // of *gzip.Writer
}

// sharedTemplates have the frame and parts that several pages use.
var sharedTemplates = []string{"templates/frame.html", "templates/parts.html"}

func loadPages(assets map[string]asset) *pages {
	funcs := template.FuncMap{
		"asset": func(name string) (template.URL, error) {
			a, ok := assets[name]
			if !ok {
				return "", fs.ErrNotExist
			}
			return template.URL(a.address), nil // #nosec G203 -- an address of our own assets, made when we start
		},
		"inc": func(n int) int { return n + 1 },
	}
	shared := template.Must(template.New("").Funcs(funcs).ParseFS(templateFiles, sharedTemplates...))
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic("ui: " + err.Error())
	}
	p := &pages{all: map[string]*template.Template{}}
	p.buffers.New = func() any { return new(bytes.Buffer) }
	p.zippers.New = func() any {
		z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			panic("ui: " + err.Error())
		}
		return z
	}
	for _, name := range names {
		page := strings.TrimSuffix(path.Base(name), ".html")
		p.all[page] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, name))
	}
	return p
}

// render answers with a page. It is made in memory first, so that an error of
// a template is no half page.
func (h *Handler) render(v *visit, status int, page string, data any) {
	h.renderAs(v, status, page, "frame", data)
}

// renderAs answers with a page in a frame of its own.
func (h *Handler) renderAs(v *visit, status int, page, frame string, data any) {
	v.view.Data = data
	body := h.pages.buffers.Get().(*bytes.Buffer)
	defer h.pages.buffers.Put(body)
	body.Reset()
	if err := h.pages.all[page].ExecuteTemplate(body, frame, &v.view); err != nil {
		h.Logger.Error("dashboard", "page", page, "err", err)
		http.Error(v.w, "Something went wrong on this server. Its log says what.", http.StatusInternalServerError)
		return
	}
	head := v.w.Header()
	head.Set("Content-Type", mime.FormatMediaType("text/html", map[string]string{"charset": "utf-8"}))
	head.Add("Vary", "Cookie, Accept-Encoding")
	if !takesGzip(v.r) {
		v.w.WriteHeader(status)
		_, _ = body.WriteTo(v.w)
		return
	}
	head.Set("Content-Encoding", "gzip")
	v.w.WriteHeader(status)
	z := h.pages.zippers.Get().(*gzip.Writer)
	defer h.pages.zippers.Put(z)
	z.Reset(v.w)
	_, _ = body.WriteTo(z)
	_ = z.Close() // a browser that went away needs none
}

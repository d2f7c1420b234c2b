package ingest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

// taken takes everything and keeps nothing.
type taken struct{}

func (taken) Append(_ context.Context, events ...schemas.Event) (int, error) { return len(events), nil }

// answerless is where an answer goes that nobody reads.
type answerless struct{ header http.Header }

func (a answerless) Header() http.Header             { return a.header }
func (a answerless) Write(b []byte) (int, error)     { return len(b), nil }
func (a answerless) WriteHeader(int)                 {}
func (a answerless) SetReadDeadline(time.Time) error { return nil }

// BenchmarkEdge is a whole request but for net/http before and the storing
// behind it.
func BenchmarkEdge(b *testing.B) {
	reg := openRegistry(b, b.TempDir(), newClock(), &output{}, newLog(b))
	if _, err := reg.Add(b.Context(), registry.NewSource{Kind: "pluralkit", Name: "home",
		Settings: map[string]string{"system": testSystem}, Secrets: map[string]string{"token": testToken}}); err != nil {
		b.Fatal(err)
	}
	edge := NewEdge(EdgeConfig{}, reg, taken{})
	body := strings.NewReader(bodies(b)["16-create_switch"])
	r, err := http.NewRequest("POST", "http://127.0.0.1/in/pluralkit", io.NopCloser(body))
	if err != nil {
		b.Fatal(err)
	}
	r.ContentLength = body.Size()
	w := answerless{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		edge.ServeHTTP(w, r)
	}
}

// BenchmarkPluralKit is all the work a request makes between reading the body
// and storing the events.
func BenchmarkPluralKit(b *testing.B) {
	all := bodies(b)
	for _, name := range []string{"16-create_switch", "15-create_message"} {
		body, p := []byte(all[name]), fuzzSource()
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := &Request{}
				findToken(r, body)
				if err := p.Verify(r, body); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Events(r, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStranger is what an unverified body costs, at the greatest size.
func BenchmarkStranger(b *testing.B) {
	for name, body := range map[string]string{
		"wrong token": `{"type":"PING","signing_token":"wrong"}`,
		"no token":    `{"a":"` + strings.Repeat("x", 256<<10) + `"}`,
		"members":     `{` + strings.Repeat(`"a":1,`, 40<<10) + `"b":1}`,
		"escapes":     `{` + strings.Repeat(`"\u0073x":1,`, 21<<10) + `"b":1}`,
		"deep":        `{"a":` + strings.Repeat("[", 256<<10),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			raw := []byte(body)
			for b.Loop() {
				findToken(nil, raw)
			}
		})
	}
}

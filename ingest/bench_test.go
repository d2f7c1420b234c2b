package ingest

import (
	"strings"
	"testing"
)

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
				firstSigningToken(body)
				if err := p.Verify(nil, body); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Events(nil, body); err != nil {
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
				firstSigningToken(raw)
			}
		})
	}
}

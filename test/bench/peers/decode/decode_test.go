package decode

import (
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/starshine-sys/pkgo/v2/webhook"
)

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"16-create_switch", "15-create_message"} {
		body, err := os.ReadFile("../../../../ingest/testdata/pluralkit/" + name + ".json")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			token := func(uuid.UUID) (string, error) { return "example-token-not-a-real-secret", nil }
			for b.Loop() {
				if _, err := webhook.Unmarshal(body, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestThirdParty: what others wrote is, to the byte, what they published: of
// htmx.org 4.0.1, the files dist/htmx.min.js and dist/ext/hx-sse.min.js.
func TestThirdParty(t *testing.T) {
	want := map[string]string{
		"htmx.min.js":      "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
		"hx-sse.min.js":    "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
		"htmx-LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
	}
	entries, err := assetFiles.ReadDir("thirdparty")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(want) {
		t.Errorf("thirdparty has %d files, want %d", len(entries), len(want))
	}
	for _, e := range entries {
		body, err := assetFiles.ReadFile("thirdparty/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(body)
		if got := hex.EncodeToString(hash[:]); got != want[e.Name()] {
			t.Errorf("%s: SHA-256 %s, want %s", e.Name(), got, want[e.Name()])
		}
	}
}

package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// TestThirdParty: what others wrote is, to the byte, what they published: of
// htmx.org 4.0.1, dist/htmx.min.js and dist/ext/hx-sse.min.js; of
// @fontsource/atkinson-hyperlegible 5.3.0, two files of the letters of Western
// European languages.
func TestThirdParty(t *testing.T) {
	want := map[string]string{
		"atkinson-hyperlegible-LICENSE.txt":            "e137caeef2ff7c04fbf87078ad09cf3dcba8a3a58a4aa4e2f399d42c50bc4b18",
		"atkinson-hyperlegible-latin-400-normal.woff2": "d64ba838ef5472bba248620ec4fd8b5aa7cf0db2908e0bb230600caf279ba7bc",
		"atkinson-hyperlegible-latin-700-normal.woff2": "140e2bd25a7315c8a062508391426b0d8c3297400c947b8d847be28f73a199f0",
		"htmx-LICENSE.txt":                             "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
		"htmx.min.js":                                  "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
		"hx-sse.min.js":                                "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
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

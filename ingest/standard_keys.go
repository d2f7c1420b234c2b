package ingest

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"switchlog/ingest/registry"
)

var standardSecrets = registry.KeyLines{
	Prefix: registry.SigningPrefix, Most: maxSharedSecrets, CheckKey: registry.CheckSigningSecret,
	Others: registry.NoSigningSecrets,
}

var standardPublicKeys = registry.KeyLines{
	Prefix: "whpk_", Most: maxPublicKeys, CheckKey: checkStandardPublicKey,
	Others: map[string]string{
		registry.SigningPrefix: "a shared secret (hint: give it as the secret)",
		"whsk_":                "the sender's private key, which nobody else should have (hint: the public key begins with whpk_)",
	},
}

func checkStandardPublicKey(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("is a public key of %d bytes; Ed25519's have %d", len(key), ed25519.PublicKeySize)
	}
	return nil
}

// spellings are the ways in which a key in base64 may stand in a text.
func spellings(key string) []string {
	bare := strings.TrimRight(key, "=")
	safe := strings.NewReplacer("+", "-", "/", "_").Replace(bare)
	if safe == bare {
		return []string{bare}
	}
	return []string{bare, safe}
}

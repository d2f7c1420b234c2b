package ingest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"switchlog/schemas"
)

// TestSecretForms: one secret in the forms in which people get it is the same
// secret; what could mean something else is refused, and not quoted.
func TestSecretForms(t *testing.T) {
	const (
		bare    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
		pub     = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
		safe    = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
		pk      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
		hex     = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		refused = ""
	)
	for _, c := range []struct{ kind, purpose, given, want string }{
		{"standard", "secret", "whsec_" + bare + "=", "whsec_" + bare + "="},
		{"standard", "secret", "whsec_" + bare, "whsec_" + bare + "="},
		{"standard", "secret", bare, "whsec_" + bare + "="},
		{"standard", "secret", "v1,whsec_" + bare + "=", "whsec_" + bare + "="},
		{"standard", "secret", "v1,whsec_" + bare + "|v1,whsec_" + bare, "whsec_" + bare + "=\nwhsec_" + bare + "="},
		{"standard", "secret", "\ufeffwhsec_" + bare + "=\r\n", "whsec_" + bare + "="},
		{"standard", "secret", "\"whsec_" + bare + "=\"", "whsec_" + bare + "="},
		{"standard", "secret", " 'whsec_" + bare + "' \t", "whsec_" + bare + "="},
		{"standard", "secret", "`whsec_" + bare + "`", "whsec_" + bare + "="},
		{"standard", "secret", "WEBHOOK_SECRET=\"whsec_" + bare + "=\"", "whsec_" + bare + "="},
		{"standard", "secret", "export SVIX_SECRET=whsec_" + bare + "=\n", "whsec_" + bare + "="},
		{"standard", "secret", "secret: whsec_" + bare, "whsec_" + bare + "="},
		{"standard", "secret", "\"whsec_" + bare + "=\",\n\"whsec_" + bare + "\"", "whsec_" + bare + "=\nwhsec_" + bare + "="},
		{"standard", "public_key", "whpk_" + safe, "whpk_" + pub + "="},
		{"standard", "public_key", "v1a,whpk_" + pub + "=", "whpk_" + pub + "="},
		{"standard", "secret", "whsec_" + bare + "==", refused},
		{"standard", "secret", "whsec_" + bare[:20] + "\n" + bare[20:], refused},
		{"standard", "secret", "whsec_" + bare[:20] + " " + bare[20:], refused},
		{"standard", "secret", "whsec_+_" + bare, refused},
		{"standard", "secret", "whsec_…", refused},
		{"standard", "secret", "\"\"", refused},
		{"standard", "secret", "v1,", refused},
		{"standard", "public_key", "whsk_" + bare + "=", refused},

		{"pluralkit", "token", "||`" + pk + "`||", pk},
		{"pluralkit", "token", " " + pk + "\r\n", pk},
		{"pluralkit", "token", "**" + pk + "**", pk},
		{"pluralkit", "token", "“" + pk + "”", pk},
		{"pluralkit", "token", "\u200b" + pk + "\u200b", pk},
		{"pluralkit", "token", pk[:30] + "\n" + pk[30:], pk},
		{"pluralkit", "api_token", "`" + pk + "`", pk},
		{"pluralkit", "api_token", "Authorization: " + pk, pk},
		{"pluralkit", "token", "`" + pk, refused},
		{"pluralkit", "token", pk + "||", refused},
		{"pluralkit", "token", pk[:30] + " " + pk[30:60], refused},
		{"pluralkit", "token", "token " + pk, refused},

		{"botghost", "key", "\"some-key-of-a-bot\"", "some-key-of-a-bot"},
		{"botghost", "key", "Authorization: some-key-of-a-bot", "some-key-of-a-bot"},
		{"token", "token", "Authorization: Bearer some-token-of-a-sender\n", "Bearer some-token-of-a-sender"},
		{"token", "token", "`Bearer some-token-of-a-sender`", "Bearer some-token-of-a-sender"},
		{"token", "token", `Digest username="x"`, `Digest username="x"`},
		{"cloudevents", "token", "Bearer some-token-of-a-sender", "some-token-of-a-sender"},
		{"cloudevents", "token", "authorization: bearer 'some-token-of-a-sender'", "some-token-of-a-sender"},
		{"cloudevents", "token", "some token", refused},
		{"stellarstack", "secret", "\"" + hex + "\"", hex},
		{"discord", "public_key", "`0x" + strings.ToUpper(hex) + "`", hex},
	} {
		k := Kinds[slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == c.kind })]
		got, _, err := k.CheckSecrets(map[string]string{c.purpose: c.given})
		if got[c.purpose] != c.want || (err == nil) != (c.want != refused) {
			t.Errorf("%s %s %q: got %q, %v, want %q", c.kind, c.purpose, c.given, got[c.purpose], err, c.want)
		}
		if err != nil && (!errors.Is(err, schemas.ErrInvalid) || strings.Contains(err.Error(), bare[:8]) || strings.Contains(err.Error(), pk[:8])) {
			t.Errorf("%s %s %q: error %v, want one that quotes nothing", c.kind, c.purpose, c.given, err)
		}
	}
}

package ingest

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"
)

// What a request that proves nothing may cost: a source can have many secrets,
// and such a request many signatures.
const (
	maxCurveChecks   = 4 // of Ed25519, about 50 µs each
	maxSharedSecrets = 8 // of HMAC, as many hashes of the body
	maxPublicKeys    = maxCurveChecks
)

// newDecoys makes, of each kind whose path names its source, a source that
// verifies nobody. It does the work for a name that no source has, so that the
// time of a 401 does not tell which names there are.
func newDecoys(now func() time.Time) map[string]Source {
	decoys := map[string]Source{}
	for _, k := range Kinds {
		if k.Credential != nil {
			continue
		}
		c := Configured{Tokens: map[string][]Token{}, Keys: map[string][]Key{}, Now: now}
		for _, spec := range k.Secrets {
			switch {
			case spec.Hashed:
				c.Tokens[spec.Purpose] = []Token{{Hash: sha256.Sum256(newRandom())}}
			case spec.Decoy != nil:
				c.Keys[spec.Purpose] = []Key{{Secret: spec.Decoy()}}
			default:
				c.Keys[spec.Purpose] = []Key{{Secret: newPathKey()}}
			}
		}
		decoys[k.Name] = k.New(c)
	}
	return decoys
}

// newestFirst sorts secrets: those that are good without end, then those that
// are good for longest.
func newestFirst(keys []Key) []Key {
	sorted := slices.Clone(keys)
	slices.SortStableFunc(sorted, func(a, b Key) int {
		if a.Until.IsZero() || b.Until.IsZero() {
			return a.Until.Compare(b.Until)
		}
		return b.Until.Compare(a.Until)
	})
	return sorted
}

// newPathKey makes a part of a path that nobody can guess: 256 bits.
func newPathKey() string { return base64.RawURLEncoding.EncodeToString(newRandom()) }

// newRandom makes 256 random bits.
func newRandom() []byte {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		panic("ingest: no randomness: " + err.Error()) // the kernel's generator does not fail
	}
	return raw
}

// newPublicKey makes a public key whose private half nobody has.
func newPublicKey() []byte {
	return ed25519.NewKeyFromSeed(newRandom()).Public().(ed25519.PublicKey)
}

func encodeKey(key []byte) string { return "key_" + base64.StdEncoding.EncodeToString(key) }

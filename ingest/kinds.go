package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"switchlog/ingest/registry"
)

// What the file of a kind of source is written with. The registry owns these: it
// checks a source's settings and secrets by its kind, and makes it.
type (
	Kind         = registry.Kind
	Shell        = registry.Shell
	Flag         = registry.Flag
	SecretSpec   = registry.SecretSpec
	Source       = registry.Source
	Configured   = registry.Configured
	Request      = registry.Request
	Answer       = registry.Answer
	Acker        = registry.Acker
	TenantTeller = registry.TenantTeller
	Token        = registry.Token
	Key          = registry.Key
	Prober       = registry.Prober
	Probe        = registry.Probe
	Appender     = registry.Appender
)

// ErrUnauthorized is what Verify says of any doubt.
var ErrUnauthorized = registry.ErrUnauthorized

// The forms of a flag.
const (
	FlagText  = registry.FlagText
	FlagFile  = registry.FlagFile
	FlagYesNo = registry.FlagYesNo
	FlagList  = registry.FlagList
)

const (
	purposePathKey = registry.PurposePathKey
	probeType      = registry.ProbeType
)

// accepts reports in constant time whether secret is one of the tokens that
// are good now.
func accepts(tokens []Token, secret string, now time.Time) bool {
	return acceptsHash(tokens, sha256.Sum256([]byte(secret)), now)
}

// acceptsHash is accepts, of a secret's hash.
func acceptsHash(tokens []Token, hash [sha256.Size]byte, now time.Time) bool {
	found := 0
	for _, t := range tokens {
		if t.Until.IsZero() || now.Before(t.Until) {
			found |= subtle.ConstantTimeCompare(hash[:], t.Hash[:])
		}
	}
	return found == 1
}

// methods are those that a route of a kind takes, as in Allow.
func methods(k Kind) string {
	if k.Options != nil {
		return http.MethodPost + ", " + http.MethodOptions
	}
	return http.MethodPost
}

// clip keeps what a caller wrote short enough to be repeated to them.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

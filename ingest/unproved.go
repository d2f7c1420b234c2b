package ingest

import (
	"errors"

	"switchlog/ingest/registry"
)

// errSecretLost is the fault of a request that can be neither proved nor refused: the secret that
// would prove it is not on this machine. It is answered with 503, so that a sender who can sends again.
var errSecretLost = errors.New("the secret that proves this request is not on this machine")

// unproved is the error for a request that did not prove to be from src (nil: it names no source).
// It is ErrUnauthorized unless the secret that would prove it is one we lost.
func (e *edge) unproved(k Kind, src *registry.Entry, body []byte) error {
	if e.sources.Unsure() || src != nil && src.Unverifiable {
		return errSecretLost
	}
	if src != nil || k.Credential == nil {
		return ErrUnauthorized
	}
	// The path names no source: which it is follows from the secret, or else from what the body says.
	unverifiable := e.sources.Unverifiable(k.Name)
	if len(unverifiable) == 0 {
		return ErrUnauthorized
	}
	claimed := ""
	if k.Claims != nil {
		claimed = k.Claims(body[:min(len(body), maxClaimBytes)])
	}
	for _, tenant := range unverifiable {
		if claimed == "" || tenant == "" || tenant == claimed {
			return errSecretLost
		}
	}
	return ErrUnauthorized
}

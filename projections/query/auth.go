package query

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Key is a reader and the hash of the token it shows. Tokens are long and
// random, so a plain hash is enough to keep.
type Key struct {
	Reader Reader
	Hash   [sha256.Size]byte // SHA-256 of the token
}

// Bearer gives the token of the header Authorization: Bearer TOKEN.
func Bearer(r *http.Request) (token string, ok bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.Trim(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// Authorizer is a Config.Authorize for bearer tokens. It asks keys for those
// that are good at each request, and compares with all of them, so that the
// time it takes says nothing.
func Authorizer(keys func() []Key) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		token, ok := Bearer(r)
		if !ok {
			return Reader{}, ErrUnauthorized
		}
		reader, ok := Find(keys(), token)
		if !ok {
			return Reader{}, ErrUnauthorized
		}
		return reader, nil
	}
}

// Find gives the reader whose token it is. It compares with all keys.
func Find(keys []Key, token string) (reader Reader, found bool) {
	hash := sha256.Sum256([]byte(token))
	for _, k := range keys {
		if subtle.ConstantTimeCompare(hash[:], k.Hash[:]) == 1 {
			reader, found = k.Reader, true
		}
	}
	return reader, found
}

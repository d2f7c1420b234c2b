package query

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"switchlog/schemas"
)

// Reader is somebody who may ask.
type Reader struct {
	Name    string
	Admin   bool      // the operator, who may ask for everything
	Source  string    // kind of source the tenant belongs to; empty: any
	Tenant  string    // the only one it may ask about; empty: all
	Public  bool      // it sees what anybody may see, and no more
	Expires time.Time // it is refused from then on; zero: never
}

// May reports whether a reader may ask about a tenant (P7). What switchlog says of itself is
// the operator's.
func (r Reader) May(source, tenant string) bool {
	switch {
	case r.Admin:
		return true
	case source == schemas.SelfSource:
		return false
	}
	return (r.Source == "" || r.Source == source) && (r.Tenant == "" || r.Tenant == tenant)
}

// FindReader gives the reader whose token has that SHA-256. Tokens are long and random, so
// the hash is enough to keep, and how long a search takes says nothing about a token.
type FindReader func(hash [sha256.Size]byte) (Reader, bool)

// Token gives the reader of a token.
func (find FindReader) Token(token string) (Reader, bool) {
	if token == "" {
		return Reader{}, false
	}
	return find(sha256.Sum256([]byte(token)))
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

// Authorizer is a Config.Authorize for bearer tokens. It asks find at each request.
func Authorizer(find FindReader) func(*http.Request) (Reader, error) {
	return func(r *http.Request) (Reader, error) {
		token, ok := Bearer(r)
		if !ok {
			return Reader{}, ErrUnauthorized
		}
		reader, ok := find.Token(token)
		if !ok {
			return Reader{}, ErrUnauthorized
		}
		return reader, nil
	}
}

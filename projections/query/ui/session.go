package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// Limits of what is remembered of sign-ins (Law 10).
const (
	sessionLife = 30 * 24 * time.Hour // after its last use
	linkLife    = 10 * time.Minute
	maxSessions = 10_000 // the one that was not used for longest makes room
	maxLinks    = 100
)

// sessions are the browsers that are signed in, and the links that sign in
// once. Of a cookie or a link only the hash is in memory.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows
	all   map[[32]byte]session
	links map[[32]byte]session
}

// session stands for the token of a reader, by its hash.
type session struct {
	token   [32]byte
	expires time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[32]byte]session{}, links: map[[32]byte]session{}}
}

// start makes a session of the token with that hash, and gives the cookie's
// value.
func (s *sessions) start(token [32]byte) (cookie string) {
	cookie = rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	put(s.all, cookie, session{token: token, expires: s.now().Add(sessionLife)}, maxSessions, s.now())
	return cookie
}

// find gives the token that a cookie stands for, and prolongs the session.
func (s *sessions) find(cookie string) (token [32]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(cookie))
	found, ok := s.all[key]
	if !ok || !found.expires.After(s.now()) {
		delete(s.all, key)
		return token, false
	}
	found.expires = s.now().Add(sessionLife)
	s.all[key] = found
	return found.token, true
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(cookie)))
}

// link makes a code that signs in once as the reader of the token.
func (s *sessions) link(token [32]byte) (code string, expires time.Time) {
	code, expires = rand.Text(), s.now().Add(linkLife)
	s.mu.Lock()
	defer s.mu.Unlock()
	put(s.links, code, session{token: token, expires: expires}, maxLinks, s.now())
	return code, expires
}

// redeem gives the token that a link signs in, once.
func (s *sessions) redeem(code string) (token [32]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(code))
	found, ok := s.links[key]
	delete(s.links, key)
	return found.token, ok && found.expires.After(s.now())
}

// put adds to m. When it is full, what has expired goes, and if that is
// nothing, what would expire first.
func put(m map[[32]byte]session, secret string, add session, limit int, now time.Time) {
	if len(m) >= limit {
		var oldest [32]byte
		first := true
		for key, s := range m {
			if !s.expires.After(now) {
				delete(m, key)
			} else if first || s.expires.Before(m[oldest].expires) {
				oldest, first = key, false
			}
		}
		if len(m) >= limit {
			delete(m, oldest)
		}
	}
	m[sha256.Sum256([]byte(secret))] = add
}

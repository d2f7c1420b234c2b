package ingest

import (
	"net/http"
	"strings"

	"switchlog/schemas"
)

// minTokenBytes is what a shared token should have at least: 20 characters of
// a password generator are beyond guessing.
const minTokenBytes = 20

// sharedToken is any sender that puts one agreed value into Authorization:
// guilds.me, discord.place, Bothunt, a script with curl. It signs nothing,
// names no delivery and says no time, so every request is an event of its own.
var sharedToken = Kind{
	Name:    schemas.SharedToken,
	Shell:   sharedTokenShell,
	Route:   "/in/token/{name}",
	Secrets: []SecretSpec{{Purpose: purposeToken, Required: true, Hashed: true, Inside: " ", Authorization: true}},
	Tenant:  byName,
	Warn: func(_, secret string) string {
		if len(secret) < minTokenBytes {
			return "this token is short enough to be guessed; use 20 random characters or more"
		}
		return ""
	},
	New: func(c Configured) Source { return tokenSource{c} },
}

// sharedTokenShell is how one is added from the shell.
var sharedTokenShell = Shell{
	Args:  "NAME",
	Short: "Any sender that shows a fixed Authorization header",
	Steps: `  1. At the sender, set the address to https://YOUR-ADDRESS/in/token/NAME and a
     long random token; put the whole value of Authorization into a file.
  2. switchlog source add token NAME --token-file FILE`,
	Flags: []Flag{
		{Name: "token-file", Purpose: purposeToken, Form: FlagFile, Doc: "file with the whole value of Authorization (-: standard input)"},
	},
}

type tokenSource struct{ Configured }

// Verify compares the whole value of Authorization: "Bearer x" and "x" are
// two values.
func (s tokenSource) Verify(r *Request, _ []byte) error {
	sent, once := onlyValue(r.Header, "Authorization")
	if !once || !accepts(s.Tokens[purposeToken], sent, s.Now()) {
		return ErrUnauthorized
	}
	return nil
}

// Events makes one event of any JSON.
func (s tokenSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	value := r.Header.Get("Authorization")
	e, err := message(schemas.SharedToken, s.Name, schemas.TokenReceive, body, value, credentials(value))
	if err != nil {
		return nil, err
	}
	e.ID = schemas.NewID()
	return []schemas.Event{e}, nil
}

// credentials are what is secret of an Authorization value: what stands behind
// its scheme. A sender that repeats its token in the body repeats it without.
// Empty: the value has no scheme.
func credentials(value string) string {
	_, behind, _ := strings.Cut(strings.TrimSpace(value), " ")
	return strings.TrimSpace(behind)
}

// Probe can only be wrong: of the token a hash is kept.
func (s tokenSource) Probe(right bool) (Probe, bool) {
	return Probe{
		Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"switchlog-probe"}},
		Body:   []byte(`{"type":"` + probeType + `"}`),
	}, !right
}

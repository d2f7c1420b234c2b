package ingest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	settingAllowedOrigin = "allowed_origin"

	// cloudEventsRepeats is for how long the same source and id are the same
	// event. The specification wants them unique for ever, and names no time
	// after which a sender gives up; a day is what others take.
	cloudEventsRepeats = 24 * time.Hour
)

// cloudEvents is any sender of CloudEvents 1.0 over HTTP, in structured, binary
// and batch mode, as the CloudEvents webhook specification says.
var cloudEvents = Kind{
	Name:     schemas.CloudEvents,
	Shell:    cloudEventsShell,
	Route:    "/in/cloudevents/{name}",
	Settings: map[string]func(string) (string, error){settingAllowedOrigin: checkOrigin},
	Secrets:  []SecretSpec{{Purpose: purposeToken, Required: true, Hashed: true, Authorization: true, Clean: withoutBearer}},
	Tenant:   byName,
	Options:  cloudEventsConsent,
	Warn:     sharedToken.Warn,
	New:      func(c Configured) Source { return cloudEventsSource{c} },
}

// cloudEventsShell is how one is added from the shell.
var cloudEventsShell = Shell{
	Args:  "NAME",
	Short: "Any sender of CloudEvents over HTTP",
	Steps: `  1. switchlog source add cloudevents NAME --token-file FILE
  2. At the sender, use
       https://YOUR-ADDRESS/in/cloudevents/NAME
     with the token as Authorization: Bearer TOKEN (or, if it cannot,
     ?access_token=TOKEN).`,
	Flags: []Flag{
		{Name: "token-file", Purpose: purposeToken, Form: FlagFile, Doc: "file with the bearer token (-: standard input)"},
		{Name: "allowed-origin", Setting: settingAllowedOrigin, Doc: "DNS name of the sender that OPTIONS lets in, or *"},
	},
}

type cloudEventsSource struct{ Configured }

var dnsName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// checkOrigin reads the DNS name of a sending system, or * for any.
func checkOrigin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s != "*" && !dnsName.MatchString(s) {
		return "", fmt.Errorf("%w: allowed_origin is neither a DNS name like eventemitter.example.com nor *", schemas.ErrInvalid)
	}
	return s, nil
}

// tokens are what the request shows for a token: a bearer token in
// Authorization, access_token in the query. Not ok: one of them is there, but
// not as it must be.
func (cloudEventsSource) tokens(r *Request) (shown []string, ok bool) {
	if _, there := r.Header["Authorization"]; there {
		value, once := onlyValue(r.Header, "Authorization")
		scheme, token, _ := strings.Cut(value, " ")
		if !once || !strings.EqualFold(scheme, "Bearer") {
			return nil, false
		}
		shown = append(shown, strings.TrimSpace(token))
	}
	if values, there := r.Query["access_token"]; there {
		if len(values) != 1 {
			return nil, false
		}
		shown = append(shown, values[0])
	}
	return shown, true
}

// Verify wants the token in one of its two places. If it is in both, both
// must be right: whose request it is may not depend on who looks where.
func (s cloudEventsSource) Verify(r *Request, _ []byte) error {
	shown, ok := s.tokens(r)
	if !ok || len(shown) == 0 {
		return ErrUnauthorized
	}
	for _, token := range shown {
		if !accepts(s.Tokens[purposeToken], token, s.Now()) {
			return ErrUnauthorized
		}
	}
	return nil
}

// cloudEventsConsent answers the handshake: a sender asks whether it may send
// from an origin, and the consent is in headers, whatever the status. An
// origin is no proof of anything; each delivery is verified all the same. A
// callback that the sender names is never called: it could name any address.
//
// A source that does not consent answers as one that does not exist.
func cloudEventsConsent(s Source, exists bool, r *Request) (Answer, error) {
	a := Answer{Status: http.StatusOK, Header: map[string]string{}}
	src := s.(cloudEventsSource)
	if shown, ok := src.tokens(r); !ok || len(shown) > 0 && (src.Verify(r, nil) != nil || !exists) {
		return Answer{}, ErrUnauthorized
	}
	origin, asked := onlyValue(r.Header, "WebHook-Request-Origin")
	allowed := src.Settings[settingAllowedOrigin]
	if !asked || allowed == "" || allowed != "*" && !strings.EqualFold(origin, allowed) {
		return a, nil
	}
	a.Header["WebHook-Allowed-Origin"] = allowed
	if _, asked := onlyValue(r.Header, "WebHook-Request-Rate"); asked {
		a.Header["WebHook-Allowed-Rate"] = "*" // who is too fast is told by 429
	}
	return a, nil
}

// Ack is 202: accepted, and not yet processed.
func (cloudEventsSource) Ack([]schemas.Event) Answer { return Answer{Status: http.StatusAccepted} }

// Probe can only be wrong: of the token a hash is kept.
func (cloudEventsSource) Probe(right bool) (Probe, bool) {
	return Probe{
		Header: http.Header{"Content-Type": {schemas.ContentType}, "Authorization": {"Bearer switchlog-probe"}},
		Body:   []byte(`{"specversion":"1.0","id":"1","source":"urn:switchlog:probe","type":"` + probeType + `"}`),
	}, !right
}

// withoutBearer takes the scheme off a bearer token: it is sent, but no part
// of the token.
func withoutBearer(s string) string {
	if scheme, token, ok := strings.Cut(s, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return registry.Unwrap(token)
	}
	return s
}

package ingest

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"switchlog/schemas"
)

// Purposes of PluralKit's secrets, and the names of its envelope's members.
const (
	purposeToken    = "token"     // the signing_token of the dispatch webhook
	purposeAPIToken = "api_token" // the owner's token of PluralKit's API
	settingSystem   = "system"    // uuid of the system

	memberToken  = "signing_token"
	memberSystem = "system_id"

	pluralKitTokenLen = 64 // base64 of 48 random bytes
)

// pluralKit is PluralKit's dispatch webhook. All systems post to one path;
// whose request it is follows from its token.
var pluralKit = Kind{
	Name:     schemas.PluralKit,
	Shell:    pluralKitShell,
	Route:    "/in/pluralkit",
	Settings: map[string]func(string) (string, error){settingSystem: checkSystem},
	Secrets: []SecretSpec{
		{Purpose: purposeToken, Hashed: true, Clean: joined},
		{Purpose: purposeAPIToken, Asks: true, Authorization: true, Clean: joined},
	},
	Credential:    findToken,
	Claims:        claimedSystem,
	Ping:          readBeginning,
	Tenant:        func(_ string, settings map[string]string) string { return settings[settingSystem] },
	TenantSetting: settingSystem,
	DefaultName:   func(settings map[string]string) string { return settings[settingSystem] },
	Check:         checkPluralKitSecrets,
	Warn:          warnPluralKitToken,
	New: func(c Configured) Source {
		return pluralKitSource{Configured: c}
	},
}

// pluralKitShell is how one is added from the shell.
var pluralKitShell = Shell{
	Args:  "[NAME]",
	Short: "PluralKit's dispatch webhook",
	Steps: `  1. In a direct message to the PluralKit bot on Discord, type
       pk;system webhook https://YOUR-ADDRESS/in/pluralkit
     The bot answers with a token. Do not press Continue yet.
  2. Paste the token into
       switchlog source add pluralkit --token-file -
     It is not shown. Press Enter.
  3. Press Continue. PluralKit now tries the address twice, and from then on
     every change arrives here.`,
	Flags: []Flag{
		{Name: "token-file", Purpose: purposeToken, Form: FlagFile, Doc: "file with the token the sender shows (-: standard input)"},
		{Name: "api-token-file", Purpose: purposeAPIToken, Form: FlagFile, Doc: "file with the system's own API token (pk;token), to ask PluralKit what webhooks missed"},
		{Name: "system", Setting: settingSystem, Doc: "the system's uuid (default: learned from the first request)"},
	},
}

// checkPluralKitSecrets wants a secret: the webhook's token, or the API token by
// which PluralKit is asked, or both.
func checkPluralKitSecrets(_ string, _, secrets map[string]string) error {
	if secrets[purposeToken] == "" && secrets[purposeAPIToken] == "" {
		return fmt.Errorf("%w: token is missing (hint: the one the bot shows for the webhook, or an API token to ask PluralKit without a webhook)", schemas.ErrInvalid)
	}
	return nil
}

type pluralKitSource struct{ Configured }

// findToken is the hash of the first signing_token. It reads no further.
func findToken(r *Request, body []byte) (hash [sha256.Size]byte, ok bool) {
	d := dispatchOf(r, body)
	ok = d.toToken()
	return d.hash, ok
}

// Verify reads signing_token and system_id from the top level of the body,
// in any order, and nothing else. A body that breaks off after the token is
// PluralKit's all the same: Events refuses it.
//
// system_id is null in some of PluralKit's events (UPDATE_MEMBER_GUILD about
// an account): then the token alone says whose it is.
func (p pluralKitSource) Verify(r *Request, body []byte) error {
	d := dispatchOf(r, body)
	if !d.toToken() || !acceptsHash(p.Tokens[purposeToken], d.hash, p.Now()) {
		return ErrUnauthorized
	}
	d.toEnd()
	id, ok := d.systemID()
	if !ok || d.contradicts || id != "" && p.Tenant != "" && id != p.Tenant {
		return ErrUnauthorized
	}
	return nil
}

// TellTenant is the system_id of a verified, whole body.
func (p pluralKitSource) TellTenant(r *Request, body []byte) string {
	d := dispatchOf(r, body)
	d.toEnd()
	id, ok := d.systemID()
	if !ok || d.scan.Err() != nil {
		return ""
	}
	return id
}

// claimedSystem is the system that an unverified body names. Of a ping it is
// empty: PluralKit sends one with a wrong token on purpose.
func claimedSystem(beginning []byte) string {
	system, isPing := readBeginning(beginning)
	if isPing {
		return ""
	}
	return system
}

// readBeginning reads, in the beginning of a body, which may break off, the
// first system_id and whether it is a ping.
func readBeginning(beginning []byte) (system string, isPing bool) {
	s := scan(beginning)
	for s.Object(); s.Next(); {
		said, isText := schemas.Unquote(s.Value)
		switch {
		case !isText:
		case schemas.Spells(s.Name, "type") && said == ping:
			isPing = true
		case system == "" && schemas.Spells(s.Name, memberSystem):
			if id, err := checkSystem(said); err == nil {
				system = id
			}
		}
	}
	return system, isPing
}

// checkSystem reads a system's uuid, in lower case as PluralKit writes it.
func checkSystem(s string) (string, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(uuid.Nil.String()) {
		return "", fmt.Errorf("%w: system is not a uuid like 01234567-89ab-cdef-0123-456789abcdef "+
			"(hint: it is \"uuid\" in https://api.pluralkit.me/v2/systems/ followed by the system's short id)", schemas.ErrInvalid)
	}
	return id.String(), nil
}

// warnPluralKitToken notices what was probably copied wrong. It does not
// refuse: a test server may use other tokens.
func warnPluralKitToken(purpose, secret string) string {
	if purpose == purposeToken && !isPluralKitToken(secret) {
		return "PluralKit's tokens are 64 letters, digits, + and /; this one is not: was it copied whole?"
	}
	return ""
}

// isPluralKitToken reports whether s is a token as PluralKit makes them, of its
// webhook or of its API.
func isPluralKitToken(s string) bool {
	const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return len(s) == pluralKitTokenLen && strings.Trim(s, base64) == ""
}

// Probe is PluralKit's own: it, too, sends a PING with a wrong token and wants
// a 401. Of the right token only a hash is kept.
func (p pluralKitSource) Probe(right bool) (Probe, bool) {
	return Probe{
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   []byte(`{"type":"PING","signing_token":"switchlog-probe"}`),
	}, !right
}

// joined is a token of PluralKit's that was broken into lines or parts when it
// was copied. Another text with white space stays as it is, and is refused.
func joined(s string) string {
	if whole := strings.Join(strings.Fields(s), ""); isPluralKitToken(whole) {
		return whole
	}
	return s
}

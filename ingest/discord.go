package ingest

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// Purposes, settings and headers of Discord's Webhook Events.
const (
	purposePublicKey   = "public_key" // not a secret, but replaced like one
	settingApplication = "application_id"
	settingKeepContent = "keep_message_content"

	memberApplication = "application_id"

	headerEd25519   = "X-Signature-Ed25519"
	headerTimestamp = "X-Signature-Timestamp"

	// discordRepeats is longer than Discord tries again (10 minutes). An
	// event that comes later than that is stored twice under one ID, which
	// changes nothing.
	discordRepeats = 15 * time.Minute
)

// discord is Discord's Webhook Events for one application.
var discord = Kind{
	Name:  schemas.Discord,
	Shell: discordShell,
	Route: "/in/discord/{name}",
	Settings: map[string]func(string) (string, error){
		settingApplication: checkApplication,
		settingKeepContent: checkBool(settingKeepContent),
	},
	Secrets: []SecretSpec{{Purpose: purposePublicKey, Required: true, Check: checkPublicKey,
		Decoy: func() string { return hex.EncodeToString(newPublicKey()) }}},
	Tenant: func(_ string, settings map[string]string) string { return settings[settingApplication] },
	New: func(c Configured) Source {
		s := discordSource{Configured: c, keepContent: c.Settings[settingKeepContent] == "true"}
		for _, k := range newestFirst(c.Keys[purposePublicKey]) {
			if key, err := hex.DecodeString(k.Secret); err == nil && len(key) == ed25519.PublicKeySize && len(s.keys) < maxCurveChecks {
				s.keys = append(s.keys, discordKey{key, k.Until})
			}
		}
		return s
	},
}

// discordShell is how one is added from the shell.
var discordShell = Shell{
	Args:  "NAME",
	Short: "Discord's Webhook Events of an application",
	Steps: `  1. In the Discord developer portal, open your application, General
     Information, and copy the public key.
  2. switchlog source add discord NAME --public-key HEX
  3. In the portal, Webhooks: set the endpoint to
       https://YOUR-ADDRESS/in/discord/NAME
     switch events on and choose the types. Discord tries the address when you
     save.`,
	Flags: []Flag{
		{Name: "public-key", Purpose: purposePublicKey, Doc: "the application's public key, 64 hexadecimal digits"},
		{Name: "application-id", Setting: settingApplication, Doc: "the application's id: events of any other are refused"},
		{Name: "keep-message-content", Setting: settingKeepContent, Form: FlagYesNo, Doc: "keep the text of messages, too"},
	},
}

type discordSource struct {
	Configured
	keys        []discordKey // each of the right length: ed25519.Verify panics on others
	keepContent bool
}

type discordKey struct {
	public ed25519.PublicKey
	until  time.Time // zero: no end
}

// Verify checks the signature of timestamp and body, then that the body is
// about this application.
//
// There is no separator between the two, so a timestamp that is not all
// digits could be the beginning of another body: it is refused. How old it
// may be is not asked: Discord does not say whether a retry is signed anew,
// and an old request is a repeat, whose ID changes nothing.
func (d discordSource) Verify(r *Request, body []byte) error {
	sent, ok := onlyValue(r.Header, headerEd25519)
	if !ok || len(sent) != 2*ed25519.SignatureSize {
		return ErrUnauthorized
	}
	signature, err := hex.DecodeString(sent)
	if err != nil {
		return ErrUnauthorized
	}
	timestamp, ok := onlyValue(r.Header, headerTimestamp)
	if !ok || !allDigits(timestamp) || len(timestamp) > 20 {
		return ErrUnauthorized
	}
	if !d.signed(append([]byte(timestamp), body...), signature) {
		return ErrUnauthorized
	}
	if application := d.TellTenant(nil, body); d.Tenant != "" && application != "" && application != d.Tenant {
		return ErrUnauthorized
	}
	return nil
}

func (d discordSource) signed(message, signature []byte) bool {
	now := d.Now()
	for _, k := range d.keys {
		if (k.until.IsZero() || now.Before(k.until)) && ed25519.Verify(k.public, message, signature) {
			return true
		}
	}
	return false
}

// TellTenant is the application_id of a verified, whole body.
func (d discordSource) TellTenant(_ *Request, body []byte) string {
	if !validJSON(body) {
		return ""
	}
	value, _ := member(body, memberApplication)
	if id, ok := schemas.Unquote(value); ok && schemas.IsSnowflake(id) {
		return id
	}
	return ""
}

// Ack is what Discord wants for events and pings alike: 204, and a
// Content-Type though there is no content.
func (d discordSource) Ack([]schemas.Event) Answer {
	return Answer{Status: http.StatusNoContent, Header: map[string]string{"Content-Type": "application/json"}}
}

// onlyValue is the value of a header that must be there once.
func onlyValue(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

func checkApplication(s string) (string, error) {
	if !schemas.IsSnowflake(s) || len(s) < 15 {
		return "", fmt.Errorf("%w: application_id is no Discord id, which has 17 to 20 digits "+
			"(hint: it is on the application's page General Information)", schemas.ErrInvalid)
	}
	return s, nil
}

// checkPublicKey reads an application's public key, in lower case.
func checkPublicKey(s string) (string, error) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	key, err := hex.DecodeString(s)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return "", fmt.Errorf("%w: public_key is not 64 hexadecimal characters but %d characters "+
			"(hint: it is on the application's page General Information)", schemas.ErrInvalid, len(s))
	}
	return strings.ToLower(s), nil
}

// checkBool reads a setting that is on or off.
func checkBool(setting string) func(string) (string, error) {
	return func(s string) (string, error) {
		on, err := strconv.ParseBool(s)
		if err != nil {
			return "", fmt.Errorf("%w: %s is neither true nor false", schemas.ErrInvalid, setting)
		}
		return strconv.FormatBool(on), nil
	}
}

// Probe can only be wrong: Discord alone has the private key.
func (d discordSource) Probe(right bool) (Probe, bool) {
	return Probe{
		Header: http.Header{
			"Content-Type":  {"application/json"},
			headerEd25519:   {strings.Repeat("0", 2*ed25519.SignatureSize)},
			headerTimestamp: {strconv.FormatInt(d.Now().Unix(), 10)},
		},
		Body: []byte(`{"version":1,"application_id":"0","type":0}`),
	}, !right
}

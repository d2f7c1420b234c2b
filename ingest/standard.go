package ingest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// Standard Webhooks, version 1.0.0 of its specification.
const (
	headerWebhookID        = "Webhook-Id"
	headerWebhookTimestamp = "Webhook-Timestamp"
	headerWebhookSignature = "Webhook-Signature"

	// standardTolerance is that of all reference libraries, both ways. The
	// specification names none.
	standardTolerance = 5 * time.Minute

	// standardRepeats is for how long one webhook-id is one event. Senders
	// that follow the suggested schedule are at their tenth and last attempt
	// after three days; what comes later than this is stored again under the
	// same ID, which changes nothing.
	standardRepeats = 24 * time.Hour

	maxStandardKeys       = 8 // secrets or public keys of one source
	maxStandardSignatures = 16
	maxWebhookIDBytes     = 256
)

// standard is any sender that signs as Standard Webhooks says.
var standard = Kind{
	Name:  schemas.StandardWebhooks,
	Route: "/in/standard/{name}",
	Secrets: []SecretSpec{
		{Purpose: purposeSecret, Inside: "\r\n", Check: checkEach(signingPrefix, checkStandardSecret)},
		{Purpose: purposePublicKey, Inside: "\r\n", Check: checkEach("whpk_", checkStandardPublicKey)},
	},
	Check: func(_ string, _, secrets map[string]string) error {
		if secrets[purposeSecret] == "" && secrets[purposePublicKey] == "" {
			return fmt.Errorf("%w: secret (whsec_…) or public_key (whpk_…) is missing", schemas.ErrInvalid)
		}
		return nil
	},
	Tenant: byName,
	New: func(c Configured) Source {
		return standardSource{
			Configured: c,
			secrets:    standardKeys(c.Keys[purposeSecret], signingPrefix),
			public:     standardKeys(c.Keys[purposePublicKey], "whpk_"),
		}
	},
}

type standardSource struct {
	Configured
	secrets []standardKey // of HMAC-SHA256, v1
	public  []standardKey // of Ed25519, v1a; each of the right length: ed25519.Verify panics on others
}

type standardKey struct {
	bytes []byte
	text  string // less its prefix
	until time.Time
}

// checkEach checks the lines of a secret one by one.
func checkEach(prefix string, check func(key []byte) error) func(string) (string, error) {
	return func(s string) (string, error) {
		lines := strings.Fields(s)
		if len(lines) > maxStandardKeys {
			return "", fmt.Errorf("%w: more than %d lines of %s…", schemas.ErrInvalid, maxStandardKeys, prefix)
		}
		for i, line := range lines {
			key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(line, prefix))
			if err == nil {
				err = check(key)
			} else {
				err = fmt.Errorf("is not %s and base64", prefix)
			}
			if err != nil {
				return "", fmt.Errorf("%w: line %d %w", schemas.ErrInvalid, i+1, err)
			}
		}
		return strings.Join(lines, "\n"), nil
	}
}

// checkStandardSecret wants what the specification wants. The reference
// library takes an empty secret, with which anybody can sign.
func checkStandardSecret(key []byte) error {
	if len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("is a secret of %d bytes; it must have 24 to 64 (hint: whsec_ and the base64 of that many random bytes)", len(key))
	}
	return nil
}

func checkStandardPublicKey(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("is a public key of %d bytes; Ed25519's have %d", len(key), ed25519.PublicKeySize)
	}
	return nil
}

// standardKeys reads what checkEach has passed.
func standardKeys(kept []Key, prefix string) []standardKey {
	var keys []standardKey
	for _, k := range kept {
		for _, line := range strings.Fields(k.Secret) {
			text := strings.TrimPrefix(line, prefix)
			if b, err := base64.StdEncoding.DecodeString(text); err == nil {
				keys = append(keys, standardKey{b, text, k.Until})
			}
		}
	}
	return keys
}

// Verify wants one signature that one of our keys made, over id, timestamp
// and body with dots between them, not long ago. So an id may have no dot:
// what follows it could be another timestamp, and the timestamp another
// body's beginning.
func (s standardSource) Verify(r *Request, body []byte) error {
	id, hasID := onlyValue(r.Header, headerWebhookID)
	at, hasTime := onlyValue(r.Header, headerWebhookTimestamp)
	list, hasList := onlyValue(r.Header, headerWebhookSignature)
	if !hasID || !hasTime || !hasList || strings.Contains(id, ".") || !isAttribute(id, maxWebhookIDBytes) || !s.isRecent(at) {
		return ErrUnauthorized
	}
	signatures := strings.Fields(list)
	if len(signatures) > maxStandardSignatures {
		return ErrUnauthorized
	}
	signed := append([]byte(id+"."+at+"."), body...)
	for _, key := range s.secrets {
		if !key.isGood(s.Now()) {
			continue
		}
		sum := standardMAC(key.bytes, signed)
		for _, one := range signatures {
			if sent, ok := signatureOf(one, "v1,", sha256.Size); ok && hmac.Equal(sent, sum) {
				return nil
			}
		}
	}
	for _, key := range s.public {
		for _, one := range signatures {
			sent, ok := signatureOf(one, "v1a,", ed25519.SignatureSize)
			if ok && key.isGood(s.Now()) && ed25519.Verify(key.bytes, signed, sent) {
				return nil
			}
		}
	}
	return ErrUnauthorized
}

// isRecent reads the timestamp: Unix seconds in digits and nothing else.
func (s standardSource) isRecent(at string) bool {
	if !allDigits(at) || len(at) > 12 {
		return false
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	return err == nil && s.Now().Sub(time.Unix(seconds, 0)).Abs() <= standardTolerance
}

func (k standardKey) isGood(now time.Time) bool { return k.until.IsZero() || now.Before(k.until) }

// signatureOf reads one entry of the list of signatures.
func signatureOf(entry, version string, size int) ([]byte, bool) {
	text, ok := strings.CutPrefix(entry, version)
	if !ok {
		return nil, false
	}
	sent, err := base64.StdEncoding.Strict().DecodeString(text)
	return sent, err == nil && len(sent) == size
}

func standardMAC(key, signed []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(signed)
	return mac.Sum(nil)
}

// Events makes one event of any JSON, and none of our own probe. Its ID is
// webhook-id, the same on every attempt.
func (s standardSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	var secrets []string
	for _, k := range s.secrets {
		secrets = append(secrets, k.text)
	}
	e, err := message(schemas.StandardWebhooks, s.Name, schemas.StandardReceive, body, secrets...)
	if err != nil || e.Type == probeType {
		return nil, err
	}
	e.ID, e.Repeats = r.Header.Get(headerWebhookID), standardRepeats
	return []schemas.Event{e}, nil
}

// Probe signs with the newest secret. A source that has public keys alone
// cannot: they only verify.
func (s standardSource) Probe(right bool) (Probe, bool) {
	if right && len(s.secrets) == 0 {
		return Probe{}, false
	}
	body := []byte(`{"type":"` + probeType + `","data":{}}`)
	id, at := "switchlog-"+schemas.NewID(), strconv.FormatInt(s.Now().Unix(), 10)
	sum := make([]byte, sha256.Size)
	if right {
		sum = standardMAC(s.secrets[0].bytes, []byte(id+"."+at+"."+string(body)))
	}
	return Probe{Body: body, Header: http.Header{
		"Content-Type":         {"application/json"},
		headerWebhookID:        {id},
		headerWebhookTimestamp: {at},
		headerWebhookSignature: {"v1," + base64.StdEncoding.EncodeToString(sum)},
	}}, true
}

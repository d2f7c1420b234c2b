package ingest

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// Headers of Standard Webhooks, version 1.0.0 of its specification. Svix, Clerk
// and Resend, from which it came, still write them with their older prefix.
const (
	prefixWebhook = "Webhook-"
	prefixSvix    = "Svix-"

	suffixID        = "Id"
	suffixTimestamp = "Timestamp"
	suffixSignature = "Signature"

	// standardTolerance is that of all reference libraries, both ways. The
	// specification names none.
	standardTolerance = 5 * time.Minute

	// standardRepeats is for how long one webhook-id is one event. Senders
	// that follow the suggested schedule are at their tenth and last attempt
	// after three days; what comes later than this is stored again under the
	// same ID, which changes nothing.
	standardRepeats = 24 * time.Hour

	maxStandardSignatures = 16
	maxWebhookIDBytes     = 256

	// maxHeaderIDBytes is for ids that are so long that there is no use in
	// checking who sent them.
	maxHeaderIDBytes = 8 << 10
)

// standard is any sender that signs as Standard Webhooks says.
var standard = Kind{
	Name:  schemas.StandardWebhooks,
	Shell: standardShell,
	Route: "/in/standard/{name}",
	Secrets: []SecretSpec{
		{Purpose: purposeSecret, Inside: " \t\r\n", Check: standardSecrets.Check, Decoy: func() string { return encodeKey(newRandom()) }},
		{Purpose: purposePublicKey, Inside: " \t\r\n", Check: standardPublicKeys.Check, Decoy: func() string { return encodeKey(newPublicKey()) }},
	},
	Check: func(_ string, _, secrets map[string]string) error {
		if secrets[purposeSecret] == "" && secrets[purposePublicKey] == "" {
			return fmt.Errorf("%w: secret (whsec_…) or public_key (whpk_…) is missing", schemas.ErrInvalid)
		}
		return nil
	},
	Tenant: byName,
	New: func(c Configured) Source {
		s := standardSource{
			Configured: c,
			secrets:    readKeys(c.Keys[purposeSecret], maxSharedSecrets),
			public:     readKeys(c.Keys[purposePublicKey], maxPublicKeys),
		}
		over := time.Unix(1, 0) // what it signs is never taken
		if len(s.secrets) == 0 {
			s.secrets = []standardKey{{bytes: newRandom(), until: over}}
		}
		if len(s.public) == 0 {
			s.public = []standardKey{{bytes: newPublicKey(), until: over}}
		}
		return s
	},
}

// standardShell is how one is added from the shell.
var standardShell = Shell{
	Args:  "NAME",
	Short: "Any sender that signs as Standard Webhooks says",
	Steps: `  1. At the sender, make an endpoint with the address
       https://YOUR-ADDRESS/in/standard/NAME
     and copy its signing secret (whsec_…) or public key (whpk_…) into a file,
     one on a line if there are several.
  2. switchlog source add standard NAME --secret-file FILE`,
	Flags: []Flag{
		{Name: "secret-file", Purpose: purposeSecret, Form: FlagFile, Doc: "file with signing secrets, whsec_…, one a line (-: standard input)"},
		{Name: "public-key-file", Purpose: purposePublicKey, Form: FlagFile, Doc: "file with public keys, whpk_…, one a line (-: standard input)"},
	},
}

type standardSource struct {
	Configured
	secrets []standardKey // of HMAC-SHA256, v1
	public  []standardKey // of Ed25519, v1a; each of the right length: ed25519.Verify panics on others

	// Neither is empty: a source that has none of a sort does the same work
	// in vain, so that its time does not tell.
}

type standardKey struct {
	bytes []byte
	text  string // less its prefix
	until time.Time
}

// readKeys reads secrets that KeyLines has passed, and at most so many keys.
func readKeys(kept []Key, most int) []standardKey {
	var keys []standardKey
	for _, k := range newestFirst(kept) {
		for _, line := range strings.Fields(k.Secret) {
			text := line[strings.IndexByte(line, '_')+1:]
			if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(keys) < most {
				keys = append(keys, standardKey{b, text, k.Until})
			}
		}
	}
	return keys
}

// signedBy is what a request shows for its signature.
type signedBy struct{ id, at, list string }

// headers reads a request's signature: by the names of the specification, and
// if there is none of those, by Svix's. ok: all three are there, once each.
func (standardSource) headers(h http.Header) (s signedBy, ok bool) {
	prefix := prefixWebhook
	if len(h[prefix+suffixID])+len(h[prefix+suffixTimestamp])+len(h[prefix+suffixSignature]) == 0 {
		prefix = prefixSvix
	}
	var hasID, hasTime, hasList bool
	s.id, hasID = onlyValue(h, prefix+suffixID)
	s.at, hasTime = onlyValue(h, prefix+suffixTimestamp)
	s.list, hasList = onlyValue(h, prefix+suffixSignature)
	return s, hasID && hasTime && hasList
}

// Verify wants one signature that one of our keys made, over id, timestamp
// and body with dots between them, not long ago. So an id may have no dot:
// what follows it could be another timestamp, and the timestamp another
// body's beginning.
//
// However many signatures there are and keys we have, a stranger's request
// costs maxSharedSecrets hashes and maxCurveChecks checks of a curve.
func (s standardSource) Verify(r *Request, body []byte) error {
	by, ok := s.headers(r.Header)
	if !ok || strings.Contains(by.id, ".") || !isAttribute(by.id, maxHeaderIDBytes) || !s.isRecent(by.at) {
		return ErrUnauthorized
	}
	var shared, curve [][]byte
	for _, one := range strings.Fields(by.list) {
		if sum, ok := signatureOf(one, "v1,", sha256.Size); ok {
			shared = append(shared, sum)
		} else if sum, ok := signatureOf(one, "v1a,", ed25519.SignatureSize); ok {
			curve = append(curve, sum)
		}
	}
	signed := append([]byte(by.id+"."+by.at+"."), body...)
	if s.isShared(signed, shared) || s.isOnCurve(signed, curve) {
		return nil
	}
	return ErrUnauthorized
}

// isShared reports whether a secret of ours made one of the signatures.
func (s standardSource) isShared(signed []byte, signatures [][]byte) bool {
	if len(signatures) == 0 {
		return false
	}
	for _, key := range s.secrets {
		sum, good := standardMAC(key.bytes, signed), key.isGood(s.Now())
		if slices.ContainsFunc(signatures, func(sent []byte) bool { return hmac.Equal(sent, sum) }) && good {
			return true
		}
	}
	return false
}

// isOnCurve reports whether the owner of one of our public keys made one of
// the signatures.
func (s standardSource) isOnCurve(signed []byte, signatures [][]byte) bool {
	now := s.Now()
	keys := slices.DeleteFunc(slices.Clone(s.public), func(k standardKey) bool { return !k.isGood(now) })
	good := len(keys) > 0
	if !good {
		keys = s.public[:1]
	}
	for _, pair := range curveChecks(len(keys), len(signatures)) {
		if ed25519.Verify(keys[pair.key].bytes, signed, signatures[pair.signature]) && good {
			return true
		}
	}
	return false
}

// curveChecks are the pairs of a key and a signature that are tried, the
// first of both first: at most maxCurveChecks, whatever a stranger sends.
func curveChecks(keys, signatures int) []curveCheck {
	var pairs []curveCheck
	for sum := 0; sum < keys+signatures && len(pairs) < maxCurveChecks; sum++ {
		for key := max(0, sum-signatures+1); key <= sum && key < keys && len(pairs) < maxCurveChecks; key++ {
			pairs = append(pairs, curveCheck{key, sum - key})
		}
	}
	return pairs
}

type curveCheck struct{ key, signature int }

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
	by, _ := s.headers(r.Header)
	if len(by.id) > maxWebhookIDBytes {
		return nil, overLimit{http.StatusBadRequest, fmt.Sprintf("the id in the header is longer than %d bytes", maxWebhookIDBytes)}
	}
	if len(strings.Fields(by.list)) > maxStandardSignatures {
		return nil, overLimit{http.StatusBadRequest, fmt.Sprintf("more than %d signatures", maxStandardSignatures)}
	}
	var secrets []string
	for _, k := range s.secrets {
		secrets = append(secrets, spellings(k.text)...)
	}
	e, err := message(schemas.StandardWebhooks, s.Name, schemas.StandardReceive, body, secrets...)
	if err != nil || e.Type == probeType {
		return nil, err
	}
	e.ID, e.Repeats = by.id, standardRepeats
	return []schemas.Event{e}, nil
}

// Probe signs with the newest secret. A source that has public keys alone
// cannot: they only verify.
func (s standardSource) Probe(right bool) (Probe, bool) {
	if right && !s.secrets[0].until.IsZero() {
		return Probe{}, false
	}
	body := []byte(`{"type":"` + probeType + `","data":{}}`)
	id, at := "switchlog-"+schemas.NewID(), strconv.FormatInt(s.Now().Unix(), 10)
	sum := make([]byte, sha256.Size)
	if right {
		sum = standardMAC(s.secrets[0].bytes, []byte(id+"."+at+"."+string(body)))
	}
	return Probe{Body: body, Header: http.Header{
		"Content-Type":                  {"application/json"},
		prefixWebhook + suffixID:        {id},
		prefixWebhook + suffixTimestamp: {at},
		prefixWebhook + suffixSignature: {"v1," + base64.StdEncoding.EncodeToString(sum)},
	}}, true
}

package deliver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"switchlog/schemas"
)

// standard signs as Standard Webhooks 1.0.0 says, symmetric (v1).
var standard = provider{
	name:        schemas.ProviderStandard,
	checkURL:    func(*url.URL) error { return nil },
	show:        showURL,
	checkSecret: checkStandardSecret,
	flight:      8,
	request:     standardRequest,
	judge:       always,
}

const standardSecretPrefix = "whsec_"

// Bytes of a secret, by the specification.
const (
	minSecretBytes = 24
	maxSecretBytes = 64
)

// checkStandardSecret takes an empty one: who makes the subscription makes it then.
func checkStandardSecret(secret string) error {
	if secret == "" {
		return nil
	}
	_, err := standardKey(secret)
	return err
}

func standardKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, standardSecretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, fmt.Errorf("want whsec_ and the base64 of %d to %d random bytes", minSecretBytes, maxSecretBytes)
	}
	return key, nil
}

// standardRequest signs what history shows of the delivery. Each secret that
// is still good signs, so that a receiver may change over in its own time.
func standardRequest(in input) (request, error) {
	body := schemas.DeliveryPayload(in.d.Event)
	stamp := strconv.FormatInt(in.now.Unix(), 10)
	var signatures []string
	for _, secret := range in.secrets {
		key, err := standardKey(secret)
		if err != nil {
			return request{}, fmt.Errorf("its secret: %w", err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(in.d.MessageID + "." + stamp + "."))
		mac.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(signatures) == 0 {
		return request{}, fmt.Errorf("it has no secret to sign with (hint: switchlog webhook rotate)")
	}
	return request{in.url, header("application/json",
		"Webhook-Id", in.d.MessageID,
		"Webhook-Timestamp", stamp,
		"Webhook-Signature", strings.Join(signatures, " "),
	), body}, nil
}

package ingest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

// Purpose, setting and headers of StellarStack's webhooks.
const (
	purposeSecret   = "secret"   // the key of the signature, as text
	settingUnsigned = "unsigned" // deliveries are messages for Discord, without a signature

	headerStellarSignature = "X-Webhook-Signature"
	headerStellarDelivery  = "X-Webhook-Delivery"

	// stellarRepeats is longer than StellarStack tries again (2 h 36 min).
	stellarRepeats = 3 * time.Hour
)

var deliveryID = regexp.MustCompile(`^[A-Za-z0-9-]{8,64}$`)

// stellarStack is a StellarStack panel. There are two generations, and a
// source is of one of them: deliveries that are signed, or messages in
// Discord's format that are not. The latter are let in by a path that nobody
// can guess, and their events say that nobody vouches for them.
var stellarStack = Kind{
	Name:     schemas.StellarStack,
	Route:    "/in/stellarstack/{name}",
	KeyRoute: "/in/stellarstack/{name}/{key}",
	Settings: map[string]func(string) (string, error){settingUnsigned: checkBool(settingUnsigned)},
	Secrets: []SecretSpec{
		{Purpose: purposeSecret},
		{Purpose: purposePathKey, Hashed: true, Check: func(string) (string, error) {
			return "", fmt.Errorf("%w: path_key is made here, and cannot be given", schemas.ErrInvalid)
		}},
	},
	Check: func(_ string, settings, secrets map[string]string) error {
		switch unsigned, given := settings[settingUnsigned] == "true", secrets[purposeSecret] != ""; {
		case unsigned && given:
			return fmt.Errorf("%w: a source is signed or unsigned, not both (hint: add two, under two names)", schemas.ErrInvalid)
		case !unsigned && !given:
			return fmt.Errorf("%w: secret is missing (hint: give the webhook's secret, or say unsigned if the panel has none)", schemas.ErrInvalid)
		}
		return nil
	},
	PathKey: func(settings map[string]string) bool { return settings[settingUnsigned] == "true" },
	Tenant:  func(name string, _ map[string]string) string { return name },
	Warn: func(purpose, secret string) string {
		if raw, err := hex.DecodeString(secret); purpose == purposeSecret && (err != nil || len(raw) != sha256.Size) {
			return "StellarStack's secrets are 64 hexadecimal characters; this one is not: was it copied whole?"
		}
		return ""
	},
	New: func(c Configured) Source {
		return stellarSource{Configured: c, unsigned: c.Settings[settingUnsigned] == "true"}
	},
}

type stellarSource struct {
	Configured
	unsigned bool
}

// Verify checks the HMAC of the body, or the key in the path. A source that
// has the one is not let in by the other.
//
// How old a delivery is is not asked: a panel's user may send one again by
// hand, days later, and a repeat changes no row.
func (s stellarSource) Verify(r *Request, body []byte) error {
	key, hasKey := r.Path["key"]
	if s.unsigned {
		if !hasKey || !accepts(s.Tokens[purposePathKey], key, s.Now()) {
			return ErrUnauthorized
		}
		return nil
	}
	sent, ok := onlyValue(r.Header, headerStellarSignature)
	sum, isHex := strings.CutPrefix(sent, "sha256=")
	signature, err := hex.DecodeString(sum)
	if !ok || hasKey || !isHex || err != nil || len(signature) != sha256.Size {
		return ErrUnauthorized
	}
	now, found := s.Now(), false
	for _, k := range s.Keys[purposeSecret] {
		mac := hmac.New(sha256.New, []byte(k.Secret))
		mac.Write(body)
		good := k.Until.IsZero() || now.Before(k.Until)
		found = hmac.Equal(mac.Sum(nil), signature) && good || found
	}
	if !found {
		return ErrUnauthorized
	}
	return nil
}

// Events makes one event of a delivery, whole: server and data are of equal
// interest. Of the message that tries a webhook, and of our own probe, it makes
// none.
func (s stellarSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	if !utf8.Valid(body) || !validJSON(body) {
		return nil, fmt.Errorf("%w: not JSON", schemas.ErrInvalid)
	}
	d, err := schemas.Decode[schemas.StellarStackEvent](schemas.Event{Type: schemas.StellarStack, Data: body})
	if err != nil {
		return nil, err
	}
	if s.unsigned != (len(d.Embeds) > 0) {
		return nil, fmt.Errorf("%w: a delivery of the other generation", schemas.ErrInvalid)
	}
	if d = d.Plain(); d.Event == "" {
		return nil, fmt.Errorf("%w: event is missing", schemas.ErrInvalid)
	}
	if s.unsigned && d.Event == "test" || d.Event == probeType {
		return nil, nil
	}
	typ, known := schemas.StellarStackType(d.Event)
	e := schemas.Event{
		Source:  schemas.NamedSourceURI(schemas.StellarStack, s.Tenant),
		Type:    typ,
		Subject: stellarSubject(d),
		Origin:  schemas.OriginWebhook,
		Data:    body,
		Route:   schemas.StellarStackRoute(typ, s.Tenant),
	}
	e.ID, e.Repeats = s.eventID(r, d)
	e.Extensions = map[string]any{}
	if known {
		e.DataSchema = schemas.SchemaID(typ)
	} else {
		e.Extensions[schemas.StellarStackTypeExtension] = plainType(d.Event)
	}
	if s.unsigned {
		e.Extensions[schemas.AuthTypeExtension] = schemas.AuthUnauthenticated
		e.Data = redact(e.Data, nil, r.Path["key"])
	}
	for _, k := range s.Keys[purposeSecret] {
		e.Data = redact(e.Data, nil, k.Secret)
	}
	return []schemas.Event{e}, nil
}

// stellarSubject is the server's id; its name, if that is all there is.
func stellarSubject(d schemas.StellarStackEvent) string {
	if d.Server == nil {
		return ""
	}
	for _, id := range []string{d.Server.ID, d.Server.Name} {
		if id != "" && isSubject(id) && strings.TrimSpace(id) == id {
			return id
		}
	}
	return ""
}

// eventID is the event's ID and for how long the same one is a repeat: the
// delivery's id, which a retry has again. Without it, what was told when about
// which server; the body is no key, since a retry writes it anew.
func (s stellarSource) eventID(r *Request, d schemas.StellarStackEvent) (string, time.Duration) {
	if id, ok := onlyValue(r.Header, headerStellarDelivery); ok && !s.unsigned && deliveryID.MatchString(id) {
		return id, stellarRepeats
	}
	at, err := schemas.ParseTime(d.Timestamp)
	if err != nil {
		return schemas.NewID(), 0
	}
	parts := []string{d.Event}
	if d.Server != nil {
		parts = append(parts, d.Server.ID, d.Server.Name)
	}
	for name, value := range d.Data {
		parts = append(parts, name+"="+canonical(value))
	}
	slices.Sort(parts)
	list, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings are always JSON
	}
	sum := sha256.Sum256(list)
	return "told." + strconv.FormatInt(at, 10) + "." + hex.EncodeToString(sum[:16]), stellarRepeats
}

// canonical is a JSON value with the members of objects in order.
func canonical(value json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return string(value)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(value)
	}
	return string(b)
}

// Probe signs with the newest secret; of a path's key only a hash is kept, so
// that one can only be wrong.
func (s stellarSource) Probe(right bool) (Probe, bool) {
	p := Probe{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"event":"` + probeType + `"}`)}
	if s.unsigned {
		p.Path = map[string]string{"key": "switchlog-probe"}
		return p, !right
	}
	sum := make([]byte, sha256.Size)
	if right {
		if len(s.Keys[purposeSecret]) == 0 {
			return p, false
		}
		mac := hmac.New(sha256.New, []byte(s.Keys[purposeSecret][0].Secret))
		mac.Write(p.Body)
		sum = mac.Sum(nil)
	}
	p.Header.Set(headerStellarSignature, "sha256="+hex.EncodeToString(sum))
	return p, true
}

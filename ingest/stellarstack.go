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
	Shell:    stellarStackShell,
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
		s := stellarSource{Configured: c, unsigned: c.Settings[settingUnsigned] == "true"}
		s.secrets = newestFirst(c.Keys[purposeSecret])
		s.secrets = s.secrets[:min(len(s.secrets), maxSharedSecrets)]
		if len(s.secrets) == 0 { // the same work in vain: time does not tell
			s.secrets = []Key{{Secret: newPathKey(), Until: time.Unix(1, 0)}}
		}
		return s
	},
}

// stellarStackShell is how one is added from the shell.
var stellarStackShell = Shell{
	Args:  "NAME",
	Short: "A StellarStack panel's webhooks",
	Steps: `  Panels that sign (they show a secret when the webhook is made):
    switchlog source add stellarstack NAME --secret-file FILE
  Panels that do not:
    switchlog source add stellarstack NAME --unsigned
    This prints an address that nobody can guess. Whoever knows it can send, so
    treat it as a secret; such events are marked as not verified.
  Then, in the panel, Webhooks: use the address that was printed.`,
	Flags: []Flag{
		{Name: "secret-file", Purpose: purposeSecret, Form: FlagFile, Doc: "file with the webhook's secret (-: standard input)"},
		{Name: "unsigned", Setting: settingUnsigned, Form: FlagYesNo, Doc: "the panel does not sign: let in by an unguessable address"},
	},
}

type stellarSource struct {
	Configured
	unsigned bool
	secrets  []Key // the newest first
}

// Verify checks the HMAC of the body, or the key in the path. A source that
// has the one is not let in by the other.
//
// How old a delivery is is not asked: a panel's user may send one again by
// hand, days later, and a repeat changes no row.
func (s stellarSource) Verify(r *Request, body []byte) error {
	if key, hasKey := r.Path["key"]; hasKey {
		if !accepts(s.Tokens[purposePathKey], key, s.Now()) || !s.unsigned {
			return ErrUnauthorized
		}
		return nil
	}
	sent, ok := onlyValue(r.Header, headerStellarSignature)
	sum, isHex := strings.CutPrefix(sent, "sha256=")
	signature, err := hex.DecodeString(sum)
	if !ok || !isHex || err != nil || len(signature) != sha256.Size {
		return ErrUnauthorized
	}
	now, found := s.Now(), false
	for _, k := range s.secrets {
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
//
// Only the name of the event must be readable. Anything else that is not as
// StellarStack sends it is the fold's to judge: the panel tries four times and
// then forgets a delivery, so one that is refused is lost.
func (s stellarSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	d, err := s.readDelivery(body)
	if err != nil {
		return nil, err
	}
	if s.unsigned && d.event == "test" || d.event == probeType {
		return nil, nil
	}
	typ, known := schemas.StellarStackType(d.event)
	e := schemas.Event{
		Source:  schemas.NamedSourceURI(schemas.StellarStack, s.Tenant),
		Type:    typ,
		Subject: d.subject(),
		Origin:  schemas.OriginWebhook,
		Data:    body,
		Route:   schemas.StellarStackRoute(typ, s.Tenant),
	}
	e.ID, e.Repeats = s.eventID(r, d)
	e.Extensions = map[string]any{}
	e.DataSchema = schemas.SchemaID(typ)
	if !known {
		e.Extensions[schemas.StellarStackTypeExtension] = plainType(d.event)
	}
	if s.unsigned {
		e.Extensions[schemas.AuthTypeExtension] = schemas.AuthUnauthenticated
		e.Data = redact(e.Data, nil, r.Path["key"])
	}
	for _, k := range s.secrets {
		e.Data = redact(e.Data, nil, k.Secret)
	}
	return []schemas.Event{e}, nil
}

// stellarDelivery is as much of a delivery as its event needs. A part that is
// absent or has another shape is empty.
type stellarDelivery struct {
	event, timestamp string
	id, name         string   // of the server
	parts            []string // all that a retry says again, but for the time; in no order
}

// readDelivery reads a delivery of the source's own generation. ErrInvalid: it
// has no name of an event where that generation has it.
func (s stellarSource) readDelivery(body []byte) (stellarDelivery, error) {
	var d stellarDelivery
	if !s.unsigned {
		d.event, d.timestamp = memberText(body, "event"), memberText(body, "timestamp")
		d.parts = []string{d.event}
		if server, _ := member(body, "server"); server != nil && !schemas.IsNull(server) {
			d.id, d.name = memberText(server, "id"), memberText(server, "name")
			d.parts = append(d.parts, d.id, d.name)
			if d.id+d.name == "" {
				d.parts = append(d.parts, canonical(server))
			}
		}
		data, _ := member(body, "data")
		d.readData(data)
	} else if embeds, _ := member(body, "embeds"); embeds != nil {
		embed, _ := firstElement(embeds)
		d.event = schemas.StellarStackEmbed{Title: memberText(embed, "title")}.Name()
		d.timestamp = memberText(embed, "timestamp")
		d.parts = []string{d.event}
		fields, _ := member(embed, "fields")
		d.readFields(fields)
	}
	if d.event == "" {
		return d, fmt.Errorf("%w: event is missing, or this is a delivery of the other generation", schemas.ErrInvalid)
	}
	return d, nil
}

// readData makes parts of the members of a signed delivery's data.
func (d *stellarDelivery) readData(data []byte) {
	s := scan(data)
	if !s.Object() {
		d.addOdd(data)
		return
	}
	for s.Next() {
		plain, _ := schemas.Unquote(slices.Concat([]byte{'"'}, s.Name, []byte{'"'}))
		d.parts = append(d.parts, plain+"="+canonical(s.Value))
	}
}

// readFields makes parts of the fields of an embed. The first that is called
// Server names it.
func (d *stellarDelivery) readFields(fields []byte) {
	s := scan(fields)
	if !s.Array() {
		d.addOdd(fields)
		return
	}
	hasServer, hasStatus := false, false
	for s.Next() {
		field := s.Value
		value, _ := member(field, "value")
		switch name := memberText(field, "name"); {
		case name == "Server" && !hasServer:
			hasServer, d.name = true, memberText(field, "value")
			d.parts = append(d.parts, "", d.name)
		case name == "Status" && !hasStatus:
			hasStatus = true
		case name == "":
			d.addOdd(field)
		default:
			d.parts = append(d.parts, name+"="+canonical(value))
		}
	}
}

// addOdd adds a value that is not what StellarStack sends there.
func (d *stellarDelivery) addOdd(value []byte) {
	if value != nil && !schemas.IsNull(value) {
		d.parts = append(d.parts, canonical(value))
	}
}

// subject is the server's id; its name, if that is all there is.
func (d stellarDelivery) subject() string {
	for _, id := range []string{d.id, d.name} {
		if isSubject(id) && strings.TrimSpace(id) == id {
			return id
		}
	}
	return ""
}

// eventID is the event's ID and for how long the same one is a repeat: the
// delivery's id, which a retry has again. Without it, what was told when about
// which server; the body is no key, since a retry writes it anew.
func (s stellarSource) eventID(r *Request, d stellarDelivery) (string, time.Duration) {
	if id, ok := onlyValue(r.Header, headerStellarDelivery); ok && !s.unsigned && deliveryID.MatchString(id) {
		return id, stellarRepeats
	}
	at, err := schemas.ParseTime(d.timestamp)
	if err != nil {
		return schemas.NewID(), 0
	}
	slices.Sort(d.parts)
	list, err := json.Marshal(d.parts)
	if err != nil {
		panic(err) // strings are always JSON
	}
	sum := sha256.Sum256(list)
	return "told." + strconv.FormatInt(at, 10) + "." + hex.EncodeToString(sum[:16]), stellarRepeats
}

// canonical is a JSON value with the members of objects in order. One that has
// no one meaning is as it was written: no other is the same.
func canonical(value json.RawMessage) string {
	if schemas.HasLoneSurrogate(value) {
		return string(value)
	}
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
		if !s.secrets[0].Until.IsZero() {
			return p, false
		}
		mac := hmac.New(sha256.New, []byte(s.secrets[0].Secret))
		mac.Write(p.Body)
		sum = mac.Sum(nil)
	}
	p.Header.Set(headerStellarSignature, "sha256="+hex.EncodeToString(sum))
	return p, true
}

package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"switchlog/schemas"
)

// Limits of CloudEvents. The specification asks whoever passes them on to
// take 64 KiB; bodies of requests have a limit of their own.
const (
	maxBatchEvents    = 1000
	maxIDBytes        = 1 << 10 // also of source and type: they stand in headers and keys
	maxEncodedBytes   = 768 << 10
	mediaStructured   = "application/cloudevents+json"
	mediaBatch        = "application/cloudevents-batch+json"
	mediaCloudEvents  = "application/cloudevents" // what all of them begin with
	mediaOctets       = "application/octet-stream"
	headerCloudEvents = "ce-"
)

// Events reads one event, in structured or binary mode, or a batch of them:
// all of it or none. An empty batch is no event.
//
// An event stays what its sender said: id, source, type, subject, time and
// extensions. But origin and switchlogsource are ours, whatever it says there,
// and so is where it travels.
func (s cloudEventsSource) Events(r *Request, body []byte) ([]schemas.Event, error) {
	contentType, _ := onlyValue(r.Header, "Content-Type")
	if len(r.Header["Content-Type"]) > 1 {
		return nil, fmt.Errorf("%w: Content-Type twice", schemas.ErrInvalid)
	}
	if values, there := r.Header["Content-Type"]; there && strings.TrimSpace(values[0]) == "" {
		return nil, fmt.Errorf("%w: datacontenttype is empty", schemas.ErrInvalid)
	}
	events, err := readCloudEvents(r.Header, contentType, body)
	if err != nil {
		return nil, err
	}
	tokens, _ := s.tokens(r)
	for i := range events {
		if err := s.adopt(&events[i], tokens); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func readCloudEvents(h http.Header, contentType string, body []byte) ([]schemas.Event, error) {
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), mediaCloudEvents) {
		e, err := readBinary(h, contentType, body)
		return []schemas.Event{e}, err
	}
	media, params, err := mime.ParseMediaType(contentType)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errMedia
	}
	if media != mediaStructured && media != mediaBatch {
		return nil, errMedia // XML, Avro, or no format at all
	}
	if err := checkJSON(body); err != nil {
		return nil, err
	}
	if media == mediaBatch {
		return readBatch(body)
	}
	events := make([]schemas.Event, 1)
	return events, events[0].UnmarshalJSON(body)
}

// readBatch reads an array of events.
func readBatch(body []byte) ([]schemas.Event, error) {
	s := scan(body)
	if !s.Array() {
		return nil, fmt.Errorf("%w: a batch is an array", schemas.ErrInvalid)
	}
	var events []schemas.Event
	for s.Next() {
		if len(events) == maxBatchEvents {
			return nil, overLimit{http.StatusRequestEntityTooLarge, fmt.Sprintf("more than %d events in a batch", maxBatchEvents)}
		}
		var e schemas.Event
		if err := e.UnmarshalJSON(s.Value); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// readBinary reads an event whose attributes are headers and whose data is
// the body. A request without ce-specversion is no event at all.
func readBinary(h http.Header, contentType string, body []byte) (schemas.Event, error) {
	e := schemas.Event{Extensions: map[string]any{}}
	if _, is := onlyValue(h, "Ce-Specversion"); !is && !schemas.IsJSONType(contentType) {
		return e, errMedia
	}
	version, when := "", ""
	places := map[string]*string{
		"specversion": &version, "id": &e.ID, "source": &e.Source, "type": &e.Type,
		"subject": &e.Subject, "time": &when, "dataschema": &e.DataSchema,
	}
	for name, values := range h {
		name, is := strings.CutPrefix(strings.ToLower(name), headerCloudEvents)
		if !is || name == "datacontenttype" { // that is Content-Type, over HTTP
			continue
		}
		if len(values) != 1 {
			return e, fmt.Errorf("%w: an attribute twice", schemas.ErrInvalid)
		}
		value, err := decodeAttribute(values[0])
		if err != nil {
			return e, err
		}
		if value == "" && places[name] != nil {
			return e, fmt.Errorf("%w: %s is empty", schemas.ErrInvalid, name)
		}
		if to := places[name]; to != nil {
			*to = value
		} else {
			e.Extensions[name] = value
		}
	}
	if version != "1.0" {
		return e, fmt.Errorf("%w: specversion is not 1.0", schemas.ErrInvalid)
	}
	if when != "" {
		t, err := time.Parse(time.RFC3339Nano, when)
		if err != nil {
			return e, fmt.Errorf("%w: time: %w", schemas.ErrInvalid, err)
		}
		e.Time = t.UTC().Truncate(time.Microsecond)
	}
	return e, setData(&e, contentType, body)
}

// setData puts a body of some media type where an event keeps it: JSON as it
// is, text as a JSON string, all else as bytes.
func setData(e *schemas.Event, contentType string, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if contentType == "" {
		contentType = mediaOctets
		if utf8.Valid(body) && validJSON(body) {
			contentType = "application/json"
		}
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("%w: Content-Type is no media type", schemas.ErrInvalid)
	}
	if contentType != "application/json" {
		e.DataContentType = strings.TrimSpace(contentType)
	}
	if schemas.IsJSONType(contentType) {
		if err := checkJSON(body); err != nil {
			return err
		}
		e.Data = body
		return nil
	}
	if isText(media, params["charset"]) && utf8.Valid(body) {
		// Mostly control characters: longer as text than as base64.
		if text := jsonText(body); len(text) <= 2+len(body)*4/3 {
			e.Data = text
			return nil
		}
	}
	e.Binary = body
	return nil
}

// isText reports whether a media type is text that could be UTF-8.
func isText(media, charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
	default:
		return false
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+xml") || strings.HasSuffix(media, "+yaml") ||
		media == "application/xml" || media == "application/yaml" || media == "application/x-www-form-urlencoded"
}

// jsonText is text as a JSON string, with no more escapes than needed.
func jsonText(text []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(string(text)); err != nil {
		panic(err) // a string is always JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// adopt makes a sender's event one of ours, or refuses it: it must be one by
// the codec's and the SDK's judgement, small enough to travel, and without the
// token it came with (Law 9).
func (s cloudEventsSource) adopt(e *schemas.Event, tokens []string) error {
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	delete(e.Extensions, "origin") // of binary mode; it has a field of its own
	e.Origin = schemas.OriginWebhook
	e.Extensions[schemas.SourceExtension] = schemas.GenericSource(schemas.CloudEvents, s.Name)
	e.Route = schemas.GenericRoute(schemas.CloudEvents, s.Name)
	e.Repeats = cloudEventsRepeats
	for name, attribute := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type, "subject": e.Subject} {
		switch {
		case len(attribute) > maxIDBytes && name != "subject":
			return overLimit{http.StatusBadRequest, fmt.Sprintf("%s is longer than %d bytes", name, maxIDBytes)}
		case !utf8.ValidString(attribute) || strings.IndexFunc(attribute, notInAttribute) >= 0:
			return fmt.Errorf("%w: %s has characters that CloudEvents does not allow", schemas.ErrInvalid, name)
		}
	}
	for name, value := range e.Extensions {
		if text, is := value.(string); is && strings.IndexFunc(text, notInAttribute) >= 0 {
			return fmt.Errorf("%w: %.20q has characters that CloudEvents does not allow", schemas.ErrInvalid, name)
		}
	}
	for _, token := range tokens {
		e.Data = redact(e.Data, nil, token)
	}
	encoded, err := e.MarshalJSON()
	if err != nil {
		return err
	}
	if len(encoded) > maxEncodedBytes {
		return overLimit{http.StatusRequestEntityTooLarge, fmt.Sprintf("an event is larger than %d bytes as CloudEvents JSON", maxEncodedBytes)}
	}
	for _, token := range tokens {
		if len(token) >= minSecretBytes && (bytes.Contains(encoded, []byte(token)) || bytes.Contains(e.Binary, []byte(token))) {
			return fmt.Errorf("%w: the token is in it", schemas.ErrInvalid)
		}
	}
	return e.Validate()
}

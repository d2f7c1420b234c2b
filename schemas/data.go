package schemas

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
)

const mediaJSON = "application/json"

// IsJSONType reports whether a media type, as it stands in datacontenttype or
// Content-Type, says that data is JSON: application/json, text/json or one
// that ends in +json, whatever its case and parameters.
func IsJSONType(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == mediaJSON || media == "text/json" || strings.HasSuffix(media, "+json"))
}

// mediaType is what datacontenttype says of data that there is.
func (e *Event) mediaType() string {
	if e.DataContentType == "" {
		return mediaJSON
	}
	return e.DataContentType
}

// isJSON reports whether Data, if there is any, is JSON by its type.
func (e *Event) isJSON() bool {
	return e.DataContentType == "" || IsJSONType(e.DataContentType)
}

// setContentType keeps a datacontenttype that was read, unless it says no more
// than its absence. A null that is no JSON's is no data.
func (e *Event) setContentType(s string) {
	if s != mediaJSON {
		e.DataContentType = s
	}
	if IsNull(e.Data) && !e.isJSON() {
		e.Data = nil
	}
	if e.Data == nil && e.Binary == nil {
		e.DataContentType = ""
	}
}

// checkData holds the data against its type. That Data is JSON is checked
// where it is written or read.
func (e *Event) checkData() error {
	if e.Data != nil && e.Binary != nil {
		return fmt.Errorf("%w: both data and data_base64", ErrInvalid)
	}
	if e.DataContentType == "" {
		return nil
	}
	if e.Data == nil && e.Binary == nil {
		return fmt.Errorf("%w: datacontenttype without data", ErrInvalid)
	}
	if _, _, err := mime.ParseMediaType(e.DataContentType); err != nil || !isClean(e.DataContentType) {
		return fmt.Errorf("%w: datacontenttype %q is no media type", ErrInvalid, clip(e.DataContentType))
	}
	if data := bytes.TrimLeft(e.Data, " \t\r\n"); e.Data != nil && !bytes.HasPrefix(data, []byte{'"'}) && !e.isJSON() {
		return fmt.Errorf("%w: data is not text, as its datacontenttype %q wants", ErrInvalid, clip(e.DataContentType))
	}
	return nil
}

// dataBytes is the data as its type means it: JSON, the text itself, or what
// was binary.
func (e *Event) dataBytes() (data []byte, has bool, err error) {
	switch {
	case e.Binary != nil:
		return e.Binary, true, nil
	case e.Data == nil:
		return nil, false, nil
	case e.isJSON():
		return e.Data, true, nil
	}
	quoted := bytes.TrimSpace(e.Data)
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil, false, fmt.Errorf("%w: data is not text", ErrInvalid)
	}
	text, err := unquote(quoted[1 : len(quoted)-1])
	return []byte(text), true, err
}

// binary reads data_base64. Null: it is not set.
func (d *decoder) binary(value []byte) error {
	if err := d.once(10); err != nil || IsNull(value) {
		return err
	}
	if value[0] != '"' {
		return fmt.Errorf("%w: data_base64: not text", ErrInvalid)
	}
	text, err := unquote(value[1 : len(value)-1])
	if err != nil {
		return err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("%w: data_base64: %w", ErrInvalid, err)
	}
	d.event.Binary = b // not nil: there is data, though it be empty
	return nil
}

package deliver

import (
	"fmt"
	"net/url"

	"switchlog/schemas"
)

// cloudEvents posts the event as it is stored: CloudEvents 1.0 over HTTP in
// structured JSON mode, which our own encoder writes as the SDK reads it.
var cloudEvents = provider{
	name:        schemas.ProviderCloudEvents,
	checkURL:    func(*url.URL) error { return nil },
	show:        showURL,
	checkSecret: optionalToken,
	flight:      8,
	request:     cloudEventsRequest,
	judge: func(status int, _ []byte) verdict {
		if status == 415 { // the format is not understood, and there is no other
			return verdict{fate: refused}
		}
		return verdict{}
	},
}

func optionalToken(secret string) error {
	if secret != "" && !isToken(secret) {
		return fmt.Errorf("cannot stand in a header: printable ASCII without spaces, please")
	}
	return nil
}

func cloudEventsRequest(in input) (request, error) {
	body, err := in.d.Event.MarshalJSON()
	if err != nil {
		return request{}, fmt.Errorf("the event: %w", err)
	}
	h := header(schemas.ContentType+"; charset=utf-8", "Webhook-Id", in.d.MessageID)
	if secret := in.secret(); secret != "" {
		h.Set("Authorization", "Bearer "+secret)
	}
	return request{in.url, h, body}, nil
}

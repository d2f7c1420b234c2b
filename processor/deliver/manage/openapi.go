package manage

import (
	_ "embed"
	"net/http"
)

// The description of the API, OpenAPI 3.1. A test holds it against the routes
// and the answers.
//
//go:embed openapi.json
var webhooksOpenAPI []byte

func (h *webhooks) openAPI(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(webhooksOpenAPI) // a client that hung up does not want it
	return nil
}

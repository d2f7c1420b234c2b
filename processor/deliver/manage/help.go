package manage

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// purposeSecret is the member with a webhook's secret.
const purposeSecret = "secret"

const (
	maxCommandBytes = 64 << 10
	commandTimeout  = 10 * time.Second
	maxSecretBytes  = 1024
)

// commandContext lets a command end though its caller hangs up.
func commandContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), commandTimeout)
}

// errTooLarge: the body is larger than maxCommandBytes.
var errTooLarge = errors.New("body too large")

// uncertain is what is said of schemas.ErrUncertain.
const uncertain = "this could not be made durable, nor taken back: it has not happened, and may after the next start " +
	"(hint: look what there is before you try again; the server's disk refuses to write)"

// answer writes the answer to a request that failed.
func answer(w http.ResponseWriter, status int, sentence string) {
	body, err := json.Marshal(map[string]string{"error": sentence})
	if err != nil {
		panic(err) // a string is always JSON
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up does not want it
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that hung up does not want it
}

// clip keeps what a caller wrote short enough to be repeated to them.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

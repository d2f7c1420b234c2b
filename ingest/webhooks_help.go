package ingest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

const (
	maxCommandBytes = 64 << 10
	commandTimeout  = 10 * time.Second
	maxSecretBytes  = 1024
)

// commandContext lets a command end though its caller hangs up.
func commandContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), commandTimeout)
}

// uncertain is what is said of schemas.ErrUncertain.
const uncertain = "this could not be made durable, nor taken back: it has not happened, and may after the next start " +
	"(hint: look what there is before you try again; the server's disk refuses to write)"

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

func kindNames() []string {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		names[i] = k.Name
	}
	return names
}

// clip keeps what a caller wrote short enough to be repeated to them.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
